// use_model.hpp - a model as its handle means it, for one call: with its adapters or without, recorded or not.
#pragma once
#include <optional>
#include <utility>

#include "host/guard.hpp"
#include "tensor/tape.hpp"
#include "train/session.hpp"

namespace rgm {

class Use {
 public:
  explicit Use(rgm_model* handle) : model_(*given(handle, "model").model), hooks_(model_, handle->hooks()) {
    if (handle->frozen) frozen_.emplace();
  }
  const Model* operator->() const { return &model_; }
  const Model& operator*() const { return model_; }

 private:
  Model& model_;
  WithHooks hooks_;
  std::optional<NoGradient> frozen_;
};

// One acts in passes that are recorded, another in those that are not; NULL: nothing. Model::divergence never records
// the teacher's pass, so this tells the two apart where one model is both: with its adapters and without, or with
// others.
class TwoSided : public Hooks {
 public:
  TwoSided(Hooks* recorded, Hooks* unrecorded) : recorded_(recorded), unrecorded_(unrecorded) {}
  void begin(std::span<const int32_t> rows, int64_t count) override {
    if (now()) now()->begin(rows, count);
  }
  bool has_input(size_t site) const override { return now() && now()->has_input(site); }
  bool has_output(size_t site) const override { return now() && now()->has_output(site); }
  Tensor input(size_t site, const Tensor& x) override { return now()->input(site, x); }
  Tensor output(size_t site, const Tensor& x, Tensor y) override { return now()->output(site, x, std::move(y)); }
  std::pair<Tensor, Tensor> key_values(size_t site) override {
    return now() ? now()->key_values(site) : std::pair<Tensor, Tensor>();
  }
  Tensor prompt(size_t site) override { return now() ? now()->prompt(site) : Tensor(); }

 private:
  Hooks* now() const { return recording() ? recorded_ : unrecorded_; }
  Hooks *recorded_, *unrecorded_;
};

}  // namespace rgm
