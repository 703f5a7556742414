// chat.cpp - `regimen chat`: a conversation with a trained model. Lines are read from the terminal or a pipe; answers
// are shown as they come.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <optional>

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "cli/sampling_flags.hpp"
#include "cli/trained_model.hpp"
#include "generate/generate.hpp"
#include "tensor/tape.hpp"
#include "text/chat.hpp"

namespace rgm {
namespace {

struct Request {
  std::string model, system, chat_template, backend;
  cli::Types types;
  std::vector<std::string> adapters;
  cli::SamplingFlags sampling{
      {"chat", 400,
       "ends an answer and is left out of it; may be given several times; a line break is $'\\n' in a shell"}};
};

class Conversation {
 public:
  Conversation(const Request& request, const cli::TrainedModel& model)
      : model_(model),
        chat_(cli::chat_template_for(request.chat_template, request.model, *model->tokenizer())),
        sampling_(request.sampling.sampling(model)) {
    if (!request.system.empty()) messages_.push_back({{"role", "system"}, {"content", request.system}});
    kept_ = messages_.size();
    // An answer is over at the end of a text, where the template ends one, or at a text of --stop.
    if (std::string end(trimmed(chat_.end_of_answer())); !end.empty()) ends_.push_back(std::move(end));
    ends_.insert(ends_.end(), sampling_.stop.begin(), sampling_.stop.end());
    sampling_.stop = ends_;
  }

  void answer(const std::string& said) {
    messages_.push_back({{"role", "user"}, {"content", said}});
    const std::optional<std::vector<int32_t>> ids = prompt();
    if (!ids) return messages_.erase(messages_.size() - 1);
    TextStream stream(model_->tokenizer());
    const std::vector<int32_t> ends = ends_of_text(*model_);
    const NoGradient still;
    std::string text;
    size_t shown = 0;
    bool over = false;
    // What may be the beginning of the end is held back.
    const auto show_to = [&](size_t to) {
      if (to > shown) cli::show("chat", text.substr(shown, to - shown)), shown = to;
    };
    generate(*model_, {*ids}, sampling_, false, [&](int64_t, int32_t token) {
      if (over) return;
      if (std::ranges::find(ends, token) == ends.end()) text += stream.push(token);
      const size_t at = end_of(text);
      if (at != std::string::npos) text.resize(at), over = true;
      show_to(text.size() - std::min(text.size(), at == std::string::npos ? held_back(text) : 0));
    });
    if (!over) text += stream.finish();
    text.resize(std::min(text.size(), end_of(text)));
    show_to(text.size());
    cli::show("chat", "\n");
    messages_.push_back({{"role", "assistant"}, {"content", std::string(trimmed(text))}});
    ++sampling_.seed;
  }

 private:
  static std::string_view trimmed(std::string_view text) {
    const size_t begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
  }

  // Where the first text begins that ends an answer; npos: there is none.
  size_t end_of(std::string_view text) const {
    size_t first = std::string_view::npos;
    for (const std::string& end : ends_) first = std::min(first, text.find(end));
    return first;
  }

  // How many of the last bytes begin what ends an answer.
  size_t held_back(std::string_view text) const {
    size_t most = 0;
    for (const std::string& end : ends_)
      for (size_t n = std::min(end.size(), text.size()); n > most; --n)
        if (text.ends_with(std::string_view(end).substr(0, n))) most = n;
    return most;
  }

  // Where the conversation leaves no room for an answer, its oldest part is forgotten, and that is said. Nothing, and
  // nothing is forgotten, where the last message has none even alone.
  std::optional<std::vector<int32_t>> prompt() {
    const int64_t context = model_->config().context - model_->virtual_tokens();
    const int64_t room = prompt_room(context, sampling_.max_tokens);
    Messages messages = messages_;
    for (size_t forgotten = 0;; forgotten += 2) {
      std::vector<int32_t> ids = model_->tokenizer()->encode(chat_.render(messages, true));
      if (static_cast<int64_t>(ids.size()) <= room) {
        if (forgotten > 0)
          log::warning("the context of {} tokens is full: the oldest {} messages are forgotten", context, forgotten);
        messages_ = std::move(messages);
        return ids;
      }
      if (messages.size() < kept_ + 3) {
        log::warning("your message has {} tokens, but the context has room for {}: it was left out, make it shorter",
                     ids.size(), room);
        return std::nullopt;
      }
      messages.erase(kept_), messages.erase(kept_);
    }
  }

  const cli::TrainedModel& model_;
  const ChatTemplate chat_;
  Sampling sampling_;
  Messages messages_ = Messages::array();
  size_t kept_ = 0;                // of the messages: the system's, which is never forgotten
  std::vector<std::string> ends_;  // texts that end an answer and are left out of it
};

void check(Request& request, const boost::program_options::variables_map& given) {
  require(!request.model.empty(), "chat: which model? As in --model runs/chat/taught");
  request.sampling.check(given);
}

int talk(const Request& request) {
  const cli::TrainedModel model(request.model, request.adapters, request.backend, request.types, cli::Use::text);
  require(!model.by_row(), "chat: adapters have no names here: give --adapter DIR, without NAME=");
  require_text(*model, request.model);
  Conversation conversation(request, model);
  const bool by_hand = ::isatty(STDIN_FILENO) != 0;
  if (by_hand) cli::show("chat", "An empty line or Ctrl-D ends the conversation.\n");
  for (std::string line;;) {
    if (by_hand) cli::show("chat", "> ");
    if (!std::getline(std::cin, line)) break;
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() && by_hand) break;
    if (!line.empty()) conversation.answer(line);
  }
  return 0;
}

}  // namespace

int chat(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  Request request;
  po::options_description shown("Options");
  const auto text = [](std::string& to, const char* name) { return po::value(&to)->value_name(name); };
  shown.add_options()("model", text(request.model, "DIR"), "a stage's folder, or the model/ in it")(
      "adapter", po::value(&request.adapters)->composing()->value_name("DIR"), "a stage's folder, or its adapter/")(
      "system", text(request.system, "TEXT"), "what the model is told before the conversation")(
      "template", text(request.chat_template, "NAME"),
      "chatml, llama3, alpaca or a file.jinja; otherwise the tokenizer's own");
  request.sampling.add_to(shown);
  shown.add_options()("backend", text(request.backend, "ID"), "which backend; otherwise the best usable one");
  cli::add_types(shown, request.types);
  const auto given = cli::parse(
      {.command = "chat",
       .line = "--model DIR [--adapter DIR]… [--system TEXT]",
       .text = "Talks with a trained model: each line is a message. How answers are sampled, unless that is\n"
               "given, is as the model's generation_config.json says, if it has one.",
       .example = "regimen chat --model runs/chat/taught --system \"Answer briefly.\""},
      shown, arguments);
  if (!given) return 0;
  check(request, *given);
  return talk(request);
}

}  // namespace rgm
