// members.cpp - members of a JSON object by type; a mistake names the file, the key, what was expected and what came.
#include "model/members.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace rgm {

Members::Members(const Json& json, const std::string& where) : json_(json), where_(where) {
  require(json.is_object(), "{}: an object was expected, not a JSON {}", where, json.type_name());
}

const nlohmann::json* Members::find(const char* key) const {
  asked_.insert(key);
  const auto found = json_.find(key);
  return found == json_.end() ? nullptr : &*found;
}

bool Members::has(const char* key) const {
  const Json* found = find(key);
  return found && !found->is_null();
}

int64_t Members::size(const char* key) const {
  require(has(key), "{}: \"{}\" is missing", where_, key);
  const Json& v = json_[key];
  require(v.is_number_integer() && v >= 1 && v <= int64_t{1} << 32, "{}: \"{}\" is {}, a number from 1 was expected",
          where_, key, v.dump());
  return v.get<int64_t>();
}

double Members::real(const char* key, double otherwise) const {
  if (!has(key)) return otherwise;
  require(json_[key].is_number(), "{}: \"{}\" is {}, a number was expected", where_, key, json_[key].dump());
  return json_[key].get<double>();
}

bool Members::flag(const char* key, bool otherwise) const {
  if (!has(key)) return otherwise;
  require(json_[key].is_boolean(), "{}: \"{}\" is {}, true or false was expected", where_, key, json_[key].dump());
  return json_[key].get<bool>();
}

std::string Members::text(const char* key, const std::string& otherwise) const {
  if (!has(key)) return otherwise;
  require(json_[key].is_string(), "{}: \"{}\" is {}, a text was expected", where_, key, json_[key].dump());
  return json_[key].get<std::string>();
}

void Members::must_be(const char* key, std::initializer_list<Json> values) const {
  if (!has(key) || std::ranges::find(values, json_[key]) != values.end()) return;
  invalid("{}: \"{}\": {} is not supported, only {}", where_, key, json_[key].dump(), values.begin()->dump());
}

}  // namespace rgm
