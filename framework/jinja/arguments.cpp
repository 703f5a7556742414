// arguments.cpp - finding arguments, and refusing what would otherwise be dropped without a word.
#include "jinja/arguments.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace rgm::jinja {

Value argument(const Arguments& all, size_t i, std::string_view name, const Value& otherwise) {
  if (i < all.positional.size()) return all.positional[i];
  const Value* const named = find(all.named, name);
  return named ? *named : otherwise;
}

bool is_given(const Value& argument) { return !argument.is_undefined() && !argument.is_none(); }

void check_arguments(const Arguments& all, std::span<const std::string_view> names, std::string_view what) {
  const std::string known = names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
  require(all.positional.size() <= names.size(), "{} has {} arguments, it takes: {}", what, all.positional.size(),
          known);
  for (const auto& [name, value] : all.named) {
    const auto at = std::ranges::find(names, name) - names.begin();
    require(at < std::ssize(names), "{} has the argument \"{}\", which is not known; it takes: {}", what, name, known);
    require(static_cast<size_t>(at) >= all.positional.size(), "{} has the argument \"{}\" twice", what, name);
  }
}

}  // namespace rgm::jinja
