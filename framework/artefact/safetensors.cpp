// safetensors.cpp - reading and writing the file format of weights. A file may come from anywhere, so nothing in its
// header is believed before it was checked against the file's size.
#include "artefact/safetensors.hpp"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/error.hpp"
#include "base/sha256.hpp"

namespace rgm {
namespace {

constexpr uint64_t longest_header = 100'000'000;  // the limit of the format's own library

struct TypeName {
  rgm_dtype dtype;
  const char* name;
  uint64_t bytes;
};
constexpr TypeName types[] = {{RGM_F32, "F32", 4}, {RGM_F16, "F16", 2}, {RGM_BF16, "BF16", 2}, {RGM_I32, "I32", 4},
                              {RGM_I64, "I64", 8}, {RGM_U8, "U8", 1},   {RGM_BOOL, "BOOL", 1}};

const TypeName* type_of(rgm_dtype dtype) {
  const auto found = std::ranges::find(types, dtype, &TypeName::dtype);
  return found == std::end(types) ? nullptr : &*found;
}

// The number of bytes that a shape takes; nothing when it is more than any file has.
std::optional<uint64_t> bytes_of(std::span<const int64_t> shape, uint64_t bytes_each) {
  uint64_t bytes = bytes_each;
  for (const int64_t size : shape)
    if (size < 0 || __builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes)) return std::nullopt;
  return bytes;
}

// Parses the header and refuses what a JSON library takes silently: names that occur twice, and needless depth.
nlohmann::json parse_header(std::string_view text, const std::string& file) {
  std::vector<std::set<std::string>> names;  // of the objects that are open, by depth
  // Keeps nothing: else the library would go through all tensors again behind each, and there may be 20,000.
  const auto check = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    using Event = nlohmann::json::parse_event_t;
    require(depth < 4, "{}: the header is nested too deeply", file);
    const auto open = static_cast<size_t>(depth);
    if (event == Event::object_start) names.resize(open), names.emplace_back();
    if (event == Event::key) {
      const bool is_new = names[open - 1].insert(value.get<std::string>()).second;
      require(is_new, "{}: the header has \"{}\" twice", file, value.get<std::string>());
    }
    return false;
  };
  nlohmann::json header;
  try {
    header = nlohmann::json::parse(text, check);
    header = nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& e) {
    invalid("{}: the header is not valid JSON: {}", file, e.what());
  }
  require(header.is_object(), "{}: the header is a JSON {}, an object was expected", file, header.type_name());
  return header;
}

// One entry of the header, with its data inside of `data`.
SavedTensor read_entry(const std::string& name, const nlohmann::json& entry, std::span<const std::byte> data,
                       const std::string& file) {
  const auto is_size = [](const nlohmann::json& v) {
    return v.is_number_unsigned() && v.get<uint64_t>() <= uint64_t{INT64_MAX};
  };
  require(entry.is_object(), "{}: tensor \"{}\" is a JSON {}, an object was expected", file, name, entry.type_name());
  const auto member = [&](const char* key) -> const nlohmann::json& {
    const auto found = entry.find(key);
    require(found != entry.end(), "{}: tensor \"{}\" has no \"{}\"", file, name, key);
    return *found;
  };
  const auto& dtype = member("dtype");
  const auto type = std::ranges::find_if(types, [&](const TypeName& t) { return dtype == t.name; });
  require(type != std::end(types), "{}: tensor \"{}\" has the type {}, expected F32, F16, BF16, I32, I64, U8 or BOOL",
          file, name, dtype.dump());

  SavedTensor out{name, type->dtype, {}, {}};
  const auto& shape = member("shape");
  require(shape.is_array() && shape.size() <= 8 && std::ranges::all_of(shape, is_size),
          "{}: tensor \"{}\" has the shape {}, at most 8 sizes of 0 or more were expected", file, name, shape.dump());
  for (const auto& size : shape) out.shape.push_back(size.get<int64_t>());

  const auto& place = member("data_offsets");
  require(place.is_array() && place.size() == 2 && std::ranges::all_of(place, is_size),
          "{}: tensor \"{}\" has the data_offsets {}, two sizes were expected", file, name, place.dump());
  const auto begin = place[0].get<uint64_t>(), end = place[1].get<uint64_t>();
  require(begin <= end && end <= data.size(),
          "{}: tensor \"{}\" lies at bytes {} to {} of {}; the file is truncated or damaged", file, name, begin, end,
          data.size());
  const auto bytes = bytes_of(out.shape, type->bytes);
  require(bytes == end - begin, "{}: tensor \"{}\" of type {} and shape {} does not fill its {} bytes", file, name,
          type->name, shape.dump(), end - begin);
  out.data = data.subspan(begin, end - begin);
  return out;
}

std::string header_of(std::span<const OutgoingTensor> tensors, const std::map<std::string, std::string>& metadata) {
  std::string header = "{";
  if (!metadata.empty()) header += "\"__metadata__\":" + nlohmann::json(metadata).dump();
  uint64_t offset = 0;
  for (const OutgoingTensor& t : tensors) {
    if (header.size() > 1) header += ',';
    const uint64_t end = offset + *bytes_of(t.shape, type_of(t.dtype)->bytes);
    header += fmt::format(R"({}:{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", nlohmann::json(t.name).dump(),
                          type_of(t.dtype)->name, nlohmann::json(t.shape).dump(), offset, end);
    offset = end;
  }
  header += '}';
  header.append((8 - header.size() % 8) % 8, ' ');  // so that the data begins at a multiple of 8
  return header;
}

}  // namespace

SafeTensors::SafeTensors(const fs::path& path) : file_(std::make_shared<MappedFile>(path)) {
  const std::string file = path.string();
  const auto all = file_->bytes();
  require(all.size() >= 8, "{}: has {} bytes, a safetensors file has 8 or more; it is truncated", file, all.size());
  uint64_t length = 0;
  std::memcpy(&length, all.data(), 8);
  require(length <= longest_header,
          "{}: says its header has {} bytes, at most {} are read; it is not a safetensors file", file, length,
          longest_header);
  require(length <= all.size() - 8, "{}: its header should have {} bytes, but {} follow; it is truncated", file, length,
          all.size() - 8);
  const auto header = parse_header(file_->text().substr(8, length), file);
  const auto data = all.subspan(8 + length);

  for (const auto& [name, entry] : header.items()) {
    if (name != "__metadata__") {
      tensors_.push_back(read_entry(name, entry, data, file));
      continue;
    }
    require(entry.is_object(), "{}: __metadata__ is a JSON {}, an object was expected", file, entry.type_name());
    for (const auto& [key, value] : entry.items()) {
      require(value.is_string(), "{}: __metadata__ \"{}\" is not text", file, key);
      metadata_[key] = value.get<std::string>();
    }
  }
  // A tensor without data stands before its neighbour that begins at the same place.
  std::ranges::sort(tensors_, {}, [](const SavedTensor& t) { return std::pair(t.data.data(), t.data.size()); });
  size_t filled = 0;
  for (const SavedTensor& t : tensors_) {
    const auto begin = static_cast<size_t>(t.data.data() - data.data());
    require(begin >= filled, "{}: tensor \"{}\" overlaps the one before it", file, t.name);
    require(begin == filled, "{}: {} bytes before tensor \"{}\" belong to no tensor", file, begin - filled, t.name);
    filled += t.data.size();
  }
  require(filled == data.size(), "{}: {} bytes at the end belong to no tensor", file, data.size() - filled);
  for (size_t i = 0; i < tensors_.size(); ++i) index_[tensors_[i].name] = i;
}

const SavedTensor* SafeTensors::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

OutgoingTensor outgoing(const SavedTensor& borrowed) {
  return {borrowed.name, borrowed.dtype, borrowed.shape, [data = borrowed.data](const auto& put) { put(data); }};
}

std::string write_safetensors(const fs::path& path, std::span<const OutgoingTensor> tensors,
                              const std::map<std::string, std::string>& metadata) {
  std::set<std::string_view> names;
  for (const OutgoingTensor& t : tensors) {
    const TypeName* type = type_of(t.dtype);
    require(type != nullptr, "{}: tensor \"{}\" has the unknown type {}", path.string(), t.name, t.dtype);
    require(bytes_of(t.shape, type->bytes).has_value(), "{}: tensor \"{}\" has the impossible shape {}", path.string(),
            t.name, nlohmann::json(t.shape).dump());
    require(names.insert(t.name).second && t.name != "__metadata__", "{}: tensor \"{}\" cannot be written twice",
            path.string(), t.name);
  }
  const std::string header = header_of(tensors, metadata);
  require(header.size() <= longest_header, "{}: the names of {} tensors are too long", path.string(), tensors.size());

  uint64_t total = 8 + header.size();
  for (const OutgoingTensor& t : tensors) total += *bytes_of(t.shape, type_of(t.dtype)->bytes);
  FileWriter out(path, total);
  Sha256 sum;
  const auto put = [&](const void* data, size_t bytes) {
    constexpr size_t piece = 1 << 20;  // what the writer gathers, so it never copies a whole tensor
    for (size_t at = 0; at < bytes; at += piece)
      out.write(static_cast<const char*>(data) + at, std::min(piece, bytes - at));
    sum.update(data, bytes);
  };
  const uint64_t length = header.size();
  put(&length, 8);
  put(header.data(), header.size());
  for (const OutgoingTensor& t : tensors) {
    size_t bytes = 0;
    t.data([&](std::span<const std::byte> data) {
      put(data.data(), data.size());
      bytes += data.size();
    });
    const TypeName& type = *type_of(t.dtype);
    require(bytes == bytes_of(t.shape, type.bytes),
            "{}: tensor \"{}\" has {} bytes, which its shape {} and {} do not agree with", path.string(), t.name, bytes,
            nlohmann::json(t.shape).dump(), type.name);
  }
  out.commit();
  return sum.hex();
}

std::string write_safetensors(const fs::path& path, std::span<const SavedTensor> tensors,
                              const std::map<std::string, std::string>& metadata) {
  std::vector<OutgoingTensor> all;
  for (const SavedTensor& t : tensors) all.push_back(outgoing(t));
  return write_safetensors(path, all, metadata);
}

}  // namespace rgm
