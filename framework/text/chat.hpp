// chat.hpp - conversations as the text that a model reads: the template of its tokenizer, or one that is known by name.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/template.hpp"
#include "text/tokenizer.hpp"

namespace rgm {

// [{"role": "user", "content": "..."}, ...]
using Messages = nlohmann::ordered_json;

inline constexpr const char* chat_template_file = "chat_template.jinja";

struct ChatPiece {
  std::string text;
  bool counts;  // it was said by one of the roles that are learned from
};

class ChatTemplate {
 public:
  // `tokenizer` says what begins and ends a text; `with_tools` is another template for where there are tools, if any.
  // RGM_INVALID beginning with `where`:line.
  ChatTemplate(std::string source, const std::string& where, const Tokenizer& tokenizer,
               const std::string& with_tools = {});

  const std::string& source() const { return source_; }
  // The text of all messages; with `for_answer`, up to where the assistant begins to speak. `beside` is what else the
  // template is given, such as "tools" and "documents".
  std::string render(const Messages& messages, bool for_answer, const Messages& beside = Messages::object()) const;
  // The same text in pieces, of which those of messages before `first` count for nothing. What an answer ends with
  // counts too, so that a model learns to end. RGM_INVALID where the
  // template writes earlier messages anew once later ones are there, and does not mark what the assistant says with
  // {% generation %}.
  std::vector<ChatPiece> pieces(const Messages& messages, const std::vector<std::string>& roles,
                                const Messages& beside = Messages::object(), size_t first = 0) const;
  // What stands behind an answer: the sign that it is over.
  std::string end_of_answer() const;

 private:
  nlohmann::ordered_json values(const Messages& messages, bool for_answer, const Messages& beside) const;
  const jinja::Template& template_for(const Messages& beside) const;
  std::vector<ChatPiece> marked_pieces(const Messages& messages, const Messages& beside, size_t first) const;
  std::vector<ChatPiece> pieces_by_message(const Messages& messages, const std::vector<std::string>& roles,
                                           const Messages& beside, size_t first) const;

  std::string source_;
  jinja::Template template_;
  bool asks_for_none_;  // whether a content that is null
  std::optional<jinja::Template> with_tools_;
  std::string problem_with_tools_;   // said where it is asked for
  nlohmann::ordered_json specials_;  // bos_token, eos_token ...
};

// "alpaca", "chatml", "llama3"
std::vector<std::string> chat_template_names();
// The Jinja of a named one; RGM_INVALID for a name that is not known.
std::string named_chat_template(std::string_view name);
// That of tokenizer_config.json or chat_template.jinja.
std::optional<ChatTemplate> chat_template_of(const Tokenizer& tokenizer);
// The same tokenizer, saved with this template; or with several, [{"name": "default", "template": "..."}, ...].
TokenizerPtr with_chat_template(TokenizerPtr tokenizer, nlohmann::json given);

}  // namespace rgm
