// read_experts.cpp - the sizes of a new model's experts.
#include <algorithm>

#include "base/text.hpp"
#include "model/family.hpp"
#include "pipeline/reader.hpp"

namespace rgm {
namespace {

std::string families_with_experts() {
  std::vector<std::string> out;
  for (const Family* f : families())
    if (f->has_experts()) out.emplace_back(f->id);
  return join(out);
}

}  // namespace

void read_experts(YamlMap& map, ModelSpec& out) {
  const std::vector<std::string> known = family_ids();
  const Family* const of = std::count(known.begin(), known.end(), out.family) ? &family(out.family) : nullptr;
  const auto problem_of = [&](const char* key) -> std::string {
    if (!of) return "";  // which has been said
    if (!of->has_experts())
      return fmt::format("family \"{}\" has no experts, only {} have: leave \"{}\" out", of->id,
                         families_with_experts(), key);
    if (std::string_view(key) == "shared_hidden" && !of->has_shared_expert())
      return fmt::format("family \"{}\" has no shared expert: leave this out", of->id);
    return "";
  };
  constexpr std::pair<const char*, int64_t> sizes[] = {
      {"experts", 4096}, {"experts_per_token", 4096}, {"expert_hidden", 1 << 22}, {"shared_hidden", 1 << 22}};
  for (const auto& [key, max] : sizes) {
    int64_t n = 0;
    if (!map.read(key, n, 1, max)) continue;
    out.sizes[key] = n;
    if (const std::string problem = problem_of(key); !problem.empty()) map.key(key).problem(problem);
  }
  double balance = 0;
  if (map.read("balance", balance, single_not_negative)) {
    out.reals["balance"] = balance;
    if (const std::string problem = problem_of("balance"); !problem.empty()) map.key("balance").problem(problem);
  }
  if (!of || !of->has_experts()) return;
  if (out.sizes.count("hidden"))
    map.key("hidden").problem(
        fmt::format("every layer of a new \"{}\" has experts: here it is \"expert_hidden\", the width of one", of->id));
  const auto size_or = [&](const char* key, int64_t otherwise) {
    return out.sizes.count(key) ? out.sizes.at(key) : otherwise;
  };
  const int64_t experts = size_or("experts", 8), each = size_or("experts_per_token", 1);
  if (each > experts)
    map.find("experts_per_token")
        ->problem(
            fmt::format("a token cannot have {} of {} experts: write at most as many as there are", each, experts));
}

}  // namespace rgm
