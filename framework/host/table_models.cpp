// table_models.cpp - rgm_model_api: passes over a model, its parameters, its tokenizer.
#include <map>
#include <mutex>

#include "host/guard.hpp"
#include "host/tables.hpp"
#include "host/use_model.hpp"
#include "tensor/ops.hpp"
#include "tensor/plugin_call.hpp"

namespace rgm {
namespace {

constexpr uint32_t all_outputs = RGM_LOGPROBS | RGM_ENTROPY | RGM_HIDDEN | RGM_LOGITS | RGM_HEAD;

Pass pass_of(const rgm_pass& p) {
  require(p.temperature > 0, "temperature is {}; 1 changes nothing", p.temperature);
  Pass pass{share(p.tokens, "tokens"), Tensor::share(p.segments), Tensor::share(p.positions), p.temperature};
  pass.weights = Tensor::share(p.weights);
  require(pass.tokens.rank() == 2, "tokens have shape {}, expected (B, T)", pass.tokens.shape().text());
  for (const Tensor& x : {pass.segments, pass.positions, pass.weights})
    require(!x || x.shape() == pass.tokens.shape(),
            "segments, positions and weights have the shape of the tokens, {}, not {}", pass.tokens.shape().text(),
            x ? x.shape().text() : "");
  // What parts nothing costs nothing: no masks, no places within segments.
  if (pass.segments && pass.segments.get()->one_segment) pass.segments = {};
  return pass;
}

rgm_status info(const rgm_model* model, rgm_model_info* out) {
  return guard([&] {
    const rgm_model& m = given(model, "model");
    const uint32_t room = given(out, "out").struct_size;
    rgm_model_info whole{};
    whole.struct_size = sizeof whole;
    fill_info(*m.model, tokenizer_handle(m.model->tokenizer()), whole);
    if (!m.adapters_off) whole.context -= m.model->virtual_tokens();
    if (m.length > 0) whole.context = std::min(whole.context, m.length);
    whole.struct_size = room;
    std::memcpy(out, &whole, std::min<size_t>(room, sizeof whole));
  });
}

rgm_status forward(rgm_model* model, const rgm_pass* pass, rgm_tensor** out) {
  return guard([&] {
    const rgm_pass p = known_part(pass, "pass");
    if (p.want & ~all_outputs) unsupported("forward: outputs {:#x} are not known", p.want & ~all_outputs);
    require(p.want != 0, "forward: no output is asked for");
    given(out, "out");
    const Use use(model);
    std::vector<Tensor> results = use->forward(pass_of(p), p.want);
    for (size_t i = 0; i < results.size(); ++i) out[i] = results[i].release();
  });
}

rgm_status cross_entropy(rgm_model* model, const rgm_pass* pass, rgm_tensor* weights, rgm_tensor** out) {
  return give(out, [&] {
    const Use use(model);
    return use->cross_entropy(pass_of(known_part(pass, "pass")), share(weights, "weights"));
  });
}

// One model against itself, with other adapters on each side, or with none on one.
Tensor divergence_from_itself(const rgm_model& student, const rgm_model& teacher, const Pass& pass,
                              const Tensor& weights, int32_t kind, double share) {
  Model& model = *student.model;
  TwoSided hooks(student.hooks(), teacher.hooks());
  const WithHooks scope(model, &hooks);
  // What acts here is gone when gradients are made, so layers cannot be computed again then.
  struct Kept {
    Model& model;
    const bool before;
    explicit Kept(Model& m) : model(m), before(std::exchange(m.recompute, false)) {}
    ~Kept() { model.recompute = before; }
    Kept(const Kept&) = delete;
    Kept& operator=(const Kept&) = delete;
  } const kept(model);
  const bool wanted = recording() && !student.frozen;
  const WithGradient with_gradient;
  const Tensor out = model.divergence(model, pass, weights, kind, share);
  return wanted ? out : ops::detach(out);
}

Tensor divergence_of(rgm_model* student, rgm_model* teacher, const rgm_pass* pass, rgm_tensor* weights, int32_t kind,
                     double in_mixture) {
  const Pass p = pass_of(known_part(pass, "pass"));
  const Tensor w = share(weights, "weights");
  const bool same = given(student, "student").model == given(teacher, "teacher").model;
  if (same && student->hooks() != teacher->hooks())
    return divergence_from_itself(*student, *teacher, p, w, kind, in_mixture);
  // Whether something is recorded is the student's business: the teacher's pass never is.
  rgm_model unrecorded = *teacher;
  unrecorded.frozen = false;
  const Use t(&unrecorded), s(student);
  return s->divergence(*t, p, w, kind, in_mixture);
}

rgm_status divergence(rgm_model* student, rgm_model* teacher, const rgm_pass* pass, rgm_tensor* weights, int32_t kind,
                      rgm_tensor** out) {
  return give(out, [&] { return divergence_of(student, teacher, pass, weights, kind, 0.5); });
}

rgm_status jensen_shannon(rgm_model* student, rgm_model* teacher, const rgm_pass* pass, rgm_tensor* weights,
                          double in_mixture, rgm_tensor** out) {
  return give(out, [&] {
    require(in_mixture > 0 && in_mixture < 1,
            "jensen_shannon: the teacher's share in the mixture is {}, expected more than 0 and less than 1",
            in_mixture);
    return divergence_of(student, teacher, pass, weights, RGM_JENSEN_SHANNON, in_mixture);
  });
}

rgm_status param(rgm_scope* scope, const char* name, const rgm_view* like, const rgm_init* init, rgm_tensor** out) {
  return give(out, [&] {
    return file_parameter(given(scope, "scope"), &given(name, "name"), given(like, "like"), known_part(init, "init"));
  });
}

rgm_status assign_values(rgm_tensor* parameter, rgm_tensor* value) {
  return guard([&] {
    const Tensor to = share(parameter, "parameter"), from = share(value, "value");
    require_outside("assign");
    require(to.get()->storage->filed,
            "assign: the values of shape {} are not a parameter or buffer that was filed in a scope; a plug-in may "
            "change no others",
            to.shape().text());
    assign(to, from);
  });
}

rgm_status tokenize(rgm_tokenizer* tokenizer, rgm_str text, rgm_tensor** out) {
  return give(out, [&] {
    const std::vector<int32_t> ids = given(tokenizer, "tokenizer").tokenizer->encode(text_of(text));
    return from_host(ids, {static_cast<int64_t>(ids.size())});
  });
}

rgm_status detokenize(rgm_tokenizer* tokenizer, rgm_tensor* tokens, void* user,
                      void (*sink)(void* user, rgm_str text)) {
  return guard([&] {
    require(sink != nullptr, "sink is NULL");
    Rehearsal::asks_for_values("detokenize");
    const std::string text = given(tokenizer, "tokenizer").tokenizer->decode(to_host<int32_t>(share(tokens, "tokens")));
    sink(user, {text.data(), text.size()});
  });
}

// What a cache holds once these tokens were read.
rgm_status key_values(rgm_model* model, rgm_tensor* tokens, rgm_tensor** out) {
  return give(out, [&] {
    rgm_model base{given(model, "model").model, true, true};
    const Tensor ids = share(tokens, "tokens");
    require(ids.rank() == 1 && ids.size(0) > 0, "key_values: tokens have the shape {}, (T) was expected",
            ids.shape().text());
    const Use use(&base);
    const ModelConfig& c = use->config();
    const int64_t T = ids.size(0);
    KeyValueCache cache(c, 1, T, use->dtype());
    use->hidden({.tokens = ops::reshape(ids, {1, T})}, &cache);
    std::vector<Tensor> parts;
    for (const KeyValueCache::Layer& layer : cache.layers)
      for (const Tensor& x : {layer.k, layer.v})
        parts.push_back(ops::reshape(ops::cast(x, RGM_F32), {T, 1, c.kv_heads * c.head_dim}));
    return ops::reshape(ops::concat(parts, 1), {T, c.layers, 2, c.kv_heads, c.head_dim});
  });
}

}  // namespace

rgm_tokenizer* tokenizer_handle(const TokenizerPtr& tokenizer) {
  static std::mutex mutex;
  static std::map<const Tokenizer*, rgm_tokenizer> handles;
  if (!tokenizer) return nullptr;
  const std::lock_guard lock(mutex);
  return &handles.try_emplace(tokenizer.get(), rgm_tokenizer{tokenizer}).first->second;
}

const rgm_model_api* model_table() {
  static const rgm_model_api table{
      sizeof(rgm_model_api), 0,        info,       forward,    cross_entropy, divergence, param,
      assign_values,         tokenize, detokenize, key_values, jensen_shannon};
  return &table;
}

}  // namespace rgm
