// packed.cpp - the backend lays a weight out; a single NaN stands where its values were.
#include "tensor/packed.hpp"

#include <cmath>

#include "tensor/kernel.hpp"
#include "tensor/ops.hpp"
#include "tensor/views.hpp"

namespace rgm {

PackedWeight::PackedWeight(std::shared_ptr<Device> on, rgm_packed* in_their_layout, Shape of)
    : device(std::move(on)), weight(in_their_layout), shape(of) {}
PackedWeight::~PackedWeight() { device->kernels().unpack(weight); }

Tensor packed(const Tensor& w) {
  const rgm_kernels& k = kernel::table();
  require(w.rank() == 2 && !w.needs_gradient(), "a weight of shape {} cannot be packed: frozen matrices can",
          w.shape().text());
  if (!RGM_HAS(&k, pack) || !RGM_HAS(&k, unpack)) return w;
  rgm_packed* theirs = nullptr;
  if (!kernel::ran(k.pack(kernel::queue(), &w.view(), nullptr, 0, &theirs))) return w;
  auto weight = std::make_shared<const PackedWeight>(share_current_device(), theirs, w.shape());
  const Tensor nothing = ops::full({}, std::nan(""), w.dtype());
  nothing.get()->storage->packed = std::move(weight);
  return alias(nothing, broadcast_to(nothing.view(), w.shape()));
}

const rgm_packed* packed_form(const Tensor& w) {
  const auto& packed = w.get()->storage->packed;
  if (!packed) return nullptr;
  if (w.shape() != packed->shape) throw Error(RGM_INTERNAL, "a part of a packed weight was asked for");
  return packed->weight;
}

}  // namespace rgm
