// fitted_source.cpp - units, order and everything that is no token stay those of the source behind it.
#include "data/fitted_source.hpp"

#include <algorithm>
#include <map>

namespace rgm {
namespace {

class FittedSource final : public Source {
 public:
  FittedSource(std::unique_ptr<Source> source, int64_t most, int64_t length)
      : source_(std::move(source)), most_(most), length_(length) {}

  int64_t units() const override { return source_->units(); }
  int64_t tokens() const override { return source_->tokens(); }
  int64_t counted() const override { return source_->counted(); }
  Batch batch(int64_t position, int64_t count, uint64_t order_seed) const override {
    return fit(source_->batch(position, count, order_seed));
  }
  Batch in_order(int64_t begin, int64_t end) const override { return fit(source_->in_order(begin, end)); }
  bool has_fixed_units() const override { return source_->has_fixed_units(); }
  int64_t examples_of(int64_t unit) const override { return source_->examples_of(unit); }
  std::string chat_template() const override { return source_->chat_template(); }
  const std::string& sha256() const override { return source_->sha256(); }
  int64_t unit_at(int64_t position, uint64_t order_seed) const override {
    return source_->unit_at(position, order_seed);
  }

 private:
  Batch fit(Batch batch) const {
    for (auto& [name, column] : batch.columns)
      if (column.kind == ColumnKind::tokens) column = fit(column);
    return batch;
  }

  BatchColumn fit(const BatchColumn& column) const {
    std::vector<TokenExample> examples(column.ends.size());
    for (size_t i = 0; i < column.integers.size(); ++i) {
      if (column.segments[i] == 0) continue;
      TokenExample& e = examples[static_cast<size_t>(column.segments[i] - 1)];
      e.ids.push_back(column.integers[i]);
      e.weights.push_back(column.reals[i]);
    }
    for (TokenExample& e : examples) {
      if (std::ssize(e.ids) <= most_) continue;
      e.ids.erase(e.ids.begin(), e.ids.end() - most_);
      e.weights.erase(e.weights.begin(), e.weights.end() - most_);
      e.weights.front() = 0;  // what would predict it is gone
    }
    return pack(examples, length_, /*predicts_first=*/true);  // of first tokens the source has said what they count
  }

  const std::unique_ptr<Source> source_;
  const int64_t most_, length_;
};

}  // namespace

std::unique_ptr<Source> fitted(std::unique_ptr<Source> source, int64_t most, int64_t length) {
  require(most > 0 && most <= length, "examples of {} tokens do not fit into rows of {}", most, length);
  return std::make_unique<FittedSource>(std::move(source), most, length);
}

std::vector<LongExamples> longer_than(const Source& source, int64_t most) {
  constexpr int64_t units_at_once = 64;
  std::map<std::string, LongExamples> found;
  for (int64_t begin = 0; begin < source.units(); begin += units_at_once) {
    const Batch batch = source.in_order(begin, std::min(source.units(), begin + units_at_once));
    for (const auto& [name, column] : batch.columns) {
      if (column.kind != ColumnKind::tokens) continue;
      std::vector<int64_t> lengths(column.ends.size());
      for (const int32_t segment : column.segments)
        if (segment > 0) ++lengths[static_cast<size_t>(segment - 1)];
      LongExamples& all = found[name];
      all.column = name;
      all.all += std::ssize(lengths);
      all.longer += std::ranges::count_if(lengths, [&](int64_t length) { return length > most; });
    }
  }
  std::vector<LongExamples> out;
  for (auto& [name, examples] : found)
    if (examples.longer > 0) out.push_back(std::move(examples));
  return out;
}

}  // namespace rgm
