// hugging_face.cpp - config.json, as the library transformers writes and reads it, by the table of the family.
#include <regimen/abi/tensor.h>

#include <algorithm>
#include <cmath>

#include "base/json.hpp"
#include "base/text.hpp"
#include "model/members.hpp"

namespace rgm {
namespace {

using Json = nlohmann::json;
using M = ModelConfig;

constexpr std::pair<std::string_view, int32_t> activations[] = {
    {"gelu_new", RGM_GELU_TANH}, {"gelu_pytorch_tanh", RGM_GELU_TANH},
    {"gelu", RGM_GELU_ERF},      {"silu", RGM_SILU},
    {"swish", RGM_SILU},         {"relu", RGM_RELU}};

// What is written anew, or would be wrong of the model that is saved.
constexpr std::string_view own_members[] = {"dtype", "torch_dtype", "transformers_version", "_name_or_path"};

void read_activation(const Members& m, ModelConfig& c) {
  const std::string name = m.text(c.family->activation_key, c.family->activation_name);
  const auto found = std::ranges::find(activations, std::string_view(name), [](const auto& a) { return a.first; });
  if (found != std::end(activations)) {
    c.activation = found->second;
    return;
  }
  std::vector<std::string_view> known;
  for (const auto& [known_name, ignored] : activations) known.push_back(known_name);
  invalid("{}: \"{}\": \"{}\" is not supported, only {}", m.where(), c.family->activation_key, name,
          fmt::join(known, ", "));
}

const char* activation_name(const ModelConfig& c) {
  if (c.activation_kind() == c.family->activation) return c.family->activation_name;
  return std::ranges::find(activations, c.activation, [](const auto& a) { return a.second; })->first.data();
}

void read_key(const Members& m, const ConfigKey& key, ModelConfig& c) {
  const Json* given = m.find(key.theirs);
  require(key.otherwise || m.has(key.theirs), "{}: \"{}\" is missing", m.where(), key.theirs);
  const Json otherwise = given || !key.otherwise ? Json() : parse_json(key.otherwise);
  if (std::holds_alternative<std::monostate>(key.ours)) m.must_be(key.theirs, {parse_json(key.otherwise)});
  if (const auto* size = std::get_if<int64_t M::*>(&key.ours))
    c.*(*size) = m.size(key.theirs, otherwise.is_null() ? 0 : otherwise.get<int64_t>());
  if (const auto* real = std::get_if<double M::*>(&key.ours)) {
    c.*(*real) = m.real(key.theirs, otherwise.is_null() ? 0 : otherwise.get<double>());
    require(*real != &M::epsilon || c.epsilon >= 0, "{}: \"{}\" is {}, 0 or more was expected", m.where(), key.theirs,
            c.epsilon);
  }
  if (const auto* flag = std::get_if<bool M::*>(&key.ours))
    c.*(*flag) = m.flag(key.theirs, otherwise.is_null() ? false : otherwise.get<bool>());
}

// A whole number stays one where transformers wants one; no cap is null.
Json written(const ConfigKey& key, const ModelConfig& c) {
  if (std::holds_alternative<std::monostate>(key.ours)) return parse_json(key.otherwise);
  if (const auto* size = std::get_if<int64_t M::*>(&key.ours)) return c.*(*size);
  if (const auto* flag = std::get_if<bool M::*>(&key.ours)) return c.*(*flag);
  const auto member = std::get<double M::*>(key.ours);
  const double value = c.*member;
  if (value == 0 && (member == &M::attention_softcap || member == &M::logits_softcap)) return {};
  const bool whole = key.otherwise && parse_json(key.otherwise).is_number_integer() && value == std::floor(value);
  return whole ? Json(static_cast<int64_t>(value)) : Json(value);
}

ModelConfig read(const Members& m) {
  ModelConfig c;
  const std::string type = m.text("model_type", "");
  require(!type.empty(), "{}: \"model_type\" is missing", m.where());
  std::vector<std::string> types;
  for (const Family* family : families()) {
    types.emplace_back(family->type());
    if (types.back() == type) c.family = family;
  }
  // Models that see or hear, too, keep the configuration of their text part so.
  require(
      c.family || !m.has("text_config"),
      "{}: \"model_type\" is \"{}\", a model of more than text, and \"text_config\" that of its text part: save the "
      "text part as a model of its own first, as docs/pipelines.md shows",
      m.where(), type);
  require(c.family,
          "{}: \"model_type\" is \"{}\", which is not supported{} (there are {}); use a model of one of these",
          m.where(), type, did_you_mean(type, types), fmt::join(types, ", "));
  require(
      !m.has("quantization_config"),
      "{}: the weights are quantised, float32, float16 or bfloat16 was expected: use the model as it was before that",
      m.where());
  c.vocabulary = m.size("vocab_size");
  c.kv_heads = c.head_dim = c.hidden = 0;
  // Where several are kept in one place, the first of the table counts.
  const std::span<const ConfigKey> keys = c.family->keys;
  for (size_t i = keys.size(); i-- > 0;) read_key(m, keys[i], c);
  if (c.kv_heads == 0) c.kv_heads = c.heads;
  if (c.head_dim == 0) c.head_dim = c.channels / c.heads;
  if (c.hidden == 0) c.hidden = 4 * c.channels;
  require(c.layers <= 1 << 16, "{}: {} layers, at most {} were expected", m.where(), c.layers, 1 << 16);
  c.tied = m.flag("tie_word_embeddings", c.family->tied);
  read_activation(m, c);
  read_turned(m, c);
  read_rope(m, c);
  read_windows(m, c);
  read_experts(m, c);
  read_head(m, c);
  check(c);
  return c;
}

void add_ends(const Json& file, std::vector<int32_t>& out) {
  const Json ends = file.is_object() ? file.value("eos_token_id", Json()) : Json();
  for (const Json& end : ends.is_array() ? ends : Json::array({ends}))
    if (end.is_number_integer() && end >= 0 && end <= INT32_MAX) out.push_back(end.get<int32_t>());
}

}  // namespace

std::vector<int32_t> ends_of_text(const ModelConfig& config) {
  std::vector<int32_t> out;
  add_ends(config.others, out);
  add_ends(config.generation, out);
  return out;
}

Json to_hugging_face(const ModelConfig& config) {
  ModelConfig c = config;
  c.epsilon = config.norm_epsilon();
  if (c.embedding_dim == 0) c.embedding_dim = c.channels;
  if (c.query_scalar == 0) c.query_scalar = static_cast<double>(c.head_dim);
  Json out = c.others;
  for (const ConfigKey& key : c.family->keys) out[key.theirs] = written(key, c);
  out[c.family->activation_key] = activation_name(c);
  out["model_type"] = c.family->type();
  write_turned(c, out);
  write_rope(c, out);
  write_windows(c, out);
  write_experts(c, out);
  write_head(c, out);
  out["vocab_size"] = c.vocabulary;
  out["tie_word_embeddings"] = c.is_tied();
  out["dtype"] = out["torch_dtype"] = "float32";  // transformers 5, and 4
  return out;
}

ModelConfig from_hugging_face(const Json& json, const std::string& where) {
  // What we do not read is handed on, and copying overflows the stack where it is nested without end.
  require(!is_deeper(json, deepest_json), "{}: JSON is nested more than {} levels deep, which is the limit", where,
          deepest_json);
  const Members m(json, where);
  try {
    ModelConfig out = read(m);
    for (const auto& [key, value] : json.items())
      if (!m.asked_for(key) && std::ranges::find(own_members, key) == std::end(own_members)) out.others[key] = value;
    return out;
  } catch (const Error& e) {
    const std::string text = e.what();
    if (text.starts_with(where)) throw;
    throw Error(e.status(), where + ": " + text);
  }
}

}  // namespace rgm
