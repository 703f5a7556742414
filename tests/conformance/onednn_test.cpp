// onednn_test.cpp - what the CPU's kernels do at the rim of their work, with numbers that can be checked by hand. Run
// once more for each instruction set, as the comparison with the reference is.
#include <gmock/gmock.h>

#include <algorithm>

#include "numbers.hpp"

namespace rgm::conformance {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::IsNan;

class OneDnn : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(library("onednn"))) GTEST_SKIP() << library("onednn") << " is not built";
    backend_ = std::make_unique<Backend>("onednn");
    ASSERT_EQ(table().queue_new(device(), &q_), RGM_OK);
  }
  void TearDown() override {
    if (q_) table().queue_free(q_);
  }
  const rgm_backend& table() { return *backend_->opened.table; }
  rgm_device* device() { return backend_->opened.device; }
  const rgm_kernels& k() { return backend_->kernels(); }

  std::unique_ptr<Backend> backend_;
  rgm_queue* q_ = nullptr;
};

// One query of many is NaN; with few of them scores are made in another way.
TEST_F(OneDnn, AttentionOfAQueryThatIsNaNIsNaNAndItsNeighboursAreNot) {
  for (const int64_t T : {3, 70}) {
    const auto n = static_cast<size_t>(T);
    Floats q(n, 1), k(n, 1), v(n, 5), y(n), lse(n);
    q[1] = NAN;
    const rgm_view vq = floats(q, {1, T, 1, 1}), vk = floats(k, {1, T, 1, 1}), vv = floats(v, {1, T, 1, 1});
    const rgm_view vy = floats(y, {1, T, 1, 1}), vl = floats(lse, {1, 1, T});
    rgm_attention args{};
    args.struct_size = sizeof args;
    args.scale = 1;
    args.q = &vq, args.k = &vk, args.v = &vv, args.y = &vy, args.lse = &vl;
    for (const uint32_t features : {0u, uint32_t{RGM_ATTENTION_CAUSAL}}) {
      args.features = features;
      ASSERT_EQ(this->k().attention(q_, &args), RGM_OK);
      EXPECT_THAT(y[1], IsNan());
      EXPECT_THAT(lse[1], IsNan());
      y[1] = 5;
      for (const float mean : y) EXPECT_NEAR(mean, 5, 1e-5);
    }
  }
}

// 1e-20 squared is below the least normal number of float32. oneDNN's threads flush it to 0 as ours do, also where the
// first to ask for threads was no kernel.
TEST_F(OneDnn, ProductsAreFlushedByEveryThread) {
  const auto nothing = [](void*, int64_t, int64_t) { return rgm_status{RGM_OK}; };
  ASSERT_EQ(table().parallel_for(device(), 100000, 1, nullptr, nothing), RGM_OK);
  Floats a(256 * 256, 1e-20f), b(256 * 512, 1e-20f), y(256 * 512);
  const rgm_view va = floats(a, {256, 256}), vb = floats(b, {256, 512}), vy = floats(y, {256, 512});
  ASSERT_EQ(k().matmul(q_, 1, &va, &vb, 0, &vy), RGM_OK);
  EXPECT_THAT(y, Each(0));
}
TEST_F(OneDnn, FloatsOf16BitsBelowTheNormalOnesAreNotFlushed) {
  std::vector<uint16_t> x{0x0001, 0x03FF, 0x8200, 0x0400};
  Floats y(4);
  const rgm_view vx = view_of(x.data(), RGM_F16, {4}), vy = floats(y, {4});
  ASSERT_EQ(k().copy(q_, &vx, &vy), RGM_OK);
  EXPECT_THAT(y, ElementsAre(0x1p-24f, 1023 * 0x1p-24f, -0x1p-15f, 0x1p-14f));
}

// y (M, 256) = x turned round, by a weight that has a 1 in each row. A single row, also the last of 97, is not copied
// before it is multiplied.
TEST_F(OneDnn, APackedWeightMayAnswerInThePlaceOfItsInput) {
  constexpr int64_t n = 256;
  Floats w(n * n);
  for (int64_t i = 0; i < n; ++i) w[static_cast<size_t>(i * n + n - 1 - i)] = 1;
  const rgm_view vw = floats(w, {n, n});
  rgm_packed* packed = nullptr;
  ASSERT_EQ(k().pack(q_, &vw, nullptr, 0, &packed), RGM_OK);
  for (const int64_t M : {1, 97}) {
    Floats x(static_cast<size_t>(M * n)), turned(x);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
    for (size_t i = 0; i < x.size(); ++i) turned[i] = x[i / n * n + n - 1 - i % n];
    const rgm_view vx = floats(x, {M, n});
    rgm_linear args{};
    args.struct_size = sizeof args;
    args.features = RGM_LINEAR_PACKED;
    args.packed = packed, args.x = &vx, args.y = &vx;
    ASSERT_EQ(k().linear(q_, &args), RGM_OK);
    EXPECT_EQ(x, turned) << M;
  }
  k().unpack(packed);
}

TEST_F(OneDnn, WhatStandsBesideAnOutputHasItsShape) {
  Floats x(4), w(4), y(4), other(2);
  const rgm_view vx = floats(x, {2, 2}), vw = floats(w, {2, 2}), vy = floats(y, {2, 2}), vo = floats(other, {1, 2});
  rgm_linear args{};
  args.struct_size = sizeof args;
  args.features = RGM_LINEAR_RESIDUAL;
  args.x = &vx, args.weight = &vw, args.y = &vy, args.residual = &vo;
  EXPECT_EQ(k().linear(q_, &args), RGM_INVALID);
  EXPECT_EQ(last_failure(), "linear: residual is (1, 2), y is (2, 2)");
  args.features = RGM_LINEAR_AUX;
  args.aux = &vo;
  EXPECT_EQ(k().linear(q_, &args), RGM_INVALID);
  EXPECT_EQ(last_failure(), "linear: aux is (1, 2), y is (2, 2)");
}

TEST_F(OneDnn, DerivativesAreNumbersFarOutAndAtNaN) {
  Floats far{1e30f, -1e30f, 100, -100}, corner{NAN, -2, 0, 3}, dy(4, 1), dx(4);
  const rgm_view vf = floats(far, {4}), vc = floats(corner, {4}), vy = floats(dy, {4}), vx = floats(dx, {4});
  for (const int32_t op : {RGM_GELU_TANH, RGM_GELU_ERF, RGM_SILU}) {
    ASSERT_EQ(k().unary_grad(q_, op, &vf, &vy, &vx), RGM_OK);
    EXPECT_THAT(dx, ElementsAre(1, 0, 1, 0)) << op;
  }
  ASSERT_EQ(k().unary_grad(q_, RGM_ABS, &vc, &vy, &vx), RGM_OK);
  EXPECT_THAT(dx, ElementsAre(0, -1, 0, 1));
  ASSERT_EQ(k().unary_grad(q_, RGM_RELU, &vc, &vy, &vx), RGM_OK);
  EXPECT_THAT(dx, ElementsAre(0, 0, 0, 1));
}

#ifndef REGIMEN_SANITIZED  // which ends a program that asks for that much
TEST_F(OneDnn, MemoryThatThereIsNotIsNamed) {
  void* block = nullptr;
  EXPECT_EQ(table().alloc(device(), size_t{1} << 60, &block), RGM_NO_MEMORY);
  EXPECT_EQ(last_failure(), "no memory for 1152921504606846976 bytes");
}
#endif

// A million times 0.1 added up one by one in float32 is 1 % too much.
TEST_F(OneDnn, SumsOverManyRowsKeepTheirDigits) {
  constexpr int64_t M = 1 << 20, C = 16;
  Floats x(M * C, 0.1f), w(C, 1), mean(M), rstd(M, 1), dx(x), sums(C), dw(C), db(C);
  const rgm_view vx = floats(x, {M, C}), vs = floats(sums, {1, C}), vw = floats(w, {C}), vm = floats(mean, {M});
  const rgm_view vr = floats(rstd, {M}), vdx = floats(dx, {M, C}), vdw = floats(dw, {C}), vdb = floats(db, {C});
  ASSERT_EQ(k().reduce(q_, RGM_SUM, 1, &vx, &vs), RGM_OK);
  EXPECT_THAT(sums, Each(FloatNear(0.1f * M, 5)));
  rgm_norm args{};
  args.struct_size = sizeof args;
  args.features = RGM_NORM_MEAN | RGM_NORM_BIAS;
  args.x = &vx, args.dy = &vx, args.w = &vw, args.mean = &vm, args.rstd = &vr;
  args.dx = &vdx, args.dw = &vdw, args.db = &vdb;
  ASSERT_EQ(k().norm_grad(q_, &args), RGM_OK);
  EXPECT_THAT(db, Each(FloatNear(0.1f * M, 5)));
  EXPECT_THAT(dw, Each(FloatNear(0.01f * M, 0.5f)));  // of 0.1 times (0.1 - 0) 1
}

// A million rows that come in stretches of 250, as the last of every 251 is left out.
TEST_F(OneDnn, SumsOverRowsInStretchesKeepTheirDigits) {
  constexpr int64_t B = 4000, T = 251, C = 16;
  Floats x(B * T * C, 0.1f), sums(C);
  rgm_view vx = floats(x, {B, T, C});
  vx.shape[1] = T - 1;
  const rgm_view vs = floats(sums, {1, 1, C});
  ASSERT_EQ(k().reduce(q_, RGM_SUM, 3, &vx, &vs), RGM_OK);
  EXPECT_THAT(sums, Each(FloatNear(1e5f, 1)));
  ASSERT_EQ(k().reduce(q_, RGM_MEAN, 3, &vx, &vs), RGM_OK);
  EXPECT_THAT(sums, Each(FloatNear(0.1f, 1e-6f)));
}

}  // namespace
}  // namespace rgm::conformance
