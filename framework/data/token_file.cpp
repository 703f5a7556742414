// token_file.cpp - making, finding and reading the file of ids.
#include "data/token_file.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/error.hpp"
#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "base/unpacked_file.hpp"
#include "data/content_hash.hpp"
#include "data/text_pieces.hpp"

namespace rgm {
namespace {

constexpr std::string_view magic = "RGMTOKEN";
constexpr uint32_t version = 2;
constexpr size_t head_bytes = 80, sum_bytes = 64, end_bytes = 8 + sum_bytes + magic.size();

template <class T>
std::string_view raw(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

template <class Put>
void put_ids(const std::vector<int32_t>& ids, uint32_t bytes_each, Put&& put) {
  if (bytes_each == 4) return put(std::string_view(reinterpret_cast<const char*>(ids.data()), ids.size() * 4));
  const std::vector<uint16_t> narrow(ids.begin(), ids.end());
  put(std::string_view(reinterpret_cast<const char*>(narrow.data()), narrow.size() * 2));
}

// Tokenises the files and hands the content of a token file to `put`, in order.
template <class Put>
void make(const std::vector<fs::path>& files, const std::string& content, const Tokenizer& tokenizer,
          std::string_view key, Put&& written) {
  using Clock = std::chrono::steady_clock;
  const log::OfWork told;  // the file is kept, and it may be the longest part of what is otherwise done in silence
  const auto started = Clock::now();
  auto shown = started;
  uintmax_t size = 0, before = 0, in_this = 0;  // in bytes: of all files, of the texts that are done and of this one
  bool is_size_known = true;
  for (const fs::path& file : files) {
    size += fs::is_regular_file(file) ? fs::file_size(file) : 0;
    is_size_known &= without_packed_ending(file.string()) == file.string();
  }
  Sha256 whole;
  const auto put = [&](std::string_view bytes) { whole.update(bytes), written(bytes); };
  const uint32_t bytes_each = tokenizer.vocabulary() <= 65536 ? 2 : 4;
  put(magic), put(raw(version)), put(raw(bytes_each)), put(key);
  uint64_t count = 0;
  Sha256 sum;
  for (const fs::path& file : files) {
    if (const auto end_of_text = tokenizer.end_of_text(); end_of_text && &file != &files.front()) {
      put_ids({*end_of_text}, bytes_each, put);
      ++count;
    }
    sum.update(each_piece(file, &tokenizer, [&](std::string_view text, size_t offset) {
      std::vector<int32_t> ids;
      try {
        ids = offset == 0 ? tokenizer.encode(text) : tokenizer.encode_on(text);
      } catch (const Error& e) {
        if (offset == 0) invalid("{}: {}", file.string(), e.what());
        invalid("{}: from byte {} on: {}", file.string(), offset, e.what());
      }
      put_ids(ids, bytes_each, put);
      count += ids.size();
      in_this = offset + text.size();
      if (Clock::now() - shown < std::chrono::seconds(2)) return;
      shown = Clock::now();
      log::progress(fmt::format("tokenising: {}{}", bytes_for_people(before + in_this),
                                is_size_known ? " of " + bytes_for_people(size) : ""));
    }));
    before += std::exchange(in_this, 0);
  }
  require(sum.hex() == content, "the text changed while it was read ({}); run again", files.front().string());
  put(raw(count)), written(whole.hex()), written(magic);
  const std::chrono::duration<double> took = Clock::now() - started;
  log::info("tokenised {}{}: {} tokens ({}) in {}", files.front().filename().string(),
            files.size() > 1 ? fmt::format(" and {} more", files.size() - 1) : "", count_for_people(count),
            tokenizer.kind(), time_for_people(took.count()));
}

}  // namespace

TokenFile TokenFile::open(const std::vector<fs::path>& files, const std::string& content, const Tokenizer& tokenizer,
                          const fs::path& cache) {
  const std::string key = sha256(fmt::format("{} {} {} {} {}", magic, version, content,
                                             sha256(tokenizer.to_json().dump()), tokenizer.end_of_text().value_or(-1)));
  TokenFile out;
  if (cache.empty()) {
    make(files, content, tokenizer, key, [&](std::string_view bytes) { out.memory_ += bytes; });
    require(out.check(key), "the ids of {} are damaged", files.front().string());
    return out;
  }
  const fs::path path = cache / (key.substr(0, 32) + ".tokens");
  if (fs::exists(path)) {
    out.file_ = MappedFile(path);
    if (out.check(key) && out.has_its_sum()) return out;
    const log::OfWork told;
    log::warning("{} is damaged and is made again", path.string());
  }
  std::error_code error;
  fs::create_directories(cache, error);
  if (error)
    invalid("{}: cannot be created: {}; is there something else with that name?", cache.string(), error.message());
  FileWriter writer(path);
  make(files, content, tokenizer, key, [&](std::string_view bytes) { writer.write(bytes); });
  writer.commit();
  out.file_ = MappedFile(path);
  require(out.check(key), "{}: is not as it was written a moment ago", path.string());
  return out;
}

bool TokenFile::check(std::string_view key) {
  const std::string_view all = bytes();
  if (all.size() < head_bytes + end_bytes || !all.starts_with(magic) || !all.ends_with(magic)) return false;
  uint32_t its_version = 0;
  uint64_t count = 0;
  std::memcpy(&its_version, all.data() + 8, 4);
  std::memcpy(&bytes_each_, all.data() + 12, 4);
  std::memcpy(&count, all.data() + all.size() - end_bytes, 8);
  const size_t ids = all.size() - head_bytes - end_bytes;
  count_ = static_cast<int64_t>(count);
  return its_version == version && (bytes_each_ == 2 || bytes_each_ == 4) && all.substr(16, 64) == key &&
         ids % bytes_each_ == 0 && ids / bytes_each_ == count;
}

bool TokenFile::has_its_sum() const {
  constexpr size_t piece = size_t{1} << 24;
  const std::string_view all = bytes(), summed = all.substr(0, all.size() - magic.size() - sum_bytes);
  Sha256 sum;
  for (size_t at = 0; at < summed.size(); at += piece) {
    stop_if_interrupted("scanning the tokens of a text");
    const std::string_view part = summed.substr(at, piece);
    sum.update(part);
    forget(std::as_bytes(std::span(part)));
  }
  return sum.hex() == all.substr(summed.size(), sum_bytes);
}

void TokenFile::copy(int64_t begin, int64_t n, int32_t* to) const {
  const char* from = bytes().data() + head_bytes + static_cast<size_t>(begin) * bytes_each_;
  if (bytes_each_ == 4) {
    std::memcpy(to, from, static_cast<size_t>(n) * 4);
    return;
  }
  const auto* narrow = reinterpret_cast<const uint16_t*>(from);  // the head keeps it aligned
  std::copy_n(narrow, n, to);
}

}  // namespace rgm
