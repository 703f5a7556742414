// hugging_face.cpp - config.json, as the library transformers writes and reads it.
#include "base/error.hpp"
#include "model/family.hpp"

namespace rgm {
namespace {

using Json = nlohmann::json;

// A member of config.json with checked type; `otherwise` where there is none or null.
class Members {
 public:
  Members(const Json& json, const std::string& where) : json_(json), where_(where) {
    require(json.is_object(), "{}: an object was expected, not a JSON {}", where, json.type_name());
  }
  bool has(const char* key) const { return json_.contains(key) && !json_[key].is_null(); }
  int64_t size(const char* key) const {
    require(has(key), "{}: \"{}\" is missing", where_, key);
    const Json& v = json_[key];
    require(v.is_number_integer() && v >= 1 && v <= int64_t{1} << 32, "{}: \"{}\" is {}, a number from 1 was expected",
            where_, key, v.dump());
    return v.get<int64_t>();
  }
  int64_t size(const char* key, int64_t otherwise) const { return has(key) ? size(key) : otherwise; }
  double real(const char* key, double otherwise) const {
    if (!has(key)) return otherwise;
    require(json_[key].is_number(), "{}: \"{}\" is {}, a number was expected", where_, key, json_[key].dump());
    return json_[key].get<double>();
  }
  bool flag(const char* key, bool otherwise) const {
    if (!has(key)) return otherwise;
    require(json_[key].is_boolean(), "{}: \"{}\" is {}, true or false was expected", where_, key, json_[key].dump());
    return json_[key].get<bool>();
  }
  // What would change the numbers and is not offered here.
  void must_be(const char* key, std::initializer_list<Json> values) const {
    if (!has(key)) return;
    for (const Json& value : values)
      if (json_[key] == value) return;
    invalid("{}: \"{}\": {} is not supported, only {}", where_, key, json_[key].dump(), values.begin()->dump());
  }

 private:
  const Json& json_;
  const std::string& where_;
};

Json gpt2_json(const ModelConfig& c) {
  return {{"n_layer", c.layers},
          {"n_head", c.heads},
          {"n_embd", c.channels},
          {"n_positions", c.context},
          {"n_ctx", c.context},
          {"n_inner", c.hidden == 4 * c.channels ? Json() : Json(c.hidden)},
          {"activation_function", "gelu_new"},
          {"layer_norm_epsilon", c.norm_epsilon()},
          {"scale_attn_weights", true},
          {"attn_pdrop", c.dropout},
          {"embd_pdrop", c.dropout},
          {"resid_pdrop", c.dropout}};
}

void read_gpt2(const Members& m, ModelConfig& c) {
  c.layers = m.size("n_layer"), c.heads = m.size("n_head"), c.channels = m.size("n_embd");
  c.context = m.size("n_positions");
  c.kv_heads = c.heads;
  c.head_dim = c.channels / c.heads;
  c.hidden = m.size("n_inner", 4 * c.channels);
  c.dropout = m.real("resid_pdrop", 0.1);
  c.epsilon = m.real("layer_norm_epsilon", 1e-5);
  m.must_be("activation_function", {"gelu_new", "gelu_pytorch_tanh"});
  m.must_be("scale_attn_weights", {true});
  m.must_be("scale_attn_by_inverse_layer_idx", {false});
  m.must_be("add_cross_attention", {false});
  m.must_be("tie_word_embeddings", {true});
}

Json llama_json(const ModelConfig& c) {
  return {{"num_hidden_layers", c.layers},
          {"num_attention_heads", c.heads},
          {"num_key_value_heads", c.kv_heads},
          {"head_dim", c.head_dim},
          {"hidden_size", c.channels},
          {"intermediate_size", c.hidden},
          {"max_position_embeddings", c.context},
          {"rope_theta", c.rope_base},
          {"rope_parameters", {{"rope_type", "default"}, {"rope_theta", c.rope_base}}},  // where transformers 5 looks
          {"hidden_act", "silu"},
          {"rms_norm_eps", c.norm_epsilon()},
          {"attention_bias", false},
          {"mlp_bias", false},
          {"attention_dropout", c.dropout}};
}

void read_llama(const Members& m, const Json& json, const std::string& where, ModelConfig& c) {
  c.layers = m.size("num_hidden_layers"), c.heads = m.size("num_attention_heads");
  c.channels = m.size("hidden_size"), c.hidden = m.size("intermediate_size");
  c.context = m.size("max_position_embeddings", 2048);
  c.kv_heads = m.size("num_key_value_heads", c.heads);
  c.head_dim = m.size("head_dim", c.channels / c.heads);
  c.dropout = m.real("attention_dropout", 0);
  c.epsilon = m.real("rms_norm_eps", 1e-6);
  c.rope_base = m.real("rope_theta", 10000);
  if (m.has("rope_parameters")) {
    const Members rope(json["rope_parameters"], where);
    c.rope_base = rope.real("rope_theta", c.rope_base);
    rope.must_be("rope_type", {"default"});
  }
  require(!m.has("rope_scaling"), "{}: \"rope_scaling\" is not supported", where);
  m.must_be("hidden_act", {"silu", "swish"});
  m.must_be("attention_bias", {false});
  m.must_be("mlp_bias", {false});
  c.tied = m.flag("tie_word_embeddings", false);
}

constexpr std::string_view classifies = "ForSequenceClassification";

// GPT2LMHeadModel -> GPT2ForSequenceClassification
std::string architecture(const ModelConfig& c) {
  std::string name = c.family->architecture;
  if (c.outputs == 0) return name;
  for (const std::string_view ending : {"LMHeadModel", "ForCausalLM"})
    if (name.ends_with(ending)) name.resize(name.size() - ending.size());
  return name + std::string(classifies);
}

// transformers counts outputs by the names of the labels, and takes 2 where none are written.
void write_head(const ModelConfig& c, Json& out) {
  if (c.outputs == 0) return;
  out["id2label"] = out["label2id"] = Json::object();
  for (size_t i = 0; i < static_cast<size_t>(c.outputs); ++i) {
    const std::string label = i < c.labels.size() ? c.labels[i] : fmt::format("LABEL_{}", i);
    out["id2label"][std::to_string(i)] = label;
    out["label2id"][label] = i;
  }
  out["problem_type"] = c.labels.empty() ? "regression" : "single_label_classification";
}

void read_head(const Members& m, const Json& json, const std::string& where, ModelConfig& c) {
  if (!m.has("architectures") || !json["architectures"].is_array() || json["architectures"].empty()) return;
  const Json& name = json["architectures"][0];
  if (!name.is_string() || !name.get_ref<const std::string&>().ends_with(classifies)) return;
  c.outputs = m.size("num_labels", 2);
  if (m.has("id2label")) {
    const Json& labels = json["id2label"];
    require(labels.is_object() && !labels.empty(), "{}: \"id2label\" is no object with a label for each number", where);
    c.outputs = static_cast<int64_t>(labels.size());
    for (size_t i = 0; i < labels.size(); ++i) {
      const auto found = labels.find(std::to_string(i));
      require(found != labels.end() && found->is_string(), "{}: \"id2label\" has {} labels and no text for \"{}\"",
              where, labels.size(), i);
      c.labels.push_back(found->get<std::string>());
    }
  }
  if (c.outputs == 1 || (m.has("problem_type") && json["problem_type"] == "regression")) c.labels.clear();
}

}  // namespace

Json to_hugging_face(const ModelConfig& c) {
  Json out = c.family->positions == Positions::learned ? gpt2_json(c) : llama_json(c);
  out["model_type"] = c.family->id;
  out["architectures"] = {architecture(c)};
  write_head(c, out);
  out["vocab_size"] = c.vocabulary;
  out["tie_word_embeddings"] = c.is_tied();
  out["torch_dtype"] = "float32";
  return out;
}

ModelConfig from_hugging_face(const Json& json, const std::string& where) {
  const Members m(json, where);
  require(m.has("model_type") && json["model_type"].is_string(), "{}: \"model_type\" is missing", where);
  ModelConfig out;
  try {
    out.family = &family(json["model_type"].get<std::string>());
    out.vocabulary = m.size("vocab_size");
    if (out.family->positions == Positions::learned)
      read_gpt2(m, out);
    else
      read_llama(m, json, where, out);
    read_head(m, json, where, out);
    check(out);
  } catch (const Error& e) {
    const std::string text = e.what();
    if (text.starts_with(where)) throw;
    throw Error(e.status(), where + ": " + text);
  }
  return out;
}

}  // namespace rgm
