// gguf.cpp - the header is made in memory, and the tensors' values go through block by block.
#include "artefact/gguf.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <set>

#include "base/error.hpp"

namespace rgm {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr uint32_t version = 3;
constexpr uint64_t alignment = 32;  // of the data as a whole, and of each tensor's; what readers take by default

// The order of GgufValue's types, by the format's numbers.
constexpr uint32_t value_types[] = {4, 6, 7, 8, 9, 9, 9, 9};
constexpr uint32_t element_types[] = {0, 0, 0, 0, 5, 6, 7, 8};

template <class T>
void append(std::string& out, const T& number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}
void append_text(std::string& out, const std::string& text) {
  append(out, uint64_t{text.size()});
  out += text;
}

void append_value(std::string& out, const GgufValue& value) {
  append(out, value_types[value.index()]);
  const auto elements = [&](const auto& list, auto&& one) {
    append(out, element_types[value.index()]);
    append(out, uint64_t{list.size()});
    for (const auto& element : list) one(element);
  };
  const auto number = [&](auto element) { append(out, element); };
  if (const auto* size = std::get_if<uint32_t>(&value)) append(out, *size);
  if (const auto* real = std::get_if<float>(&value)) append(out, *real);
  if (const auto* flag = std::get_if<bool>(&value)) append(out, *flag);
  if (const auto* text = std::get_if<std::string>(&value)) append_text(out, *text);
  if (const auto* list = std::get_if<std::vector<int32_t>>(&value)) elements(*list, number);
  if (const auto* list = std::get_if<std::vector<float>>(&value)) elements(*list, number);
  if (const auto* list = std::get_if<std::vector<bool>>(&value)) elements(*list, [&](bool b) { append(out, b); });
  if (const auto* list = std::get_if<std::vector<std::string>>(&value))
    elements(*list, [&](const std::string& text) { append_text(out, text); });
}

uint64_t bytes_of(const GgufTensor& tensor) {
  uint64_t count = 1;
  for (const int64_t size : tensor.values.shape) count *= static_cast<uint64_t>(size);
  switch (tensor.type) {
    case GgufType::float32: return 4 * count;
    case GgufType::q8_0: return count / gguf_block * (gguf_block + 2);
    default: return 2 * count;
  }
}

uint64_t padded(uint64_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

std::string header_of(const GgufMetadata& metadata, std::span<const GgufTensor> tensors) {
  std::string out = "GGUF";
  append(out, version), append(out, uint64_t{tensors.size()}), append(out, uint64_t{metadata.size()});
  for (const auto& [key, value] : metadata) append_text(out, key), append_value(out, value);
  uint64_t offset = 0;
  for (const GgufTensor& tensor : tensors) {
    const auto& shape = tensor.values.shape;
    append_text(out, tensor.values.name);
    append(out, static_cast<uint32_t>(shape.size()));
    for (auto size = shape.rbegin(); size != shape.rend(); ++size) append(out, static_cast<uint64_t>(*size));
    append(out, static_cast<uint32_t>(tensor.type)), append(out, offset);
    offset += padded(bytes_of(tensor));
  }
  out.resize(padded(out.size()));
  return out;
}

// Takes the values in pieces of any size, and hands them on in whole blocks.
class Encoder {
 public:
  Encoder(const fs::path& path, const GgufTensor& tensor, FileWriter& out) : path_(path), tensor_(tensor), out_(out) {}

  void take(std::span<const std::byte> piece) {
    const bool half = tensor_.values.dtype == RGM_BF16;
    const size_t each = half ? 2 : 4, count = piece.size() / each;
    for (size_t i = 0; i < count; ++i) {
      uint32_t bits = 0;
      std::memcpy(half ? reinterpret_cast<char*>(&bits) + 2 : reinterpret_cast<char*>(&bits), &piece[i * each], each);
      waiting_.push_back(std::bit_cast<float>(bits));
      if (!(std::abs(waiting_.back()) < limit_)) refuse(waiting_.back());
      if (waiting_.size() == 1 << 16) hand_on();
    }
  }
  uint64_t finish() {
    hand_on();
    written_ += waiting_.size();  // part of a block, which is too many
    return written_;
  }

 private:
  [[noreturn]] void refuse(float value) const {
    const std::string what =
        fmt::format("{}: tensor \"{}\" has the value {:g}", path_.string(), tensor_.values.name, value);
    if (!std::isfinite(value)) invalid("{}: its training diverged; export an earlier stage", what);
    invalid("{}, and its type ends below {:.0f}: write bfloat16 or float32, as in --type bfloat16", what, limit_);
  }
  void hand_on() {
    const size_t whole = waiting_.size() / gguf_block * gguf_block;
    const size_t count = tensor_.type == GgufType::q8_0 ? whole : waiting_.size();
    const auto bytes = gguf_bytes(std::span(waiting_).first(count), tensor_.type);
    out_.write(bytes.data(), bytes.size());
    written_ += bytes.size();
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
  }

  const fs::path& path_;
  const GgufTensor& tensor_;
  FileWriter& out_;
  const float limit_ = gguf_limit(tensor_.type);
  std::vector<float> waiting_;
  uint64_t written_ = 0;
};

void check(const fs::path& path, const GgufTensor& tensor) {
  const OutgoingTensor& values = tensor.values;
  require(values.dtype == RGM_F32 || values.dtype == RGM_BF16, "{}: tensor \"{}\" is neither float32 nor bfloat16",
          path.string(), values.name);
  require(!values.shape.empty() && values.shape.size() <= 4 && values.name.size() < 64,
          "{}: tensor \"{}\" has {} axes, 1 to 4 and a name of at most 63 characters were expected", path.string(),
          values.name, values.shape.size());
  require(tensor.type != GgufType::q8_0 || values.shape.back() % gguf_block == 0,
          "{}: tensor \"{}\" has rows of {}, q8_0 needs a multiple of {}", path.string(), values.name,
          values.shape.back(), gguf_block);
}

}  // namespace

void write_gguf(const fs::path& path, const GgufMetadata& metadata, std::span<const GgufTensor> tensors) {
  std::set<std::string_view> names;
  for (const GgufTensor& tensor : tensors) {
    check(path, tensor);
    require(names.insert(tensor.values.name).second, "{}: tensor \"{}\" cannot be written twice", path.string(),
            tensor.values.name);
  }
  const std::string header = header_of(metadata, tensors);
  uint64_t total = header.size();
  for (const GgufTensor& tensor : tensors) total += padded(bytes_of(tensor));
  FileWriter out(path, total);
  out.write(header);
  for (const GgufTensor& tensor : tensors) {
    Encoder encoder(path, tensor, out);
    tensor.values.data([&](std::span<const std::byte> piece) { encoder.take(piece); });
    const uint64_t written = encoder.finish(), expected = bytes_of(tensor);
    require(written == expected, "{}: tensor \"{}\" has {} bytes, its shape says {}", path.string(), tensor.values.name,
            written, expected);
    out.write(std::string(padded(written) - written, '\0'));
  }
  out.commit();
}

}  // namespace rgm
