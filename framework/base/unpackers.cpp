// unpackers.cpp - gzip (RFC 1952) and zstd (RFC 8878) as streams. A file may have any number of members, one after the
// other, as `cat a.gz b.gz` and tools that pack in parallel leave them.
#include <zlib.h>
#include <zstd.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/unpacked_file.hpp"

namespace rgm {
namespace {

constexpr std::string_view gzip_magic = "\x1F\x8B", zstd_magic = "\x28\xB5\x2F\xFD";

class GzipUnpacker final : public UnpackedFile::Unpacker {
 public:
  GzipUnpacker() {
    if (::inflateInit2(&stream_, 15 + 16) != Z_OK) failure("zlib has no memory");  // + 16: gzip's head and checksum
  }
  ~GzipUnpacker() override { ::inflateEnd(&stream_); }

  const char* name() const override { return "gzip"; }
  bool is_between_members() const override { return is_between_; }

  size_t unpack(std::string_view& in, char* out, size_t room) override {
    if (is_between_ && !in.empty() && !begins_member(in)) return 0;
    is_between_ = false;
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = static_cast<uInt>(std::min<size_t>(room, size_t{1} << 30));
    const uInt wanted = stream_.avail_out;
    const int said = ::inflate(&stream_, Z_NO_FLUSH);
    in.remove_prefix(in.size() - stream_.avail_in);
    if (said == Z_STREAM_END) {
      is_between_ = true;
      ::inflateReset(&stream_);
    } else if (said != Z_OK && said != Z_BUF_ERROR) {  // that one says that nothing could be done yet
      invalid("{}", stream_.msg ? stream_.msg : ::zError(said));
    }
    return wanted - stream_.avail_out;
  }

 private:
  // Tapes and some tools fill the end up with zeros, as gzip itself allows.
  bool begins_member(std::string_view& in) {
    if (in[0] == gzip_magic[0] && !is_padded_) return true;
    is_padded_ = true;
    require(in.find_first_not_of('\0') == in.npos, "something that is not gzip follows its end");
    in = {};
    return false;
  }

  z_stream stream_{};
  bool is_between_ = true, is_padded_ = false;
};

class ZstdUnpacker final : public UnpackedFile::Unpacker {
 public:
  ZstdUnpacker() : stream_(::ZSTD_createDStream()) {
    if (!stream_) failure("zstd has no memory");
  }
  ~ZstdUnpacker() override { ::ZSTD_freeDStream(stream_); }

  const char* name() const override { return "zstd"; }
  bool is_between_members() const override { return is_between_; }

  size_t unpack(std::string_view& in, char* out, size_t room) override {
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{out, room, 0};
    const size_t said = ::ZSTD_decompressStream(stream_, &to, &from);
    if (::ZSTD_isError(said)) {
      const std::string_view why = ::ZSTD_getErrorName(said);
      require(why.find("too much memory") == why.npos,
              "it was packed with a window of more than 128 MiB: pack it again, without --long=28 or more");
      invalid("{}", why);
    }
    in.remove_prefix(from.pos);
    is_between_ = said == 0;
    return to.pos;
  }

 private:
  ZSTD_DStream* stream_;
  bool is_between_ = true;
};

// pzstd and others begin with a frame that is skipped: 0x184D2A50 to 0x184D2A5F.
bool is_skippable_frame(std::string_view begin) {
  return begin.size() >= 4 && (begin[0] & 0xF0) == 0x50 && begin.substr(1, 3) == "\x2A\x4D\x18";
}

}  // namespace

std::unique_ptr<UnpackedFile::Unpacker> unpacker_of(std::string_view begin) {
  if (begin.starts_with(gzip_magic)) return std::make_unique<GzipUnpacker>();
  if (begin.starts_with(zstd_magic) || is_skippable_frame(begin)) return std::make_unique<ZstdUnpacker>();
  return nullptr;
}

}  // namespace rgm
