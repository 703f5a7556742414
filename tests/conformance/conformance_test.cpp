// conformance_test.cpp - the backends that are here against the reference, and that the suite finds what is wrong.
#include "conformance/conformance.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "conformance/array.hpp"
#include "wrong.hpp"

namespace rgm::conformance {
namespace {

TEST(Conformance, TheReferenceAgreesWithItselfAndOffersEverything) {
  Backend reference("reference");
  const std::vector<Result> results = run(reference.opened, reference.opened, with_errors());
  EXPECT_TRUE(all_passed(results)) << table(results);
  for (const Result& r : results) EXPECT_FALSE(r.skipped) << r.kernel << ' ' << r.case_ << ": " << r.reason;
}

// Run once more for each instruction set, see CMakeLists.txt: the environment says which our kernels may use.
TEST(Conformance, OneDnnAgreesWithTheReference) {
  if (!std::filesystem::exists(library("onednn"))) GTEST_SKIP() << library("onednn") << " is not built";
  if (const char* wanted = std::getenv("REGIMEN_EXPECTED_KERNELS")) {
    rgm_device_info info{};
    info.struct_size = sizeof info;
    ASSERT_EQ(Backend("onednn").opened.table->device_info(0, &info), RGM_OK);
    const std::string name = std::string(" ") + wanted;
    const bool ignores_the_limit = name != " avx512" && std::string(info.arch).ends_with(" avx512");
    ASSERT_FALSE(ignores_the_limit) << info.arch;
    if (!std::string(info.arch).ends_with(name)) GTEST_SKIP() << "this machine is " << info.arch << ", not" << name;
  }
  Backend reference("reference"), onednn("onednn");
  const std::vector<Result> results = run(reference.opened, onednn.opened, with_errors());
  EXPECT_TRUE(all_passed(results)) << table(results);
  std::puts(table(results).c_str());
}

// Run once more where OpenMP's settings would give fewer threads than oneDNN shares its work out to, see
// CMakeLists.txt.
TEST(Conformance, ProductsOfOneDnnAgreeWithTheReference) {
  if (!std::filesystem::exists(library("onednn"))) GTEST_SKIP() << library("onednn") << " is not built";
  Backend reference("reference"), onednn("onednn");
  for (const char* product : {"matmul", "linear", "head_loss"}) {
    Options options = with_errors();
    options.filter = product;
    const std::vector<Result> results = run(reference.opened, onednn.opened, options);
    EXPECT_TRUE(all_passed(results)) << table(results);
  }
}

// On a machine without a GPU this shows why nothing was compared.
TEST(Conformance, CudnnAgreesWithTheReference) {
  if (!std::filesystem::exists(library("cudnn"))) GTEST_SKIP() << library("cudnn") << " is not built";
  Backend cudnn("cudnn");
  if (!cudnn.reason.empty()) GTEST_SKIP() << "cudnn: " << cudnn.reason;
  Backend reference("reference");
  Options options = with_errors();
  if (const char* filter = std::getenv("REGIMEN_CONFORMANCE_KERNEL")) options.filter = filter;
  const std::vector<Result> results = run(reference.opened, cudnn.opened, options);
  EXPECT_TRUE(all_passed(results)) << table(results);
  std::puts(table(results).c_str());
}

// As a kernel would take an index that does not look whether it is within the axis.
rgm_view clamped(rgm_view index, int64_t size, std::vector<int32_t>& within) {
  each_element(index, [&](int64_t at) {
    within.push_back(std::clamp(static_cast<const int32_t*>(index.data)[at], 0, static_cast<int32_t>(size - 1)));
  });
  index.data = within.data();
  index.stride[0] = 1;
  return index;
}
// What a kernel leaves whose maxima drop NaN.
rgm_status without_nan(rgm_status status, std::initializer_list<const rgm_view*> outputs) {
  for (const rgm_view* v : outputs)
    if (status == RGM_OK && v && v->dtype == RGM_F32)
      each_element(*v, [&](int64_t at) {
        float& x = static_cast<float*>(v->data)[at];
        if (std::isnan(x)) x = 0;
      });
  return status;
}

TEST_F(Wrong, SoftmaxWithoutADenominatorFails) {
  broken().softmax = [](rgm_queue* q, int32_t, const rgm_view* x, const rgm_view* y) {
    return good().unary(q, RGM_EXP, x, y);
  };
  const std::vector<Result> results = check("softmax");
  EXPECT_GT(failures(results), 10u);
  EXPECT_NE(table(results).find("FAILED softmax #"), std::string::npos);
}

TEST_F(Wrong, AKernelThatIgnoresUnknownFeaturesFails) {
  broken().norm = [](rgm_queue* q, const rgm_norm* args) {
    rgm_norm known = *args;
    known.features &= 7;
    return good().norm(q, &known);
  };
  EXPECT_EQ(failures(check("norm")), 2u);
}

TEST_F(Wrong, AttentionThatForgetsTheWindowFails) {
  broken().attention = [](rgm_queue* q, const rgm_attention* args) {
    rgm_attention rest = *args;
    rest.features &= ~uint32_t{RGM_ATTENTION_WINDOW};
    return good().attention(q, &rest);
  };
  EXPECT_GT(failures(check("attention")), 0u);
}

TEST_F(Wrong, AMissingRequiredKernelFails) {
  broken().gather = nullptr;
  const std::vector<Result> results = check("gather");
  EXPECT_EQ(failures(results), results.size() - 1);  // all but the case of the device itself
  EXPECT_EQ(results.back().reason, "a required kernel refuses: not in the table");
}

TEST_F(Wrong, AMissingOptionalKernelIsComposedByTheHost) {
  broken().rope = nullptr;
  const std::vector<Result> results = check("rope");
  EXPECT_EQ(failures(results), 0u);
  EXPECT_TRUE(results.back().skipped);
}

TEST_F(Wrong, AnOlderTableWithoutTheLastKernelIsNotReadBehindItsEnd) {
  broken().struct_size = offsetof(rgm_kernels, sum_of_squares);
  EXPECT_TRUE(check("sum_of_squares").back().skipped);
}

TEST_F(Wrong, ARefusalAfterAnEffectFails) {
  broken().cumsum = [](rgm_queue* q, int32_t axis, const rgm_view* x, const rgm_view* y) {
    good().cumsum(q, axis, x, y);
    return rgm_status{RGM_UNSUPPORTED};
  };
  EXPECT_GT(failures(check("cumsum")), 10u);
}

TEST_F(Wrong, WritingBesideAViewFails) {
  broken().fill = [](rgm_queue* q, double value, const rgm_view* y) {
    rgm_view one_more = *y;
    const int32_t last = one_more.rank - 1;
    if (last >= 0 && one_more.stride[last] == 1) ++one_more.shape[last];
    return good().fill(q, value, &one_more);
  };
  EXPECT_GT(failures(check("fill")), 10u);
}

TEST_F(Wrong, AKernelThatTakesIndicesFromOutsideOfTheAxisFails) {
  broken().gather = [](rgm_queue* q, int32_t axis, const rgm_view* x, const rgm_view* index, const rgm_view* y) {
    std::vector<int32_t> within;
    const rgm_view moved = clamped(*index, x->shape[axis], within);
    return good().gather(q, axis, x, &moved, y);
  };
  broken().scatter_add = [](rgm_queue* q, int32_t axis, const rgm_view* index, const rgm_view* x, const rgm_view* y) {
    std::vector<int32_t> within;
    const rgm_view moved = clamped(*index, y->shape[axis], within);
    return good().scatter_add(q, axis, &moved, x, y);
  };
  for (const char* kernel : {"gather", "scatter_add"}) {
    const std::vector<Result> results = check(kernel);
    EXPECT_EQ(failures(results), 8u) << table(results);
    EXPECT_NE(table(results).find("an index outside its axis was accepted"), std::string::npos);
  }
}

TEST_F(Wrong, AnIndexOutsideOfTheAxisMayBeToldAtTheWait) {
  static rgm_status found = RGM_OK;
  broken().gather = [](rgm_queue* q, int32_t axis, const rgm_view* x, const rgm_view* index, const rgm_view* y) {
    found = good().gather(q, axis, x, index, y);
    if (found == RGM_INVALID) good().fill(q, 0, y);
    return rgm_status{RGM_OK};
  };
  EXPECT_EQ(failures(check("gather")), 8u);
  backend_.wait = [](rgm_queue*) { return std::exchange(found, rgm_status{RGM_OK}); };
  EXPECT_EQ(failures(check("gather")), 0u);
}

TEST_F(Wrong, KernelsThatLoseNaNFail) {
  broken().unary = [](rgm_queue* q, int32_t op, const rgm_view* x, const rgm_view* y) {
    return without_nan(good().unary(q, op, x, y), {y});
  };
  broken().binary = [](rgm_queue* q, int32_t op, const rgm_view* a, const rgm_view* b, const rgm_view* y) {
    return without_nan(good().binary(q, op, a, b, y), {y});
  };
  broken().reduce = [](rgm_queue* q, int32_t op, uint32_t axes, const rgm_view* x, const rgm_view* y) {
    return without_nan(good().reduce(q, op, axes, x, y), {y});
  };
  broken().attention = [](rgm_queue* q, const rgm_attention* args) {
    return without_nan(good().attention(q, args), {args->y, args->lse});
  };
  for (const char* kernel : {"unary", "binary", "reduce", "attention"})
    EXPECT_GT(failures(check(kernel)), 0u) << kernel;
}

TEST_F(Wrong, ResultsThatDifferFromCallToCallFail) {
  broken().sum_of_squares = [](rgm_queue* q, uint32_t n, const rgm_view* const* xs, const rgm_view* y) {
    static int calls = 0;
    const rgm_status status = good().sum_of_squares(q, n, xs, y);
    uint32_t bits;  // the last one flickers, as unordered sums do
    std::memcpy(&bits, y->data, sizeof bits);
    bits ^= static_cast<uint32_t>(++calls & 1);
    std::memcpy(y->data, &bits, sizeof bits);
    return status;
  };
  const std::vector<Result> results = check("sum_of_squares");
  EXPECT_EQ(results.back().reason, "a second call gave different bits");
}

}  // namespace
}  // namespace rgm::conformance
