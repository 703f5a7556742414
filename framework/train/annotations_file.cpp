// annotations_file.cpp - lines written and read again, as far as they are whole; files of earlier settings removed.
#include "train/annotations_file.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>

#include "base/json.hpp"

namespace rgm {
namespace {

using Json = nlohmann::json;

// JSON has no number for what is none, and not finite either.
Json json_of_floats(const std::vector<float>& values) {
  Json out = Json::array();
  for (const float x : values) out.push_back(std::isfinite(x) ? Json(x) : Json(fmt::format("{}", x)));
  return out;
}
std::vector<float> floats_of(const Json& numbers) {
  std::vector<float> out;
  for (const Json& x : numbers)
    out.push_back(x.is_string() ? std::strtof(x.get_ref<const std::string&>().c_str(), nullptr) : x.get<float>());
  return out;
}

Json json_of_column(const AnnotatedColumn& column) {
  Json units = Json::array();
  for (const auto& examples : column.units) {
    Json unit = Json::array();
    for (const auto& values : examples) unit.push_back(json_of_floats(values));
    units.push_back(std::move(unit));
  }
  return {{"per_token", column.per_token}, {"units", std::move(units)}};
}

constexpr size_t hash_digits = 16;

// The "train" of train-HASH.jsonl; empty for what has another name.
std::string source_of(const fs::path& file) {
  const std::string stem = file.stem().string();
  if (stem.size() <= hash_digits || stem[stem.size() - hash_digits - 1] != '-') return "";
  return stem.substr(0, stem.size() - hash_digits - 1);
}

}  // namespace

fs::path annotations_path(const fs::path& stage, const std::string& source, const std::string& sha256) {
  return stage / "annotations" / (source + "-" + sha256.substr(0, hash_digits) + ".jsonl");
}

std::string annotations_line(size_t next, size_t apart, const std::map<std::string, AnnotatedColumn>& added) {
  Json columns = Json::object();
  for (const auto& [name, column] : added) columns[name] = json_of_column(column);
  return Json{{"next", next}, {"apart", apart}, {"columns", columns}}.dump(-1, ' ', false,
                                                                           Json::error_handler_t::replace) +
         "\n";
}

void remove_older_annotations(const fs::path& stage, size_t kept) {
  std::map<std::string, std::vector<std::pair<fs::file_time_type, fs::path>>> by_source;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(stage / "annotations", ignored))
    if (const std::string source = source_of(entry.path()); !source.empty())
      by_source[source].emplace_back(fs::last_write_time(entry.path(), ignored), entry.path());
  for (auto& [source, files] : by_source) {
    std::ranges::sort(files, std::greater());
    for (size_t i = kept; i < files.size(); ++i) fs::remove(files[i].second, ignored);
  }
}

// As far as its lines are whole, and follow each other.
Annotations::Done Annotations::read(const std::vector<int64_t>& units, size_t of_source) {
  Done done;
  if (!fs::exists(file_)) return done;
  const MappedFile mapped(file_);
  const std::string_view text = mapped.text();
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != text.npos; begin = end + 1) {
    if (!take(json_or_discarded(text.substr(begin, end - begin)), units, of_source, done)) break;
    done.bytes = end + 1;
  }
  return done;
}

bool Annotations::take(const Json& line, const std::vector<int64_t>& units, size_t of_source, Done& done) {
  try {
    const size_t next = line.at("next"), apart = line.at("apart");
    if (next <= done.next || next > units.size()) return false;
    const int64_t begin = units[done.next];
    const size_t count = next - done.next;
    if (size_t(begin) + count > of_source) return false;
    std::map<std::string, AnnotatedColumn> columns;
    for (const auto& [name, column] : line.at("columns").items()) {
      AnnotatedColumn& to = columns[name];
      to.per_token = column.at("per_token");
      for (const Json& unit : column.at("units")) {
        auto& examples = to.units.emplace_back();
        for (const Json& values : unit)
          if (examples.emplace_back(floats_of(values)).empty() && !to.per_token) return false;
      }
      if (to.units.size() != count) return false;
    }
    for (auto& [name, column] : columns) keep(name, begin, of_source, std::move(column));
    done.next = next;
    done.apart = apart;
    return true;
  } catch (const Json::exception&) {
    return false;
  }
}

}  // namespace rgm
