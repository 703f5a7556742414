// adapter_fused.cpp - what an adapter has at the parts of one module of theirs, as query, key and value in GPT-2's
// c_attn, as one tensor of the whole module, and back. GPT-NeoX has the rows of one head after the other.
#include <algorithm>

#include "host/adapter_instance.hpp"
#include "tensor/ops.hpp"
#include "tensor/quantized.hpp"

namespace rgm {
namespace {

constexpr std::string_view rows_mark = "rows ";

// What stands at the outputs of a part where the adapter does not act.
Tensor filler(const std::string& how, const SiteInfo& part, const Tensor& like) {
  const std::string value = how.substr(rows_mark.size());
  if (value == "length") {
    const Tensor weight = ops::cast(readable(part.weight), RGM_F32);
    return ops::unary(RGM_SQRT, ops::reduce(RGM_SUM, 1U << 1, weight * weight));
  }
  Shape shape = like.shape();
  shape[0] = part.out;
  return ops::full(shape, std::stod(value));
}

}  // namespace

FusedModule::FusedModule(const Model& model, const std::string& theirs) : head_dim_(model.config().head_dim) {
  for (const SiteInfo& site : model.sites())
    if (site.theirs == theirs) parts_.push_back(&site), rows_ += site.out;
}

Tensor FusedModule::in_place(std::span<const Tensor> rows_of_parts) const {
  Tensor all = ops::concat(rows_of_parts, 0);
  if (!parts_[0]->interleaved) return all;
  const int32_t by_head[] = {1, 0, 2};
  const Tensor grouped = ops::reshape(all, {std::ssize(parts_), parts_[0]->out / head_dim_, -1});
  return ops::reshape(ops::contiguous(ops::permute(grouped, by_head)), all.shape());
}

Tensor FusedModule::rows_of(const Tensor& whole, size_t index) const {
  Shape shape = whole.shape();
  shape[0] = parts_[index]->out;
  if (parts_[0]->interleaved) {
    const Tensor by_head = ops::reshape(whole, {parts_[0]->out / head_dim_, std::ssize(parts_), -1});
    const auto i = static_cast<int64_t>(index);
    return ops::reshape(ops::contiguous(ops::slice(by_head, 1, i, i + 1)), shape);
  }
  int64_t begin = 0;
  for (size_t i = 0; i < index; ++i) begin += parts_[i]->out;
  return ops::contiguous(ops::slice(whole, 0, begin, begin + shape[0]));
}

Tensor FusedModule::joined(const std::string& how, std::span<const Tensor> of_parts) const {
  std::vector<Tensor> there;
  for (const Tensor& t : of_parts)
    if (t) there.push_back(t);
  if (how == "stack") return ops::concat(there, 0);
  int64_t columns = 0, before = 0;
  if (how == "blocks")
    for (const Tensor& t : there) columns += t.size(1);
  std::vector<Tensor> rows;
  for (size_t i = 0; i < parts_.size(); ++i) {
    const Tensor& own = of_parts[i];
    const int64_t out = parts_[i]->out;
    if (how != "blocks") {
      rows.push_back(own ? own : filler(how, *parts_[i], there[0]));
    } else if (!own) {
      rows.push_back(ops::full({out, columns}, 0));
    } else {
      const int64_t after = before + own.size(1);
      std::vector<Tensor> blocks{own};
      if (before > 0) blocks.insert(blocks.begin(), ops::full({out, before}, 0));
      if (after < columns) blocks.push_back(ops::full({out, columns - after}, 0));
      rows.push_back(ops::concat(blocks, 1));
      before = after;
    }
  }
  return in_place(rows);
}

Tensor FusedModule::part(const std::string& how, const Tensor& whole, size_t index, const std::vector<bool>& acts,
                         const std::string& where) const {
  const int64_t shares = std::ranges::count(acts, true);
  const int64_t share = std::count(acts.begin(), acts.begin() + static_cast<std::ptrdiff_t>(index), true);
  const bool blocks = how == "blocks", stack = how == "stack";
  const int32_t axis = blocks ? 1 : 0;  // that the parts share
  require(whole.rank() > axis && (stack || whole.size(0) == rows_),
          "{} has the shape {}, and {} has {} rows in this model: the adapter was made for a base of another shape; "
          "use it with that base",
          where, whole.shape().text(), parts_[0]->theirs, rows_);
  require(!(stack || blocks) || whole.size(axis) % shares == 0,
          "{} has the shape {}: {} of the {} parts of {}, with {} rows in all, cannot share it; save the adapter again",
          where, whole.shape().text(), shares, parts_.size(), parts_[0]->theirs, rows_);
  Tensor own = stack ? whole : rows_of(whole, index);
  if (!stack && !blocks) return own;
  const int64_t each = whole.size(axis) / shares;
  return ops::contiguous(ops::slice(own, axis, share * each, (share + 1) * each));
}

std::optional<FusedOption> fused_option(const rgm_adapter& table, const rgm_pair& pair) {
  for (const rgm_pair& option : pairs(table.format->options))
    if (std::string_view(option.ours) == pair.ours) {
      const std::string text = pair.theirs;
      const size_t root = text.find(" root ");
      return FusedOption{text.substr(0, root), root == text.npos ? "" : text.substr(root + 6)};
    }
  return std::nullopt;
}

std::string short_name(const std::string& module, const std::set<std::string>& meant, const Model& model) {
  for (size_t at = module.rfind('.'); at != module.npos && at > 0; at = module.rfind('.', at - 1)) {
    const std::string end = module.substr(at);
    if (std::ranges::all_of(model.sites(), [&](const SiteInfo& site) {
          return !("." + site.theirs).ends_with(end) || meant.contains(site.theirs);
        }))
      return end.substr(1);
  }
  return module;
}

}  // namespace rgm
