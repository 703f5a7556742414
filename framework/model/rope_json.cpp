// rope_json.cpp - rotary positions and windows in config.json: as transformers 5 keeps them ("rope_parameters",
// "layer_types"), and where version 4 looks.
#include <algorithm>

#include "base/error.hpp"
#include "model/members.hpp"

namespace rgm {
namespace {

using Json = nlohmann::json;

constexpr std::pair<Rope::Scaling, const char*> scalings[] = {{Rope::Scaling::none, "default"},
                                                              {Rope::Scaling::linear, "linear"},
                                                              {Rope::Scaling::llama3, "llama3"},
                                                              {Rope::Scaling::yarn, "yarn"},
                                                              {Rope::Scaling::longrope, "longrope"}};

double positive(const Members& m, const char* key, double otherwise) {
  const double given = m.real(key, 0);
  require(given >= 0, "{}: \"{}\" is {}, a number above 0 was expected", m.where(), key, given);
  return given > 0 ? given : otherwise;
}

std::vector<double> read_factors(const Members& m, const char* key, size_t pairs) {
  const Json* const list = m.find(key);
  const bool numbers = list && list->is_array() && list->size() == pairs &&
                       std::ranges::all_of(*list, [](const Json& n) { return n.is_number() && n > 0; });
  require(numbers, "{}: \"{}\" is not a list of {} numbers above 0, one for each pair of channels that turns",
          m.where(), key, pairs);
  return list->get<std::vector<double>>();
}

// The attention factor may also be given as a ratio of two, as in DeepSeek's files.
void read_yarn(const Members& m, Rope& rope) {
  rope.fast = positive(m, "beta_fast", 32), rope.slow = positive(m, "beta_slow", 1);
  require(rope.base != 1, "{}: a \"rope_theta\" of 1 turns all pairs alike, which yarn cannot scale", m.where());
  require(rope.slow <= rope.fast, "{}: \"beta_slow\" is {}, at most the \"beta_fast\" of {} was expected", m.where(),
          rope.slow, rope.fast);
  const double scale = positive(m, "mscale", 0), of_all = positive(m, "mscale_all_dim", 0);
  const double ratio = yarn_amplitude(rope.factor, scale) / yarn_amplitude(rope.factor, of_all);
  rope.attention = positive(m, "attention_factor", scale > 0 && of_all > 0 ? ratio : 0);
  rope.whole_pairs = m.flag("truncate", true);
}

// Phi 3: the old context stands beside all of this, and counts more than one in here.
void read_longrope(const Members& m, const Members& all, const ModelConfig& c, Rope& rope) {
  const auto pairs = static_cast<size_t>(c.rotary() / 2);
  rope.short_factors = read_factors(m, "short_factor", pairs);
  rope.long_factors = read_factors(m, "long_factor", pairs);
  rope.factor = positive(m, "factor", 0), rope.attention = positive(m, "attention_factor", 0);
  rope.original_context =
      all.size("original_max_position_embeddings", m.size("original_max_position_embeddings", 4096));
}

// `m` lies somewhere in `all`; `rope` is one of the config's.
void read_scaling(const Members& m, const Members& all, const ModelConfig& c, Rope& rope) {
  std::string name = m.text("rope_type", m.text("type", "default"));
  if (name == "su") name = "longrope";  // in Phi 3's first files
  const auto found = std::ranges::find(scalings, name, [](const auto& s) { return std::string_view(s.second); });
  require(found != std::end(scalings),
          "{}: positions scaled by \"{}\" are not supported, only default, linear, llama3, yarn and longrope",
          m.where(), name);
  rope.scaling = found->first;
  rope.base = m.real("rope_theta", rope.base);
  rope.part = m.real("partial_rotary_factor", rope.part);
  if (rope.scaling == Rope::Scaling::none) return;
  if (rope.scaling == Rope::Scaling::longrope) return read_longrope(m, all, c, rope);
  require(m.has("factor"), "{}: \"factor\" is missing beside \"rope_type\": \"{}\"", m.where(), name);
  rope.factor = m.real("factor", 1);
  if (rope.scaling == Rope::Scaling::linear) return;
  rope.original_context = m.size("original_max_position_embeddings", c.context);
  if (rope.scaling == Rope::Scaling::yarn) return read_yarn(m, rope);
  rope.low = m.real("low_freq_factor", 1), rope.high = m.real("high_freq_factor", 4);
  require(rope.low < rope.high, "{}: \"low_freq_factor\" is {}, less than the \"high_freq_factor\" of {} was expected",
          m.where(), rope.low, rope.high);
}

Json written(const Rope& rope) {
  Json out{{"rope_type", std::ranges::find(scalings, rope.scaling, [](const auto& s) { return s.first; })->second}};
  if (rope.scaling == Rope::Scaling::none) return out;
  if (rope.factor > 0) out["factor"] = rope.factor;
  if (rope.scaling == Rope::Scaling::linear) return out;
  out["original_max_position_embeddings"] = rope.original_context;
  if (rope.scaling == Rope::Scaling::llama3) out["low_freq_factor"] = rope.low, out["high_freq_factor"] = rope.high;
  if (rope.scaling == Rope::Scaling::yarn) {
    out["beta_fast"] = rope.fast, out["beta_slow"] = rope.slow;
    if (!rope.whole_pairs) out["truncate"] = false;
  }
  if (rope.scaling == Rope::Scaling::longrope)
    out["short_factor"] = rope.short_factors, out["long_factor"] = rope.long_factors;
  if (rope.attention > 0) out["attention_factor"] = rope.attention;
  return out;
}

// Types of layers. Where they turn differently, each has an object in "rope_parameters". Transformers 4 has those of
// full attention beside the others' base; so does an object that is not divided, as transformers 5.0 wrote it.
constexpr const char *full = "full_attention", *windowed = "sliding_attention";

bool has_window_base_of_its_own(const Family& family) {
  return family.window_rope_key != std::string_view("rope_theta");
}

void read_window_rope(const Members& m, ModelConfig& c) {
  const Family& family = *c.family;
  c.window_rope =
      Rope{.base = has_window_base_of_its_own(family) ? m.real(family.window_rope_key, family.window_rope_base)
                                                      : c.rope.base};
  if (!m.has("rope_parameters")) return;
  const Members all(m["rope_parameters"], m.where());
  if (all.has(windowed)) read_scaling(Members(all[windowed], m.where()), m, c, *c.window_rope);
}

}  // namespace

void read_turned(const Members& m, ModelConfig& c) {
  const int64_t each = c.family->unturned_each;
  if (each == 0) return;
  c.turned = usual_turned(c, m.size("no_rope_layer_interval", each));
  if (!m.has("no_rope_layers")) return;
  const Json& given = m["no_rope_layers"];
  require(given.is_array() && given.size() >= c.turned.size(),
          "{}: \"no_rope_layers\" is not a list of {} numbers, 0 where a layer turns no positions", m.where(),
          c.layers);
  for (size_t i = 0; i < c.turned.size(); ++i) {
    require(given[i] == 0 || given[i] == 1, "{}: \"no_rope_layers\" has {}, 0 or 1 was expected", m.where(),
            given[i].dump());
    c.turned[i] = given[i] == 1;
  }
}

void write_turned(const ModelConfig& c, Json& out) {
  if (c.family->unturned_each == 0) return;
  Json& turned = out["no_rope_layers"] = Json::array();
  for (size_t i = 0; i < static_cast<size_t>(c.layers); ++i) turned.push_back(c.turned.empty() || c.turned[i] ? 1 : 0);
}

void read_rope(const Members& m, ModelConfig& c) {
  if (c.family->positions != Positions::rotary) return;
  const Family& family = *c.family;
  c.rope.base = m.real("rope_theta", m.real(family.base_key, family.rope_base));
  c.rope.part = m.real("partial_rotary_factor", family.rotary_part);
  if (family.part_key) c.rope.part = m.real(family.part_key, c.rope.part);
  // Where there are both, transformers goes by the second.
  for (const char* key : {"rope_parameters", "rope_scaling"})
    if (m.has(key)) {
      const Members all(m[key], m.where());
      const bool divided = family.window_rope_base > 0 && (all.has(full) || all.has(windowed));
      if (!divided) read_scaling(all, m, c, c.rope);
      if (divided && all.has(full)) read_scaling(Members(all[full], m.where()), m, c, c.rope);
    }
  if (family.window_rope_base > 0) read_window_rope(m, c);
  for (const double part : {c.rope.part, c.window_rope ? c.window_rope->part : 1})
    require(family.part_key || part == 1,
            "{}: \"partial_rotary_factor\" is {}, which a {} does not have: 1 was expected", m.where(), part,
            family.id);
}

void write_rope(const ModelConfig& c, Json& out) {
  if (c.family->positions != Positions::rotary) return;
  Json rope = written(c.rope);
  if (c.rope.scaling != Rope::Scaling::none) out["rope_scaling"] = rope;
  if (c.rope.scaling == Rope::Scaling::longrope) {  // version 4 wants no other member in there, and calls it "type"
    Json& old = out["rope_scaling"];
    old["type"] = rope["rope_type"], old.erase("rope_type"), old.erase("original_max_position_embeddings");
    out["original_max_position_embeddings"] = c.rope.original_context;
  }
  out[c.family->base_key] = rope["rope_theta"] = c.rope.base;
  if (c.family->part_key) out[c.family->part_key] = rope["partial_rotary_factor"] = c.rope.part;
  out["rope_parameters"] = rope;
  if (!c.window_rope) return;
  Json other = written(*c.window_rope);
  if (has_window_base_of_its_own(*c.family)) out[c.family->window_rope_key] = c.window_rope->base;
  other["rope_theta"] = c.window_rope->base;
  out["rope_parameters"] = {{full, rope}, {windowed, other}};
}

void read_windows(const Members& m, ModelConfig& c) {
  const Windows kind = c.family->windows;
  if (kind == Windows::none) return;
  if (kind == Windows::odd) return read_attention_types(m, c);
  const bool asked = kind == Windows::upper || kind == Windows::unturned;
  const bool used = !asked || m.flag("use_sliding_window", false);
  const auto first = static_cast<int64_t>(m.real("max_window_layers", 28));
  const Json* given = m.find("sliding_window");
  const bool all = kind == Windows::all || kind == Windows::stated;
  const Json* types = all ? nullptr : m.find("layer_types");
  if (!used || (given && given->is_null()) || (!given && kind == Windows::stated)) return;
  const int64_t window = m.size("sliding_window", 4096);
  c.windows = usual_windows(c, window, first);
  if (kind == Windows::alternate && m.has("sliding_window_pattern"))
    for (size_t i = 0, each = static_cast<size_t>(m.size("sliding_window_pattern")); i < c.windows.size(); ++i)
      c.windows[i] = (i + 1) % each != 0 ? window : 0;
  if (!types || types->is_null()) return;
  require(types->is_array() && types->size() == c.windows.size(), "{}: \"layer_types\" is not a list of {} names",
          m.where(), c.layers);
  for (size_t i = 0; i < c.windows.size(); ++i) {
    const Json& type = (*types)[i];
    require(type == windowed || type == full,
            "{}: \"layer_types\" has {}, sliding_attention or full_attention was expected", m.where(), type.dump());
    c.windows[i] = type == windowed ? window : 0;
  }
}

void write_windows(const ModelConfig& c, Json& out) {
  const Windows kind = c.family->windows;
  if (kind == Windows::none) return;
  if (kind == Windows::odd) return write_attention_types(c, out);
  const auto first = std::ranges::find_if(c.windows, [](int64_t window) { return window > 0; });
  const bool used = first != c.windows.end();
  // Where layers differ, the size must be there even when none has a window.
  out["sliding_window"] = used ? Json(*first) : kind == Windows::alternate ? Json(4096) : Json();
  if (kind == Windows::all || kind == Windows::stated) return;
  Json& types = out["layer_types"] = Json::array();
  for (size_t i = 0; i < static_cast<size_t>(c.layers); ++i) types.push_back(c.window(i) > 0 ? windowed : full);
  if (kind == Windows::alternate) return;
  out["use_sliding_window"] = used;
  if (kind != Windows::upper) return;
  out["max_window_layers"] = used ? first - c.windows.begin() : c.layers;
}

}  // namespace rgm
