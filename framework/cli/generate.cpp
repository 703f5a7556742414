// generate.cpp - `regimen generate`: text from a trained model, shown as it comes; or the answers to a file of prompts.
#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/log.hpp"
#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "cli/sampling_flags.hpp"
#include "cli/trained_model.hpp"
#include "data/rows.hpp"
#include "generate/generate.hpp"
#include "tensor/tape.hpp"

namespace rgm {
namespace {

struct GenerateRequest {
  std::string model, prompt, file, prompts, backend;
  cli::Types types;
  std::vector<std::string> adapters;
  cli::SamplingFlags sampling{
      {"generate", 200,
       "ends the answer and stays in it; may be given several times; a line break is $'\\n' in a shell"}};
};

void check(GenerateRequest& request, const boost::program_options::variables_map& given) {
  require(!request.model.empty(), "generate: which model? As in --model runs/quickstart/base");
  require(given.count("prompt") + given.count("file") + given.count("prompts") == 1,
          "generate: what should it continue? Give one of --prompt TEXT, --file FILE and --prompts FILE");
  request.sampling.check(given);
}

// A text of any length slides through the context, which nobody sees in the answer.
void warn_of_long(const std::vector<std::vector<int32_t>>& prompts, int64_t context) {
  const auto is_long = [&](const std::vector<int32_t>& ids) { return static_cast<int64_t>(ids.size()) > context; };
  const auto count = std::ranges::count_if(prompts, is_long);
  if (count > 0 && prompts.size() == 1)
    log::warning("generate: the prompt has {} tokens, the model's context {}: the prompt's beginning is not read",
                 prompts[0].size(), context);
  else if (count > 0)
    log::warning(
        "generate: {} of {} prompts have more tokens than the model's context of {}: their beginnings are not read",
        count, prompts.size(), context);
}

// A row is {"prompt": ..., "adapter": ...}; the second may be left out, and others may be there. Answers as these rows
// with "text", in their order.
int answer_rows(const std::string& prompts, const cli::TrainedModel& model, const Sampling& sampling) {
  std::vector<std::vector<int32_t>> ids;
  std::vector<int32_t> adapters;
  std::vector<Row> rows;
  const std::string format = format_by_ending(prompts);
  each_row(prompts, format == "text" ? "jsonl" : format, false, [&](Row& row, const std::string& where) {
    require_readable(row, "prompt", where);
    drop_unreadable(row);
    const auto prompt = row.find("prompt");
    require(prompt != row.end() && prompt->is_string(), "{}: \"prompt\" is missing, or is not text", where);
    ids.push_back(model->tokenizer()->encode(prompt->get_ref<const std::string&>()));
    require(!ids.back().empty(), "{}: the prompt is empty: give at least one character to continue", where);
    const std::string adapter = cli::adapter_of(row, where);
    if (model.by_row()) adapters.push_back(model.by_row()->number(adapter, where));
    require(model.by_row() || adapter.empty(), "{}: names the adapter \"{}\": give it, as in --adapter {}=DIR", where,
            adapter, adapter);
    rows.push_back(std::move(row));
  });
  warn_of_long(ids, model->config().context);
  const NoGradient still;
  const std::vector<Generated> answers = generate(*model, ids, sampling, /*slide=*/true, {}, adapters);
  const std::vector<int32_t> ends = ends_of_text(*model);
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i]["text"] = model->tokenizer()->decode_on(without_end(answers[i].tokens, ends));
    cli::show("generate", rows[i].dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  return 0;
}

int answer(const GenerateRequest& request) {
  const std::string prompt = request.file.empty() ? request.prompt : read_file(request.file);
  const cli::TrainedModel model(request.model, request.adapters, request.backend, request.types, cli::Use::text);
  require_text(*model, request.model);
  const Sampling sampling = request.sampling.sampling(model);
  if (!request.prompts.empty()) return answer_rows(request.prompts, model, sampling);
  require(!model.by_row(),
          "generate: which of the named adapters is for this prompt? Leave the name out, or let rows of --prompts FILE "
          "name theirs");

  const std::vector<int32_t> ids = model->tokenizer()->encode(prompt);
  require(!ids.empty(), "generate: the prompt is empty: give at least one character to continue");
  warn_of_long({ids}, model->config().context);
  cli::show("generate", prompt);
  TextStream stream(model->tokenizer());
  const std::vector<int32_t> ends = ends_of_text(*model);
  const NoGradient still;
  generate(*model, {ids}, sampling, /*slide=*/true, [&](int64_t, int32_t token) {
    if (std::ranges::find(ends, token) == ends.end()) cli::show("generate", stream.push(token));
  });
  cli::show("generate", stream.finish() + "\n");
  return 0;
}

}  // namespace

int generate_text(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  GenerateRequest request;
  po::options_description shown("Options");
  const auto text = [](std::string& to, const char* name) { return po::value(&to)->value_name(name); };
  shown.add_options()("model", text(request.model, "DIR"), "a stage's folder, or the model/ in it")(
      "adapter", po::value(&request.adapters)->composing()->value_name("DIR"),
      "a stage's folder, or the adapter/ in it; NAME=DIR: for the rows of --prompts that name it")(
      "prompt", text(request.prompt, "TEXT"), "the text to continue")("file", text(request.file, "FILE"),
                                                                      "the same, from a file")(
      "prompts", text(request.prompts, "FILE"),
      "many prompts, decoded side by side: rows (by the ending jsonl, json, csv, tsv or parquet) with prompt and "
      "optionally adapter; each is printed with its answer");
  request.sampling.add_to(shown);
  shown.add_options()("backend", text(request.backend, "ID"), "which backend; otherwise the best usable one");
  cli::add_types(shown, request.types);
  const auto given = cli::parse(
      {.command = "generate",
       .line = "--model DIR [--adapter [NAME=]DIR]… --prompt TEXT | --file FILE | --prompts FILE",
       .text = "Continues a text with a trained model. How it is sampled, unless that is given, is as the model's\n"
               "generation_config.json says, if it has one.",
       .example = "regimen generate --model runs/quickstart/base --prompt \"Once upon a time\" --max-tokens 100"},
      shown, arguments);
  if (!given) return 0;
  check(request, *given);
  return answer(request);
}

}  // namespace rgm
