// grouped_source.cpp - units of several units of the source behind it, which are read in its own order.
#include "data/grouped_source.hpp"

#include <algorithm>
#include <unordered_map>

#include "base/philox.hpp"

namespace rgm {
namespace {

using UnitNumbers = std::vector<int64_t>;

class GroupedSource final : public Source {
 public:
  GroupedSource(std::unique_ptr<Source> source, std::vector<UnitNumbers> groups)
      : source_(std::move(source)), groups_(std::move(groups)) {}

  int64_t units() const override { return std::ssize(groups_); }
  int64_t tokens() const override { return source_->tokens(); }
  int64_t counted() const override { return source_->counted(); }
  bool has_fixed_units() const override { return source_->has_fixed_units(); }
  std::string chat_template() const override { return source_->chat_template(); }
  const std::string& sha256() const override { return source_->sha256(); }
  int64_t examples_of(int64_t group) const override {
    int64_t n = 0;
    for (const int64_t unit : groups_.at(static_cast<size_t>(group))) n += source_->examples_of(unit);
    return n;
  }
  int64_t unit_at(int64_t position, uint64_t order_seed) const override {
    require(position >= 0, "the data has no position {}", position);
    return permuted(position % units(), units(), mix(order_seed, static_cast<uint64_t>(position / units())));
  }
  Batch batch(int64_t position, int64_t count, uint64_t order_seed) const override {
    UnitNumbers all;
    for (int64_t i = position; i < position + count; ++i) append(unit_at(i, order_seed), all);
    return gather(all);
  }
  Batch in_order(int64_t begin, int64_t end) const override {
    require(begin >= 0 && begin <= end && end <= units(), "the data has {} groups, {} to {} were asked for", units(),
            begin, end);
    UnitNumbers all;
    for (int64_t i = begin; i < end; ++i) append(i, all);
    return gather(all);
  }

 private:
  void append(int64_t group, UnitNumbers& to) const {
    const UnitNumbers& units = groups_[static_cast<size_t>(group)];
    to.insert(to.end(), units.begin(), units.end());
  }

  Batch gather(const UnitNumbers& units) const {
    if (units.empty()) return source_->in_order(0, 0);
    std::vector<Batch> batches;
    std::vector<const Batch*> each;
    std::vector<int32_t> order;
    batches.reserve(units.size());
    for (size_t i = 0; i < units.size(); ++i) {
      each.push_back(&batches.emplace_back(source_->in_order(units[i], units[i] + 1)));
      order.insert(order.end(), static_cast<size_t>(each.back()->examples), static_cast<int32_t>(i));
    }
    return joined(each, order);
  }

  std::unique_ptr<Source> source_;
  std::vector<UnitNumbers> groups_;
};

}  // namespace

std::unique_ptr<Source> grouped(std::unique_ptr<Source> mixture, const std::string& together) {
  std::unordered_map<std::string, size_t> known;
  std::vector<UnitNumbers> groups;
  for (int64_t unit = 0; unit < mixture->units(); ++unit) {
    const Batch batch = mixture->in_order(unit, unit + 1);
    const auto [found, is_new] = known.emplace(batch.columns.at(together).texts.at(0), groups.size());
    if (is_new) groups.emplace_back();
    groups[found->second].push_back(unit);
  }
  if (std::ssize(groups) == mixture->units()) return mixture;
  return std::make_unique<GroupedSource>(std::move(mixture), std::move(groups));
}

}  // namespace rgm
