// rates.cpp - the first pattern that matches holds, so one behind it may be left with nothing.
#include "train/rates.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "train/muon.hpp"

namespace rgm {
namespace {

// The place of the first that matches; behind the last one where none does.
size_t place_of(const std::vector<OwnRate>& rates, std::string_view name) {
  size_t i = 0;
  while (i < rates.size() && !matches(rates[i].pattern, name)) ++i;
  return i;
}

std::vector<const Parameter*> all_of(std::span<Parameters* const> stores) {
  std::vector<const Parameter*> out;
  for (const Parameters* store : stores)
    for (const Parameter& p : store->all())
      if (!p.buffer) out.push_back(&p);
  return out;
}

// What a pattern may have been meant to be: whole names, "value.*" and "*.bias".
std::vector<std::string> names_and_patterns(const std::vector<std::string>& names) {
  std::vector<std::string> out = names;
  for (const std::string& name : names) {
    if (name.find('.') == std::string::npos) continue;
    out.push_back(name.substr(0, name.find('.')) + ".*");
    out.push_back("*" + name.substr(name.rfind('.')));
  }
  return out;
}

// Why the pattern has nothing.
std::string reason(const std::string& pattern, const std::vector<OwnRate>& rates,
                   const std::vector<const Parameter*>& all) {
  std::vector<std::string> names;
  for (const Parameter* p : all) {
    if (!p->trained) continue;
    if (matches(pattern, p->name))
      return fmt::format(
          "\"{0}\" has no effect, as \"{1}\" comes first and matches the same parameters: put \"{0}\" before it, or "
          "leave it out",
          pattern, rates[place_of(rates, p->name)].pattern);
    names.push_back(p->name);
  }
  for (const Parameter* p : all)
    if (matches(pattern, p->name))
      return fmt::format("\"{}\" matches \"{}\", which the stage does not train; see `trainable`", pattern, p->name);
  return fmt::format("no trained parameter matches \"{}\"{}{}", pattern,
                     did_you_mean(pattern, names_and_patterns(names)),
                     names.empty() ? "" : fmt::format("; names look like \"{}\"", names.back()));
}

}  // namespace

double rate_of(const OptimizerSpec& optimizer, const Parameter& parameter) {
  const size_t place = place_of(optimizer.rates, parameter.name);
  if (place < optimizer.rates.size()) return optimizer.rates[place].learning_rate;
  return goes_by_muon(optimizer, parameter) ? optimizer.learning_rate : optimizer.rate_of_adamw();
}

void check_rates(const OptimizerSpec& optimizer, std::span<Parameters* const> stores, const std::string& stage) {
  const std::vector<OwnRate>& rates = optimizer.rates;
  const std::vector<const Parameter*> all = all_of(stores);
  std::vector<bool> used(rates.size() + 1, false);
  for (const Parameter* p : all)
    if (p->trained) used[place_of(rates, p->name)] = true;
  for (size_t i = 0; i < rates.size(); ++i)
    if (!used[i]) invalid("stage \"{}\": optimizer: rates: {}", stage, reason(rates[i].pattern, rates, all));
}

void warn_of_patterns(const OptimizerSpec& optimizer, std::span<Parameters* const> stores, const std::string& stage) {
  std::vector<std::string> names;
  for (const Parameter* p : all_of(stores))
    if (p->trained) names.push_back(p->name);
  for (const std::string& pattern : optimizer.decay)
    if (std::ranges::none_of(names, [&](const std::string& name) { return matches(pattern, name); }))
      log::warning("stage \"{}\": optimizer: decay: \"{}\" is not the name of a trained parameter{}", stage, pattern,
                   did_you_mean(pattern, names_and_patterns(names)));
  warn_of_matrices(optimizer, stores, stage);
}

std::vector<RateCount> count_rates(const OptimizerSpec& optimizer, std::span<Parameters* const> stores) {
  const std::vector<std::string> both = {"muon", "adamw"};
  const std::vector<std::string> optimizers = optimizer.kind == "muon" ? both : std::vector<std::string>{""};
  std::vector<RateCount> out;
  for (size_t place = 0; place <= optimizer.rates.size(); ++place)
    for (const std::string& one : optimizers) {
      const std::string pattern = place < optimizer.rates.size() ? optimizer.rates[place].pattern : "";
      out.push_back({pattern, 0, 0, one});
    }
  for (const Parameter* p : all_of(stores)) {
    if (!p->trained) continue;
    const size_t which = optimizers.size() == 2 && !goes_by_muon(optimizer, *p) ? 1 : 0;
    RateCount& count = out[place_of(optimizer.rates, p->name) * optimizers.size() + which];
    count.learning_rate = rate_of(optimizer, *p);
    count.parameters += p->value.count();
  }
  std::erase_if(out, [](const RateCount& count) { return count.parameters == 0; });
  return out;
}

}  // namespace rgm
