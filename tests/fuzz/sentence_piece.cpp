// sentence_piece.cpp - SentencePiece's tokenizer.model, and a text through what it makes.
#include <nlohmann/json.hpp>

#include "fuzz/fuzz.hpp"
#include "text/sentence_piece.hpp"
#include "text/tokenizer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rgm;
  fuzz::only_errors([&] {
    const nlohmann::json config = {{"legacy", size % 2 == 0}};
    const TokenizerPtr tokenizer =
        tokenizer_from_json(json_of_sentence_piece(fuzz::text_of(data, size), "m", config), "m", config);
    tokenizer->decode(tokenizer->encode("Hello w\xC3\xB6rld <s> 42\n\t\xF0\x9F\x99\x82 \xFF"));
  });
  return 0;
}
