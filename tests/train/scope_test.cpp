// scope_test.cpp - parameters that a plug-in files: of the type that it asks for, whatever they start from.
#include "model/small.hpp"
#include "train/session.hpp"

namespace rgm::test {
namespace {

using testing::HasSubstr;

class Scopes : public TensorTest {
 protected:
  Tensor buffer(const std::string& name, rgm_dtype dtype, int32_t kind = RGM_FILL) {
    return file_parameter(scope_, name, dense_view({2}, dtype), {sizeof(rgm_init), kind, 0, 0, 0, 1, nullptr});
  }
  template <class F>
  static std::string failure(F&& body) {
    try {
      body();
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }

  Parameters filed_;
  std::map<std::string, Tensor> saved_;
  rgm_scope scope_{&filed_, &saved_, "mine.", 3};
};

TEST_F(Scopes, ABufferStartsInItsType) {
  for (const rgm_dtype dtype : {RGM_F32, RGM_F16, RGM_BF16, RGM_I32, RGM_I64, RGM_U8, RGM_BOOL})
    for (const int32_t kind : {RGM_FILL, RGM_UNIFORM_IN, RGM_NORMAL_OF})
      EXPECT_EQ(buffer(fmt::format("{} {}", dtype, kind), dtype, kind).dtype(), dtype);
}

TEST_F(Scopes, ASavedBufferBecomesWhatIsWanted) {
  saved_["mine.count"] = indices({3, 4});
  saved_["mine.mean"] = values({0.5, -2});
  saved_["mine.place"] = values({1, 2});
  const Tensor count = buffer("count", RGM_I64), mean = buffer("mean", RGM_F16);
  EXPECT_EQ(count.dtype(), RGM_I64);
  EXPECT_EQ(to_host<int32_t>(count), (std::vector<int32_t>{3, 4}));
  EXPECT_EQ(mean.dtype(), RGM_F16);
  EXPECT_EQ(to_host(mean), (std::vector<float>{0.5, -2}));
  EXPECT_THAT(failure([&] { buffer("place", RGM_I32); }),
              HasSubstr("parameter mine.place was saved as float32, but int32 is wanted"));
}

TEST_F(Scopes, AreOfOneModelEach) {
  rgm_train train;
  train.roles["a"] = {small_model()};
  train.roles["a/b"] = {small_model()};
  EXPECT_EQ(scope(train, "a", "b/c")->parameters, &train.roles["a"].model->extra());
  EXPECT_EQ(scope(train, "a/b", "c")->parameters, &train.roles["a/b"].model->extra());
}

TEST_F(Scopes, WhatIsTrainedIsFloat32) {
  const rgm_init trained{sizeof(rgm_init), RGM_FILL, 1, 0, 0, 0, nullptr};
  EXPECT_THAT(failure([&] { file_parameter(scope_, "weight", dense_view({2}, RGM_I64), trained); }),
              HasSubstr("parameter mine.weight: what is trained is float32, int64 was asked for"));
  EXPECT_TRUE(file_parameter(scope_, "weight", dense_view({2}, RGM_F32), trained).needs_gradient());
}

}  // namespace
}  // namespace rgm::test
