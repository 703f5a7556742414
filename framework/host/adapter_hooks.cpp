// adapter_hooks.cpp - a pass over a model with adapters: every instance's hooks, in the order they were added.
#include "host/adapter_instance.hpp"
#include "tensor/ops.hpp"

namespace rgm {
namespace {

Tensor taken(rgm_tensor* out, const std::string& name, const char* hook) {
  require(out != nullptr, "{}: its hook {} returned nothing; its author has to correct it", name, hook);
  return Tensor::adopt(out);
}

// A hook answers in the shape of what it was given: another one would be repeated by broadcasting, and nobody told.
Tensor same_shape(Tensor out, const Shape& wanted, const std::string& name, const char* hook, const SiteInfo& site) {
  require(out.shape() == wanted,
          "{}: its hook {} returned the shape {} at {}, {} was expected; its author has to correct it", name, hook,
          out.shape().text(), site.name, wanted.text());
  return out;
}

// (N, ...) with these last axes, in front of the sequence.
Tensor virtual_tokens(Tensor out, std::initializer_list<int64_t> rest, const std::string& name, const char* hook) {
  std::vector<int64_t> wanted{out.rank() > 0 ? out.size(0) : 0};
  wanted.insert(wanted.end(), rest);
  require(out.shape() == Shape(std::span<const int64_t>(wanted)),
          "{}: its hook {} returned the shape {}, (N, {}) was expected; its author has to correct it", name, hook,
          out.shape().text(), fmt::join(rest, ", "));
  return out;
}

// Several adapters' virtual tokens stand one behind the other.
void append(Tensor& all, Tensor more) {
  all = all ? ops::concat(std::vector{all, std::move(more)}, 0) : std::move(more);
}

}  // namespace

void Adapters::begin(std::span<const int32_t>, int64_t) {
  for (const auto& a : instances_) {
    a->shared = {};
    if (!RGM_HAS(a->table, begin)) continue;
    rgm_tensor* shared = nullptr;
    call_plugin(a->name, "begin", [&] { return a->table->begin(a->self, &shared); });
    a->shared = Tensor::adopt(shared);
  }
}

bool Adapters::has_input(size_t site) const {
  for (const auto& a : instances_)
    if (a->at[site] && RGM_HAS(a->table, input)) return true;
  return false;
}
bool Adapters::has_output(size_t site) const {
  for (const auto& a : instances_)
    if (a->at[site] && RGM_HAS(a->table, output)) return true;
  return false;
}

Tensor Adapters::input(size_t site, const Tensor& given) {
  Tensor x = given;
  for (const auto& a : instances_) {
    if (!a->at[site] || !RGM_HAS(a->table, input)) continue;
    rgm_tensor* out = nullptr;
    call_plugin(
        a->name, "input", [&] { return a->table->input(a->self, a->at[site]->state, a->shared.get(), x.get(), &out); },
        model_->sites()[site].name);
    x = same_shape(taken(out, a->name, "input"), given.shape(), a->name, "input", model_->sites()[site]);
  }
  return x;
}

Tensor Adapters::output(size_t site, const Tensor& x, Tensor y) {
  const Shape shape = y.shape();
  for (const auto& a : instances_) {
    if (!a->at[site] || !RGM_HAS(a->table, output)) continue;
    rgm_tensor* out = nullptr;
    call_plugin(
        a->name, "output",
        [&] { return a->table->output(a->self, a->at[site]->state, a->shared.get(), x.get(), y.release(), &out); },
        model_->sites()[site].name);
    y = same_shape(taken(out, a->name, "output"), shape, a->name, "output", model_->sites()[site]);
  }
  return y;
}

std::pair<Tensor, Tensor> Adapters::key_values(size_t site) {
  std::pair<Tensor, Tensor> all;
  for (const auto& a : instances_) {
    if (!a->at[site] || !RGM_HAS(a->table, key_values)) continue;
    rgm_tensor *k = nullptr, *v = nullptr;
    call_plugin(
        a->name, "key_values",
        [&] { return a->table->key_values(a->self, a->at[site]->state, a->shared.get(), &k, &v); },
        model_->sites()[site].name);
    Tensor values = Tensor::adopt(v), keys = taken(k, a->name, "key_values");
    values = taken(values.release(), a->name, "key_values");
    const ModelConfig& c = model_->config();
    require(keys.shape() == values.shape(), "{}: its hook key_values returned keys {} and values {}", a->name,
            keys.shape().text(), values.shape().text());
    append(all.first, virtual_tokens(std::move(keys), {c.kv_heads, c.head_dim}, a->name, "key_values"));
    append(all.second, virtual_tokens(std::move(values), {c.kv_heads, c.head_dim}, a->name, "key_values"));
  }
  return all;
}

Tensor Adapters::prompt(size_t site) {
  Tensor all;
  for (const auto& a : instances_) {
    if (!a->at[site] || !RGM_HAS(a->table, prompt)) continue;
    rgm_tensor* out = nullptr;
    call_plugin(
        a->name, "prompt", [&] { return a->table->prompt(a->self, a->at[site]->state, a->shared.get(), &out); },
        model_->sites()[site].name);
    append(all, virtual_tokens(taken(out, a->name, "prompt"), {model_->config().channels}, a->name, "prompt"));
  }
  return all;
}

}  // namespace rgm
