// follow.hpp - models of a stage whose weights follow the policy's: a reference that is moved towards it (TR-DPO, arXiv
// 2404.09656), a teacher that is its mean over the steps (arXiv 1703.01780).
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "model/model.hpp"

struct rgm_train;

namespace rgm {

// A model that follows, as stores of parameters: of the transformer, of what plug-ins filed, of adapters.
struct Follower {
  struct Store {
    const Parameters* policy = nullptr;
    Parameters* own = nullptr;
  };
  std::vector<Store> stores;
  bool is_copy = true;  // it starts as the policy: what that one does not train stays equal

  // What moves: of each pair of parameters the policy's and its own. Buffers do not, and nor does what only one has.
  using See = std::function<void(size_t store, const Parameter& policy, const Parameter& own)>;
  void visit(const See& see) const;
};

// own <- rate policy + (1 - rate) own, for all of them: rgm_train_api.follow.
void follow(rgm_train& train, const std::string& role, double rate);

// RGM_INVALID, naming `what`, where a model that was trained elsewhere has other parameters than the policy.
void require_same_parameters(const std::string& what, const Model& its, const Model& policy);

}  // namespace rgm
