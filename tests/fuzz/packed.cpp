// packed.cpp - what gzip or zstd may have packed, read as rows; the first byte says of which format.
#include "data/rows.hpp"
#include "fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rgm;
  if (size == 0) return 0;
  constexpr const char* formats[] = {"jsonl", "json", "csv", "tsv"};
  fuzz::only_errors([&] {
    const fs::path file = fuzz::file("rows", fuzz::text_of(data + 1, size - 1));
    each_row(file, formats[data[0] % 4], false, [](Row&, const std::string&) {});
  });
  return 0;
}
