// differences.cpp - walks down both at once, and names what differs by the keys on the way.
#include "train/differences.hpp"

#include <fmt/format.h>

#include <set>
#include <vector>

#include "base/text.hpp"

namespace rgm {
namespace {

using Json = nlohmann::json;

constexpr size_t most_named = 6, longest_value = 24;

std::string text_of(const Json& x) {
  return x.is_null() ? "none" : x.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string difference(const std::string& name, const Json& before, const Json& now) {
  const std::string old_text = text_of(before), new_text = text_of(now);
  if (std::max(old_text.size(), new_text.size()) > longest_value) return name;
  return fmt::format("{} ({}, now {})", name, old_text, new_text);
}

void compare(const std::string& name, const Json& before, const Json& now, std::vector<std::string>& out) {
  if (before == now) return;
  const auto below = [&](const std::string& key) { return name.empty() ? key : name + "." + key; };
  if (before.is_array() && now.is_array() && before.size() == now.size()) {
    for (size_t i = 0; i < now.size(); ++i) compare(below(std::to_string(i)), before[i], now[i], out);
    return;
  }
  if (!before.is_object() || !now.is_object()) {
    out.push_back(difference(name, before, now));
    return;
  }
  std::set<std::string> keys;
  for (const Json* one : {&before, &now})
    for (const auto& [key, value] : one->items()) keys.insert(key);
  for (const std::string& key : keys) {
    const bool is_wrapper = name.empty() && (key == "configuration" || key == "hashes");
    compare(is_wrapper ? "" : below(key), before.value(key, Json()), now.value(key, Json()), out);
  }
}

}  // namespace

std::string differences_for_people(const Json& before, const Json& now) {
  std::vector<std::string> all;
  compare("", before, now, all);
  if (all.size() <= most_named) return join(all);
  const size_t left = all.size() - most_named;
  all.resize(most_named);
  return fmt::format("{} and {} more", join(all), left);
}

}  // namespace rgm
