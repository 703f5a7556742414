// adapter_guard.hpp - adapters that a stage trained and that are as they were: a site that no pass comes by, or a rate
// of nothing, would otherwise go unseen for hours.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "host/adapters.hpp"

namespace rgm {

// Of each adapter, by its id, the hash of its trained parameters; in an ensemble with the member's number behind it.
std::map<std::string, std::string> hashes_of(std::span<Adapters* const> sets);
// The ids whose hashes are the same in both.
std::vector<std::string> unchanged(const std::map<std::string, std::string>& before,
                                   const std::map<std::string, std::string>& after);

}  // namespace rgm
