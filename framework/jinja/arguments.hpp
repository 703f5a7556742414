// arguments.hpp - what is handed to a filter, a method or a function, by place or by name.
#pragma once
#include <span>
#include <string_view>

#include "jinja/value.hpp"

namespace rgm::jinja {

// The argument at place i or of that name; `otherwise` where neither was given.
Value argument(const Arguments& all, size_t i, std::string_view name, const Value& otherwise = {});
bool is_given(const Value& argument);  // and not none

// RGM_INVALID where there are more than `names`, or one of another name; `what` is whose they are.
void check_arguments(const Arguments& all, std::span<const std::string_view> names, std::string_view what);

}  // namespace rgm::jinja
