// row_adapters.cpp - a pass whose rows are served by different adapters: cut into runs of rows, and put together again.
#include "host/row_adapters.hpp"

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "tensor/ops.hpp"

namespace rgm {
namespace {

// Of rows that stand for themselves, as (rows, N, ...); one that serves all of them is repeated.
Tensor for_rows(const Tensor& front, int64_t rows) {
  std::vector<int64_t> axes{1}, wanted{rows};
  for (int32_t i = 0; i < front.rank(); ++i) {
    axes.push_back(front.size(i));
    wanted.push_back(axes.back());
  }
  return ops::broadcast(ops::reshape(front, Shape(std::span<const int64_t>(axes))),
                        Shape(std::span<const int64_t>(wanted)));
}

}  // namespace

RowAdapters::RowAdapters(std::shared_ptr<Model> model) : model_(std::move(model)) { model_->set_hooks(this); }
RowAdapters::~RowAdapters() {
  if (model_->hooks() == this) model_->set_hooks(nullptr);
}

int32_t RowAdapters::add(const std::string& name, std::unique_ptr<Adapters> adapters) {
  require(std::ranges::find(names_, name) == names_.end(), "there are two adapters \"{}\": name each once", name);
  names_.push_back(name);
  sets_.push_back(std::move(adapters));
  model_->set_hooks(this);
  return static_cast<int32_t>(sets_.size()) - 1;
}

int32_t RowAdapters::number(const std::string& name, const std::string& where) const {
  if (name.empty()) return no_adapter;
  const auto found = std::ranges::find(names_, name);
  if (found != names_.end()) return static_cast<int32_t>(found - names_.begin());
  invalid("{}: the adapter \"{}\" is not known{} (there are: {})", where, name, did_you_mean(name, names_),
          join(names_));
}

void RowAdapters::begin(std::span<const int32_t> rows, int64_t count) {
  runs_.clear();
  if (rows.empty() && deals_) {
    deal(count);
  } else {
    for (const int32_t row : rows) {
      require(row >= no_adapter && row < static_cast<int32_t>(sets_.size()), "a row is served by adapter {} of {}", row,
              sets_.size());
      Adapters* const set = row == no_adapter ? nullptr : sets_[static_cast<size_t>(row)].get();
      const int64_t at = runs_.empty() ? 0 : runs_.back().end;
      if (runs_.empty() || runs_.back().set != set)
        runs_.push_back({set, at, at + 1});
      else
        ++runs_.back().end;
    }
  }
  std::set<Adapters*> began;
  for (const Run& run : runs_)
    if (run.set && began.insert(run.set).second) run.set->begin({}, run.rows());
}

void RowAdapters::deal(int64_t count) {
  const auto members = static_cast<int64_t>(sets_.size());
  if (count == 0) count = members;  // nobody reads, somebody asks what stands in front
  require(count % members == 0, "a pass of {} rows cannot be dealt to the {} adapters of an ensemble", count, members);
  for (int64_t m = 0; m < members; ++m)
    runs_.push_back({sets_[static_cast<size_t>(m)].get(), m * count / members, (m + 1) * count / members});
}

bool RowAdapters::has_input(size_t site) const {
  return std::ranges::any_of(runs_, [&](const Run& r) { return r.set && r.set->has_input(site); });
}
bool RowAdapters::has_output(size_t site) const {
  return std::ranges::any_of(runs_, [&](const Run& r) { return r.set && r.set->has_output(site); });
}

template <class Act>
Tensor RowAdapters::by_run(const Act& act) {
  std::vector<Tensor> parts;
  for (const Run& run : runs_) parts.push_back(act(run));
  return parts.size() == 1 ? parts[0] : ops::concat(parts, 0);
}

Tensor RowAdapters::input(size_t site, const Tensor& x) {
  return by_run([&](const Run& run) {
    const Tensor own = ops::slice(x, 0, run.begin, run.end);
    return run.set && run.set->has_input(site) ? run.set->input(site, own) : ops::cast(own, RGM_F32);
  });
}

Tensor RowAdapters::output(size_t site, const Tensor& x, Tensor y) {
  return by_run([&](const Run& run) {
    Tensor own = ops::slice(y, 0, run.begin, run.end);
    if (!run.set || !run.set->has_output(site)) return ops::cast(own, RGM_F32);
    return ops::cast(run.set->output(site, ops::slice(x, 0, run.begin, run.end), std::move(own)), RGM_F32);
  });
}

std::pair<Tensor, Tensor> RowAdapters::key_values(size_t site) {
  std::vector<std::pair<Tensor, Tensor>> parts;
  int64_t longest = 0, shortest = INT64_MAX;
  for (const Run& run : runs_) {
    parts.push_back(run.set ? run.set->key_values(site) : std::pair<Tensor, Tensor>());
    const int64_t n = parts.back().first ? parts.back().first.size(0) : 0;
    longest = std::max(longest, n), shortest = std::min(shortest, n);
  }
  if (longest == 0) return {};
  require(longest == shortest, "rows of one pass have {} and {} keys in front of them", shortest, longest);
  size_t k = 0, v = 0;
  return {by_run([&](const Run& run) { return for_rows(parts[k++].first, run.rows()); }),
          by_run([&](const Run& run) { return for_rows(parts[v++].second, run.rows()); })};
}

Tensor RowAdapters::prompt(size_t site) {
  std::vector<Tensor> parts;
  int64_t longest = 0, shortest = INT64_MAX;
  for (const Run& run : runs_) {
    parts.push_back(run.set ? run.set->prompt(site) : Tensor());
    const int64_t n = parts.back() ? parts.back().size(0) : 0;
    longest = std::max(longest, n), shortest = std::min(shortest, n);
  }
  if (longest == 0) return {};
  require(longest == shortest, "rows of one pass have {} and {} virtual tokens in front of them", shortest, longest);
  size_t i = 0;
  return by_run([&](const Run& run) { return for_rows(parts[i++], run.rows()); });
}

}  // namespace rgm
