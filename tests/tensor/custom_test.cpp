// custom_test.cpp - operations of a plug-in: their own gradient, and what goes wrong in it.
#include "offered.hpp"
#include "tensor/plugin_call.hpp"

namespace rgm::test {
namespace {

using testing::ElementsAre;

// A custom operation: y = x^2, dx = 2 x dy.
struct Squares {
  int forwards = 0, backwards = 0, drops = 0;
};
rgm_status square(void* user, rgm_tensor* const* in, rgm_tensor** out) {
  ++static_cast<Squares*>(user)->forwards;
  out[0] = ops::unary(RGM_SQUARE, Tensor::share(in[0])).release();
  return RGM_OK;
}
rgm_status square_back(void* user, rgm_tensor* const* in, rgm_tensor* const*, rgm_tensor* const* dout,
                       rgm_tensor** din) {
  ++static_cast<Squares*>(user)->backwards;
  din[0] = (2 * (Tensor::share(in[0]) * Tensor::share(dout[0]))).release();
  return RGM_OK;
}
void drop_squares(void* user) { ++static_cast<Squares*>(user)->drops; }

TEST_P(Ops, CustomOperationsHaveTheirOwnGradient) {
  const rgm_custom_op op{sizeof op, 0, "square", square, square_back, drop_squares};
  Squares squares;
  const Tensor x = trained(values({3, -1}));
  {
    Tensor y;
    ops::custom(op, &squares, std::span(&x, 1), std::span(&y, 1));
    EXPECT_EQ(squares.drops, 0);
    backward(ops::sum(y));
  }
  EXPECT_THAT(to_host(x.gradient()), ElementsAre(6, -2));
  EXPECT_EQ(squares.backwards, 1);
  EXPECT_EQ(squares.drops, 1);
  const NoGradient no_gradient;
  Tensor y;
  ops::custom(op, &squares, std::span(&x, 1), std::span(&y, 1));
  EXPECT_EQ(squares.drops, 2);
}

// The gradient is asked for long after the call that made the operation has returned.
TEST_P(Ops, WhatGoesWrongInABackwardNamesThePlugin) {
  const rgm_custom_op op{sizeof op,
                         0,
                         nullptr,
                         square,
                         [](void*, rgm_tensor* const*, rgm_tensor* const*, rgm_tensor* const*, rgm_tensor**) {
                           return keep_failure(RGM_INVALID, "no root");
                         },
                         nullptr};
  Squares squares;
  const Tensor x = trained(values({3, -1}));
  Tensor y;
  call_plugin("strategy \"mine\" (mine.so)", "loss", [&] {
    ops::custom(op, &squares, std::span(&x, 1), std::span(&y, 1));
    return rgm_status{RGM_OK};
  });
  EXPECT_EQ(message([&] { backward(ops::sum(y)); }),
            "strategy \"mine\" (mine.so), operation \"custom\": backward failed: no root");
}

}  // namespace
}  // namespace rgm::test
