// rope_json.cpp - rotary positions and windows in config.json: as transformers 5 keeps them ("rope_parameters",
// "layer_types"), and where version 4 looks.
#include <algorithm>

#include "base/error.hpp"
#include "model/members.hpp"

namespace rgm {
namespace {

using Json = nlohmann::json;

constexpr std::pair<Rope::Scaling, const char*> scalings[] = {
    {Rope::Scaling::none, "default"}, {Rope::Scaling::linear, "linear"}, {Rope::Scaling::llama3, "llama3"}};

bool turns_partly(const Family& family) { return family.rotary_part != 1; }
const char* base_key(const Family& family) { return turns_partly(family) ? "rotary_emb_base" : "rope_theta"; }

void read_scaling(const Members& m, Rope& rope, int64_t context) {
  const std::string name = m.text("rope_type", m.text("type", "default"));
  const auto found = std::ranges::find(scalings, name, [](const auto& s) { return std::string_view(s.second); });
  require(found != std::end(scalings),
          "{}: positions scaled by \"{}\" are not supported, only default, linear and llama3", m.where(), name);
  rope.scaling = found->first;
  rope.base = m.real("rope_theta", rope.base);
  rope.part = m.real("partial_rotary_factor", rope.part);
  if (rope.scaling == Rope::Scaling::none) return;
  require(m.has("factor"), "{}: \"factor\" is missing beside \"rope_type\": \"{}\"", m.where(), name);
  rope.factor = m.real("factor", 1);
  if (rope.scaling == Rope::Scaling::linear) return;
  rope.low = m.real("low_freq_factor", 1), rope.high = m.real("high_freq_factor", 4);
  rope.original_context = m.size("original_max_position_embeddings", context);
  require(rope.low < rope.high, "{}: \"low_freq_factor\" is {}, less than the \"high_freq_factor\" of {} was expected",
          m.where(), rope.low, rope.high);
}

}  // namespace

void read_rope(const Members& m, ModelConfig& c) {
  if (c.family->positions != Positions::rotary) return;
  c.rope.base = m.real("rope_theta", m.real(base_key(*c.family), c.rope.base));
  c.rope.part = m.real("partial_rotary_factor", m.real("rotary_pct", c.family->rotary_part));
  // Where there are both, transformers goes by the second.
  for (const char* key : {"rope_parameters", "rope_scaling"})
    if (m.has(key)) read_scaling(Members(m[key], m.where()), c.rope, c.context);
  require(turns_partly(*c.family) || c.rope.part == 1,
          "{}: \"partial_rotary_factor\" is {}, which a {} does not have: 1 was expected", m.where(), c.rope.part,
          c.family->id);
}

void write_rope(const ModelConfig& c, Json& out) {
  if (c.family->positions != Positions::rotary) return;
  Json rope{{"rope_type", std::ranges::find(scalings, c.rope.scaling, [](const auto& s) { return s.first; })->second}};
  if (c.rope.scaling != Rope::Scaling::none) rope["factor"] = c.rope.factor;
  if (c.rope.scaling == Rope::Scaling::llama3) {
    rope["low_freq_factor"] = c.rope.low, rope["high_freq_factor"] = c.rope.high;
    rope["original_max_position_embeddings"] = c.rope.original_context;
  }
  if (c.rope.scaling != Rope::Scaling::none) out["rope_scaling"] = rope;
  out[base_key(*c.family)] = rope["rope_theta"] = c.rope.base;
  if (turns_partly(*c.family)) out["rotary_pct"] = rope["partial_rotary_factor"] = c.rope.part;
  out["rope_parameters"] = rope;
}

void read_windows(const Members& m, ModelConfig& c) {
  const Windows kind = c.family->windows;
  if (kind == Windows::none) return;
  const bool used = kind != Windows::upper || m.flag("use_sliding_window", false);
  const auto first = static_cast<int64_t>(m.real("max_window_layers", 28));
  const Json* given = m.find("sliding_window");
  const Json* types = kind == Windows::all ? nullptr : m.find("layer_types");
  if (!used || (given && given->is_null())) return;
  const int64_t window = m.size("sliding_window", 4096);
  c.windows = usual_windows(c, window, first);
  if (!types || types->is_null()) return;
  require(types->is_array() && types->size() == c.windows.size(), "{}: \"layer_types\" is not a list of {} names",
          m.where(), c.layers);
  for (size_t i = 0; i < c.windows.size(); ++i) {
    const Json& type = (*types)[i];
    require(type == "sliding_attention" || type == "full_attention",
            "{}: \"layer_types\" has {}, sliding_attention or full_attention was expected", m.where(), type.dump());
    c.windows[i] = type == "sliding_attention" ? window : 0;
  }
}

void write_windows(const ModelConfig& c, Json& out) {
  const Windows kind = c.family->windows;
  if (kind == Windows::none) return;
  const auto first = std::ranges::find_if(c.windows, [](int64_t window) { return window > 0; });
  const bool used = first != c.windows.end();
  // Where layers differ, the size must be there even when none has a window.
  out["sliding_window"] = used ? Json(*first) : kind == Windows::alternate ? Json(4096) : Json();
  if (kind == Windows::all) return;
  Json& types = out["layer_types"] = Json::array();
  for (size_t i = 0; i < static_cast<size_t>(c.layers); ++i)
    types.push_back(c.window(i) > 0 ? "sliding_attention" : "full_attention");
  if (kind != Windows::upper) return;
  out["use_sliding_window"] = used;
  out["max_window_layers"] = used ? first - c.windows.begin() : c.layers;
}

}  // namespace rgm
