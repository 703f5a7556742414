// parameters.cpp - the record of parameters: names are looked up, and nothing moves once it is filed.
#include "model/parameters.hpp"

#include "base/sha256.hpp"
#include "model/outgoing.hpp"
#include "tensor/ops.hpp"
#include "tensor/quantized.hpp"
#include "tensor/views.hpp"

namespace rgm {

Parameter& Parameters::add(std::string name, Tensor value, bool trained, bool buffer) {
  require(!index_.contains(name), "there is already a parameter \"{}\"", name);
  Parameter& p = all_.emplace_back(Parameter{std::move(name), std::move(value), false, buffer});
  index_[p.name] = &p;
  set_trained(p, trained);
  return p;
}

void Parameter::make_half() {
  if (half || value.dtype() == RGM_BF16 || is_quantized(value)) return;  // products read what is there
  half = empty_like(value.view(), RGM_BF16);
  half.set_master(value);
  refresh_half();
}
void Parameter::refresh_half() const {
  if (half) assign(half, value);
}
Tensor Parameter::rows(int64_t begin, int64_t end) const {
  if (is_quantized(value)) return quantized_rows(value, begin, end);
  Tensor part = ops::slice(value, 0, begin, end);
  if (!half) return part;
  Tensor narrow = alias(half, views::sliced(half.view(), 0, begin, end));
  narrow.set_master(part);
  return narrow;
}

// The addresses of the others stay valid.
void Parameters::remove_last(std::string_view name) {
  if (all_.empty() || all_.back().name != name) return;
  index_.erase(all_.back().name);
  all_.pop_back();
}

Parameter* Parameters::find(std::string_view name) {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : found->second;
}
const Parameter* Parameters::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : found->second;
}

int64_t Parameters::count() const {
  int64_t n = 0;
  for (const Parameter& p : all_)
    if (!p.buffer) n += p.value.count();
  return n;
}
int64_t Parameters::narrow_count() const {
  int64_t n = 0;
  for (const Parameter& p : all_)
    if (p.value.dtype() == RGM_BF16) n += p.value.count();
  return n;
}
int64_t Parameters::quantized_count() const {
  int64_t n = 0;
  for (const Parameter& p : all_)
    if (is_quantized(p.value)) n += p.value.count();
  return n;
}
uint64_t Parameters::bytes() const {
  uint64_t n = 0;
  for (const Parameter& p : all_) n += held_bytes(p.value);
  return n;
}
int64_t Parameters::trained_count() const {
  int64_t n = 0;
  for (const Parameter& p : all_)
    if (p.trained) n += p.value.count();
  return n;
}

void Parameters::set_trained(Parameter& p, bool trained) {
  require(!trained || (p.value.dtype() == RGM_F32 && !is_quantized(p.value)),
          "parameter \"{}\" is kept in {}, as one that nobody trains", p.name,
          is_quantized(p.value) ? "four bits" : "bfloat16");
  p.trained = trained && !p.buffer;
  p.value.set_trained(p.trained);
}

std::string Parameters::sha256(std::string_view but) const {
  Sha256 sum;
  for (const Parameter& p : all_) {
    if (p.name == but) continue;
    sum.update(p.name + p.value.shape().text());
    const OutgoingTensor out = outgoing(p.name, p.value);
    out.data([&](std::span<const std::byte> piece) {
      if (out.dtype != RGM_BF16) return void(sum.update(piece.data(), piece.size()));
      // Of the values, whatever they are kept in: a float32 is a bfloat16 with 16 bits behind it.
      std::vector<uint32_t> wide(piece.size() / 2);
      for (size_t i = 0; i < wide.size(); ++i)
        wide[i] = (std::to_integer<uint32_t>(piece[2 * i]) | std::to_integer<uint32_t>(piece[2 * i + 1]) << 8) << 16;
      sum.update(wide.data(), wide.size() * sizeof wide[0]);
    });
  }
  return sum.hex();
}

}  // namespace rgm
