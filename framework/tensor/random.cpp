// random.cpp - which random numbers are drawn: a pure function of seed, step, micro-batch, site and the number of the
// call within the site. The first three give Philox its key; site and call are the upper two words of the counter and
// the element the lower two, so draws of one micro-batch never overlap.
#include "base/philox.hpp"
#include "tensor/support.hpp"

namespace rgm {

namespace {
thread_local RandomState now;
int32_t word(uint64_t bits) { return static_cast<int32_t>(static_cast<uint32_t>(bits)); }
}  // namespace

RandomState random_state() { return now; }
RandomScope::RandomScope(const RandomKey& key, RandomCalls calls)
    : before_(std::exchange(now, {key, std::move(calls)})) {}
RandomScope::~RandomScope() { now = std::move(before_); }

SiteScope::SiteScope(uint32_t site) : site_before_(std::exchange(now.key.site, site)) {}
SiteScope::~SiteScope() { now.key.site = site_before_; }

std::array<int32_t, 6> next_random_key() {
  const uint64_t key = mix(now.key.seed, now.key.step, now.key.micro_batch);
  return {word(key), word(key >> 32), 0, 0, word(now.key.site), word(now.calls[now.key.site]++)};
}

Tensor random_of(const Shape& shape, int32_t distribution, const Tensor& key) {
  Tensor y = empty(shape, distribution == RGM_BITS ? RGM_I32 : RGM_F32);
  kernel::random(key.view(), distribution, y.view());
  return y;
}

namespace ops {

Tensor random(const Shape& shape, int32_t distribution, rgm_dtype dtype) {
  require(distribution >= RGM_UNIFORM && distribution <= RGM_BITS, "random: {} is not a distribution", distribution);
  return cast(random_of(shape, distribution, random_key()), dtype);
}

}  // namespace ops
}  // namespace rgm
