// generate.cpp - `regimen generate`: text from a trained model, shown as it comes; or the answers to a file of prompts.
#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/log.hpp"
#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "cli/trained_model.hpp"
#include "data/rows.hpp"
#include "generate/generate.hpp"
#include "tensor/tape.hpp"

namespace rgm {
namespace {

struct GenerateRequest {
  std::string model, prompt, file, prompts, backend;
  cli::Types types;
  std::vector<std::string> adapters, stop;
  Sampling sampling;
  int64_t seed = 0;  // with its sign, which unsigned numbers would take for a large one
};

void show(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    failure("generate: the text could not be written: {}", std::strerror(errno));
}

void check(const GenerateRequest& request, const boost::program_options::variables_map& given) {
  const Sampling& s = request.sampling;
  require(!request.model.empty(), "generate: which model? As in --model runs/quickstart/base");
  require(given.count("prompt") + given.count("file") + given.count("prompts") == 1,
          "generate: what should it continue? Give one of --prompt TEXT, --file FILE and --prompts FILE");
  require(request.seed >= 0, "generate: --seed is {}, expected at least 0", request.seed);
  cli::check_max_tokens("generate", s.max_tokens);
  cli::check_temperature("generate", s.temperature);
  cli::check_stops("generate", request.stop);
  require(s.top_k >= 0, "generate: --top-k is {}, expected at least 0, which keeps all", s.top_k);
  require(s.top_p > 0 && s.top_p <= 1, "generate: --top-p is {}, expected above 0 and at most 1", s.top_p);
  require(s.min_p >= 0 && s.min_p <= 1, "generate: --min-p is {}, expected from 0, which keeps all, to 1", s.min_p);
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
int answer_rows(const GenerateRequest& request, const cli::TrainedModel& model) {
  std::vector<std::vector<int32_t>> ids;
  std::vector<int32_t> adapters;
  std::vector<Row> rows;
  each_row(request.prompts, "jsonl", false, [&](Row& row, const std::string& where) {
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
  const std::vector<Generated> answers = generate(*model, ids, request.sampling, /*slide=*/true, {}, adapters);
  const std::vector<int32_t> ends = ends_of_text(*model);
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i]["text"] = model->tokenizer()->decode_on(without_end(answers[i].tokens, ends));
    show(rows[i].dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  return 0;
}

int answer(GenerateRequest request) {
  const std::string prompt = request.file.empty() ? request.prompt : read_file(request.file);
  const cli::TrainedModel model(request.model, request.adapters, request.backend, request.types, cli::Use::text);
  require_text(*model, request.model);
  request.sampling.stop = request.stop;
  if (!request.prompts.empty()) return answer_rows(request, model);
  require(!model.by_row(),
          "generate: which of the named adapters is for this prompt? Leave the name out, or let rows of --prompts FILE "
          "name theirs");

  const std::vector<int32_t> ids = model->tokenizer()->encode(prompt);
  require(!ids.empty(), "generate: the prompt is empty: give at least one character to continue");
  warn_of_long({ids}, model->config().context);
  show(prompt);
  TextStream stream(model->tokenizer());
  const std::vector<int32_t> ends = ends_of_text(*model);
  const NoGradient still;
  generate(*model, {ids}, request.sampling, /*slide=*/true, [&](int64_t, int32_t token) {
    if (std::ranges::find(ends, token) == ends.end()) show(stream.push(token));
  });
  show(stream.finish() + "\n");
  return 0;
}

}  // namespace

int generate_text(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  GenerateRequest request;
  Sampling& s = request.sampling;
  po::options_description shown("Options");
  const auto text = [](std::string& to, const char* name) { return po::value(&to)->value_name(name); };
  shown.add_options()("model", text(request.model, "DIR"), "a stage's folder, or the model/ in it")(
      "adapter", po::value(&request.adapters)->composing()->value_name("DIR"),
      "a stage's folder, or the adapter/ in it; NAME=DIR: for the rows of --prompts that name it")(
      "prompt", text(request.prompt, "TEXT"), "the text to continue")("file", text(request.file, "FILE"),
                                                                      "the same, from a file")(
      "prompts", text(request.prompts, "FILE"),
      "many prompts, decoded side by side: jsonl rows with prompt and optionally adapter; each is printed with its "
      "answer")("max-tokens", po::value(&s.max_tokens)->default_value(200)->value_name("N"), "length of the answer")(
      "temperature", po::value(&s.temperature)->default_value(0.8, "0.8")->value_name("X"),
      "below 1 favours likely tokens; 0 always takes the likeliest")(
      "top-k", po::value(&s.top_k)->default_value(0)->value_name("N"), "only the N likeliest tokens; 0: all")(
      "top-p", po::value(&s.top_p)->default_value(1, "1")->value_name("X"),
      "only the likeliest tokens that together have this probability")(
      "min-p", po::value(&s.min_p)->default_value(0, "0")->value_name("X"),
      "only tokens with at least this share of the likeliest one's probability; 0: all")(
      "stop", po::value(&request.stop)->composing()->value_name("TEXT"),
      "ends the answer and stays in it; may be given several times; a line break is $'\\n' in a shell")(
      "seed", po::value(&request.seed)->default_value(0)->value_name("N"), "the same seed gives the same text")(
      "backend", text(request.backend, "ID"), "which backend; otherwise the best usable one");
  cli::add_types(shown, request.types);
  const auto given = cli::parse(
      {.command = "generate",
       .line = "--model DIR [--adapter [NAME=]DIR]… --prompt TEXT | --file FILE | --prompts FILE",
       .text = "Continues a text with a trained model.",
       .example = "regimen generate --model runs/quickstart/base --prompt \"Once upon a time\" --max-tokens 100"},
      shown, arguments);
  if (!given) return 0;
  check(request, *given);
  s.seed = static_cast<uint64_t>(request.seed);
  return answer(std::move(request));
}

}  // namespace rgm
