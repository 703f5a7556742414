// codecs.hpp - a page as it was before it was compressed.
#pragma once
#include <memory>
#include <string_view>

#include "parquet/metadata.hpp"

namespace rgm::parquet {

// Bytes that are written once and not cleared before: of a page whose head lies about its size, nothing is touched.
struct Bytes {
  std::unique_ptr<char[]> at = {};
  size_t size = 0;
  std::string_view view() const { return {at.get(), size}; }
};

// `packed` as `size` bytes. RGM_INVALID: damaged. Unsupported: the codec.
Bytes unpacked(Codec codec, std::string_view packed, int64_t size);

}  // namespace rgm::parquet
