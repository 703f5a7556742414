// reference.hpp - the options of a strategy whose reference may follow the policy (TR-DPO, arXiv 2404.09656): after
// every `sync_every` steps
//   reference <- sync_rate * policy + (1 - sync_rate) * reference
// A struct of options inherits them and names their list, as with Sampling; the role is role("reference", RGM_FOLLOWS).
// The strategy's constructor calls o.check_sync("mine"), its plan() says `follows_policy = o.syncs()`, its
// after_step(train, step) calls o.sync(train, step).
#pragma once
#include <string>

#include "strategy.hpp"

namespace regimen RGM_PRIVATE {

struct ReferenceSync {
  std::optional<int64_t> sync_every;
  std::optional<double> sync_rate;

  static constexpr auto list = options(
      option("sync_every", &ReferenceSync::sync_every,
             "steps after which the reference is moved towards the policy; unset: it stays as it was")
          .at_least(1),
      option("sync_rate", &ReferenceSync::sync_rate,
             "how far it is moved then, with sync_every: 1 makes it the policy; unset: 0.6")
          .range(1e-6, 1));

  void check_sync(const std::string& id) const {
    require(sync_every || !sync_rate, id + ": sync_rate says how far the reference is moved, and without sync_every it "
                                           "never is: add sync_every: 512, or leave sync_rate out");
  }
  bool syncs() const { return sync_every.has_value(); }
  void sync(const Train& train, int64_t step) const {
    if (syncs() && step % *sync_every == 0) train.follow("reference", sync_rate.value_or(0.6));
  }
};

}  // namespace regimen
