// host_test.cpp - the host's own functions, and the tables of models and training: structs of other sizes, missing
// columns, references handed over.
#include "base/process_here.hpp"
#include "host/plugged.hpp"
#include "tensor/plugin_call.hpp"
#include "train/session.hpp"

namespace rgm::test {
namespace {

using testing::HasSubstr;
const rgm_host& host() { return *host_table(); }

class Host : public TensorTest {};

TEST_F(Host, TablesHaveTheirSizeAndNoHoles) {
  EXPECT_EQ(host().struct_size, sizeof(rgm_host));
  const auto whole = [](const auto& table) {
    const auto* word = reinterpret_cast<void* const*>(&table);
    return table.struct_size == sizeof table && std::count(word + 1, word + sizeof table / 8, nullptr) == 0;
  };
  EXPECT_TRUE(whole(*host().tensors));
  EXPECT_TRUE(whole(*host().models));
  EXPECT_TRUE(whole(*host().train));
  EXPECT_EQ(host().extension("something/1"), nullptr);
}

TEST_F(Host, SaysWhichProcessOfTheMachineThisIs) {
  uint32_t number = 7, count = 7;
  host().process_here(&number, &count);
  EXPECT_EQ(number, 0U);
  EXPECT_EQ(count, 1U);
  set_process_here({2, 3});
  host().process_here(&number, &count);
  set_process_here({});
  EXPECT_EQ(number, 2U);
  EXPECT_EQ(count, 3U);
}

TEST_F(Host, ParallelForBringsTheTextOfAFailureBack) {
  std::atomic<int64_t> sum = 0;
  const auto add = [](void* user, int64_t begin, int64_t end) -> rgm_status {
    for (int64_t i = begin; i < end; ++i) *static_cast<std::atomic<int64_t>*>(user) += i;
    return RGM_OK;
  };
  EXPECT_EQ(host().parallel_for(100, 1, &sum, add), RGM_OK);
  EXPECT_EQ(sum, 4950);
  const auto fails = [](void*, int64_t, int64_t) -> rgm_status {
    return host_table()->fail(RGM_DEVICE_ERROR, {"in a piece", 10});
  };
  EXPECT_EQ(host().parallel_for(100, 1, nullptr, fails), RGM_DEVICE_ERROR);
  EXPECT_EQ(kept_text(), "in a piece");
}

TEST_F(Host, ParallelForDoesNotTellAnOlderFailure) {
  host().fail(RGM_INVALID, {"long ago", 8});
  const auto fails = [](void*, int64_t, int64_t) -> rgm_status { return RGM_DEVICE_ERROR; };
  EXPECT_EQ(host().parallel_for(100, 1, nullptr, fails), RGM_DEVICE_ERROR);
  EXPECT_THAT(kept_text(), HasSubstr("left no reason"));
}

TEST_F(Host, AFailureIsOneWhateverItsCode) { EXPECT_EQ(host().fail(RGM_OK, {"oh", 2}), RGM_INTERNAL); }

TEST_F(Host, OptionsThatAreNotThereAreNamed) {
  const auto config = options("lora", "{rank: 3}");
  rgm_value value{};
  ASSERT_EQ(host().config_get(config.get(), "rank", &value), RGM_OK);
  EXPECT_EQ(value.as.i, 3);
  EXPECT_EQ(host().config_get(config.get(), "runk", &value), RGM_INVALID);
  EXPECT_THAT(kept_text(), HasSubstr("runk"));
}

TEST_F(Host, InfoFillsAsMuchAsThereIsRoomFor) {
  rgm_model model{small_model()};
  rgm_model_info info{};
  info.struct_size = sizeof info;
  ASSERT_EQ(host().models->info(&model, &info), RGM_OK);
  EXPECT_EQ(info.layers, 2);
  EXPECT_EQ(info.struct_size, sizeof info);
  ASSERT_NE(info.tokenizer, nullptr);
  rgm_model_info older{};
  older.struct_size = offsetof(rgm_model_info, labels);
  older.labels = -7;
  ASSERT_EQ(host().models->info(&model, &older), RGM_OK);
  EXPECT_EQ(older.context, 24);
  EXPECT_EQ(older.labels, -7);
  EXPECT_EQ(older.tokenizer, nullptr);
  EXPECT_EQ(older.struct_size, offsetof(rgm_model_info, labels));
}

TEST_F(Host, InfoTellsNoMoreContextThanTheStageHasLength) {
  rgm_model model{small_model()};
  rgm_model_info info{};
  info.struct_size = sizeof info;
  const std::pair<int64_t, int64_t> lengths[] = {{0, 24}, {10, 10}, {30, 24}};
  for (const auto& [length, context] : lengths) {
    model.length = length;
    ASSERT_EQ(host().models->info(&model, &info), RGM_OK);
    EXPECT_EQ(info.context, context);
  }
}

TEST_F(Host, InfoTellsWhatAModelComputesIn) {
  rgm_model model{small_model()};
  rgm_model_info info{};
  info.struct_size = sizeof info;
  ASSERT_EQ(host().models->info(&model, &info), RGM_OK);
  EXPECT_EQ(info.dtype, RGM_F32);
  model.model->use_bfloat16();
  ASSERT_EQ(host().models->info(&model, &info), RGM_OK);
  EXPECT_EQ(info.dtype, RGM_BF16);
}

TEST_F(Host, TokensAndText) {
  rgm_model model{small_model()};
  rgm_model_info info{};
  info.struct_size = sizeof info;
  ASSERT_EQ(host().models->info(&model, &info), RGM_OK);
  rgm_tensor* ids = nullptr;
  ASSERT_EQ(host().models->tokenize(info.tokenizer, {"abc", 3}, &ids), RGM_OK);
  const Tensor tokens = Tensor::adopt(ids);
  EXPECT_THAT(to_host<int32_t>(tokens), testing::ElementsAre(97, 98, 99));
  std::string text;
  const auto sink = [](void* user, rgm_str s) { static_cast<std::string*>(user)->append(s.data, s.size); };
  ASSERT_EQ(host().models->detokenize(info.tokenizer, tokens.get(), &text, sink), RGM_OK);
  EXPECT_EQ(text, "abc");
}

TEST_F(Host, PassesRecordUnlessTheModelIsFrozen) {
  rgm_model model{small_model()}, frozen{model.model, false, true};
  const Tensor tokens = tokens_of({some_tokens(6, 1)});
  rgm_pass pass{sizeof(rgm_pass), RGM_LOGPROBS | RGM_ENTROPY, tokens.get(), nullptr, nullptr, 1, nullptr};
  rgm_tensor* out[2] = {};
  for (rgm_model* m : {&model, &frozen}) {
    ASSERT_EQ(host().models->forward(m, &pass, out), RGM_OK);
    const Tensor logprobs = Tensor::adopt(out[0]), entropy = Tensor::adopt(out[1]);
    EXPECT_EQ(logprobs.needs_gradient(), m == &model);
    EXPECT_EQ(entropy.shape(), logprobs.shape());
  }
  pass.want = 1U << 20U;
  EXPECT_EQ(host().models->forward(&model, &pass, out), RGM_UNSUPPORTED);
}

TEST_F(Host, APassOfAnOlderContractHasNoWeights) {
  rgm_model model{small_model(), false, true};
  const Tensor tokens = tokens_of({some_tokens(4, 1)}), weights = values({0, 0, 0, 1}, {1, 4});
  rgm_pass pass{sizeof(rgm_pass), RGM_LOGPROBS, tokens.get(), nullptr, nullptr, 1, weights.get()};
  const auto logprobs = [&] {
    rgm_tensor* out = nullptr;
    EXPECT_EQ(host().models->forward(&model, &pass, &out), RGM_OK);
    return to_host(Tensor::adopt(out));
  };
  EXPECT_THAT(logprobs(), testing::ElementsAre(0, 0, 0, testing::Lt(0)));
  pass.struct_size = offsetof(rgm_pass, weights);
  EXPECT_THAT(logprobs(), testing::ElementsAre(0, testing::Lt(0), testing::Lt(0), testing::Lt(0)));
  const Tensor narrow = values({0, 1}, {1, 2});
  pass.struct_size = sizeof(rgm_pass), pass.weights = narrow.get();
  rgm_tensor* out = nullptr;
  EXPECT_EQ(host().models->forward(&model, &pass, &out), RGM_INVALID);
}

TEST_F(Host, ColumnsHandOverAReference) {
  Batch batch;
  batch.examples = 2;
  batch.columns["label"] = {.kind = ColumnKind::integer, .integers = {4, 5}};
  rgm_tensor* out = nullptr;
  ASSERT_EQ(host().train->get(&batch, "label", &out), RGM_OK);
  EXPECT_EQ(out->references.load(), 2u);
  host().tensors->release(out);
  rgm_tensor* kept = out;
  EXPECT_EQ(host().train->get(&batch, "lable", &out), RGM_UNSUPPORTED);
  EXPECT_EQ(out, kept);
  rgm_str text{};
  EXPECT_EQ(host().train->get_text(&batch, "label", 0, &text), RGM_INVALID);
  EXPECT_EQ(host().train->get_text(&batch, "nothing", 0, &text), RGM_UNSUPPORTED);
}

TEST_F(Host, AnAdaptersFileTakesAnyShape) {
  Batch batch, file;
  batch.examples = 2;
  file.examples = -1;
  const Tensor x = sample({3, 5}, 1);
  EXPECT_EQ(host().train->set(&batch, "weights", x.get()), RGM_INVALID);
  ASSERT_EQ(host().train->set(&file, "weights", x.get()), RGM_OK);
  rgm_tensor* out = nullptr;
  ASSERT_EQ(host().train->get(&file, "weights", &out), RGM_OK);
  expect_near(Tensor::adopt(out), x, 0);
}

// A buffer in a scope, as a strategy has one.
struct Scoped {
  Parameters parameters;
  rgm_scope scope{&parameters, nullptr, "mine.", 3, true, false};
  const rgm_init init{sizeof(rgm_init), RGM_FILL, 0, 0, 1, 0, nullptr};

  rgm_status param(const char* name, const rgm_view& like, rgm_tensor** out) {
    return host().models->param(&scope, name, &like, &init, out);
  }
  Tensor buffer(const Shape& shape) {
    rgm_tensor* out = nullptr;
    EXPECT_EQ(param("buffer", dense_view(shape, RGM_F32), &out), RGM_OK);
    return Tensor::adopt(out);
  }
};

TEST_F(Host, AssignIsForWhatAPluginFiled) {
  Scoped scoped;
  const Tensor own = scoped.buffer({2}), weight = values({1, 2}), two = values({3, 4});
  EXPECT_EQ(host().models->assign(own.get(), two.get()), RGM_OK);
  EXPECT_THAT(to_host(own), testing::ElementsAre(3, 4));
  EXPECT_EQ(host().models->assign(weight.get(), two.get()), RGM_INVALID);
  EXPECT_THAT(kept_text(), HasSubstr("not a parameter or buffer that was filed in a scope"));
  EXPECT_THAT(to_host(weight), testing::ElementsAre(1, 2));
}

TEST_F(Host, WhatIsOutsideOfALossIsRefusedWithinIt) {
  Scoped scoped;
  const Tensor own = scoped.buffer({2}), two = values({3, 4});
  rgm_train train;
  Batch batch;
  batch.examples = 2;
  {
    const std::string name = "strategy \"mine\"";
    const InPlugin loss(name, "loss"), hook(name, "output");
    EXPECT_EQ(host().models->assign(own.get(), two.get()), RGM_INVALID);
    EXPECT_THAT(kept_text(), HasSubstr("assign within loss, which may run more or less often"));
    EXPECT_EQ(host().train->set(&batch, "more", two.get()), RGM_INVALID);
    EXPECT_EQ(host().train->set_text(&batch, "said", 0, {"so", 2}), RGM_INVALID);
    rgm_scope* scope = nullptr;
    EXPECT_EQ(host().train->scope(&train, "policy", "late", &scope), RGM_INVALID);
    EXPECT_THAT(kept_text(), HasSubstr("scope within loss"));
  }
  EXPECT_EQ(host().train->set(&batch, "more", two.get()), RGM_OK);
}

TEST_F(Host, AMetricIsWhatItWasWhenItWasTold) {
  Scoped scoped;
  const Tensor price = scoped.buffer({}), later = ops::full({}, 5);
  rgm_train train;
  ASSERT_EQ(host().train->metric(&train, "price", price.get(), nullptr), RGM_OK);
  ASSERT_EQ(host().models->assign(price.get(), later.get()), RGM_OK);
  EXPECT_EQ(train.read_metrics().front().second, 1);
}

TEST_F(Host, AParametersNameIsUtf8AndItsShapeFitsIntoMemory) {
  Scoped scoped;
  rgm_tensor* out = nullptr;
  EXPECT_EQ(scoped.param("a\xff", dense_view({2}, RGM_F32), &out), RGM_INVALID);
  EXPECT_THAT(kept_text(), HasSubstr("mine.a…: its name is not UTF-8 from there on"));
  EXPECT_EQ(scoped.param("large", dense_view({int64_t{1} << 62}, RGM_F32), &out), RGM_INVALID);
  EXPECT_THAT(kept_text(), HasSubstr("has more elements than any memory holds"));
  EXPECT_EQ(out, nullptr);
  EXPECT_TRUE(scoped.parameters.all().empty());
}

TEST_F(Host, ASettingOfGenerateHasAName) {
  rgm_train train;
  rgm_model model{small_model(), false, true};
  Batch prompts;
  prompts.examples = 1;
  const TokenExample hello{{104, 105}, {1, 1}};
  prompts.columns["prompt"] = pack(std::span(&hello, 1), 8);
  const rgm_attr nameless{};
  rgm_batch* out = nullptr;
  EXPECT_EQ(host().train->generate(&train, &model, &prompts, &nameless, 1, &out), RGM_INVALID);
  EXPECT_EQ(kept_text(), "generate: a setting has no name");
}

TEST_F(Host, ARolloutAnswersABatchOfItsCall) {
  rgm_train train;
  Batch prompts;
  train.batches.emplace_back(std::make_unique<Batch>());
  for (const Batch* answered : {train.batches.front().get(), &prompts, static_cast<Batch*>(nullptr)})
    EXPECT_EQ(failure_of([&] { require_of_this_call(train, answered, prompts, "strategy \"mine\""); }), "");
  const Batch gone;
  EXPECT_THAT(failure_of([&] { require_of_this_call(train, &gone, prompts, "strategy \"mine\""); }),
              HasSubstr("strategy \"mine\": rollout returned a batch that is not from this call"));
}

TEST_F(Host, ReportsDoNotReplaceWhatTheHostWrites) {
  rgm_train train;
  for (const char* own : {"loss", "steps", "seconds", "sha256", "base_unchanged"})
    EXPECT_EQ(host().train->report(&train, own, {"1", 1}), RGM_INVALID) << own;
  EXPECT_THAT(kept_text(), HasSubstr("report: \"base_unchanged\" is a name that the host itself writes into a result"));
  const std::string deep = std::string(20000, '[') + std::string(20000, ']');
  EXPECT_EQ(host().train->report(&train, "deep", {deep.data(), deep.size()}), RGM_INVALID);
  EXPECT_THAT(kept_text(), HasSubstr("report \"deep\": JSON is nested more than 100 levels deep"));
  EXPECT_TRUE(train.report.empty());
}

TEST_F(Host, ReportsAreJson) {
  rgm_train train;
  EXPECT_EQ(host().train->report(&train, "accuracy", {"0.5", 3}), RGM_OK);
  EXPECT_EQ(train.report["accuracy"], 0.5);
  EXPECT_EQ(host().train->report(&train, "accuracy", {"{", 1}), RGM_INVALID);
  rgm_model* model = nullptr;
  EXPECT_EQ(host().train->model(&train, "teacher", &model), RGM_UNSUPPORTED);
  EXPECT_EQ(model, nullptr);
}

}  // namespace
}  // namespace rgm::test
