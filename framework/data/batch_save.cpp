// batch_save.cpp - a batch in a checkpoint: a JSON description, and arrays for what is in it. Texts are bytes: what a
// model wrote need not be UTF-8.
#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "data/batch.hpp"

namespace rgm {
namespace {

constexpr std::pair<ColumnKind, const char*> kinds[] = {{ColumnKind::integer, "integer"},
                                                        {ColumnKind::real, "real"},
                                                        {ColumnKind::text, "text"},
                                                        {ColumnKind::tokens, "tokens"},
                                                        {ColumnKind::per_token, "per_token"}};

template <class T>
void add(std::vector<SavedArray>& arrays, std::string name, const std::vector<T>& values, std::vector<int64_t> shape) {
  std::vector<char> bytes(values.size() * sizeof(T));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  arrays.push_back({std::move(name), std::is_same_v<T, float> ? RGM_F32 : RGM_I32, std::move(shape), std::move(bytes)});
}

void add_texts(std::vector<SavedArray>& arrays, const std::string& name, const std::vector<std::string>& texts) {
  SavedArray all{name + ".bytes", RGM_U8, {}, {}};
  std::vector<int32_t> sizes;
  for (const std::string& text : texts) {
    all.bytes.insert(all.bytes.end(), text.begin(), text.end());
    sizes.push_back(static_cast<int32_t>(text.size()));
  }
  all.shape = {static_cast<int64_t>(all.bytes.size())};
  arrays.push_back(std::move(all));
  add(arrays, name + ".sizes", sizes, {static_cast<int64_t>(sizes.size())});
}

template <class T>
void take(std::span<const SavedArray> arrays, const std::string& name, std::vector<T>& out, int64_t count) {
  for (const SavedArray& a : arrays) {
    if (a.name != name) continue;
    require(a.dtype == (std::is_same_v<T, float> ? RGM_F32 : RGM_I32) &&
                a.bytes.size() == static_cast<size_t>(count) * sizeof(T),
            "the saved batch has {} bytes for \"{}\", {} values were expected", a.bytes.size(), name, count);
    out.resize(static_cast<size_t>(count));
    if (count > 0) std::memcpy(out.data(), a.bytes.data(), a.bytes.size());
    return;
  }
  invalid("the saved batch has no \"{}\"", name);
}

std::vector<std::string> take_texts(std::span<const SavedArray> arrays, const std::string& name, int64_t count) {
  std::vector<int32_t> sizes;
  take(arrays, name + ".sizes", sizes, count);
  const auto found = std::ranges::find(arrays, name + ".bytes", &SavedArray::name);
  require(found != arrays.end() && found->dtype == RGM_U8, "the saved batch has no texts for \"{}\"", name);
  std::vector<std::string> out;
  size_t begin = 0;
  for (const int32_t size : sizes) {
    require(size >= 0 && begin + static_cast<size_t>(size) <= found->bytes.size(),
            "the saved batch has too few bytes for the texts of \"{}\"", name);
    out.emplace_back(found->bytes.data() + begin, static_cast<size_t>(size));
    begin += static_cast<size_t>(size);
  }
  return out;
}

}  // namespace

nlohmann::json save(const Batch& batch, std::vector<SavedArray>& arrays) {
  nlohmann::json columns = nlohmann::json::object();
  for (const auto& [name, column] : batch.columns) {
    nlohmann::json& entry = columns[name];
    for (const auto& [kind, kind_name] : kinds)
      if (kind == column.kind) entry["kind"] = kind_name;
    const std::vector<int64_t> each{batch.examples}, table{column.rows, column.length};
    switch (column.kind) {
      case ColumnKind::integer: add(arrays, name, column.integers, each); break;
      case ColumnKind::real: add(arrays, name, column.reals, each); break;
      case ColumnKind::text: add_texts(arrays, name, column.texts); break;
      case ColumnKind::tokens:
        add(arrays, name, column.integers, table);
        add(arrays, name + ".weights", column.reals, table);
        add(arrays, name + ".segments", column.segments, table);
        add(arrays, name + ".ends", column.ends, each);
        break;
      case ColumnKind::per_token: add(arrays, name, column.reals, table); break;
    }
    if (column.rows > 0) entry["rows"] = column.rows, entry["length"] = column.length;
  }
  return {{"examples", batch.examples}, {"columns", columns}};
}

Batch load(const nlohmann::json& description, std::span<const SavedArray> arrays) {
  Batch out;
  try {
    out.examples = description.at("examples").get<int64_t>();
    for (const auto& [name, entry] : description.at("columns").items()) {
      BatchColumn& column = out.columns[name];
      const auto kind_name = entry.at("kind").get<std::string>();
      bool known = false;
      for (const auto& [kind, its_name] : kinds)
        if (kind_name == its_name) column.kind = kind, known = true;
      require(known, "the saved batch has a column \"{}\" of the unknown kind \"{}\"", name, kind_name);
      column.rows = entry.value("rows", int64_t{0});
      column.length = entry.value("length", int64_t{0});
      const int64_t cells = column.rows * column.length;
      switch (column.kind) {
        case ColumnKind::integer: take(arrays, name, column.integers, out.examples); break;
        case ColumnKind::real: take(arrays, name, column.reals, out.examples); break;
        case ColumnKind::text: column.texts = take_texts(arrays, name, out.examples); break;
        case ColumnKind::tokens:
          take(arrays, name, column.integers, cells);
          take(arrays, name + ".weights", column.reals, cells);
          take(arrays, name + ".segments", column.segments, cells);
          take(arrays, name + ".ends", column.ends, out.examples);
          break;
        case ColumnKind::per_token: take(arrays, name, column.reals, cells); break;
      }
    }
  } catch (const nlohmann::json::exception& e) {
    invalid("the saved batch is damaged: {}", e.what());
  }
  return out;
}

}  // namespace rgm
