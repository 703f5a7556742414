// gradients_test.cpp - every gradient kernel of the reference against finite differences of its forward kernel.
#include "numbers.hpp"

namespace rgm::conformance {
namespace {

TEST_F(Reference, GradientsOfUnaryOperations) {
  for (int32_t op = RGM_NEG; op <= RGM_GELU_ERF; ++op) {
    SCOPED_TRACE(op);
    Floats x{0.4f, 0.7f, 1.3f, 1.9f}, y(4), dy{1, -2, 0.5f, 1}, dx(4);
    if (op > RGM_LOG1P || op < RGM_SQRT) x[0] = -0.8f;  // where it is defined
    const rgm_view vx = floats(x, {4}), vy = floats(y, {4}), vdy = floats(dy, {4}), vdx = floats(dx, {4});
    ASSERT_EQ(k_.unary_grad(nullptr, op, &vx, &vdy, &vdx), RGM_OK);
    expect_gradient(x, dx, [&] {
      EXPECT_EQ(k_.unary(nullptr, op, &vx, &vy), RGM_OK);
      return dot(y, dy);
    });
  }
}

TEST_F(Reference, GradientOfSoftmax) {
  Floats x = noise(6), y(6), dy = noise(6, 1), dx(6);
  const rgm_view vx = floats(x, {2, 3}), vy = floats(y, {2, 3}), vdy = floats(dy, {2, 3}), vdx = floats(dx, {2, 3});
  for (int32_t axis : {0, 1}) {
    ASSERT_EQ(k_.softmax(nullptr, axis, &vx, &vy), RGM_OK);
    ASSERT_EQ(k_.softmax_grad(nullptr, axis, &vy, &vdy, &vdx), RGM_OK);
    expect_gradient(x, dx, [&] {
      EXPECT_EQ(k_.softmax(nullptr, axis, &vx, &vy), RGM_OK);
      return dot(y, dy);
    });
  }
}

TEST_F(Reference, GradientsOfNorms) {
  for (uint32_t features : {0u, uint32_t{RGM_NORM_MEAN}, uint32_t{RGM_NORM_MEAN | RGM_NORM_BIAS}}) {
    SCOPED_TRACE(features);
    Floats x = noise(10), w = noise(5, 1), b = noise(5, 2), y(10), mean(2), rstd(2);
    Floats dy = noise(10, 3), dx(10), dw(5), db(5);
    const rgm_view vx = floats(x, {2, 5}), vw = floats(w, {5}), vb = floats(b, {5}), vy = floats(y, {2, 5});
    const rgm_view vm = floats(mean, {2}), vr = floats(rstd, {2}), vdy = floats(dy, {2, 5}), vdx = floats(dx, {2, 5});
    const rgm_view vdw = floats(dw, {5}), vdb = floats(db, {5});
    const rgm_norm args{
        sizeof(rgm_norm), features, 1e-5, &vx, nullptr, &vw, &vb, &vy, &vm, &vr, &vdy, &vdx, &vdw, &vdb};
    const auto loss = [&] {
      EXPECT_EQ(k_.norm(nullptr, &args), RGM_OK);
      return dot(y, dy);
    };
    loss();
    ASSERT_EQ(k_.norm_grad(nullptr, &args), RGM_OK);
    expect_gradient(x, dx, loss);
    expect_gradient(w, dw, loss);
    if (features & RGM_NORM_BIAS) expect_gradient(b, db, loss);
  }
}

TEST_F(Reference, RopeWithTheSineNegatedIsItsGradient) {
  Floats x = noise(8), y(8), dy = noise(8, 1), dx(8), cos{0.6f, 0.8f}, sin{0.8f, 0.6f}, back{-0.8f, -0.6f};
  std::vector<int32_t> positions{0, 0};
  const rgm_view vx = floats(x, {1, 2, 1, 4}), vy = floats(y, {1, 2, 1, 4}), vp = integers(positions, {1, 2});
  const rgm_view vdy = floats(dy, {1, 2, 1, 4}), vdx = floats(dx, {1, 2, 1, 4});
  const rgm_view vc = floats(cos, {1, 2}), vs = floats(sin, {1, 2}), vb = floats(back, {1, 2});
  const rgm_rope forward{sizeof(rgm_rope), 0, &vx, &vp, &vc, &vs, &vy};
  const rgm_rope backward{sizeof(rgm_rope), 0, &vdy, &vp, &vc, &vb, &vdx};
  ASSERT_EQ(k_.rope(nullptr, &backward), RGM_OK);
  expect_gradient(x, dx, [&] {
    EXPECT_EQ(k_.rope(nullptr, &forward), RGM_OK);
    return dot(y, dy);
  });
}

class AttentionGradient : public Reference, public ::testing::WithParamInterface<uint32_t> {};

TEST_P(AttentionGradient, MatchesFiniteDifferences) {
  // B 1, Tq 3, Tk 4, H 2 over one head of k and v, D 2
  Floats q = noise(12), k = noise(8, 1), v = noise(8, 2), y(12), lse(6), dy = noise(12, 3), dq(12), dk(8), dv(8);
  std::vector<int32_t> q_segments{1, 1, 2}, k_segments{0, 1, 1, 2}, lengths{3}, key{1, 2, 3, 4, 5, 6};
  const rgm_view vq = floats(q, {1, 3, 2, 2}), vk = floats(k, {1, 4, 1, 2}), vv = floats(v, {1, 4, 1, 2});
  const rgm_view vy = floats(y, {1, 3, 2, 2}), vl = floats(lse, {1, 2, 3}), vdy = floats(dy, {1, 3, 2, 2});
  const rgm_view vdq = floats(dq, {1, 3, 2, 2}), vdk = floats(dk, {1, 4, 1, 2}), vdv = floats(dv, {1, 4, 1, 2});
  const rgm_view vqs = integers(q_segments, {1, 3}), vks = integers(k_segments, {1, 4}), vn = integers(lengths, {1});
  const rgm_view vkey = integers(key, {6});
  const rgm_attention args{sizeof(rgm_attention),
                           GetParam(),
                           0.7,
                           1.5,
                           0.4,
                           2,
                           1,
                           &vq,
                           &vk,
                           &vv,
                           &vy,
                           &vl,
                           &vqs,
                           &vks,
                           &vn,
                           &vkey,
                           &vdy,
                           &vdq,
                           &vdk,
                           &vdv};
  const auto loss = [&] {
    EXPECT_EQ(k_.attention(nullptr, &args), RGM_OK);
    return dot(y, dy);
  };
  loss();
  ASSERT_EQ(k_.attention_grad(nullptr, &args), RGM_OK);
  expect_gradient(q, dq, loss);
  expect_gradient(k, dk, loss);
  expect_gradient(v, dv, loss);
}

INSTANTIATE_TEST_SUITE_P(EveryFeature, AttentionGradient,
                         ::testing::Values(0u, RGM_ATTENTION_CAUSAL, RGM_ATTENTION_SOFTCAP, RGM_ATTENTION_DROPOUT,
                                           RGM_ATTENTION_WINDOW, RGM_ATTENTION_WINDOW | RGM_ATTENTION_PREFIX,
                                           RGM_ATTENTION_SEGMENTS, RGM_ATTENTION_SEGMENTS | RGM_ATTENTION_PREFIX,
                                           RGM_ATTENTION_LENGTHS, 127u));

TEST_F(Reference, GradientsOfHeadLoss) {
  for (uint32_t cap : {0u, uint32_t{RGM_HEAD_SOFTCAP}}) {
    SCOPED_TRACE(cap);
    Floats x = noise(6), w = noise(15, 1), logprobs(2), weights{0.5f, -2}, dx(6), dw(15);
    std::vector<int32_t> targets{3, 0};
    const rgm_view vx = floats(x, {2, 3}), vw = floats(w, {5, 3}), vt = integers(targets, {2});
    const rgm_view vl = floats(logprobs, {2}), vwt = floats(weights, {2}), vdx = floats(dx, {2, 3}),
                   vdw = floats(dw, {5, 3});
    rgm_head_loss args{
        sizeof(rgm_head_loss), cap | RGM_HEAD_GRAD, 0.8, 1.5, &vx, &vw, &vt, &vl, nullptr, &vwt, &vdx, &vdw};
    ASSERT_EQ(k_.head_loss(nullptr, &args), RGM_OK);
    args.features = cap;
    const auto loss = [&] {
      EXPECT_EQ(k_.head_loss(nullptr, &args), RGM_OK);
      return -dot(weights, logprobs);
    };
    expect_gradient(x, dx, loss);
    expect_gradient(w, dw, loss);
  }
}

}  // namespace
}  // namespace rgm::conformance
