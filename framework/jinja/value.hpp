// value.hpp - what the expressions of a template compute with: Python's values, as far as templates show them.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace rgm::jinja {

class Value;
using List = std::vector<Value>;
using Map = std::vector<std::pair<std::string, Value>>;  // in the order in which the keys came

struct Arguments {
  List positional;
  Map named;
};
using Function = std::function<Value(const Arguments&)>;

// What was never set: shown as nothing, false in a condition, an error where something of it is asked for.
struct Undefined {
  std::string name;
};
struct None {};
// What namespace() makes, the only value that changes. It is part of no other, so that no value holds itself.
struct Namespace {
  Map names;
};

class Value {
 public:
  Value() : v_(Undefined{}) {}
  Value(Undefined u) : v_(std::move(u)) {}
  Value(None n) : v_(n) {}
  Value(bool b) : v_(b) {}
  Value(int64_t n) : v_(n) {}
  Value(double x) : v_(x) {}
  // RGM_INVALID for what is larger or deeper than a template's text could need.
  Value(std::string text);
  Value(const char* text) : Value(std::string(text)) {}
  Value(List list);
  Value(Map map);
  Value(Namespace names) : v_(std::make_shared<Namespace>(std::move(names))) {}
  Value(Function f) : v_(std::make_shared<const Function>(std::move(f))) {}
  explicit Value(const nlohmann::ordered_json& json);

  bool is_undefined() const { return std::holds_alternative<Undefined>(v_); }
  bool is_none() const { return std::holds_alternative<None>(v_); }
  bool is_boolean() const { return std::holds_alternative<bool>(v_); }
  bool is_integer() const { return std::holds_alternative<int64_t>(v_); }
  bool is_number() const { return is_integer() || std::holds_alternative<double>(v_); }
  bool is_text() const { return std::holds_alternative<Text>(v_); }
  bool is_list() const { return std::holds_alternative<std::shared_ptr<const List>>(v_); }
  bool is_map() const { return std::holds_alternative<std::shared_ptr<const Map>>(v_); }
  bool is_namespace() const { return std::holds_alternative<std::shared_ptr<Namespace>>(v_); }
  bool is_function() const { return std::holds_alternative<std::shared_ptr<const Function>>(v_); }

  // Of the kind that was asked about before.
  const std::string& text() const { return *std::get<Text>(v_); }
  const List& list() const { return *std::get<std::shared_ptr<const List>>(v_); }
  const Map& map() const { return *std::get<std::shared_ptr<const Map>>(v_); }
  Map& names() const { return std::get<std::shared_ptr<Namespace>>(v_)->names; }
  const Function& function() const { return *std::get<std::shared_ptr<const Function>>(v_); }

  // Throw RGM_INVALID for a value of another kind; `what` says whose it is.
  int64_t integer(std::string_view what) const;
  double number(std::string_view what) const;

  bool truth() const;
  int64_t weight() const { return weight_; }  // what reading all of it costs
  std::string kind() const;                   // for messages: "a list"
  std::string shown() const;                  // as str() does
  std::string quoted() const;                 // as repr() does
  bool operator==(const Value& other) const;

 private:
  using Text = std::shared_ptr<const std::string>;
  std::variant<Undefined, None, bool, int64_t, double, Text, std::shared_ptr<const List>, std::shared_ptr<const Map>,
               std::shared_ptr<Namespace>, std::shared_ptr<const Function>>
      v_;
  void hold(const Value& part);
  int32_t depth_ = 0;
  int64_t weight_ = 1;  // of all parts, 16 bytes of text as one
  friend nlohmann::ordered_json to_json(const Value& value);
};

nlohmann::ordered_json to_json(const Value& value);

const Value* find(const Map& map, std::string_view key);
void set(Map& map, std::string_view key, Value value);

// Characters of UTF-8, which Python counts and cuts by.
std::vector<std::string> characters(std::string_view text);
// The one at either end; nothing of no text.
std::string_view first_of(std::string_view text);
std::string_view last_of(std::string_view text);
// White space, of which Python's strip() takes off all at either end.
bool is_blank(std::string_view character);

// What a `for` runs over: a list's values, a map's keys, a text's characters, nothing of what is undefined.
List items_of(const Value& value, std::string_view what);
// value.name, value[key]; Undefined where there is none
Value attribute(const Value& value, const std::string& name);
Value element(const Value& value, const Value& key);
// value[begin:end:step]; what is undefined was left out
Value slice(const Value& value, const Value& begin, const Value& end, const Value& step);
bool contains(const Value& container, const Value& value);
// < 0, 0, > 0 for numbers or texts
int compare(const Value& left, const Value& right);
// One of + - * / // % ** ~
Value arithmetic(std::string_view op, const Value& left, const Value& right);

// A value's method, such as text.strip; Undefined where there is none.
Value method(const Value& value, const std::string& name);
// The filters and tests; RGM_INVALID for a name that is not known.
Value filter(const std::string& name, const Value& value, const Arguments& arguments);
bool test(const std::string& name, const Value& value, const Arguments& arguments);
// Whether the filter looks at no part of a value but its ends.
bool is_shallow(std::string_view filter);

}  // namespace rgm::jinja
