// adapter_sites.cpp - which sites an adapter acts on: patterns over our names, and over Hugging Face's, which people
// copy from elsewhere.
#include <set>

#include "base/text.hpp"
#include "host/adapter_instance.hpp"

namespace rgm {
namespace {

// Their names by the last part, as "q_proj", or by several, as "mlp.c_proj".
bool names(const std::string& pattern, const SiteInfo& site) {
  return matches(pattern, site.name) ||
         (!site.theirs.empty() && (matches(pattern, site.theirs) || matches(pattern, last_part(site.theirs)) ||
                                   site.theirs.ends_with("." + pattern)));
}

// "*.attention.query" for "layers.3.attention.query": what one would write in a pipeline.
std::string for_all_layers(const SiteInfo& site) {
  if (site.layer < 0) return site.name;
  const std::string layer = fmt::format("layers.{}", site.layer);
  if (!site.name.starts_with(layer)) return site.name;
  return site.name.size() == layer.size() ? "layers.*" : "*" + site.name.substr(layer.size());
}

}  // namespace

std::string last_part(const std::string& name) { return name.substr(name.rfind('.') + 1); }

std::vector<size_t> matched_sites(const Model& model, uint32_t kinds, std::span<const std::string> patterns,
                                  const std::string& id) {
  const std::vector<SiteInfo>& sites = model.sites();
  std::set<size_t> matched;
  for (const std::string& pattern : patterns) {
    bool any = false;
    std::set<std::string> near;
    for (size_t i = 0; i < sites.size(); ++i) {
      if (!(static_cast<uint32_t>(sites[i].kind) & kinds)) continue;
      near.insert(for_all_layers(sites[i]));
      near.insert(last_part(sites[i].theirs));
      if (!names(pattern, sites[i])) continue;
      matched.insert(i);
      any = true;
    }
    near.erase("");
    const std::vector<std::string> candidates(near.begin(), near.end());
    require(
        any, "adapter \"{}\": no site that it can act on matches \"{}\"{} It can act on {}", id, pattern,
        [&] {
          const std::string meant = did_you_mean(pattern, candidates);
          return meant.empty() ? std::string(".") : meant;
        }(),
        join(candidates));
  }
  require(!matched.empty(), "adapter \"{}\": no sites are given; see its option `sites`", id);
  return {matched.begin(), matched.end()};
}

}  // namespace rgm
