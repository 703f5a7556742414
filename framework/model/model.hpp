// model.hpp - one decoder-only transformer, configured by its family: a pass over tokens, its parameters, its sites,
// and the folder it is kept in (Hugging Face's layout).
#pragma once
#include <regimen/abi/model.h>

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "model/family.hpp"
#include "model/narrow.hpp"
#include "model/parameters.hpp"
#include "model/routing.hpp"
#include "model/sites.hpp"
#include "text/chat.hpp"
#include "text/tokenizer.hpp"

namespace rgm {

// Keys and values of the tokens read so far, for B rows. Slots are filled in order; the first `prefix` ones hold
// virtual tokens.
class KeyValueCache {
 public:
  // `dtype` is the model's.
  KeyValueCache(const ModelConfig& config, int64_t rows, int64_t capacity, rgm_dtype dtype = RGM_F32);
  int64_t rows() const { return rows_; }
  int64_t capacity() const { return capacity_; }

  struct Layer {
    Tensor k, v;
  };  // (B, capacity, Hkv, D), zeros where nothing was written
  std::vector<Layer> layers;
  std::vector<int64_t> lengths;  // slots in use, per row (virtual tokens included)
  int64_t prefix = 0;            // virtual tokens in front
  // Slots in front that a layer leaves empty, as it has fewer keys and values there than the layer with the most.
  std::vector<int64_t> unused;
  // Forgets all rows, so that the memory serves again.
  void clear();
  // The rows named, in that order; the others are forgotten.
  void keep(std::span<const int64_t> rows);
  // The rows of `other`, which has the same capacity, behind those that are there.
  void append(const KeyValueCache& other);
  // Row `row` becomes row 0 of `other`, which has the same capacity.
  void replace(int64_t row, const KeyValueCache& other);

 private:
  int64_t rows_, capacity_;
};

// One pass. tokens (B, T) I32. segments (B, T) I32 or empty; positions (B, T) I32 or empty: counted from 0 in each
// segment; segments are then contiguous.
//
// With a cache, each row's tokens stand behind those it has read, and positions follow from that. Rows may end in
// padding: `counts` says how many tokens of each row are new (empty: all T). What can be read depends on the cache:
// - an empty one takes rows of any length, as attention then looks at the fresh keys alone, under segments;
// - any takes one token a row;
// - more tokens at once on top of others need rows that are all equally long, and no padding.
struct Pass {
  // On the device, the same that follows from the cache's lengths: where the row's one token is filed, which slot of
  // its row that is, and how many keys it sees. For work that is enqueued again with other values in there.
  struct Places {
    Tensor slots, positions, lengths;  // (B), (B, 1), (B) I32; slots counted over all rows
  };
  Tensor tokens, segments = {}, positions = {};
  double temperature = 1;
  std::vector<int64_t> counts = {};
  std::vector<int32_t> adapters = {};  // of each row, where several sets of them serve the model
  Tensor weights = {};                 // (B, T); where 0, no log-probability is asked for
  Places places = {};                  // or empty
  // Where the last token of each row is not read, as it predicts nothing: its text is as long all the same.
  bool lacks_last = false;
  Tensor whole_segments = {};  // (B, T + 1), where there are segments
};

// In front of a row: vectors before its text, and keys and values that were never read.
struct VirtualTokens {
  int64_t prompt = 0, prefix = 0;
  int64_t count() const { return prompt + prefix; }
  auto operator<=>(const VirtualTokens&) const = default;  // NOLINT(modernize-use-nullptr): there is none
};

// A linear layer; `site` is what acts on it.
struct LinearPart {
  const Parameter *weight = nullptr, *bias = nullptr;
  size_t site = 0;
  explicit operator bool() const { return weight != nullptr; }
};
struct NormPart {
  const Parameter *weight = nullptr, *bias = nullptr;
  explicit operator bool() const { return weight != nullptr; }
};
// Of rotary positions: (context, R / 2), R the channels of a head that turn; in front of them `most_of_short`
// rows of their own for texts of so many tokens, where longer ones turn otherwise.
struct RopeTables {
  Tensor cosines, sines;
  int64_t most_of_short = 0;
};
// A linear layer's weight (out, in), of which a token meets `count`: of as many as there are, or of experts.
struct ProductShape {
  int64_t in = 0, out = 0, count = 0;
  double bytes = 0;                   // of one of them
  int64_t experts = 0;                // so many there are; 0: `count`
  double read(int64_t tokens) const;  // weights that so many tokens meet, where experts have an even load
};
struct ExpertPart {
  LinearPart gate, up, down;  // no sites
};
// The parameters and sites of one layer. Either qkv or query, key and value have weights; these three have the sites.
struct LayerPart {
  NormPart attention_norm, mlp_norm;          // of what the module reads
  NormPart attention_end_norm, mlp_end_norm;  // of what it adds to the stream
  NormPart query_norm, key_norm;              // of each head, or of all of them together
  LinearPart qkv, query, key, value, output, gate, up, down;
  // In place of the last three, with a site of the whole alone:
  LinearPart router, shared_gate;
  std::vector<ExpertPart> experts;
  ExpertPart shared;
  size_t attention = 0, mlp = 0, block = 0;
};

class Model {
 public:
  // New weights, drawn from `seed`: normal with deviation sqrt(2 / (5 C)), the projections onto the residual stream
  // scaled by 1 / sqrt(2 L), biases 0, norms 1. All trained, but for those that are `narrow`.
  static std::shared_ptr<Model> create(const ModelConfig& config, TokenizerPtr tokenizer, uint64_t seed,
                                       const NarrowWeights& narrow = {});
  // Opens config.json, model.safetensors (copied to the device; or several files with an index), tokenizer.json, and
  // heads.safetensors where plug-ins filed parameters of their own. RGM_INVALID naming file and tensor when something
  // is missing, extra or misshaped.
  static std::shared_ptr<Model> open(const fs::path& folder, const NarrowWeights& narrow = {});
  // A head of `outputs` numbers a token, which `labels` name or nobody; drawn from `seed`, trained. In place of one
  // that was there and of that over tokens, unless the embedding is that one.
  void add_head(int64_t outputs, std::vector<std::string> labels, uint64_t seed);
  // Special tokens behind those of the tokenizer; names that it has already change nothing. The embedding and a head of
  // its own over tokens get rows for them, after the spare ones that they may have, which begin as the mean of the rows
  // of the tokens before. Before anything acts at the sites, and before use_bfloat16. RGM_INVALID as
  // with_added_tokens().
  void add_tokens(std::span<const std::string> names);
  const std::vector<std::string>& new_tokens() const { return new_tokens_; }  // by add_tokens
  // The same architecture with a copy of every weight, frozen: a reference. All its matrices are in bfloat16 where this
  // model was made to keep its frozen ones so, even if it has none. With `exact` each is kept as it is here, and those
  // that are not trained are shared.
  std::shared_ptr<Model> frozen_copy(bool exact = false) const;
  // From now on these matrices are kept in bfloat16 alone, rounded once, as if the model had been opened so: before
  // anything acts at its sites, and before use_bfloat16.
  void narrow(const NarrowWeights& narrow);
  // From now on passes compute in bfloat16: products read bfloat16 copies of the weights, and what lies between them is
  // bfloat16. The residual stream, statistics, losses and the weights that are trained and saved stay float32.
  void use_bfloat16();
  rgm_dtype dtype() const { return dtype_; }  // of activations
  // Of a frozen model that from now on only writes text: its matrices go into the layout that the backend reads
  // fastest, and the plain ones go, but for the embedding and those at whose sites something acts. It answers hidden
  // states and logits; no gradient passes through it, and it is neither saved nor copied. Where the backend has no such
  // layout nothing changes.
  void pack();
  // Writes the folder's files into `folder`, which exists; answers the SHA-256 of model.safetensors.
  std::string save(const fs::path& folder) const;

  const ModelConfig& config() const { return config_; }
  const TokenizerPtr& tokenizer() const { return tokenizer_; }
  // Is saved with the model; its adapters carry it too.
  void set_chat_template(std::string source) {
    chat_template_ = source;
    tokenizer_ = with_chat_template(tokenizer_, std::move(source));
  }
  const std::string& new_chat_template() const { return chat_template_; }  // empty: none was set since it was opened
  Parameters& parameters() { return parameters_; }                         // the transformer's own
  const Parameters& parameters() const { return parameters_; }
  Parameters& extra() { return extra_; }  // filed by plug-ins through scopes
  const Parameters& extra() const { return extra_; }
  // Saved values of extra parameters that nobody has asked for yet, by name: param() finds them here.
  std::map<std::string, Tensor>& saved_extra() { return saved_extra_; }
  // Kept beside the extra parameters, as metadata of their file: "reward.<id>" has the options of a learned reward.
  std::map<std::string, std::string>& notes() { return notes_; }
  const std::vector<SiteInfo>& sites() const { return sites_; }
  size_t embedding_site() const { return 0; }
  const std::vector<LayerPart>& layers() const { return layers_; }
  const NormPart& last_norm() const { return norm_; }
  const Tensor& head_weight() const;  // (V, C), as products read it; RGM_INVALID where the model only classifies
  // By which the layer's queries and keys turn; NULL: they do not.
  const RopeTables* rope_of(size_t layer) const;

  // What acts at the sites; NULL: nothing. Borrowed.
  void set_hooks(Hooks* hooks) { hooks_ = hooks; }
  Hooks* hooks() const { return hooks_; }

  // (B, T, C) after the last norm, virtual tokens taken off. Records the tape where something is trained. `dropout` of
  // the config acts where the tape records and `training` is set.
  Tensor hidden(const Pass& pass, KeyValueCache* cache = nullptr) const;
  // The same with the state of the prompt's last vector in front, (B, T + 1, C), where there is a prompt.
  Tensor hidden_with_front(const Pass& pass) const;
  // Outputs in the order of the bits of `want` (RGM_LOGPROBS ... as in the ABI). Where only log-probabilities and
  // entropy are wanted, the last token of a row is not read by the transformer: context + 1 tokens fit.
  std::vector<Tensor> forward(const Pass& pass, uint32_t want) const;
  // Of each token, given those before it: its log-probability, and the likeliest token there, I32. (B, T) both; 0 and
  // -1 where nothing precedes it, not even a prompt.
  std::pair<Tensor, Tensor> predictions(const Pass& pass) const;
  // sum(-weights * logprobs), (); weights (B, T)
  Tensor cross_entropy(const Pass& pass, const Tensor& weights) const;
  // sum(weights * divergence from the teacher), (); kind and share as in ops::head_divergence
  Tensor divergence(const Model& teacher, const Pass& pass, const Tensor& weights, int32_t kind,
                    double share = 0.5) const;
  // (B, T, outputs) of hidden states, of the model's own head
  Tensor scores(const Tensor& hidden) const;
  // (B, T, V) of hidden states
  Tensor logits(const Tensor& hidden, double temperature = 1) const;

  // What stands in front of rows that these adapters serve, of a prompt hook or key_values, now.
  VirtualTokens front(std::span<const int32_t> rows = {}) const;
  int64_t virtual_tokens() const { return front().count(); }
  std::vector<ProductShape> products() const;  // of a pass and its logits, each shape once
  int64_t idle_parameters() const;             // of experts that a token is not given to
  // Forward and backward with everything trained, of rows of `tokens`: 6 x parameters in products, and of causal
  // attention what its scores and their use take, 6 x 2 L H D (tokens + 1) / 2.
  double flops_per_token(int64_t tokens) const;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  bool training = false;
  // What a layer computes on the way is computed again for its gradient, and not kept.
  bool recompute = false;
  // Passes of a mixture of experts tell `routing` how they share their tokens, and draw their routers towards an even
  // load where these are trained; empty: they do neither.
  void set_routing(std::shared_ptr<Routing> routing) { routing_ = std::move(routing); }
  const std::shared_ptr<Routing>& routing() const { return routing_; }
  // A pass waits for what it computes on the way, so it is never captured.
  bool waits_in_passes() const { return config_.experts > 0; }

 private:
  Model(ModelConfig config, TokenizerPtr tokenizer);
  // Once all parameters are there.
  void make_layers();
  void add_experts(LayerPart& layer, const std::string& mlp);
  size_t add_site(int32_t kind, int64_t layer, const std::string& ours, const std::string& theirs, int64_t in,
                  int64_t out);
  size_t add_linear_site(int64_t layer, const std::string& ours, const std::string& theirs, const LinearPart& part,
                         int64_t begin, int64_t end);
  void pack(const LinearPart& part, std::span<const size_t> sites);
  LinearPart linear_part(const std::string& name) const;
  NormPart norm_part(const std::string& name) const;

  ModelConfig config_;
  TokenizerPtr tokenizer_;
  std::string chat_template_;
  Parameters parameters_, extra_;
  std::map<std::string, Tensor> saved_extra_;
  std::map<std::string, std::string> notes_;
  std::vector<SiteInfo> sites_;
  std::vector<LayerPart> layers_;
  NormPart norm_;
  RopeTables rope_, window_rope_;
  Tensor packed_head_;  // of a tied head, beside the embedding
  bool packed_ = false;
  Hooks* hooks_ = nullptr;
  rgm_dtype dtype_ = RGM_F32;
  bool narrow_ = false;  // frozen matrices are kept in bfloat16 or in four bits alone
  std::vector<std::string> new_tokens_;
  std::shared_ptr<Routing> routing_;
};

// Other hooks than its own act in a model while this lives.
class WithHooks {
 public:
  WithHooks(Model& model, Hooks* hooks) : model_(model), before_(model.hooks()) { model_.set_hooks(hooks); }
  ~WithHooks() { model_.set_hooks(before_); }
  WithHooks(const WithHooks&) = delete;
  WithHooks& operator=(const WithHooks&) = delete;

 private:
  Model& model_;
  Hooks* before_;
};

}  // namespace rgm
