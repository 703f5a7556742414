// codecs.cpp - the codecs of Parquet, each by its library.
#include "parquet/codecs.hpp"

#include <brotli/decode.h>
#include <lz4.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include <cstring>

#include "base/error.hpp"

namespace rgm::parquet {
namespace {

constexpr int64_t largest_page = int64_t{1} << 30;

// How often a byte of a packed page can say one of the page: beyond that a size is a lie. 0: there is no such bound.
int64_t most_of_a_byte(Codec codec) {
  switch (codec) {
    case Codec::none: return 1;
    case Codec::snappy: return 64;
    case Codec::lz4: return 256;
    case Codec::gzip: return 1100;
    default: return 0;
  }
}

bool unpack_gzip(std::string_view packed, Bytes& out) {
  z_stream stream{};
  if (::inflateInit2(&stream, 15 + 32) != Z_OK) failure("zlib has no memory");  // + 32: with zlib's head or gzip's
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.at.get());
  stream.avail_out = static_cast<uInt>(out.size);
  int said = ::inflate(&stream, Z_FINISH);
  while (said == Z_STREAM_END && stream.avail_out > 0 && stream.avail_in > 0) {  // a page may have several members
    ::inflateReset(&stream);
    said = ::inflate(&stream, Z_FINISH);
  }
  ::inflateEnd(&stream);
  return said == Z_STREAM_END && stream.avail_out == 0;
}

bool unpack(Codec codec, std::string_view packed, Bytes& out) {
  size_t size = out.size;
  switch (codec) {
    case Codec::none: std::memcpy(out.at.get(), packed.data(), out.size); return packed.size() == out.size;
    case Codec::snappy:
      return ::snappy_uncompress(packed.data(), packed.size(), out.at.get(), &size) == SNAPPY_OK && size == out.size;
    case Codec::gzip: return unpack_gzip(packed, out);
    case Codec::brotli:
      return ::BrotliDecoderDecompress(packed.size(), reinterpret_cast<const uint8_t*>(packed.data()), &size,
                                       reinterpret_cast<uint8_t*>(out.at.get())) == BROTLI_DECODER_RESULT_SUCCESS &&
             size == out.size;
    case Codec::zstd: return ::ZSTD_decompress(out.at.get(), out.size, packed.data(), packed.size()) == out.size;
    case Codec::lz4:
      return ::LZ4_decompress_safe(packed.data(), out.at.get(), static_cast<int>(packed.size()),
                                   static_cast<int>(out.size)) == static_cast<int>(out.size);
    default:
      throw Unsupported(
          fmt::format("is compressed with {}, which is not unpacked here; write the file again with "
                      "another compression, such as zstd",
                      name_of(codec)));
  }
}

}  // namespace

Bytes unpacked(Codec codec, std::string_view packed, int64_t size) {
  if (size > largest_page)
    throw Unsupported(fmt::format("has a page of {}, and pages of at most {} are read here; write the file again",
                                  bytes_for_people(static_cast<uint64_t>(size)), bytes_for_people(largest_page)));
  const int64_t most = most_of_a_byte(codec), packed_size = static_cast<int64_t>(packed.size());
  require(codec != Codec::none || size == packed_size, "has a page of {} bytes that is said to have {}", packed_size,
          size);
  require(most == 0 || size <= 64 + packed_size * most, "has a page of {} bytes that cannot become {}", packed_size,
          size);
  Bytes out{std::unique_ptr<char[]>(new char[static_cast<size_t>(size)]), static_cast<size_t>(size)};
  if (size > 0 || packed_size > 0)
    require(unpack(codec, packed, out), "has a page of {} bytes that is damaged ({})", packed_size, name_of(codec));
  return out;
}

}  // namespace rgm::parquet
