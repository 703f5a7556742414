// tensors_test.cpp - the tensor table as a plug-in meets it: failures leave outputs alone and say why, ownership is as
// the contract has it.
#include "host/plugged.hpp"

namespace rgm::test {
namespace {

using testing::HasSubstr;
const rgm_tensor_api& table() { return *host_table()->tensors; }

class HostTensors : public TensorTest {
 protected:
  rgm_tensor* const nothing = reinterpret_cast<rgm_tensor*>(0x1);  // an output that must stay as it is
  rgm_tensor* out = nothing;
};

TEST_F(HostTensors, FailureKeepsTheTextAndLeavesTheOutput) {
  const Tensor a = values({1, 2}), b = values({1, 2, 3});
  EXPECT_EQ(table().binary(RGM_ADD, a.get(), b.get(), &out), RGM_INVALID);
  EXPECT_EQ(out, nothing);
  EXPECT_NE(kept_text(), "");
}

TEST_F(HostTensors, NullIsAFailure) {
  const Tensor a = values({1, 2});
  EXPECT_EQ(table().binary(RGM_ADD, a.get(), nullptr, &out), RGM_INVALID);
  EXPECT_THAT(kept_text(), HasSubstr("b is NULL"));
  EXPECT_EQ(table().unary(RGM_EXP, a.get(), nullptr), RGM_INVALID);
  EXPECT_EQ(table().reshape(a.get(), 1, nullptr, &out), RGM_INVALID);
  EXPECT_EQ(table().concat(nullptr, 2, 0, &out), RGM_INVALID);
  EXPECT_EQ(out, nothing);
}

TEST_F(HostTensors, MatmulTakesItsSummandAlsoWhenItFails) {
  const Tensor a = sample({2, 3}, 1), b = sample({2, 3}, 2);
  const Tensor c = sample({2, 2}, 3);
  Tensor reference = c;
  EXPECT_EQ(table().matmul(a.get(), 0, b.get(), 0, 1, reference.release(), &out), RGM_INVALID);
  EXPECT_EQ(c.get()->references.load(), 1u);
  EXPECT_EQ(out, nothing);
  Tensor given = 2 * c;
  rgm_tensor* const memory = given.get();
  void* const data = memory->view.data;
  ASSERT_EQ(table().matmul(a.get(), 0, b.get(), 1, 1, given.release(), &out), RGM_OK);
  EXPECT_EQ(out->view.data, data);  // a sole summand is written over
  expect_near(Tensor::adopt(out), ops::matmul(a, false, b, true) + 2 * c, 1e-6);
}

TEST_F(HostTensors, ReadsIntoStridesAndOtherTypes) {
  const Tensor x = values({1.75F, 2, 3, 4, 5, 6}, {2, 3});
  std::vector<int32_t> wide(2 * 4, -1);
  rgm_view v{wide.data(), RGM_I32, 2, {2, 3}, {4, 1}};
  ASSERT_EQ(table().read(x.get(), &v), RGM_OK);
  EXPECT_THAT(wide, testing::ElementsAre(1, 2, 3, -1, 4, 5, 6, -1));
  v.shape[1] = 2;
  EXPECT_EQ(table().read(x.get(), &v), RGM_INVALID);
}

TEST_F(HostTensors, WritesFromStrides) {
  const std::vector<float> columns = {1, 2, 3, 4, 5, 6};
  const rgm_view v{const_cast<float*>(columns.data()), RGM_F32, 2, {3, 2}, {1, 3}};
  ASSERT_EQ(table().write(&v, &out), RGM_OK);
  EXPECT_THAT(to_host(Tensor::adopt(out)), testing::ElementsAre(1, 4, 2, 5, 3, 6));
}

TEST_F(HostTensors, MemoryWithoutGapsIsReadAndWrittenWithoutACopy) {
  static const void* uploaded = nullptr;
  static void* downloaded = nullptr;
  rgm_backend backend = reference();
  backend.upload = [](rgm_queue* q, void* to, const void* from, size_t bytes) {
    return reference().upload(q, to, uploaded = from, bytes);
  };
  backend.download = [](rgm_queue* q, void* to, const void* from, size_t bytes) {
    return reference().download(q, downloaded = to, from, bytes);
  };
  const OnDevice watched(backend);
  std::vector<float> numbers = {1, 2, 3, 4, 5, 6}, copy(6);
  rgm_view v{numbers.data(), RGM_F32, 2, {2, 3}, {3, 1}};
  ASSERT_EQ(table().write(&v, &out), RGM_OK);
  EXPECT_EQ(uploaded, numbers.data());
  const Tensor x = Tensor::adopt(out);
  v.data = copy.data();
  ASSERT_EQ(table().read(x.get(), &v), RGM_OK);
  EXPECT_EQ(downloaded, copy.data());
  EXPECT_EQ(copy, numbers);
}

TEST_F(HostTensors, MemoryHasToBeGivenWhereThereIsSomethingToCopy) {
  const rgm_view v{nullptr, RGM_F32, 1, {2}, {1}}, strided{nullptr, RGM_F32, 1, {2}, {2}},
      empty{nullptr, RGM_F32, 1, {0}, {1}};
  const Tensor x = values({1, 2});
  for (const rgm_view* view : {&v, &strided}) {
    EXPECT_EQ(table().write(view, &out), RGM_INVALID);
    EXPECT_EQ(table().read(x.get(), view), RGM_INVALID);
    EXPECT_THAT(kept_text(), HasSubstr("data is NULL"));
  }
  EXPECT_EQ(out, nothing);
  ASSERT_EQ(table().write(&empty, &out), RGM_OK);
  EXPECT_EQ(Tensor::adopt(out).count(), 0);
}

TEST_F(HostTensors, DescribesWithoutData) {
  const Tensor x = sample({2, 3}, 1);
  rgm_view v{};
  ASSERT_EQ(table().describe(x.get(), &v), RGM_OK);
  EXPECT_EQ(v.data, nullptr);
  EXPECT_EQ(v.rank, 2);
  EXPECT_EQ(v.shape[1], 3);
}

TEST_F(HostTensors, CallsByName) {
  const Tensor x = values({1, 3, 2});
  rgm_tensor* in = x.get();
  rgm_attr k{"k", {RGM_INTEGER, 1, {}}};
  k.value.as.i = 2;
  rgm_tensor* two[2] = {};
  ASSERT_EQ(table().call("top_k", &in, 1, &k, 1, two, 2), RGM_OK);
  EXPECT_THAT(to_host(Tensor::adopt(two[0])), testing::ElementsAre(3, 2));
  EXPECT_THAT(to_host<int32_t>(Tensor::adopt(two[1])), testing::ElementsAre(1, 2));
  ASSERT_EQ(table().call("softmax", &in, 1, nullptr, 0, two, 1), RGM_OK);
  EXPECT_NEAR(item(ops::sum(Tensor::adopt(two[0]))), 1, 1e-6);
}

TEST_F(HostTensors, UnknownNamesAreUnsupported) {
  const Tensor x = values({1, 3, 2});
  rgm_tensor* in = x.get();
  EXPECT_EQ(table().call("softmix", &in, 1, nullptr, 0, &out, 1), RGM_UNSUPPORTED);
  EXPECT_THAT(kept_text(), HasSubstr("softmax"));
  const rgm_attr attr{"temperature", {RGM_REAL, 1, {}}};
  EXPECT_EQ(table().call("softmax", &in, 1, &attr, 1, &out, 1), RGM_UNSUPPORTED);
  EXPECT_EQ(table().call("softmax", &in, 1, nullptr, 0, &out, 2), RGM_INVALID);
  EXPECT_EQ(out, nothing);
}

TEST_F(HostTensors, ShapesThatNoMemoryHoldsAreRefused) {
  rgm_view huge{nullptr, RGM_F32, 1, {int64_t{1} << 62}, {1}};
  EXPECT_EQ(table().full(&huge, 1, &out), RGM_INVALID);
  EXPECT_THAT(kept_text(), HasSubstr("has more elements than any memory holds"));
  EXPECT_EQ(table().random(&huge, RGM_UNIFORM, &out), RGM_INVALID);
  float one = 1;
  huge.data = &one;
  EXPECT_EQ(table().write(&huge, &out), RGM_INVALID);
  const Tensor x = values({1}), segments = indices({1});
  EXPECT_EQ(table().segment_sum(x.get(), segments.get(), std::numeric_limits<int64_t>::max(), &out), RGM_INVALID);
  EXPECT_EQ(out, nothing);
}

TEST_F(HostTensors, AnAxisBeyondTheRankIsRefused) {
  const Tensor x = sample({2, 3}, 1);
  rgm_tensor* in = x.get();
  rgm_attr axis{"axis", {RGM_INTEGER, 1, {}}};
  axis.value.as.i = int64_t{1} << 32;  // 0 in 32 bits
  EXPECT_EQ(table().call("softmax", &in, 1, &axis, 1, &out, 1), RGM_INVALID);
  EXPECT_THAT(kept_text(), HasSubstr("softmax: axis 4294967296 of a tensor with 2 axes"));
  EXPECT_EQ(table().reduce(RGM_SUM, 1U << 2, 0, x.get(), &out), RGM_INVALID);
  EXPECT_EQ(out, nothing);
}

// y = 2 x, or a failure.
struct Doubling {
  int drops = 0;
  bool fails = false;
  static rgm_status forward(void* user, rgm_tensor* const* in, rgm_tensor** result) {
    if (static_cast<Doubling*>(user)->fails) return host_table()->fail(RGM_INVALID, {"as asked", 8});
    return table().affine(in[0], 2, 0, result);
  }
  static rgm_status backward(void*, rgm_tensor* const*, rgm_tensor* const*, rgm_tensor* const* dout, rgm_tensor** din) {
    return table().affine(dout[0], 2, 0, din);
  }
  static void drop(void* user) { ++static_cast<Doubling*>(user)->drops; }
  static constexpr rgm_custom_op op{sizeof(rgm_custom_op), 0, "doubling", forward, backward, drop};
};

TEST_F(HostTensors, CustomIsDroppedOnceWithItsTape) {
  Doubling state;
  const Tensor x = trained(values({1, 3}));
  rgm_tensor* in = x.get();
  {
    ASSERT_EQ(table().custom(&Doubling::op, &state, &in, 1, &out, 1), RGM_OK);
    const Tensor loss = ops::sum(Tensor::adopt(out));
    EXPECT_EQ(state.drops, 0);
    backward(loss);
    EXPECT_THAT(to_host(x.gradient()), testing::ElementsAre(2, 2));
  }
  EXPECT_EQ(state.drops, 1);
}

TEST_F(HostTensors, CustomIsDroppedOnceWhenItFails) {
  Doubling failing{.fails = true}, without_input, without_output;
  const Tensor x = values({1, 3});
  rgm_tensor* in = x.get();
  EXPECT_EQ(table().custom(&Doubling::op, &failing, &in, 1, &out, 1), RGM_INVALID);
  EXPECT_EQ(kept_text(), "as asked");
  EXPECT_EQ(failing.drops, 1);
  rgm_tensor* missing = nullptr;
  EXPECT_EQ(table().custom(&Doubling::op, &without_input, &missing, 1, &out, 1), RGM_INVALID);
  EXPECT_EQ(without_input.drops, 1);
  EXPECT_EQ(table().custom(&Doubling::op, &without_output, &in, 1, nullptr, 1), RGM_INVALID);
  EXPECT_EQ(without_output.drops, 1);
  EXPECT_EQ(out, nothing);
}

}  // namespace
}  // namespace rgm::test
