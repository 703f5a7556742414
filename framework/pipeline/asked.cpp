// asked.cpp - the one listener of a thread.
#include "pipeline/asked.hpp"

#include <algorithm>

namespace rgm {
namespace {

thread_local Listener* listener = nullptr;

}  // namespace

Listener::Listener() { listener = this; }
Listener::~Listener() { listener = nullptr; }

void note_asked(const std::string& what, std::string_view key, const Asked& asked) {
  if (!listener) return;
  auto& keys = listener->maps[what];
  const auto found = std::ranges::find(keys, key, &std::pair<std::string, Asked>::first);
  if (found == keys.end())
    keys.emplace_back(key, asked);
  else if (asked.type != Asked::Type::any)
    found->second = asked;
}

void note_ids(std::string_view what, const std::vector<std::string>& ids) {
  if (listener) listener->ids[std::string(what)] = ids;
}

}  // namespace rgm
