// adapter_guard.cpp - hashes of adapters before and after.
#include "pipeline/adapter_guard.hpp"

#include "base/sha256.hpp"

namespace rgm {

std::map<std::string, std::string> hashes_of(std::span<Adapters* const> sets) {
  std::map<std::string, std::string> out;
  for (size_t m = 0; m < sets.size(); ++m)
    for (const Parameter& p : sets[m]->parameters().all()) {
      if (!p.trained) continue;
      const auto values = to_host<float>(p.value);
      std::string name = p.name.substr(0, p.name.find('.'));
      if (sets.size() > 1) name += fmt::format(" {}", m + 1);
      std::string& hash = out[name];
      hash += sha256({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
      hash = sha256(hash);
    }
  return out;
}

std::vector<std::string> unchanged(const std::map<std::string, std::string>& before,
                                   const std::map<std::string, std::string>& after) {
  std::vector<std::string> out;
  for (const auto& [id, hash] : after)
    if (const auto found = before.find(id); found != before.end() && found->second == hash) out.push_back(id);
  return out;
}

}  // namespace rgm
