// follower.hpp - the models of a stage that follow its policy: a copy of it, or one that the pipeline names.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "host/adapters.hpp"

namespace rgm {

// What is wrong with one that is named where only one of the two has adapters.
inline constexpr const char* follows_an_adapter =
    "follows the policy, which has an adapter: leave it out, and it starts as the policy, with an adapter of its own";
inline constexpr const char* follows_with_an_adapter =
    "follows the policy, which has no adapter, and comes with one: fold that in first (`regimen merge`), or leave it "
    "out, and it starts as the policy";

// The policy as it is now, in `out` with what moves. `adapters`: those at work in it, or NULL; `attach` makes the same
// ones once more in the model that it is given.
rgm_model copy_of_policy(const std::shared_ptr<Model>& policy, Adapters* adapters,
                         const std::function<std::unique_ptr<Adapters>(const std::shared_ptr<Model>&)>& attach,
                         Follower& out);

// A named model, `what` in messages. RGM_INVALID where its weights are not of the policy's shape, or where only one of
// them has adapters.
Follower named_follower(const std::string& what, Model& its, bool its_adapters, Model& policy, bool policy_adapters);

}  // namespace rgm
