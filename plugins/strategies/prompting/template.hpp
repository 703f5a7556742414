// template.hpp - "{text}\nLabel: {label}": a text with places for the columns of a row, the last of them the answer's.
#pragma once
#include <regimen/regimen.hpp>
#include <string>
#include <vector>

class Template {
 public:
  // Two braces stand for one. RGM_INVALID where a brace is left open, or where {label} is not there once.
  explicit Template(std::string_view text) {
    std::string plain;
    for (size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if ((c == '{' || c == '}') && i + 1 < text.size() && text[i + 1] == c) {
        plain += text[i++];
        continue;
      }
      regimen::require(c != '}', "prompting: the template has a } without a {; write }} for a brace itself");
      if (c != '{') {
        plain += c;
        continue;
      }
      const size_t end = text.find('}', i);
      regimen::require(end != text.npos, "prompting: the template has a { without a }; write {{ for a brace itself");
      parts_.push_back({std::move(plain), std::string(text.substr(i + 1, end - i - 1))});
      plain.clear();
      i = end;
    }
    behind_ = std::move(plain);
    size_t answers = 0;
    for (const Part& part : parts_) answers += part.column == "label";
    regimen::require(
        answers == 1 && parts_.back().column == "label",
        "prompting: the template must end with one {label}, where the answer goes, as in \"{text}\\nLabel: {label}\"");
    // A space before the answer belongs to it: " good" is one token where words are learned with theirs.
    std::string& before = parts_.back().before;
    const size_t kept = before.find_last_not_of(' ') + 1;
    space_ = before.substr(kept);
    before.resize(kept);
  }

  // What is asked: all before the answer. `value(column)` is the row's.
  template <class Value>
  std::string question(const Value& value) const {
    std::string out;
    for (const Part& part : parts_) {
      out += part.before;
      if (part.column != "label") out += value(part.column);
    }
    return out;
  }
  std::string answer(std::string_view word) const { return space_ + std::string(word); }
  template <class Value>
  std::string shown(const Value& value, std::string_view word) const {
    return question(value) + answer(word) + behind_;
  }

 private:
  struct Part {
    std::string before, column;
  };
  std::vector<Part> parts_;
  std::string space_, behind_;
};
