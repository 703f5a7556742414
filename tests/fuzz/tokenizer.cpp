// tokenizer.cpp - tokenizer.json, and a text through what it makes: what is encoded comes back.
#include <nlohmann/json.hpp>

#include "fuzz/fuzz.hpp"
#include "text/tokenizer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rgm;
  fuzz::only_errors([&] {
    const TokenizerPtr tokenizer = load_tokenizer(fuzz::file("tokenizer.json", fuzz::text_of(data, size)));
    const auto ids = tokenizer->encode("Hello w\xC3\xB6rld <|endoftext|> 42\n\t\xF0\x9F\x99\x82 \xFF");
    tokenizer->decode(ids);
    tokenizer->to_json();
  });
  return 0;
}
