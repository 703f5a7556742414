// filters.hpp - the filters that are more than a line.
#pragma once
#include "jinja/arguments.hpp"

namespace rgm::jinja {

Value json_text(const Value& value, const Arguments& a);  // tojson, as transformers has it
// Of lists.
Value mapped(const Value& value, const Arguments& a);
Value chosen(const Value& value, const Arguments& a, bool by_attribute, bool wanted);  // select, rejectattr ...
Value joined(const Value& value, const Arguments& a);
Value sorted(const Value& value, const Arguments& a);
Value unique(const Value& value, const Arguments& a);
Value sum(const Value& value, const Arguments& a);
Value items(const Value& value);
Value dictsort(const Value& value, const Arguments& a);

}  // namespace rgm::jinja
