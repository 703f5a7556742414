// template.hpp - Jinja in the subset that chat templates use: for, if, set, macro, filters, tests, slices, namespaces,
// methods of texts and maps. A template may come from anywhere: its work and its output are limited.
#pragma once
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rgm::jinja {

class Template {
 public:
  // RGM_INVALID beginning with `where`:line at what is no Jinja, or none of this subset.
  Template(std::string_view text, const std::string& where);
  // RGM_INVALID where the template refuses the values (raise_exception) or cannot go on.
  // `spans`: where in the text stands what lies between {% generation %} and {% endgeneration %}.
  using Spans = std::vector<std::pair<size_t, size_t>>;
  std::string render(const nlohmann::ordered_json& values, Spans* spans = nullptr) const;
  bool marks_answers() const;

 private:
  struct Program;
  std::shared_ptr<const Program> program_;
};

}  // namespace rgm::jinja
