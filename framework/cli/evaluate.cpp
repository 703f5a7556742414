// evaluate.cpp - `regimen evaluate`: how well a trained model predicts a file: its tokens, the right ones of several
// choices, or with a head of its own labels or numbers.
#include <fmt/format.h>

#include <boost/program_options.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "cli/evaluate_choices.hpp"
#include "cli/evaluate_head.hpp"
#include "cli/evaluated_rows.hpp"
#include "cli/trained_model.hpp"
#include "data/rows.hpp"
#include "data/sequences.hpp"
#include "generate/score.hpp"
#include "pipeline/reader.hpp"

namespace rgm {
namespace {

using Json = nlohmann::json;

struct EvaluateRequest {
  std::string model, data, rows, chat_template, backend, separator;
  cli::Types types;
  std::vector<std::string> adapters, columns;
  bool json = false, per_token = false;
};

DataSpec data_of(const EvaluateRequest& request) {
  DataSpec out;
  out.files = {find_file("evaluate", request.data)};
  require(fs::is_regular_file(out.files[0]), "evaluate: {} is not a file", out.files[0].string());
  out.format = format_by_ending(out.files[0]);
  require(out.format != "text" || request.columns.empty(),
          "evaluate: --column is \"{}\", but {} is plain text, which has no columns: leave it out, or give a file that "
          "ends in .jsonl, .json, .csv, .tsv or .parquet",
          request.columns.empty() ? "" : request.columns[0], out.files[0].string());
  if (!request.separator.empty()) {
    require(out.format == "csv", "evaluate: --separator is for csv, and {} is read as {}: leave it out",
            out.files[0].string(), out.format);
    out.separator = read_separator(request.separator).value_or('\0');
    require(out.separator != '\0', "evaluate: --separator is \"{}\", expected one character, such as \";\", or \\t",
            request.separator);
  }
  for (const std::string& given : request.columns) {
    const size_t at = given.find('=');
    require(at != given.npos && at > 0 && at + 1 < given.size(),
            "evaluate: --column is \"{}\", expected NAME=NAME IN THE FILE, as in text=0", given);
    const std::string name = given.substr(0, at), from = given.substr(at + 1);
    if (name == "choices")
      cli::read_choices_flag(from, out);
    else
      out.columns.push_back({name, from, std::nullopt});
  }
  return out;
}

// The rows, and the adapters that serve them.
struct Texts {
  std::vector<TokenExample> rows;
  std::vector<int32_t> adapters;   // where rows name them
  std::vector<std::string> names;  // of these
};
Texts texts_of(const EvaluateRequest& request, const DataSpec& spec, const Tokenizer& tokenizer,
               const RowAdapters* by_row, cli::EvaluatedRows& rows) {
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
    rows.add(row);
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

// What each adapter's rows come to.
Json shares(const std::map<std::string, Score>& by_adapter) {
  Json out = Json::object();
  for (const auto& [name, score] : by_adapter)
    out[name] = {{"loss", score.mean_loss()}, {"tokens", score.count}, {"accuracy", score.accuracy()}};
  return out;
}

void print(const Score& score, const std::map<std::string, Score>& by_adapter, bool json) {
  Json out = {{"loss", score.mean_loss()},
              {"perplexity", std::exp(score.mean_loss())},
              {"tokens", score.count},
              {"accuracy", score.accuracy()}};
  if (!by_adapter.empty()) out["adapters"] = shares(by_adapter);
  if (json) return fmt::print("{}\n", out.dump());
  fmt::print("loss        {:.6g}\nperplexity  {:.6g}\n", score.mean_loss(), std::exp(score.mean_loss()));
  fmt::print("tokens      {} scored\n", count_for_people(static_cast<uint64_t>(score.count)));
  fmt::print("accuracy    {:.4f}, standard error {:.4f}\n", score.accuracy(), score.accuracy_error());
  for (const auto& [name, share] : by_adapter)
    fmt::print("  {:20}  loss {:.6g}, accuracy {:.4f}, {} tokens\n", name.empty() ? "no adapter" : name,
               share.mean_loss(), share.accuracy(), count_for_people(static_cast<uint64_t>(share.count)));
}

void evaluate_text(const EvaluateRequest& request, const DataSpec& spec, const cli::TrainedModel& model,
                   cli::EvaluatedRows& rows) {
  const Texts texts = texts_of(request, spec, *model->tokenizer(), model.by_row(), rows);
  std::map<std::string, Score> by_adapter;
  std::vector<Score> by_row(rows.are_wanted() ? texts.rows.size() : 0);
  const auto see = [&](const ScoredToken& t) {
    const auto row = static_cast<size_t>(t.row);
    if (request.per_token) print_token(t, *model->tokenizer(), request.json);
    if (!texts.names.empty()) by_adapter[texts.names[row]].add(t.logprob, t.likeliest);
    if (!by_row.empty()) by_row[row].add(t.logprob, t.likeliest);
  };
  const bool sees = request.per_token || model.by_row() || rows.are_wanted();
  const Score score =
      score_texts(*model, texts.rows, sees ? std::function<void(const ScoredToken&)>(see) : nullptr, texts.adapters);
  require(score.count > 0, "{}: no token that counts has another one before it, so there is nothing to predict",
          spec.files[0].string());
  if (score.windowed > 0 && spec.format == "text" && score.rows == 1)
    log::info("{} is longer than the context of {} tokens and was read in windows", spec.files[0].string(),
              model->config().context);
  else if (score.windowed > 0)
    log::info("{} of {} rows are longer than the context of {} tokens and were read in windows", score.windowed,
              score.rows, model->config().context);
  for (size_t i = 0; i < by_row.size(); ++i) rows.say(i, {{"loss", by_row[i].loss}, {"tokens", by_row[i].count}});
  rows.write();
  if (!request.per_token || !request.json) print(score, by_adapter, request.json);
}

int answer(const EvaluateRequest& request) {
  const DataSpec spec = data_of(request);
  cli::EvaluatedRows rows(request.rows, spec.files[0]);
  const bool is_of_choices = cli::holds_choices(spec);
  require(!is_of_choices || !request.per_token,
          "evaluate: --per-token is for texts; of questions, --rows writes what each choice is scored with");
  const cli::TrainedModel model(request.model, request.adapters, request.backend, request.types);
  if (is_of_choices) {
    cli::evaluate_choices(spec, model, request.chat_template, rows, request.json);
    return 0;
  }
  if (model->config().outputs == 0) {
    evaluate_text(request, spec, model, rows);
    return 0;
  }
  require(!model.by_row(),
          "evaluate: rows can name adapters only where the model predicts tokens; this one has a head of its own");
  require(!request.per_token,
          "evaluate: --per-token is for models that predict tokens; this one has a head of its own");
  cli::evaluate_head(spec, model, request.chat_template, rows, request.json);
  return 0;
}

}  // namespace

int evaluate(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  EvaluateRequest request;
  po::options_description shown("Options");
  const auto text = [](std::string& to, const char* name) { return po::value(&to)->value_name(name); };
  shown.add_options()("model", text(request.model, "DIR"), "a stage's folder, or the model/ in it")(
      "adapter", po::value(&request.adapters)->composing()->value_name("DIR"),
      "a stage's folder, or the adapter/ in it; NAME=DIR: for the rows that name it in the column adapter")(
      "data", text(request.data, "FILE"),
      "plain text, or by its ending jsonl, json, csv, tsv or parquet: each row is a sequence")(
      "column", po::value(&request.columns)->composing()->value_name("NAME=NAME"),
      "which column holds text, prompt, label or value; by number, as in text=0, where there is no header line; of "
      "questions: prompt, choices (a list, or several as in choices=sol1,sol2), answer, then; {{ }} makes a template")(
      "separator", text(request.separator, "CHARACTER"), "what parts the fields of a csv, as in \";\" or \"\\t\"")(
      "rows", text(request.rows, "OUT.jsonl"),
      "write the rows there, each with the model's prediction, its loss and number of tokens, or its choices' scores")(
      "template", text(request.chat_template, "NAME"),
      "for conversations: chatml, llama3, alpaca or a file.jinja; otherwise the tokenizer's own. Questions become "
      "messages with it; own: with the tokenizer's")("per-token", po::bool_switch(&request.per_token),
                                                     "one line per token: row, position, id, log-probability, text")(
      "json", po::bool_switch(&request.json), "print a JSON object; with --per-token, one per token")(
      "backend", text(request.backend, "ID"), "which backend; otherwise the best usable one");
  cli::add_types(shown, request.types);
  const auto given = cli::parse(
      {.command = "evaluate",
       .line = "--model DIR [--adapter [NAME=]DIR]… --data FILE [--rows OUT.jsonl]",
       .text =
           "Measures how well a trained model predicts each token of a file from those before it: mean loss in nats,\n"
           "perplexity, and how often the likeliest token was the right one. A token is scored only if another one, "
           "or\n"
           "a learned prompt, comes before it; a row longer than the context is read in windows. In conversations "
           "only\n"
           "what the assistant says is scored; where rows have a prompt, only the answer. A model with a head of its "
           "own\n"
           "is compared with the column label or value; it reads only the beginning of a row longer than its context.\n"
           "For labels, it also prints precision, recall and F1 of each; without that column, what the model "
           "predicts.\n"
           "Rows with a prompt, choices and an answer are questions: each choice is scored by its log-probability "
           "behind\nthe prompt, and accuracy is how often the right one is the likeliest (accuracy_normalized: per "
           "byte).",
       .example = "regimen evaluate --model runs/quickstart/base --data data/stories.txt"},
      shown, arguments);
  if (!given) return 0;
  require(!request.model.empty(), "evaluate: which model? As in --model runs/quickstart/base");
  require(!request.data.empty(), "evaluate: which file? As in --data data/stories.txt");
  return answer(request);
}

}  // namespace rgm
