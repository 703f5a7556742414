// value.cpp - what values are, compare as, and look like.
#include "jinja/value.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/text.hpp"

namespace rgm::jinja {

using Json = nlohmann::ordered_json;

namespace {
constexpr int32_t deepest = 100;
constexpr int64_t heaviest = 1 << 18;

void check(int32_t depth, int64_t weight) {
  if (depth > deepest) invalid("a value of lists within lists, more than {} deep", deepest);
  if (weight > heaviest) invalid("a value of more than {} megabytes", heaviest >> 16);
}
}  // namespace

// Parts are shared, so that a small list of lists of lists may stand for more than memory holds.
void Value::hold(const Value& part) {
  if (part.is_namespace()) invalid("a namespace cannot be part of another value");
  depth_ = std::max(depth_, part.depth_ + 1);
  weight_ += part.weight_;
  check(depth_, weight_);
}

Value::Value(std::string text)
    : v_(std::make_shared<const std::string>(std::move(text))),
      weight_(1 + static_cast<int64_t>(this->text().size()) / 16) {
  check(depth_, weight_);
}
Value::Value(List list) {
  for (const Value& one : list) hold(one);
  v_ = std::make_shared<const List>(std::move(list));
}
Value::Value(Map map) {
  for (const auto& one : map) hold(one.second);
  v_ = std::make_shared<const Map>(std::move(map));
}

Value::Value(const Json& json) {
  if (json.is_null()) v_ = None{};
  if (json.is_boolean()) v_ = json.get<bool>();
  if (json.is_number_integer()) v_ = json.get<int64_t>();
  if (json.is_number_float()) v_ = json.get<double>();
  if (json.is_string()) *this = Value(json.get<std::string>());
  if (json.is_array()) {
    List list;
    for (const Json& one : json) list.emplace_back(one);
    *this = Value(std::move(list));
  }
  if (json.is_object()) {
    Map map;
    for (const auto& [key, one] : json.items()) map.emplace_back(key, Value(one));
    *this = Value(std::move(map));
  }
}

Json to_json(const Value& value) {
  if (value.is_undefined()) invalid("an undefined value has no JSON");
  if (value.is_function() || value.is_namespace()) invalid("{} has no JSON", value.kind());
  if (value.is_none()) return nullptr;
  if (value.is_boolean()) return value.truth();
  if (value.is_integer()) return std::get<int64_t>(value.v_);
  if (value.is_number()) return std::get<double>(value.v_);
  if (value.is_text()) return value.text();
  if (value.is_list()) {
    Json out = Json::array();
    for (const Value& one : value.list()) out.push_back(to_json(one));
    return out;
  }
  Json out = Json::object();
  for (const auto& [key, one] : value.map()) out[key] = to_json(one);
  return out;
}

std::string Value::kind() const {
  if (const auto* u = std::get_if<Undefined>(&v_)) return fmt::format("\"{}\", which is not defined", u->name);
  if (is_none()) return "none";
  if (is_boolean()) return "a boolean";
  if (is_number()) return "a number";
  if (is_text()) return "a string";
  if (is_list()) return "a list";
  if (is_map()) return "a map";
  return is_namespace() ? "a namespace" : "a function";
}

int64_t Value::integer(std::string_view what) const {
  if (is_boolean()) return std::get<bool>(v_);
  if (!is_integer()) invalid("{} is {}, a whole number was expected", what, kind());
  return std::get<int64_t>(v_);
}

double Value::number(std::string_view what) const {
  if (const auto* real = std::get_if<double>(&v_)) return *real;
  if (!is_integer() && !is_boolean()) invalid("{} is {}, a number was expected", what, kind());
  return static_cast<double>(integer(what));
}

bool Value::truth() const {
  if (is_boolean()) return std::get<bool>(v_);
  if (is_integer()) return std::get<int64_t>(v_) != 0;
  if (is_number()) return std::get<double>(v_) != 0;
  if (is_text()) return !text().empty();
  if (is_list()) return !list().empty();
  if (is_map()) return !map().empty();
  return is_function() || is_namespace();
}

namespace {
std::string of_real(double x) {
  if (std::isnan(x)) return "nan";
  if (std::isinf(x)) return x > 0 ? "inf" : "-inf";
  const std::string out = fmt::format("{}", x);
  return out.find_first_of(".e") == std::string::npos ? out + ".0" : out;
}
}  // namespace

std::string Value::shown() const {
  if (is_undefined()) return {};
  return is_text() ? text() : quoted();
}

std::string Value::quoted() const {
  if (is_none()) return "None";
  if (is_boolean()) return truth() ? "True" : "False";
  if (is_integer()) return std::to_string(std::get<int64_t>(v_));
  if (is_number()) return of_real(std::get<double>(v_));
  std::string out;
  if (is_text()) {
    const char quote = text().find('\'') != std::string::npos && text().find('"') == std::string::npos ? '"' : '\'';
    out = quote;
    for (const char c : text()) {
      if (c == '\n')
        out += "\\n";
      else if (c == '\t')
        out += "\\t";
      else if (c == '\r')
        out += "\\r";
      else if (c == '\\' || c == quote)
        out += '\\', out += c;
      else
        out += c;
    }
    return out + quote;
  }
  if (is_list()) {
    for (const Value& one : list()) out += (out.empty() ? "" : ", ") + one.quoted();
    return "[" + out + "]";
  }
  if (is_map()) {
    for (const auto& [key, one] : map()) out += (out.empty() ? "" : ", ") + Value(key).quoted() + ": " + one.quoted();
    return "{" + out + "}";
  }
  if (is_namespace()) return "<namespace>";
  return is_function() ? "<function>" : "Undefined";
}

bool Value::operator==(const Value& other) const {
  const bool numbers = (is_number() || is_boolean()) && (other.is_number() || other.is_boolean());
  if (numbers) return number("") == other.number("");
  if (is_text() && other.is_text()) return text() == other.text();
  if (is_list() && other.is_list()) return list() == other.list();
  if (is_map() && other.is_map()) {
    if (map().size() != other.map().size()) return false;
    for (const auto& [key, one] : map())
      if (const Value* const theirs = find(other.map(), key); !theirs || !(one == *theirs)) return false;
    return true;
  }
  return (is_none() && other.is_none()) || (is_undefined() && other.is_undefined());
}

const Value* find(const Map& map, std::string_view key) {
  for (const auto& [name, value] : map)
    if (name == key) return &value;
  return nullptr;
}

void set(Map& map, std::string_view key, Value value) {
  for (auto& [name, old] : map)
    if (name == key) {
      old = std::move(value);
      return;
    }
  map.emplace_back(key, std::move(value));
}

std::vector<std::string> characters(std::string_view text) {
  std::vector<std::string> out;
  for (const char c : text) {
    const bool goes_on = (static_cast<unsigned char>(c) & 0xC0) == 0x80;
    if (goes_on && !out.empty())
      out.back() += c;
    else
      out.emplace_back(1, c);
  }
  return out;
}

}  // namespace rgm::jinja
