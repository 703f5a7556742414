// functions.hpp - the functions that every template can call.
#pragma once
#include "jinja/value.hpp"

namespace rgm::jinja {

Map functions();  // by their names: range, dict, namespace ...

}  // namespace rgm::jinja
