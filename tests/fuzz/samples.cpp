// samples.cpp - what people shall rank, and the orders that they type.
#include "rank/samples.hpp"
#include "fuzz/fuzz.hpp"
#include "rank/order.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rgm;
  fuzz::only_errors([&] { rank::read_samples(fuzz::file("rows.jsonl", fuzz::text_of(data, size))); });
  fuzz::only_errors([&] { rank::format_order(rank::parse_order(fuzz::text_of(data, size), size % 5)); });
  return 0;
}
