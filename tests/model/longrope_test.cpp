// longrope_test.cpp - Phi 3's positions: which of two sets of factors a text turns by.
#include <gmock/gmock.h>

#include <cmath>

#include "base/error.hpp"
#include "model/small.hpp"
#include "model/transformer.hpp"

namespace rgm::test {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

json phi(const json& scaling) {
  return {{"model_type", "phi3"},
          {"vocab_size", 257},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 4},
          {"hidden_size", 16},
          {"intermediate_size", 24},
          {"max_position_embeddings", 32},
          {"original_max_position_embeddings", 8},
          {"rope_theta", 100.0},
          {"rope_scaling", scaling}};
}
const json two_pairs = {{"type", "su"}, {"short_factor", {1.0, 1.25}}, {"long_factor", {4.0, 0.5}}};

class LongRope : public testing::Test {
 protected:
  LongRope() {
    const NoGradient no_gradient;
    for (Parameter& p : model->parameters().all())
      if (p.value.rank() == 2) assign(p.value, 10 * p.value);
  }
  static Tensor some(int64_t n) { return tokens_of({some_tokens(n, 1)}); }
  Tensor alone(int64_t n) const { return model->hidden(pass_over(some(n))); }

  OnDevice device;
  std::shared_ptr<Model> model = Model::create(from_hugging_face(phi(two_pairs), "config.json"), byte_tokenizer(), 7);
};

TEST_F(LongRope, FactorsSlowEachPairDownAndBothContextsMakeTheMagnitude) {
  const ModelConfig& c = model->config();
  EXPECT_THAT(rope_frequencies(c), ElementsAre(1, testing::DoubleEq(0.1 / 1.25)));  // 100^(-2 / 4) = 0.1
  EXPECT_THAT(rope_frequencies(c, c.rope, true), ElementsAre(0.25, testing::DoubleEq(0.1 / 0.5)));
  EXPECT_DOUBLE_EQ(rope_amplitude(c, c.rope), std::sqrt(1 + 2.0 / 3));  // ln 4 / ln 8
  EXPECT_NEAR(to_host(model->rope_of(0)->cosines)[0], std::sqrt(5.0 / 3), 1e-6);
}

TEST_F(LongRope, ATextOfTheOldContextTurnsByTheShortFactorsAndALongerOneByTheOthers) {
  const NoGradient no_gradient;
  json other = two_pairs;
  other["long_factor"] = {1.0, 1.25};
  const auto all_short = Model::create(from_hugging_face(phi(other), "config.json"), byte_tokenizer(), 7);
  for (const Parameter& p : model->parameters().all()) assign(all_short->parameters().find(p.name)->value, p.value);
  EXPECT_EQ(to_host(all_short->hidden(pass_over(some(8)))), to_host(alone(8)));
  // The ninth of nine predicts nothing: the others have the old context.
  EXPECT_EQ(to_host(all_short->hidden(pass_over(some(9)))), to_host(alone(9)));
  EXPECT_NE(to_host(all_short->hidden(pass_over(some(10)))), to_host(alone(10)));
}

// Passes for log-probabilities do not read the last token of a row, all others read that of every text.
TEST_F(LongRope, LogProbabilitiesAreTheSameWhateverElseIsAskedForAndWhereverATextStands) {
  const NoGradient no_gradient;
  for (const int64_t n : {8, 9, 10}) {
    const std::vector<int32_t> text = some_tokens(n, 1);
    Pass pass = pass_over(tokens_of({text}));
    const Tensor own = model->forward(pass, RGM_LOGPROBS)[0];
    expect_near(model->forward(pass, RGM_LOGPROBS | RGM_HIDDEN)[0], own, 1e-4);
    std::vector<int32_t> row = text, segments(text.size(), 1);
    row.resize(text.size() + 3, 7), segments.resize(text.size() + 3, 2);
    pass.tokens = tokens_of({row}), pass.segments = tokens_of({segments});
    const Tensor packed = model->forward(pass, RGM_LOGPROBS)[0];
    expect_near(ops::contiguous(ops::slice(packed, 1, 0, n)), own, 1e-4);
  }
}

TEST_F(LongRope, PackedTextsEachTurnByTheirOwnLength) {
  const NoGradient no_gradient;
  const std::vector<int32_t> long_one = some_tokens(10, 1), short_one = some_tokens(5, 2);
  std::vector<int32_t> row = long_one, segments(10, 1);
  row.insert(row.end(), short_one.begin(), short_one.end()), segments.insert(segments.end(), 5, 2);
  row.push_back(0), segments.push_back(0);
  Pass pass = pass_over(tokens_of({row}));
  pass.segments = tokens_of({segments});
  const Tensor packed = model->hidden(pass);
  expect_near(ops::slice(packed, 1, 0, 10), alone(10), 1e-5);
  expect_near(ops::slice(packed, 1, 10, 15), model->hidden(pass_over(tokens_of({short_one}))), 1e-5);
}

TEST_F(LongRope, OfGivenPositionsTheLargestDecides) {
  const NoGradient no_gradient;
  const auto from = [&](int32_t first) {
    Pass pass = pass_over(some(4));
    pass.positions = tokens_of({{first, first + 1, first + 2, first + 3}});
    return model->hidden(pass);
  };
  expect_near(from(0), alone(4), 1e-5);
  expect_near(from(4), alone(4), 1e-4);  // distances are what counts
  expect_near(from(20), from(6), 1e-4);  // 6 + 3 is the tenth position
  EXPECT_NE(to_host(from(6)), to_host(from(4)));
}

TEST_F(LongRope, SegmentsAreCounted) {
  const Tensor segments = tokens_of({{4, 4, 4, 9, 0, 0}, {7, 8, 8, 8, 8, 0}});
  EXPECT_THAT(to_host<int32_t>(tokens_in_segments(segments)), ElementsAre(3, 3, 3, 1, 2, 2, 1, 4, 4, 4, 4, 1));
}

// Its keys have turned before anybody knows how long the text becomes.
TEST_F(LongRope, WithACacheItsRoomDecides) {
  const NoGradient no_gradient;
  const auto first_four = [&](int64_t room) {
    KeyValueCache cache(model->config(), 1, room);
    return model->hidden(pass_over(some(4)), &cache);
  };
  const Tensor ten = tokens_of({some_tokens(10, 1)}), four = ops::contiguous(ops::slice(ten, 1, 0, 4));
  KeyValueCache roomy(model->config(), 2, 10), tight(model->config(), 1, 8);
  const Tensor two = ops::concat(std::array{four, four}, 0);
  expect_near(ops::slice(model->hidden(pass_over(two), &roomy), 0, 0, 1), ops::slice(alone(10), 1, 0, 4), 1e-5);
  expect_near(model->hidden(pass_over(four), &tight), model->hidden(pass_over(four)), 1e-5);
  EXPECT_EQ(to_host(first_four(8)), to_host(first_four(9)));  // the ninth is not read
  EXPECT_NE(to_host(first_four(9)), to_host(first_four(10)));
  // Rows of different lengths are placed one by one.
  Pass next = pass_over(tokens_of({{some_tokens(10, 1)[4]}, {0}}));
  next.counts = {1, 0};
  model->hidden(next, &roomy);
  const Tensor after = model->hidden(pass_over(tokens_of({{some_tokens(10, 1)[5]}, {some_tokens(10, 1)[4]}})), &roomy);
  expect_near(ops::slice(after, 0, 0, 1), ops::slice(alone(10), 1, 5, 6), 1e-5);
  expect_near(ops::slice(after, 0, 1, 2), ops::slice(alone(10), 1, 4, 5), 1e-5);
}

TEST_F(LongRope, BothVersionsSayTheSame) {
  const json old = to_hugging_face(from_hugging_face(phi(two_pairs), "config.json"));
  EXPECT_EQ(old["rope_scaling"],
            json({{"type", "longrope"}, {"short_factor", {1.0, 1.25}}, {"long_factor", {4.0, 0.5}}}));
  EXPECT_EQ(old["original_max_position_embeddings"], 8);
  json five = phi(two_pairs);
  five.erase("rope_scaling"), five.erase("rope_theta");
  five["rope_parameters"] = two_pairs;
  five["rope_parameters"].update({{"rope_type", "longrope"}, {"rope_theta", 100.0}, {"attention_factor", 1.5}});
  const ModelConfig said = from_hugging_face(five, "config.json");
  EXPECT_EQ(rope_amplitude(said, said.rope), 1.5);
  const ModelConfig again = from_hugging_face(to_hugging_face(said), "config.json");
  EXPECT_EQ(rope_amplitude(again, again.rope), 1.5);
}

// Factors of 1 change nothing, whichever of them a text turns by, and layers with a window know of none.
TEST_F(LongRope, LayersWithAWindowTurnByTheirOwnTableBesideIt) {
  const NoGradient no_gradient;
  ModelConfig config = small_config("gemma3");
  const auto plain = Model::create(config, byte_tokenizer(), 7);
  const std::vector<double> ones(static_cast<size_t>(config.rotary() / 2), 1.0);
  config.rope.scaling = Rope::Scaling::longrope, config.rope.original_context = 4, config.rope.attention = 1;
  config.rope.short_factors = config.rope.long_factors = ones;
  const auto scaled = Model::create(config, byte_tokenizer(), 7);
  EXPECT_EQ(scaled->rope_of(0)->most_of_short, 0);
  EXPECT_EQ(scaled->rope_of(1)->most_of_short, 5);
  for (const auto& m : {plain, scaled})
    for (Parameter& p : m->parameters().all())
      if (p.value.rank() == 2) assign(p.value, 10 * p.value);
  for (const int64_t n : {4, 9})
    EXPECT_EQ(to_host(scaled->hidden(pass_over(some(n)))), to_host(plain->hidden(pass_over(some(n)))));
  config.window_rope->scaling = Rope::Scaling::longrope, config.window_rope->original_context = 4;
  EXPECT_THROW(check(config), Error);
}

TEST_F(LongRope, FactorsOfAnotherNumberAreNamed) {
  json config = phi(two_pairs);
  config["rope_scaling"]["long_factor"] = {1.0};
  try {
    from_hugging_face(config, "config.json");
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("config.json: \"long_factor\" is not a list of 2 numbers above 0"));
  }
}

}  // namespace
}  // namespace rgm::test
