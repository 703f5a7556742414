// host_test.cpp - the host's own functions, and the tables of models and training: structs of other sizes, missing
// columns, references handed over.
#include "host/plugged.hpp"

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
