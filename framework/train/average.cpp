// average.cpp - one more float32 of each number that is trained.
#include "train/average.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "tensor/quantized.hpp"
#include "tensor/tape.hpp"
#include "train/in_place.hpp"

namespace rgm {

double decay_at(double decay, int64_t step) {
  return std::min(decay, (1 + static_cast<double>(step)) / (10 + static_cast<double>(step)));
}

Average::Average(double decay, std::span<Parameters* const> stores) : decay_(decay) {
  if (decay_ <= 0) return;
  const NoGradient still;
  for (size_t store = 0; store < stores.size(); ++store)
    for (Parameter& p : stores[store]->all()) {
      if (!p.trained || p.buffer) continue;
      const Tensor mean = empty_like(p.value.view(), p.value.dtype());
      assign(mean, p.value);
      items_.push_back({&p, store, mean});
    }
}

void Average::update(int64_t step) {
  const NoGradient still;
  for (const Item& item : items_) move_towards(item.mean, item.parameter->value, 1 - decay_at(decay_, step));
}

void Average::exchange() const {
  const NoGradient still;
  for (const Item& item : items_) {
    rgm::exchange(item.parameter->value, item.mean);
    item.parameter->refresh_half();
  }
}

void Average::visit(const std::function<void(const std::string&, const Tensor&)>& see) const {
  for (const Item& item : items_) see(fmt::format("average{}.{}", item.store, item.parameter->name), item.mean);
}

uint64_t Average::bytes() const {
  uint64_t bytes = 0;
  for (const Item& item : items_) bytes += held_bytes(item.mean);
  return bytes;
}

}  // namespace rgm
