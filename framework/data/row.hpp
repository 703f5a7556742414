// row.hpp - a row of a file of data: an object whose keys stay in their order, as templates show them.
#pragma once
#include <nlohmann/json_fwd.hpp>

namespace rgm {
using Row = nlohmann::ordered_json;
}
