// option_reader.cpp - YAML against an option's type; a quoted value is a text, whatever is in it.
#include "plugins/option_reader.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/text.hpp"

namespace rgm {
namespace {

using Json = nlohmann::ordered_json;

rgm_type element_of(rgm_type type) {
  constexpr std::array<rgm_type, 3> elements = {RGM_INTEGER, RGM_REAL, RGM_TEXT};
  return is_list(type) ? elements[static_cast<size_t>(type - RGM_INTEGERS)] : type;
}

// The whole of `text` as a number; nothing when it is none.
template <class T>
std::optional<T> number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  T out{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

// 2e3 is 2000 to whoever writes it; beyond 2^53 a double could mean its neighbour.
std::optional<int64_t> whole_number(std::string_view text) {
  if (const auto digits = number<int64_t>(text)) return digits;
  const auto x = number<double>(text);
  if (!x || *x != std::floor(*x) || std::fabs(*x) > 0x1p53) return std::nullopt;
  return static_cast<int64_t>(*x);
}

class OptionReader {
 public:
  OptionReader(const rgm_option& option, std::string owner, Problems& problems, const PathFinder& find)
      : option_(option), owner_(std::move(owner)), problems_(problems), find_(find) {}

  // Nothing when it is wrong, which was then said.
  std::optional<Json> value(const YAML::Node& node) const {
    if (!is_list(option_.type)) return scalar(node, option_.type);
    const rgm_type element = element_of(option_.type);
    Json list = Json::array();
    bool right = true;
    const auto add = [&](const YAML::Node& n) {
      const auto one = scalar(n, element);
      right = right && one;
      if (one) list.push_back(*one);
    };
    if (node.IsSequence())
      for (const YAML::Node& n : node) add(n);
    else
      add(node);  // one alone needs no brackets
    return right ? std::optional(std::move(list)) : std::nullopt;
  }

 private:
  std::optional<Json> wrong(const YAML::Node& node, const std::string& wanted, const std::string& end = "") const {
    problems_.add(node, "{}: option \"{}\" should be {}, got {}{}", owner_, option_.key, wanted, node_for_people(node),
                  end);
    return std::nullopt;
  }
  std::optional<Json> in_range(const YAML::Node& node, double x, Json value) const {
    if (x >= option_.min && x <= option_.max) return value;
    problems_.add(node, "{}: option \"{}\" is {}, its range is {}", owner_, option_.key, node.Scalar(),
                  range_text(option_));
    return std::nullopt;
  }

  std::optional<Json> scalar(const YAML::Node& node, rgm_type type) const {
    const bool is_scalar = node.IsScalar();
    const std::string text = is_scalar ? node.Scalar() : "";
    const bool plain = is_scalar && node.Tag() != "!";  // a quoted value is a text, whatever is in it
    switch (type) {
      case RGM_BOOLEAN: {
        bool out = false;
        if (!plain || !YAML::convert<bool>::decode(node, out)) return wrong(node, "true or false");
        return out;
      }
      case RGM_INTEGER: {
        const auto out = plain ? whole_number(text) : std::nullopt;
        if (!out) return wrong(node, "an integer");
        return in_range(node, static_cast<double>(*out), *out);
      }
      case RGM_REAL: {
        const auto out = plain ? number<double>(text) : std::nullopt;
        if (!out || !std::isfinite(*out)) return wrong(node, "a number");
        return in_range(node, *out, *out);
      }
      case RGM_CHOICE: {
        const std::vector<std::string> words = choices_of(option_);
        if (is_scalar && std::count(words.begin(), words.end(), text)) return text;
        return wrong(node, "one of " + join(words), did_you_mean(text, words));
      }
      default:
        if (!is_scalar) return wrong(node, "text");
        if (!(option_.flags & RGM_PATH) || !find_) return text;
        try {
          return find_(text);
        } catch (const Error& e) {
          problems_.add(node, "{}: option \"{}\": {}", owner_, option_.key, e.what());
          return std::nullopt;
        }
    }
  }

  const rgm_option& option_;
  std::string owner_;
  Problems& problems_;
  const PathFinder& find_;
};

}  // namespace

std::optional<Json> read_option(const rgm_option& option, const YAML::Node& node, const std::string& owner,
                                Problems& problems, const PathFinder& find) {
  return OptionReader(option, owner, problems, find).value(node);
}

std::string node_for_people(const YAML::Node& node) {
  if (node.IsNull()) return "nothing";
  if (node.IsSequence()) return "a list";
  if (node.IsMap()) return "a map";
  const std::string& text = node.Scalar();
  return node.Tag() == "!" ? fmt::format("the text \"{}\"", text) : fmt::format("\"{}\"", text);
}

}  // namespace rgm
