// export.cpp - `regimen export`: a model as one GGUF file, with its tokenizer; adapters are folded in first.
#include <boost/program_options.hpp>

#include "base/error.hpp"
#include "base/log.hpp"
#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "cli/trained_model.hpp"
#include "model/to_gguf.hpp"
#include "pipeline/merged.hpp"

namespace rgm {
namespace {

struct ExportOptions {
  std::string model, out, type, backend;
  std::vector<std::string> adapters;
};

std::optional<ExportOptions> read_export_options(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  ExportOptions out;
  po::options_description shown("Options");
  shown.add_options()("model", po::value(&out.model)->value_name("DIR"), "a stage's folder, or the model/ in it")(
      "adapter", po::value(&out.adapters)->composing()->value_name("DIR"),
      "a stage's folder, or the adapter/ in it: folded into the weights first")(
      "out", po::value(&out.out)->value_name("FILE"), "the file, such as stories.gguf; its name is the model's")(
      "type", po::value(&out.type)->default_value("float16")->value_name("TYPE"),
      "of the matrices: float32, float16, bfloat16, or q8_0, which takes half of float16")(
      "backend", po::value(&out.backend)->value_name("ID"), "which backend; otherwise the best usable one");
  const auto given = cli::parse(
      {.command = "export",
       .line = "--model DIR [--adapter DIR]… --out FILE [--type TYPE]",
       .text = "Writes a model and its tokenizer as one GGUF file, which llama.cpp, Ollama and LM Studio open. What\n"
               "llama.cpp would compute otherwise is refused. docs/export.md has the lines to type there.",
       .example = "regimen export --model runs/quickstart/base --out stories.gguf"},
      shown, arguments);
  if (!given) return std::nullopt;
  require(!out.model.empty(), "export: which model? As in --model runs/tuned/lora");
  require(!out.out.empty(), "export: into which file? As in --out model.gguf");
  require(!fs::is_directory(out.out), "export: {0} is a folder; name a file, as in --out {1}", out.out,
          (fs::path(out.out) / "model.gguf").string());
  const fs::path folder = fs::path(out.out).parent_path();
  require(folder.empty() || fs::is_directory(folder), "export: --out {}: there is no folder {}: make it first", out.out,
          folder.string());
  return out;
}

}  // namespace

int export_model(const std::vector<std::string>& arguments) {
  const auto options = read_export_options(arguments);
  if (!options) return 0;
  const GgufType type = gguf_type(options->type);
  cli::TrainedModel model(options->model, options->adapters, options->backend, {}, cli::Use::copying);
  require(model.by_row() == nullptr, "export: a GGUF file has one model for every row: give adapters without names");
  if (Adapters* const adapters = model.adapters())
    merge_and_compare("export", *model, *adapters,
                      "GGUF has no place for it: use the model here, with `regimen generate` or `regimen chat`");
  try {
    const GgufModel gguf = to_gguf(*model, fs::path(options->out).stem().string(), type);
    if (fs::exists(model.folder() / "heads.safetensors"))
      log::warning("{}: {} has parameters beside those of the transformer, for which GGUF has no place: left out",
                   options->out, (model.folder() / "heads.safetensors").string());
    if (gguf.longest > 0)
      log::warning(
          "{}: llama.cpp has no windows in this family; texts of up to {} tokens, as long as a window, are read alike, "
          "and that is written as the context",
          options->out, gguf.longest);
    write_gguf(options->out, gguf.metadata, gguf.tensors);
    log::info("wrote {}, {} tensors in {}", options->out, gguf.tensors.size(), options->type);
  } catch (const Error& e) {
    const std::string text = e.what();
    if (text.starts_with(options->out)) throw;
    throw Error(e.status(), fmt::format("export: {}: {}", options->model, text));
  }
  return 0;
}

}  // namespace rgm
