// bfloat16_test.cpp - a model in bfloat16 is near the one in float32, whatever of it the backend computes itself.
#include "model/small.hpp"
#include "tensor/float_only.hpp"

namespace rgm::test {
namespace {

enum class Backend { reference, float_only, refusals, forward, nothing };
constexpr const char* names[] = {"Reference", "FloatOnly", "Refusals", "Forward", "Nothing"};

OnDevice open(Backend backend) {
  switch (backend) {
    case Backend::float_only: return OnDevice(float_only());
    case Backend::refusals: return OnDevice(Offer::refusals);
    case Backend::forward: return OnDevice(Offer::forward);
    case Backend::nothing: return OnDevice(Offer::nothing);
    default: return OnDevice();
  }
}

class HalfModel : public testing::TestWithParam<std::tuple<const char*, Backend>> {
 protected:
  OnDevice device = open(std::get<1>(GetParam()));
  std::shared_ptr<Model> exact = Model::create(small_config(family()), byte_tokenizer(), 7),
                         model = Model::create(small_config(family()), byte_tokenizer(), 7);
  HalfModel() { model->use_bfloat16(); }
  static const char* family() { return std::get<0>(GetParam()); }

  static Tensor loss(const Model& of, int64_t rows = 3) {
    std::vector<std::vector<int32_t>> tokens;
    for (int64_t i = 0; i < rows; ++i) tokens.push_back(some_tokens(12, static_cast<uint32_t>(i + 1)));
    return of.cross_entropy(pass_over(tokens_of(tokens)), ops::full({rows, 12}, 0.03));
  }
  // |a - b| / |b| over all elements
  static double distance(const Tensor& a, const Tensor& b) {
    const auto x = to_host(a), y = to_host(b);
    double apart = 0, size = 0;
    for (size_t i = 0; i < x.size(); ++i) apart += std::pow(double(x[i]) - y[i], 2), size += std::pow(double(y[i]), 2);
    return std::sqrt(apart / size);
  }
  void expect_near_gradients() {
    for (const Parameter& p : exact->parameters().all()) {
      const Tensor mine = model->parameters().find(p.name)->value.take_gradient(), theirs = p.value.take_gradient();
      ASSERT_TRUE(bool(mine) && bool(theirs)) << p.name;
      EXPECT_EQ(mine.dtype(), RGM_F32) << p.name;
      // A key's bias moves all scores of a query alike: its gradient is 0 but for rounding.
      if (to_host(ops::sum(theirs * theirs))[0] < 1e-12) continue;
      EXPECT_LT(distance(mine, theirs), 3e-2) << p.name;
    }
  }
};
INSTANTIATE_TEST_SUITE_P(All, HalfModel,
                         testing::Combine(testing::Values("gpt2", "llama"),
                                          testing::Values(Backend::reference, Backend::float_only, Backend::refusals,
                                                          Backend::forward, Backend::nothing)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param)) + names[int(std::get<1>(info.param))];
                         });

TEST_P(HalfModel, ItsGradientsAreNearThoseInFloat32) {
  for (int micro_batch = 0; micro_batch < 2; ++micro_batch) {
    const Tensor mine = loss(*model), theirs = loss(*exact);
    EXPECT_NEAR(item(mine), item(theirs), 1e-2 * item(theirs));
    EXPECT_NE(item(mine), item(theirs));
    backward(mine), backward(theirs);
  }
  expect_near_gradients();
}

TEST_P(HalfModel, ALossThatIsScaledIsNearToo) {
  backward(2 * loss(*model)), backward(2 * loss(*exact));
  expect_near_gradients();
}

TEST_P(HalfModel, HooksActInFloat32) {
  TestHooks mine(*model), theirs(*exact);
  const Tensor half = ops::full({}, 0.5);
  for (TestHooks* hooks : {&mine, &theirs}) {
    hooks->inputs["layers.0.attention.key"] = [&](const Tensor& x) { return x * half; };
    hooks->outputs["layers.0.attention.query"] = [&](const Tensor& x, const Tensor& y) { return y + 0.25 * x; };
    hooks->outputs["layers.1.mlp.up"] = [&](const Tensor&, const Tensor& y) { return y * half; };
    hooks->outputs["layers.1.mlp.down"] = [&](const Tensor&, const Tensor& y) { return y * half; };
    hooks->keys = {sample({2, exact->config().kv_heads, 4}, 3), sample({2, exact->config().kv_heads, 4}, 4)};
  }
  model->set_hooks(&mine), exact->set_hooks(&theirs);
  backward(loss(*model)), backward(loss(*exact));
  expect_near_gradients();
}

TEST_P(HalfModel, ACacheChangesLittle) {
  const NoGradient no_gradient;
  const Tensor tokens = tokens_of({some_tokens(9, 1), some_tokens(9, 2)});
  const Tensor all = model->hidden(pass_over(tokens));
  EXPECT_EQ(all.dtype(), RGM_BF16);
  EXPECT_EQ(model->forward(pass_over(tokens), RGM_HIDDEN)[0].dtype(), RGM_F32);
  EXPECT_EQ(model->logits(all).dtype(), RGM_F32);
  KeyValueCache cache(model->config(), 2, 12, model->dtype());
  Pass begin = pass_over(ops::contiguous(ops::slice(tokens, 1, 0, 5)));
  begin.counts = {5, 4};  // the second row's last one is padding
  model->hidden(begin, &cache);
  const Tensor next = tokens_of({{some_tokens(9, 1)[5]}, {some_tokens(9, 2)[4]}});
  const Tensor last = model->hidden(pass_over(next), &cache);
  const auto row = [&](int64_t b, int64_t t) { return ops::slice(ops::slice(all, 0, b, b + 1), 1, t, t + 1); };
  EXPECT_LT(distance(ops::slice(last, 0, 0, 1), row(0, 5)), 2e-2);
  EXPECT_LT(distance(ops::slice(last, 0, 1, 2), row(1, 4)), 2e-2);
}

TEST_P(HalfModel, AFrozenCopyComputesTheSame) {
  const NoGradient no_gradient;
  const Pass pass = pass_over(tokens_of({some_tokens(9, 1)}));
  EXPECT_EQ(to_host(model->frozen_copy()->hidden(pass)), to_host(model->hidden(pass)));
}

TEST_P(HalfModel, DivergenceIsNear) {
  const Pass pass = pass_over(tokens_of({some_tokens(9, 1)}));
  const auto teacher = Model::create(small_config(family()), byte_tokenizer(), 8);
  const Tensor weights = ops::full({1, 9}, 0.1);
  const Tensor theirs = exact->divergence(*teacher, pass, weights, RGM_FORWARD_KL);
  teacher->use_bfloat16();
  const Tensor mine = model->divergence(*teacher, pass, weights, RGM_FORWARD_KL);
  EXPECT_NEAR(item(mine), item(theirs), 3e-2 * item(theirs));
  backward(mine), backward(theirs);
  for (const char* name : {"embedding.weight", "layers.0.mlp.down.weight"})
    EXPECT_LT(distance(model->parameters().find(name)->value.take_gradient(),
                       exact->parameters().find(name)->value.take_gradient()),
              5e-2)
        << name;
}

}  // namespace
}  // namespace rgm::test
