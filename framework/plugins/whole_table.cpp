// whole_table.cpp - a component's table in the size that this host knows, whatever size the plug-in's has.
#include <algorithm>
#include <cstring>

#include "plugins/registry.hpp"

namespace rgm {

std::shared_ptr<const void> whole_table(const rgm_component& data) {
  const auto copy = [&]<class Table>(const Table& theirs) {
    auto ours = std::make_shared<Table>();
    std::memcpy(ours.get(), &theirs, std::min<size_t>(theirs.struct_size, sizeof(Table)));
    ours->struct_size = sizeof(Table);
    return ours;
  };
  switch (data.kind) {
    case RGM_KIND_BACKEND: return copy(*static_cast<const rgm_backend*>(data.table));
    case RGM_KIND_ADAPTER: return copy(*static_cast<const rgm_adapter*>(data.table));
    case RGM_KIND_STRATEGY: return copy(*static_cast<const rgm_strategy*>(data.table));
    case RGM_KIND_REWARD: return copy(*static_cast<const rgm_reward*>(data.table));
    case RGM_KIND_COLLECTIVE: return copy(*static_cast<const rgm_collective*>(data.table));
    default: return nullptr;
  }
}

}  // namespace rgm
