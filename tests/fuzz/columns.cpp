// columns.cpp - rows of jsonl, json, csv or tsv, as the first byte says; with lists, prompts and numbers.
#include "data/source.hpp"
#include "fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rgm;
  if (size == 0) return 0;
  static const TokenizerPtr bytes = byte_tokenizer();
  constexpr const char* formats[] = {"jsonl", "json", "csv", "tsv"};
  fuzz::only_errors([&] {
    DataSpec spec;
    spec.format = formats[data[0] % 4];
    spec.files = {fuzz::file("rows." + spec.format, fuzz::text_of(data + 1, size - 1))};
    if (data[0] & 4) spec.columns = {{"text", "0", std::nullopt}, {"value", "1", std::nullopt}};
    if (data[0] & 8) spec.columns = {{"text", "answer", "prompt"}};
    std::vector<ColumnWish> wishes = {{"text", RGM_TOKENS_COLUMN, 0}, {"value", RGM_REAL_COLUMN, RGM_OPTIONAL}};
    if (data[0] & 16) wishes = {{"*", RGM_TEXT_COLUMN, 0}, {"text", RGM_TOKENS_COLUMN, RGM_OPTIONAL}};
    if (data[0] & 32) wishes.push_back({"group", RGM_INTEGER_COLUMN, RGM_TOGETHER});
    const auto source = open_source(spec, wishes, bytes, {.context = 8, .cache = {}});
    source->in_order(0, source->units());
    source->batch(0, 2, 7);
  });
  return 0;
}
