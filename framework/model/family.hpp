// family.hpp - what tells one family of decoder-only transformers from another, as data. A new family is a new entry.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/shape.hpp"

namespace rgm {

enum class Positions { learned, rotary };
enum class Normalisation { layer, root_mean_square };

// One parameter of the model and its place in Hugging Face's file; {i} is the layer.
struct ParameterName {
  const char* ours;
  const char* theirs;
  const char* shape;  // a letter an axis: Vocabulary, Positions (context), Channels, Hidden, Attention (H D), Keys (Hkv
                      // D), Fused (query, key and value)
  bool transposed = false;  // theirs is (in, out): kept so in memory too, and seen as (out, in)
};

struct Family {
  const char* id;  // as in the pipeline, and model_type in config.json
  const char* architecture;
  Positions positions;
  Normalisation norm;
  int32_t activation;  // RGM_GELU_TANH ...
  bool gated;          // mlp: down(activation(gate x) * up x)
  bool linear_bias, norm_bias;
  bool tied;  // the head is the embedding
  double epsilon;
  std::span<const ParameterName> names;
};

std::span<const Family> families();
const Family& family(std::string_view id);  // RGM_INVALID with the names there are
std::vector<std::string> family_ids();

// The sizes of one model; what config.json holds.
struct ModelConfig {
  const Family* family = nullptr;
  int64_t layers = 4, heads = 4, kv_heads = 4, head_dim = 32, channels = 128, hidden = 512, context = 64,
          vocabulary = 0;
  double dropout = 0;
  double rope_base = 10000;
  double epsilon = 0;        // of the norms; 0: the family's
  std::optional<bool> tied;  // nothing: as the family
  // Of a head of its own beside the one over tokens: its outputs (0: none), and what they are called (none: numbers).
  int64_t outputs = 0;
  std::vector<std::string> labels;
  bool is_tied() const { return tied.value_or(family->tied); }
  double norm_epsilon() const { return epsilon > 0 ? epsilon : family->epsilon; }
};

// One parameter of one model.
struct ParameterSlot {
  std::string ours, theirs;
  Shape shape;  // ours
  bool transposed = false;
};
std::vector<ParameterSlot> parameter_slots(const ModelConfig& config);
// RGM_INVALID naming the size that makes no sense.
void check(const ModelConfig& config);

nlohmann::json to_hugging_face(const ModelConfig& config);  // config.json
ModelConfig from_hugging_face(const nlohmann::json& json, const std::string& where);

}  // namespace rgm
