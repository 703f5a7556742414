// problems.cpp - problems sorted by their place, in the form that editors jump to.
#include "plugins/problems.hpp"

#include <algorithm>
#include <tuple>

namespace rgm {
namespace {
std::string place_of(const Problem& p) {
  return p.line > 0 ? fmt::format("{}:{}:{}", p.file, p.line, p.column) : p.file;
}
Problem at(const YAML::Mark& where, const std::string& file, const std::string& elsewhere) {
  if (where.is_null()) return {elsewhere, 0, 0, ""};
  return {file, where.line + 1, where.column + 1, ""};
}
}  // namespace

void Problems::add(const YAML::Mark& where, std::string text) {
  Problem p = at(where, file_, elsewhere_);
  p.text = std::move(text);
  const auto before = [](const Problem& a, const Problem& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  };
  // What an alias repeats is wrong once.
  const auto same = [&](const Problem& o) {
    return p.line > 0 && std::tie(o.line, o.column, o.text) == std::tie(p.line, p.column, p.text);
  };
  if (std::any_of(list_.begin(), list_.end(), same)) return;
  list_.insert(std::upper_bound(list_.begin(), list_.end(), p, before), std::move(p));
}

std::string Problems::place(const YAML::Mark& where) const { return place_of(at(where, file_, elsewhere_)); }

std::string Problems::text() const {
  std::string all;
  for (const Problem& p : list_) all += fmt::format("{}{}: {}", all.empty() ? "" : "\n", place_of(p), p.text);
  return all;
}

void Problems::raise() const {
  if (!list_.empty()) throw Error(RGM_INVALID, text());
}

}  // namespace rgm
