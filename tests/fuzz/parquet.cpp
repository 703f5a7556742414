// parquet.cpp - a Parquet file: its footer, its pages in every encoding and codec, and rows put together from them.
#include "parquet/rows.hpp"

#include "fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rgm;
  fuzz::only_errors([&] {
    const fs::path file = fuzz::file("rows.parquet", fuzz::text_of(data, size));
    int left = 1000;  // some bytes can stand for any number of nulls
    parquet::each_row(file, [&](parquet::Row& row, const std::string&) {
      for (const auto& [name, value] : row.items())
        if (parquet::is_unreadable(value)) parquet::why_unreadable(value);
      static_cast<void>(row.dump(-1, ' ', false, parquet::Row::error_handler_t::replace));
      return --left > 0;
    });
  });
  return 0;
}
