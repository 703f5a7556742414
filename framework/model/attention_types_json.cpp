// attention_types_json.cpp - which layers of GPT-Neo see all and which a window, as its config.json lists them:
// [[["global", "local"], 6]] for twelve layers.
#include <algorithm>

#include "base/error.hpp"
#include "model/members.hpp"

namespace rgm {
namespace {

using Json = nlohmann::json;

bool is_group(const Json& group) {
  return group.is_array() && group.size() == 2 && group[0].is_array() && group[1].is_number_integer() &&
         group[1] >= 0 && std::ranges::all_of(group[0], [](const Json& n) { return n == "global" || n == "local"; });
}

}  // namespace

void read_attention_types(const Members& m, ModelConfig& c) {
  const int64_t window = m.size("window_size", 256);
  m.find("attention_layers");  // the same once more, which transformers makes anew
  c.windows = usual_windows(c, window);
  if (!m.has("attention_types")) return;
  const Json& groups = m["attention_types"];
  require(groups.is_array() && std::ranges::all_of(groups, is_group),
          "{}: \"attention_types\" is {}, a list such as [[[\"global\", \"local\"], 6]] was expected", m.where(),
          groups.dump());
  c.windows.clear();
  for (const Json& group : groups)
    for (int64_t i = 0; i < group[1].get<int64_t>() && !group[0].empty(); ++i) {
      require(std::ssize(c.windows) < c.layers, "{}: \"attention_types\" has more than the {} layers of the model",
              m.where(), c.layers);
      for (const Json& name : group[0]) c.windows.push_back(name == "local" ? window : 0);
    }
  require(std::ssize(c.windows) == c.layers, "{}: \"attention_types\" has {} layers, \"num_layers\" is {}", m.where(),
          c.windows.size(), c.layers);
}

void write_attention_types(const ModelConfig& c, Json& out) {
  int64_t window = 256;
  Json names = Json::array();
  for (size_t i = 0; i < static_cast<size_t>(c.layers); ++i) {
    if (c.window(i) > 0) window = c.window(i);
    names.push_back(c.window(i) > 0 ? "local" : "global");
  }
  out["attention_types"] = Json::array({Json::array({names, 1})});
  out["window_size"] = window;
}

}  // namespace rgm
