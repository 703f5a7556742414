// family.hpp - what tells one family of decoder-only transformers from another, as data. A new family is a new entry.
#pragma once
#include <regimen/abi/tensor.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tensor/shape.hpp"

namespace rgm {

enum class Positions { learned, rotary };
enum class Normalisation { layer, root_mean_square };

enum class Mlp { any, dense, sparse };  // of a layer: one, or experts of which each token has a few

// Which layers look back over a window only, where one is set: `alternate` all but one in `full_each`, `unturned` those
// that turn no positions; `stated` all, and only where config.json has one; `odd` as "attention_types" lists them.
enum class Windows { none, all, alternate, upper, unturned, stated, odd };

struct ModelConfig;

// A family as llama.cpp knows it, which reads GGUF files: what is called otherwise there, and what it leaves out of
// what the family may have.
struct GgufFamily {
  const char* architecture = nullptr;  // nothing: it knows none that computes the same
  bool pairs_side_by_side = false;     // the two channels that turn together; here they lie half a head apart
  bool windows = false;                // it looks back over them; where not, a text may be only as long as one
  bool yarn = true, llama3 = false, longrope = false;  // scalings of positions
  bool whole_heads = false;                            // heads together are as wide as the stream
  bool own_keys = false;                               // no two heads share keys
  bool own_head = false, tied_head = false;            // it always has a head, or never one beside the embedding
  bool no_biases = false, needs_biases = false;
  bool soft_caps = false;  // on scores and logits, always
  bool normalised_experts = false;
  int64_t scaled_by_channels = 0;  // with so many layers, scores are by channels over heads, otherwise by head_dim
};

// One parameter of the model and its place in Hugging Face's file; {i} is the layer, {e} the expert. Those of one name
// there lie in one tensor, one below the other in the order of the table.
struct ParameterName {
  const char* ours;
  const char* theirs;
  const char* shape;  // a letter an axis: Vocabulary, Positions (context), Channels, Hidden, Attention (H D), Keys (Hkv
                      // D), Fused (query, key and value), D: of a head,
                      // Experts, X: hidden channels of one, S: of the shared one, 1
  bool transposed = false;            // theirs is (in, out): kept so in memory too, and seen as (out, in)
  bool ModelConfig::*when = nullptr;  // there where this is set
  bool interleaved = false;           // theirs has query, key and value of one head after the other
  Mlp mlp = Mlp::any;                 // only in layers that have this
};

// A member of config.json and where it is kept.
struct ConfigKey {
  const char* theirs;
  std::variant<std::monostate, int64_t ModelConfig::*, double ModelConfig::*, bool ModelConfig::*> ours;
  const char* otherwise = nullptr;  // JSON, where it is missing; nothing: it must be there. Kept nowhere: all there is
  // A size of 0 follows from the others; null in the file is 0.
};

// What a table leaves out is as in Llama, which most families follow.
struct Family {
  const char* id;  // as in the pipeline, and model_type in config.json
  const char* architecture;
  const char* model_type = nullptr;  // in config.json, where that is not the id
  Positions positions = Positions::rotary;
  Normalisation norm = Normalisation::root_mean_square;
  int32_t activation = RGM_SILU;  // RGM_GELU_TANH ...
  const char *activation_key = "hidden_act", *activation_name = "silu";
  bool gated = true;  // mlp: down(activation(gate x) * up x)
  bool tied = false;  // the head is the embedding
  double epsilon = 1e-6;
  bool weights_from_one = false;  // norms multiply by 1 + weight
  bool scaled_embedding = false;  // times sqrt(C)
  double rotary_part = 1;         // of the channels of a head, where config.json does not say
  const char *base_key = "rope_theta", *part_key = nullptr;  // part_key: nothing: all channels turn
  double rope_base = 10000;
  double window_rope_base = 0;                 // of layers with a window, which then turn by it alone; 0: as all others
  const char* window_rope_key = "rope_theta";  // that base, as transformers 4 calls it
  int64_t unturned_each = 0;                   // one layer in so many turns no positions; 0: all turn
  int64_t first_position = 0;                  // the row that it has among learned positions
  Windows windows = Windows::none;
  int64_t full_each = 2;
  double attention_scale = 0;  // of scores; 0: one over the root of the query scalar
  std::span<const ParameterName> names;
  std::span<const ConfigKey> keys;
  void (*begin)(ModelConfig&) = nullptr;  // what a new model has beside its sizes
  bool has_fused_heads() const;           // query, key and value are one product
  bool shares_keys() const;               // heads may share keys and values
  std::string_view type() const { return model_type ? model_type : id; }
  bool has_experts() const;
  bool has_shared_expert() const;
  bool normalised_experts = false;  // where config.json does not say
  GgufFamily gguf = {};
};

std::span<const Family* const> families();
const Family& family(std::string_view id);  // RGM_INVALID with the names there are
std::vector<std::string> family_ids();

struct Rope {
  enum class Scaling { none, linear, llama3, yarn, longrope };
  double base = 10000, part = 1;  // part: of the channels of a head that turn
  Scaling scaling = Scaling::none;
  double factor = 1, low = 1, high = 4;
  int64_t original_context = 0;
  // Of yarn and longrope: what cosines and sines are multiplied by; 0: as the paper says, by the factor.
  double attention = 0;
  // Of yarn: turns in the old context from which and up to which a pair stays and is slowed down, and whether the ramp
  // between goes by whole pairs.
  double fast = 32, slow = 1;
  bool whole_pairs = true;
  // Of longrope: what each pair of channels turns slower by, in texts that fit into the old context and in longer ones.
  // There, a factor of 0 is the context over the old one.
  std::vector<double> short_factors = {}, long_factors = {};
};

// The sizes of one model; what config.json holds.
struct ModelConfig {
  const Family* family = nullptr;
  int64_t layers = 4, heads = 4, kv_heads = 4, head_dim = 32, channels = 128, hidden = 512, context = 64,
          vocabulary = 0;
  double dropout = 0;
  double epsilon = -1;       // of the norms; below 0: the family's
  std::optional<bool> tied;  // nothing: as the family
  // Of a head of its own beside the one over tokens: its outputs (0: none), and what they are called (none: numbers).
  int64_t outputs = 0;
  std::vector<std::string> labels;
  Rope rope;
  std::optional<Rope> window_rope;                   // of layers with a window, where they turn by one of their own
  std::vector<bool> turned;                          // by layer: its positions turn; empty: those of all do
  int32_t activation = 0;                            // 0: the family's
  bool attention_bias = false, mlp_bias = false;     // where the family leaves it open
  int64_t embedding_dim = 0;                         // of the embedding's vectors; 0: channels
  bool parallel = false;                             // attention and mlp read the same stream, and both are added
  double attention_softcap = 0, logits_softcap = 0;  // 0: none
  double query_scalar = 0;                           // scores are divided by its root; 0: head_dim
  double attention_scale = 0;                        // of scores; 0: the family's
  // Of the whole stream where it begins, prompts too; of what each module adds to it; logits are divided by the last.
  double embedding_multiplier = 1, residual_multiplier = 1, logits_divisor = 1;
  std::vector<int64_t> windows;  // by layer, 0: all it can see; empty: no layer has one
  // Of a mixture of experts; 0: there are none.
  int64_t experts = 0, experts_per_token = 0, expert_hidden = 0, shared_hidden = 0;
  bool normalised_experts = false;    // the weights of a token's experts sum to 1
  int64_t sparse_step = 1;            // every so many layers one has experts
  std::vector<int64_t> dense_layers;  // which have none all the same
  double balance = 0;                 // what an even load of the experts weighs in training, as in routing.hpp
  nlohmann::json others = nlohmann::json::object();  // of config.json, handed on: nobody here reads them
  nlohmann::json generation;                         // generation_config.json, handed on; null: there is none

  bool is_tied() const { return tied.value_or(family->tied); }
  double norm_epsilon() const { return epsilon >= 0 ? epsilon : family->epsilon; }
  int32_t activation_kind() const { return activation ? activation : family->activation; }
  int64_t rotary() const { return static_cast<int64_t>(static_cast<double>(head_dim) * rope.part); }  // of a head
  double score_scale() const;  // 0: one over the root of head_dim
  // Under longrope: texts of more tokens turn by the long factors; 0: all turn alike. The last token of a text predicts
  // nothing, and is often not read, so that one more than the old context fits.
  int64_t most_of_short(const Rope& of) const {
    return of.scaling == Rope::Scaling::longrope && of.original_context < context ? of.original_context + 1 : 0;
  }
  int64_t window(size_t layer) const { return windows.empty() ? 0 : windows[layer]; }
  // How the layer's positions turn; NULL: they do not.
  const Rope* rope_of(size_t layer) const {
    if (family->positions != Positions::rotary || (!turned.empty() && !turned[layer])) return nullptr;
    return window_rope && window(layer) > 0 ? &*window_rope : &rope;
  }
  bool is_sparse(int64_t layer) const;
  int64_t sparse_layers() const;
  int64_t widest_mlp() const;  // hidden channels that a token has in one layer, at most
};
// Where `config` has its sizes: the rest as a new model of its family has it. The family must be set.
void begin_new(ModelConfig& config);
int64_t usual_hidden(const Family& family, int64_t channels);
int64_t usual_expert_hidden(const ModelConfig& config);  // of all of a token's experts as much as of a dense mlp
std::vector<int64_t> usual_windows(const ModelConfig& config, int64_t window, int64_t first = 0);
std::vector<bool> usual_turned(const ModelConfig& config, int64_t unturned_each);
// Radians a position of each pair of channels that turns; `beyond`: of texts longer than longrope's old context.
std::vector<double> rope_frequencies(const ModelConfig& config, const Rope& rope, bool beyond = false);
inline std::vector<double> rope_frequencies(const ModelConfig& config) { return rope_frequencies(config, config.rope); }
std::vector<double> yarn_frequencies(const Rope& rope, int64_t channels);
double rope_amplitude(const ModelConfig& config, const Rope& rope);  // of the cosines and sines
double yarn_amplitude(double factor, double scale = 1);

// One parameter of one model.
struct ParameterSlot {
  std::string ours, theirs;
  Shape shape;  // ours
  bool transposed = false, interleaved = false;
  // Where theirs has others beside it, above and below: its first row there, and how many theirs has.
  int64_t first_row = 0, rows_there = 0;
  Shape shape_there() const;  // of theirs
};
std::vector<ParameterSlot> parameter_slots(const ModelConfig& config);
// RGM_INVALID naming the size that makes no sense.
void check(const ModelConfig& config);

nlohmann::json to_hugging_face(const ModelConfig& config);  // config.json
ModelConfig from_hugging_face(const nlohmann::json& json, const std::string& where);
// The tokens that end a text by "eos_token_id" of both files, one or a list in each, beside that of the tokenizer.
std::vector<int32_t> ends_of_text(const ModelConfig& config);

}  // namespace rgm
