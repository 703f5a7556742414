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
  explicit Use(rgm_model* handle)
      : model_(*given(handle, "model").model), hooks_(model_, handle->adapters_off ? nullptr : model_.hooks()) {
    if (handle->frozen) frozen_.emplace();
  }
  const Model* operator->() const { return &model_; }
  const Model& operator*() const { return model_; }

 private:
  Model& model_;
  WithHooks hooks_;
  std::optional<NoGradient> frozen_;
};

// Acts in passes that are recorded, or in those that are not. Model::divergence never records the teacher's pass, so
// this tells the two apart where one model is both: with its adapters and without.
class OneSided : public Hooks {
 public:
  OneSided(Hooks& inner, bool recorded) : inner_(inner), recorded_(recorded) {}
  void begin(std::span<const int32_t> rows, int64_t count) override {
    if (on()) inner_.begin(rows, count);
  }
  bool has_input(size_t site) const override { return on() && inner_.has_input(site); }
  bool has_output(size_t site) const override { return on() && inner_.has_output(site); }
  Tensor input(size_t site, const Tensor& x) override { return inner_.input(site, x); }
  Tensor output(size_t site, const Tensor& x, Tensor y) override { return inner_.output(site, x, std::move(y)); }
  std::pair<Tensor, Tensor> key_values(size_t site) override {
    return on() ? inner_.key_values(site) : std::pair<Tensor, Tensor>();
  }
  Tensor prompt(size_t site) override { return on() ? inner_.prompt(site) : Tensor(); }

 private:
  bool on() const { return recording() == recorded_; }
  Hooks& inner_;
  bool recorded_;
};

}  // namespace rgm
