// random.cpp - which random numbers are drawn: a pure function of seed, step, micro-batch, site and the number of the
// call within the site. The first three give Philox its key; site and call are the upper two words of the counter and
// the element the lower two, so draws of one micro-batch never overlap.
#include <unordered_map>

#include "base/philox.hpp"
#include "tensor/support.hpp"

namespace rgm {

struct RandomScope::State {
  RandomKey key;
  std::unordered_map<uint32_t, uint32_t> calls;  // so far, by site
};

namespace {
thread_local RandomKey key_now;
thread_local std::unordered_map<uint32_t, uint32_t> calls_now;
int32_t word(uint64_t bits) { return static_cast<int32_t>(static_cast<uint32_t>(bits)); }
}  // namespace

RandomScope::RandomScope(const RandomKey& key)
    : before_(new State{std::exchange(key_now, key), std::exchange(calls_now, {})}) {}
RandomScope::~RandomScope() {
  key_now = before_->key;
  calls_now = std::move(before_->calls);
}

RandomState random_state() { return {key_now, calls_now}; }
RepeatedDraws::RepeatedDraws(RandomState state)
    : before_{std::exchange(key_now, state.key), std::exchange(calls_now, std::move(state.calls))} {}
RepeatedDraws::~RepeatedDraws() {
  key_now = before_.key;
  calls_now = std::move(before_.calls);
}

SiteScope::SiteScope(uint32_t site) : site_before_(std::exchange(key_now.site, site)) {}
SiteScope::~SiteScope() { key_now.site = site_before_; }

std::array<int32_t, 6> next_random_key() {
  const uint64_t key = mix(key_now.seed, key_now.step, key_now.micro_batch);
  return {word(key), word(key >> 32), 0, 0, word(key_now.site), word(calls_now[key_now.site]++)};
}

Tensor random_of(const Shape& shape, int32_t distribution, const Tensor& key) {
  Tensor y = empty(shape, distribution == RGM_BITS ? RGM_I32 : RGM_F32);
  kernel::random(key.view(), distribution, y.view());
  return y;
}

namespace ops {

Tensor random(const Shape& shape, int32_t distribution, rgm_dtype dtype) {
  require(distribution >= RGM_UNIFORM && distribution <= RGM_BITS, "random: {} is no distribution", distribution);
  return cast(random_of(shape, distribution, random_key()), dtype);
}

}  // namespace ops
}  // namespace rgm
