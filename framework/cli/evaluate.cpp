// evaluate.cpp - `regimen evaluate`: how well a trained model predicts a file: its tokens, or with a head of its own
// its labels or numbers.
#include <fmt/format.h>

#include <boost/program_options.hpp>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "cli/trained_model.hpp"
#include "data/sequences.hpp"
#include "generate/score.hpp"
#include "pipeline/reader.hpp"

namespace rgm {
namespace {

using Json = nlohmann::json;

struct Request {
  std::string model, data, chat_template, backend;
  cli::Types types;
  std::vector<std::string> adapters, columns;
  bool json = false, per_token = false;
};

// By its ending, in letters of either case; what is no table is a text.
std::string format_of(const fs::path& file) {
  std::string ending = file.extension().string();
  for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const char* const format : {"jsonl", "json", "csv", "tsv"})
    if (ending == std::string(".") + format) return format;
  return "text";
}

DataSpec data_of(const Request& request) {
  DataSpec out;
  out.files = {find_file("evaluate", request.data)};
  require(fs::is_regular_file(out.files[0]), "evaluate: {} is no file", out.files[0].string());
  out.format = format_of(out.files[0]);
  require(
      out.format != "text" || request.columns.empty(),
      "evaluate: --column is \"{}\", and {} is a text, which has no columns: leave it out, or give a file that ends "
      "in .jsonl, .json, .csv or .tsv",
      request.columns.empty() ? "" : request.columns[0], out.files[0].string());
  for (const std::string& given : request.columns) {
    const size_t at = given.find('=');
    require(at != given.npos && at > 0 && at + 1 < given.size(),
            "evaluate: --column is \"{}\", expected NAME=NAME IN THE FILE, as in text=0", given);
    out.columns.push_back({given.substr(0, at), given.substr(at + 1), std::nullopt});
  }
  return out;
}

// The rows, and the adapters that serve them.
struct Texts {
  std::vector<TokenExample> rows;
  std::vector<int32_t> adapters;   // where rows name them
  std::vector<std::string> names;  // of these
};
Texts texts_of(const Request& request, const DataSpec& spec, const Tokenizer& tokenizer, const RowAdapters* by_row) {
  require(!by_row || spec.format != "text",
          "evaluate: {} has no rows that could name an adapter: leave out the name before =", spec.files[0].string());
  const auto template_for = [&](const ColumnMap& map) {
    const bool is_known = !request.chat_template.empty() || chat_template_of(tokenizer);
    return cli::chat_template_for(map.chat->alpaca && !is_known ? "alpaca" : request.chat_template, request.model,
                                  tokenizer);
  };
  Texts out;
  each_sequence(spec, tokenizer, template_for, [&](TokenExample tokens, const Row& row, const std::string& where) {
    out.rows.push_back(std::move(tokens));
    if (!by_row) return;
    out.names.push_back(cli::adapter_of(row, where));
    out.adapters.push_back(by_row->number(out.names.back(), where));
  });
  return out;
}

void print_token(const ScoredToken& t, const Tokenizer& tokenizer, bool json) {
  const std::string text = tokenizer.decode_on(std::span(&t.token, 1));
  const Json shown = text;
  if (json) {
    const Json line = {{"row", t.row}, {"position", t.position}, {"token", t.token},
                       {"text", text}, {"logprob", t.logprob},   {"likeliest", t.likeliest}};
    fmt::print("{}\n", line.dump(-1, ' ', false, Json::error_handler_t::replace));
  } else {
    fmt::print("{:>6} {:>6} {:>7} {:>10.4f} {} {}\n", t.row, t.position, t.token, t.logprob, t.likeliest ? '*' : ' ',
               shown.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
}

void add(const ScoredToken& token, Score& to) {
  to.loss -= token.logprob;
  ++to.count;
  to.right += token.likeliest;
}

// What each adapter's rows come to.
Json shares(const std::map<std::string, Score>& by_adapter) {
  Json out = Json::object();
  for (const auto& [name, score] : by_adapter) {
    const double n = static_cast<double>(score.count);
    out[name] = {{"loss", score.loss / n}, {"tokens", score.count}, {"accuracy", static_cast<double>(score.right) / n}};
  }
  return out;
}

void print(const Score& score, const std::map<std::string, Score>& by_adapter, bool is_of_tokens, bool is_of_numbers,
           bool json) {
  const double n = static_cast<double>(score.count), loss = score.loss / n,
               accuracy = static_cast<double>(score.right) / n;
  Json out = {{"loss", loss}};
  if (is_of_tokens) out["perplexity"] = std::exp(loss);
  out[is_of_tokens ? "tokens" : "examples"] = score.count;
  if (!is_of_numbers) out["accuracy"] = accuracy;
  if (!by_adapter.empty()) out["adapters"] = shares(by_adapter);
  if (json) return fmt::print("{}\n", out.dump());
  fmt::print("loss        {:.6g}\n", loss);
  if (is_of_tokens) fmt::print("perplexity  {:.6g}\n", std::exp(loss));
  fmt::print("{}{} scored\n", is_of_tokens ? "tokens      " : "examples    ",
             count_for_people(static_cast<uint64_t>(score.count)));
  // The standard error of a share.
  if (!is_of_numbers)
    fmt::print("accuracy    {:.4f}, standard error {:.4f}\n", accuracy, std::sqrt(accuracy * (1 - accuracy) / n));
  const Json rows = shares(by_adapter);
  for (const auto& [name, share] : rows.items())
    fmt::print("  {:20}  loss {:.6g}, accuracy {:.4f}, {} tokens\n", name.empty() ? "no adapter" : name,
               share["loss"].get<double>(), share["accuracy"].get<double>(),
               count_for_people(share["tokens"].get<uint64_t>()));
}

int answer(const Request& request) {
  const DataSpec spec = data_of(request);
  const cli::TrainedModel model(request.model, request.adapters, request.backend, request.types);
  const ModelConfig& config = model->config();
  Score score;
  std::map<std::string, Score> by_adapter;
  if (config.outputs > 0) {
    require(!model.by_row(),
            "evaluate: rows that name adapters share a head over tokens; this model has one of its own");
    require(!request.per_token,
            "evaluate: --per-token is of models that predict tokens; this one has a head of its own");
    const std::vector<ColumnWish> wishes = {
        {"text", RGM_TOKENS_COLUMN, RGM_STATES},
        config.outputs > 1 ? ColumnWish{"label", RGM_LABEL_COLUMN, 0} : ColumnWish{"value", RGM_REAL_COLUMN, 0}};
    const SourceOptions options{.context = config.context - model->virtual_tokens(),
                                .cache = {},
                                .labels = config.labels,
                                .outputs = config.outputs,
                                .end_of_text = false};
    score = score_examples(*model, *open_source(spec, wishes, model->tokenizer(), options));
  } else {
    const Texts texts = texts_of(request, spec, *model->tokenizer(), model.by_row());
    const auto see = [&](const ScoredToken& t) {
      if (request.per_token) print_token(t, *model->tokenizer(), request.json);
      if (!texts.names.empty()) add(t, by_adapter[texts.names[static_cast<size_t>(t.row)]]);
    };
    const bool sees = request.per_token || model.by_row();
    score =
        score_texts(*model, texts.rows, sees ? std::function<void(const ScoredToken&)>(see) : nullptr, texts.adapters);
    require(score.count > 0, "{}: has no token behind another one that counts, so nothing to predict",
            spec.files[0].string());
    if (score.windowed > 0)
      log::info("{} of {} rows are longer than the context of {} tokens and were read in windows", score.windowed,
                score.rows, config.context);
  }
  if (!request.per_token || !request.json)
    print(score, by_adapter, config.outputs == 0, config.outputs == 1, request.json);
  return 0;
}

}  // namespace

int evaluate(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  Request request;
  po::options_description shown("Options");
  const auto text = [](std::string& to, const char* name) { return po::value(&to)->value_name(name); };
  shown.add_options()("model", text(request.model, "DIR"), "a stage's folder, or the model/ in it")(
      "adapter", po::value(&request.adapters)->composing()->value_name("DIR"),
      "a stage's folder, or the adapter/ in it; NAME=DIR: for the rows that name it in a column adapter")(
      "data", text(request.data, "FILE"), "a text; or jsonl, json, csv, tsv, by the ending: each row a sequence")(
      "column", po::value(&request.columns)->composing()->value_name("NAME=NAME"),
      "where the file has text, prompt, label or value: text=0 by number, where it has no line of names")(
      "template", text(request.chat_template, "NAME"),
      "of conversations: chatml, llama3, alpaca or a file.jinja; otherwise the tokenizer's own")(
      "per-token", po::bool_switch(&request.per_token), "a line a token: row, position, id, log-probability, text")(
      "json", po::bool_switch(&request.json), "one JSON object; with --per-token one a token")(
      "backend", text(request.backend, "ID"), "otherwise the best that is usable");
  cli::add_types(shown, request.types);
  const auto given = cli::parse(
      {.command = "evaluate",
       .line = "--model DIR [--adapter [NAME=]DIR]… --data FILE",
       .text =
           "Says how well a trained model predicts every token of a file given those before it: mean loss in nats,\n"
           "perplexity, and how often the likeliest token was the right one. Nothing is scored without a token, or\n"
           "a learned prompt, before it; a row longer than the context is read in windows. Of conversations only\n"
           "what the assistant says is scored, of answers behind a prompt only these. A model with a head of its own\n"
           "is held against the column label or value; of a row longer than its context it reads the beginning.",
       .example = "regimen evaluate --model runs/quickstart/base --data data/stories.txt"},
      shown, arguments);
  if (!given) return 0;
  require(!request.model.empty(), "evaluate: which model? As in --model runs/quickstart/base");
  require(!request.data.empty(), "evaluate: which file? As in --data data/stories.txt");
  return answer(request);
}

}  // namespace rgm
