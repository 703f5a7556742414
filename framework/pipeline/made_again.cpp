// made_again.cpp - keys whose values differ, then contents whose hashes do.
#include "pipeline/made_again.hpp"

#include <algorithm>
#include <set>

#include "base/text.hpp"

namespace rgm {
namespace {

constexpr size_t most = 5;  // of a new model all keys differ

void collect(const nlohmann::json& one, const nlohmann::json& other, const std::string& at,
             std::set<std::string>& out) {
  if (one == other) return;
  if (!one.is_object() || !other.is_object()) {
    out.insert(at);
    return;
  }
  std::set<std::string> keys;
  for (const nlohmann::json* values : {&one, &other})
    for (const auto& [key, value] : values->items()) keys.insert(key);
  for (const std::string& key : keys) {
    const bool in_both = one.contains(key) && other.contains(key);
    const std::string below = at.empty() ? key : fmt::format("{}.{}", at, key);
    if (in_both)
      collect(one[key], other[key], below, out);
    else
      out.insert(below);
  }
}

std::string first_of(const std::set<std::string>& names) {
  std::vector<std::string> shown(names.begin(), names.end());
  if (shown.size() <= most) return join(shown);
  shown.resize(most);
  return fmt::format("{} and {} more", join(shown), names.size() - most);
}

// Whether it only says what is written while the stage runs.
bool is_watched(const std::string& key) {
  return (key + ".").starts_with("log.") || (key + ".").starts_with("sample.") || key == "checkpoint.every" ||
         key == "checkpoint.minutes";
}

}  // namespace

std::string differing(const nlohmann::json& one, const nlohmann::json& other) {
  if (!one.is_object()) return "all of them";
  std::set<std::string> keys;
  collect(one, other, "", keys);
  std::erase_if(keys, [](const std::string& key) { return is_watched(key) || (key + ".").starts_with("demand."); });
  return first_of(keys);
}

std::string why_again(const Stage& stage, const Record& before, const Record& hashes) {
  Record made_of = before.value("hashes", Record::object());
  if (!made_of.is_object()) made_of = Record::object();
  const nlohmann::json values = given_values(before);
  const auto differs = [&](const char* key) { return made_of.value(key, Record()) != hashes.value(key, Record()); };
  if (!differs("inputs")) return "a file that it left is missing or was changed";
  std::set<std::string> out;
  // Where files lie is another value in the configuration, but no reason.
  if (differs("configuration")) {
    if (const std::string keys = differing(values, stage.effective); !keys.empty()) out.insert(keys);
  } else {
    std::set<std::string> keys;
    collect(values, stage.effective, "", keys);
    std::erase_if(keys, [](const std::string& key) { return !is_watched(key); });
    if (!keys.empty()) out.insert(first_of(keys));
  }
  for (const auto& [key, hash] : hashes.items())
    if (key != "inputs" && key != "training" && key != "configuration" && made_of.value(key, Record()) != hash)
      out.insert(key);
  if (out.empty()) return "its place in the pipeline, the backend's options, the threads or the program changed";
  return join(std::vector<std::string>(out.begin(), out.end())) + " changed";
}

}  // namespace rgm
