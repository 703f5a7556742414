// chat.cpp - a chat template, and what it makes of a conversation: a text, or a message about what is wrong.
#include "text/chat.hpp"
#include "fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rgm;
  static const Messages messages = {{{"role", "system"}, {"content", "Be brief."}},
                                    {{"role", "user"}, {"content", "1 + 1?"}},
                                    {{"role", "assistant"}, {"content", "2"}},
                                    {{"role", "user"}, {"content", {{{"type", "text"}, {"text", "Sure?"}}}}}};
  fuzz::only_errors([&] {
    const ChatTemplate chat(std::string(fuzz::text_of(data, size)), "chat template", *byte_tokenizer());
    chat.render(messages, true);
    chat.pieces(messages, {"assistant"});
  });
  return 0;
}
