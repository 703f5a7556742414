// gguf_architecture.cpp - the sizes and settings of a model in llama.cpp's words; and what it would compute otherwise,
// which is refused.
#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "model/to_gguf.hpp"

namespace rgm {
namespace {

// What cosines and sines are multiplied by, beside what llama.cpp takes for yarn anyway.
constexpr auto attention_key = "rope.scaling.attn_factor";

[[noreturn]] void not_alike(const ModelConfig& c, const std::string& what) {
  invalid(
      "{}, which llama.cpp does not have in its \"{}\": it would compute other answers; use the model here, or with "
      "transformers",
      what, c.family->gguf.architecture);
}

double their_score_scale(const ModelConfig& c) {
  const bool by_channels = c.layers == c.family->gguf.scaled_by_channels;
  return 1 / std::sqrt(static_cast<double>(by_channels ? c.channels / c.heads : c.head_dim));
}

void check_alike(const ModelConfig& c) {
  const GgufFamily& theirs = c.family->gguf;
  require(theirs.architecture != nullptr,
          "llama.cpp has no architecture for the family {}, so that a GGUF file of it could not be opened: use the "
          "model's folder with transformers, or here",
          c.family->id);
  require(c.outputs == 0,
          "the model has a head of its own for labels or scores, for which GGUF has no place beside texts: use it with "
          "`regimen evaluate` or with transformers");
  if (c.activation_kind() != c.family->activation) not_alike(c, "another activation than the family's");
  if (theirs.whole_heads && c.heads * c.head_dim != c.channels)
    not_alike(c, fmt::format("{} heads of {} channels beside {} of the model", c.heads, c.head_dim, c.channels));
  if (theirs.own_keys && c.kv_heads != c.heads) not_alike(c, "heads that share keys");
  if (theirs.tied_head && !c.is_tied()) not_alike(c, "a head that is not the embedding");
  if (theirs.no_biases && (c.attention_bias || c.mlp_bias)) not_alike(c, "biases");
  if (theirs.needs_biases && !c.attention_bias) not_alike(c, "matrices without biases");
  if (c.experts > 0 && c.sparse_layers() != c.layers) not_alike(c, "layers without experts beside others");
  if (c.experts > 0 && c.normalised_experts != theirs.normalised_experts)
    not_alike(c, fmt::format("experts whose weights do {}sum to 1", c.normalised_experts ? "" : "not "));
  // That of Granite is told; other families have what follows from their sizes.
  const double own = c.score_scale(), scale = own > 0 ? own : 1 / std::sqrt(static_cast<double>(c.head_dim));
  if (c.attention_scale == 0 && std::abs(scale / their_score_scale(c) - 1) > 1e-6)
    not_alike(c, fmt::format("scores scaled by {:.4g}", scale));
  if (theirs.soft_caps && (c.attention_softcap == 0 || c.logits_softcap == 0))
    not_alike(c, "scores or logits without a cap");
  if (!theirs.soft_caps && (c.attention_softcap > 0 || c.logits_softcap > 0)) not_alike(c, "a cap on scores or logits");
  for (size_t i = 0; i < c.turned.size(); ++i)
    if (c.turned[i] != ((static_cast<int64_t>(i) + 1) % c.family->unturned_each != 0))
      not_alike(c, fmt::format("other layers without positions than one in {}", c.family->unturned_each));
}

class Architecture {
 public:
  explicit Architecture(const ModelConfig& config) : c_(config) {
    out_.context = c_.context;
    add_windows();
    put("context_length", out_.context), put("embedding_length", c_.channels), put("block_count", c_.layers);
    const bool only_experts = c_.experts > 0 && !has_dense_mlp();
    put("feed_forward_length", only_experts ? c_.expert_hidden : c_.hidden);
    put("attention.head_count", c_.heads), put("attention.head_count_kv", c_.kv_heads);
    put("attention.key_length", c_.head_dim), put("attention.value_length", c_.head_dim);
    put("vocab_size", c_.vocabulary);
    real(c_.family->norm == Normalisation::layer ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon",
         c_.norm_epsilon());
    if (c_.family->positions == Positions::rotary) add_rope();
    if (c_.experts > 0) {
      put("expert_count", c_.experts), put("expert_used_count", c_.experts_per_token);
      put("expert_feed_forward_length", c_.expert_hidden);
      if (c_.family->has_shared_expert()) put("expert_shared_feed_forward_length", c_.shared_hidden);
    }
    if (c_.attention_softcap > 0) real("attn_logit_softcapping", c_.attention_softcap);
    if (c_.logits_softcap > 0) real("final_logit_softcapping", c_.logits_softcap);
    if (c_.attention_scale > 0) {
      real("attention.scale", c_.attention_scale), real("logit_scale", c_.logits_divisor);
      real("residual_scale", c_.residual_multiplier), real("embedding_scale", c_.embedding_multiplier);
    }
    const bool chooses = std::ranges::any_of(
        c_.family->keys, [](const ConfigKey& key) { return std::string_view(key.theirs) == "use_parallel_residual"; });
    if (chooses) key("use_parallel_residual", c_.parallel);
  }
  GgufArchitecture take() { return std::move(out_); }

 private:
  void key(const char* name, GgufValue value) {
    out_.metadata.emplace_back(fmt::format("{}.{}", c_.family->gguf.architecture, name), std::move(value));
  }
  void put(const char* name, int64_t size) { key(name, static_cast<uint32_t>(size)); }
  void real(const char* name, double value) { key(name, static_cast<float>(value)); }

  bool has_dense_mlp() const {
    return std::ranges::any_of(c_.family->names, [](const ParameterName& name) {
      return std::string_view(name.ours) == "layers.{i}.mlp.up.weight";
    });
  }

  // Where llama.cpp has no windows, a text that fits into one is seen as a whole all the same.
  void add_windows() {
    int64_t window = 0, full_each = 0;
    for (size_t i = 0; i < static_cast<size_t>(c_.layers); ++i) {
      if (const int64_t own = c_.window(i); own > 0) window = own;
      if (c_.window(i) == 0 && full_each == 0) full_each = static_cast<int64_t>(i) + 1;
    }
    if (!c_.family->gguf.windows) {
      if (window > 0) out_.context = std::min(c_.context, window);
      return;
    }
    if (window == 0) not_alike(c_, "layers that all see the whole text");
    for (size_t i = 0; i < static_cast<size_t>(c_.layers); ++i) {
      const int64_t place = static_cast<int64_t>(i) + 1;
      if ((c_.window(i) == 0) != (full_each > 0 && place % full_each == 0) ||
          (c_.window(i) > 0 && c_.window(i) != window))
        not_alike(c_, "windows that are not those of all layers but one in so many");
    }
    put("attention.sliding_window", window);
    put("attention.sliding_window_pattern", full_each > 0 ? full_each : c_.layers + 1);
  }

  // What each pair turns slower by than without a scaling.
  void add_factors(const char* name, bool beyond) {
    const double channels = static_cast<double>(c_.rotary());
    std::vector<float> factors;
    for (const double frequency : rope_frequencies(c_, c_.rope, beyond)) {
      const double plain = std::pow(c_.rope.base, -2 * static_cast<double>(factors.size()) / channels);
      factors.push_back(static_cast<float>(plain / frequency));
    }
    const auto size = static_cast<int64_t>(factors.size());
    out_.tensors.push_back(
        {{fmt::format("{}.weight", name), RGM_F32, {size}, [factors](const OutgoingTensor::Put& put) {
            put(std::as_bytes(std::span(factors)));
          }}});
  }

  void add_rope() {
    const GgufFamily& theirs = c_.family->gguf;
    const Rope& rope = c_.rope;
    real("rope.freq_base", rope.base), put("rope.dimension_count", c_.rotary());
    if (c_.window_rope) {
      if (c_.window_rope->scaling != Rope::Scaling::none) not_alike(c_, "scaled positions of layers with a window");
      real("rope.freq_base_swa", c_.window_rope->base);
    }
    switch (rope.scaling) {
      case Rope::Scaling::none: return;
      case Rope::Scaling::linear: key("rope.scaling.type", "linear"), real("rope.scaling.factor", rope.factor); return;
      case Rope::Scaling::llama3:
        if (!theirs.llama3) not_alike(c_, "positions scaled by llama3");
        add_factors("rope_freqs", false);
        return;
      case Rope::Scaling::yarn: return add_yarn();
      case Rope::Scaling::longrope: break;
    }
    if (!theirs.longrope) not_alike(c_, "positions scaled by longrope");
    key("rope.scaling.type", "longrope");
    put("rope.scaling.original_context_length", rope.original_context);
    real(attention_key, rope_amplitude(c_, rope));
    add_factors("rope_factors_short", false), add_factors("rope_factors_long", true);
  }

  void add_yarn() {
    const Rope& rope = c_.rope;
    if (!c_.family->gguf.yarn) not_alike(c_, "positions scaled by yarn");
    Rope whole = rope;
    whole.whole_pairs = true;
    if (rope_frequencies(c_, whole) != rope_frequencies(c_, rope)) not_alike(c_, "yarn with \"truncate\": false");
    key("rope.scaling.type", "yarn"), real("rope.scaling.factor", rope.factor);
    put("rope.scaling.original_context_length", rope.original_context);
    real("rope.scaling.yarn_beta_fast", rope.fast), real("rope.scaling.yarn_beta_slow", rope.slow);
    real(attention_key, rope_amplitude(c_, rope) / yarn_amplitude(rope.factor));
  }

  const ModelConfig& c_;
  GgufArchitecture out_;
};

}  // namespace

GgufArchitecture gguf_architecture(const ModelConfig& config) {
  check_alike(config);
  return Architecture(config).take();
}

}  // namespace rgm
