// gradient_sum.cpp - a short message says who has which gradients; then they go in buckets, in the order of parameters.
#include "train/gradient_sum.hpp"

#include <algorithm>

#include "tensor/device.hpp"
#include "tensor/ops.hpp"
#include "tensor/tape.hpp"
#include "tensor/views.hpp"

namespace rgm {
namespace {

constexpr size_t most_at_once = size_t{4} << 20;  // numbers of a bucket, 16 MiB: large enough for any network

enum Place : size_t { of_loss, of_stops, of_ends, of_is_due, of_parameters };

}  // namespace

GradientSum::GradientSum(ProcessGroup& processes, std::span<Parameters* const> stores) : processes_(processes) {
  if (processes.size() == 1) return;
  size_t count = 0;
  for (const Parameters* store : stores)
    for (const Parameter& p : store->all())
      if (p.trained && !p.buffer) {
        parameters_.push_back(p.value);
        count += static_cast<size_t>(p.value.count());
      }
  header_.resize(of_parameters + parameters_.size());
  bucket_.resize(std::min(count, most_at_once));
}

GradientSum::Said GradientSum::run(Tensor& loss, Said here) {
  if (processes_.size() == 1) return here;
  const NoGradient still;
  header_[of_loss] = loss && !here.ends ? item(loss) : 0.0F;
  header_[of_stops] = here.stops ? 1.0F : 0.0F;
  header_[of_ends] = here.ends ? 1.0F : 0.0F;
  header_[of_is_due] = here.is_due ? 1.0F : 0.0F;
  for (size_t i = 0; i < parameters_.size(); ++i) header_[of_parameters + i] = parameters_[i].gradient() ? 1.0F : 0.0F;
  processes_.sum(header_);
  const Said all{header_[of_stops] > 0, header_[of_ends] > 0, header_[of_is_due] > 0};
  if (all.ends) return all;
  loss = ops::full({}, header_[of_loss]);
  seen_.clear();
  for (size_t i = 0; i < parameters_.size(); ++i)
    if (header_[of_parameters + i] > 0) add(gradient_to_sum(parameters_[i]));
  flush();
  return all;
}

// One that lies in memory as the parameter does, wherever it was computed, and that nobody else reads.
Tensor GradientSum::gradient_to_sum(const Tensor& parameter) {
  Tensor g = parameter.gradient();
  const rgm_view like = views::layout_like(parameter.view(), RGM_F32);
  const auto is_own = [&] {
    const auto& storage = g.get()->storage;
    return g.dtype() == RGM_F32 && views::same_layout(g.view(), like) && storage.use_count() == 1 && !storage->owner &&
           seen_.insert(storage.get()).second;
  };
  if (g && is_own()) return g;
  Tensor own = empty_like(parameter.view(), RGM_F32);
  assign(own, g ? ops::cast(g, RGM_F32) : ops::broadcast(ops::full({}, 0), parameter.shape()));
  parameter.set_gradient(own);
  seen_.insert(own.get()->storage.get());
  return own;
}

void GradientSum::add(const Tensor& gradient) {
  auto* data = static_cast<float*>(gradient.view().data);
  for (auto left = static_cast<size_t>(gradient.count()); left > 0;) {
    const size_t n = std::min(left, bucket_.size() - filled_);
    current_device().download(bucket_.data() + filled_, data, n * sizeof(float));
    pieces_.push_back({data, n});
    held_.push_back(gradient);
    data += n, left -= n, filled_ += n;
    if (filled_ == bucket_.size()) flush();
  }
}

void GradientSum::flush() {
  if (filled_ == 0) return;
  processes_.sum({bucket_.data(), filled_});
  const float* from = bucket_.data();
  for (const Piece& piece : pieces_) {
    current_device().upload(piece.data, from, piece.count * sizeof(float));
    from += piece.count;
  }
  pieces_.clear();
  held_.clear();
  filled_ = 0;
}

}  // namespace rgm
