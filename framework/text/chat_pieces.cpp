// chat_pieces.cpp - conversations cut into what is read and what is learned.
#include <algorithm>

#include "base/error.hpp"
#include "text/chat.hpp"

namespace rgm {
namespace {

// Neighbours that both count, or both do not, are one piece.
void add(std::vector<ChatPiece>& pieces, std::string text, bool counts) {
  if (text.empty()) return;
  if (!pieces.empty() && pieces.back().counts == counts)
    pieces.back().text += text;
  else
    pieces.push_back({std::move(text), counts});
}

}  // namespace

std::vector<ChatPiece> ChatTemplate::pieces(const Messages& messages, const std::vector<std::string>& roles,
                                            const Messages& beside, size_t first) const {
  const bool only_assistant = roles == std::vector<std::string>{"assistant"};
  if (only_assistant && template_for(beside).marks_answers()) return marked_pieces(messages, beside, first);
  return pieces_by_message(messages, roles, beside, first);
}

std::vector<ChatPiece> ChatTemplate::marked_pieces(const Messages& messages, const Messages& beside,
                                                   size_t first) const {
  std::vector<ChatPiece> out;
  std::vector<std::pair<size_t, size_t>> spans;
  const std::string all = template_for(beside).render(values(messages, false, beside), &spans);
  std::vector<std::pair<size_t, size_t>> asked;  // what the messages before the first have
  if (first > 0)
    template_for(beside).render(
        values(Messages(messages.begin(), messages.begin() + std::ptrdiff_t(first)), false, beside), &asked);
  size_t at = 0, span = 0;
  for (const auto& [begin, end] : spans) {
    add(out, all.substr(at, begin - at), false);
    add(out, all.substr(begin, end - begin), span++ >= asked.size());
    at = end;
  }
  add(out, all.substr(at), false);
  return out;
}

// A message's text is what the template writes more once it is there.
std::vector<ChatPiece> ChatTemplate::pieces_by_message(const Messages& messages, const std::vector<std::string>& roles,
                                                       const Messages& beside, size_t first) const {
  std::vector<ChatPiece> out;
  std::string done;
  const auto go_on = [&](const Messages& some, bool for_answer, bool counts, size_t message) {
    const std::string text = render(some, for_answer, beside);
    if (!text.starts_with(done))
      invalid(
          "the chat template changes what came before message {} once that message is there, so what the {} said "
          "cannot be found: put {{% generation %}} and {{% endgeneration %}} around it in the template",
          message + 1, messages[message].value("role", ""));
    add(out, text.substr(done.size()), counts);
    done = text;
  };
  const auto begins = [&](bool for_answer) {
    try {
      return render(Messages::array({messages[0]}), false, beside)
          .starts_with(render(Messages::array(), for_answer, beside));
    } catch (const Error&) {
      return false;
    }
  };
  Messages some = Messages::array();
  for (size_t i = 0; i < messages.size(); ++i) {
    const std::string role = messages[i].value("role", "");
    const bool counts = i >= first && std::ranges::find(roles, role) != roles.end();
    // Only where something begins or ends to count: a template may refuse half of a conversation. Where it refuses what
    // stands before the first message, all of that one counts.
    if (counts && (i > 0 || begins(role == "assistant"))) go_on(some, role == "assistant", false, i);
    some.push_back(messages[i]);
    if (counts) go_on(some, false, true, i);
  }
  if (done.empty() ||
      !std::ranges::any_of(roles, [&](const auto& r) { return r == messages.back().value("role", ""); }))
    go_on(messages, false, false, messages.size() - 1);
  return out;
}

}  // namespace rgm
