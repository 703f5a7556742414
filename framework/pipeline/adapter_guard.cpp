// adapter_guard.cpp - hashes of adapters before and after.
#include "pipeline/adapter_guard.hpp"

#include "base/sha256.hpp"

namespace rgm {

std::map<std::string, std::string> hashes_of(Adapters* adapters) {
  std::map<std::string, std::string> out;
  if (!adapters) return out;
  for (const Parameter& p : adapters->parameters().all()) {
    if (!p.trained) continue;
    const auto values = to_host<float>(p.value);
    std::string& hash = out[p.name.substr(0, p.name.find('.'))];
    hash = sha256(hash + sha256({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)}));
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
