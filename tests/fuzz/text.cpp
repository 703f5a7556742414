// text.cpp - a text for training: tokenised, cut into windows, drawn in order and shuffled.
#include "data/source.hpp"
#include "fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rgm;
  static const TokenizerPtr bytes = byte_tokenizer();
  fuzz::only_errors([&] {
    DataSpec spec;
    spec.format = "text";
    spec.files = {fuzz::file("text.txt", fuzz::text_of(data, size))};
    const auto source = open_source(spec, {{"text", RGM_TOKENS_COLUMN, 0}}, bytes, {.context = 8, .cache = {}});
    source->in_order(0, source->units());
    source->batch(0, 3, 7);
    character_tokenizer(fuzz::text_of(data, size))->encode(fuzz::text_of(data, size));
  });
  return 0;
}
