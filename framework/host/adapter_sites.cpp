// adapter_sites.cpp - which sites an adapter acts on: patterns over our names, and over Hugging Face's, which people
// copy from elsewhere.
#include <algorithm>
#include <optional>
#include <set>

#include "base/text.hpp"
#include "host/adapter_instance.hpp"
#include "text/regular_expression.hpp"

namespace rgm {
namespace {

// Whether a pattern names a site: by our name, or theirs. Theirs may be the last part, as "q_proj", or several, as
// "mlp.c_proj". Behind `expression_mark` stands a regular expression over their whole names.
class Pattern {
 public:
  Pattern(const std::string& text, const std::string& id) : text_(text) {
    if (text.starts_with(expression_mark))
      expression_.emplace(text.substr(expression_mark.size()), fmt::format("adapter \"{}\"", id));
  }
  bool names(const SiteInfo& site) const {
    if (expression_) return !site.theirs.empty() && expression_->fits(site.theirs);
    return matches(text_, site.name) ||
           (!site.theirs.empty() && (matches(text_, site.theirs) || matches(text_, last_part(site.theirs)) ||
                                     site.theirs.ends_with("." + text_)));
  }

 private:
  std::string text_;
  std::optional<RegularExpression> expression_;
};

// "*.attention.query" for "layers.3.attention.query": what one would write in a pipeline.
std::string for_all_layers(const SiteInfo& site) {
  if (site.layer < 0) return site.name;
  const std::string layer = fmt::format("layers.{}", site.layer);
  if (!site.name.starts_with(layer)) return site.name;
  return site.name.size() == layer.size() ? "layers.*" : "*" + site.name.substr(layer.size());
}

// What Hugging Face calls the parts of attention in models that keep them apart, for one that has them in one module.
constexpr std::pair<std::string_view, const char*> names_elsewhere[] = {{"q_proj", "*.attention.query"},
                                                                        {"k_proj", "*.attention.key"},
                                                                        {"v_proj", "*.attention.value"},
                                                                        {"o_proj", "*.attention.output"}};

// Experts and their router are no sites: an adapter of theirs would act on rows that the router has sorted.
void refuse_experts(const Pattern& asked, const std::string& pattern, const Model& model, const std::string& id,
                    const std::vector<std::string>& candidates) {
  const bool beside = std::ranges::count(candidates, "*.mlp") > 0;
  const auto module = [](const std::string& weight) { return weight.substr(0, weight.rfind('.')); };
  for (const ParameterSlot& slot : parameter_slots(model.config())) {
    if (slot.ours.find(".mlp.experts.") == std::string::npos && !slot.ours.ends_with(".mlp.router.weight")) continue;
    SiteInfo expert;
    expert.name = module(slot.ours), expert.theirs = module(slot.theirs);
    if (asked.names(expert))
      invalid(
          "adapter \"{}\": \"{}\" names experts of a mixture or their router, which no adapter acts on; name parts of "
          "attention{}: it can act on {}",
          id, pattern, beside ? ", or \"*.mlp\" for an adapter beside all experts of a layer" : "", join(candidates));
  }
}

std::string meant_by(const std::string& pattern, std::span<const std::string> candidates) {
  if (pattern == "all-linear") return "; here that is \"layers.*\".";  // PEFT's word
  for (const auto& [theirs, ours] : names_elsewhere)
    if (last_part(pattern) == theirs && std::ranges::find(candidates, ours) != candidates.end())
      return fmt::format("; did you mean \"{}\"?", ours);
  const std::string near = did_you_mean(pattern, candidates);
  return near.empty() ? "." : near;
}

}  // namespace

std::string last_part(const std::string& name) { return name.substr(name.rfind('.') + 1); }

std::vector<size_t> matched_sites(const Model& model, uint32_t kinds, std::span<const std::string> patterns,
                                  const std::string& id) {
  const std::vector<SiteInfo>& sites = model.sites();
  std::set<size_t> matched;
  for (const std::string& pattern : patterns) {
    const Pattern asked(pattern, id);
    bool any = false;
    std::set<std::string> near;
    for (size_t i = 0; i < sites.size(); ++i) {
      if (!(static_cast<uint32_t>(sites[i].kind) & kinds)) continue;
      near.insert(for_all_layers(sites[i]));
      near.insert(last_part(sites[i].theirs));
      if (!asked.names(sites[i])) continue;
      matched.insert(i);
      any = true;
    }
    near.erase("");
    const std::vector<std::string> candidates(near.begin(), near.end());
    if (!any && model.config().experts > 0) refuse_experts(asked, pattern, model, id, candidates);
    require(any, "adapter \"{}\": no site that it can act on matches \"{}\"{} It can act on {}", id, pattern,
            meant_by(pattern, candidates), join(candidates));
  }
  require(!matched.empty(), "adapter \"{}\": no sites are given; see its option `sites`", id);
  return {matched.begin(), matched.end()};
}

}  // namespace rgm
