// choices_test.cpp - which choice a model finds likeliest: as lm-evaluation-harness says of the same model and rows
// (tests/parity/record_choices.py), and as a pass over each text alone does.
#include "generate/choices.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "base/file.hpp"
#include "base/json.hpp"
#include "generate/score.hpp"
#include "model/small.hpp"

namespace rgm::test {
namespace {

const fs::path recorded_choices = fs::path(REGIMEN_SOURCE_DIRECTORY) / "tests/parity/choices";

// A recorded task, and how its columns are named here.
struct Layout {
  const char* name;
  const char* file;
  std::vector<ColumnMap> columns;
};

std::vector<ChoiceQuestion> questions_of(const Layout& layout, const Tokenizer& tokenizer) {
  DataSpec spec{.format = "jsonl", .files = {recorded_choices / layout.file}, .columns = layout.columns};
  std::vector<ChoiceQuestion> out;
  each_choice_question(
      spec, [&](const ColumnMap&) { return *chat_template_of(tokenizer); },
      [&](ChoiceQuestion question, const Row&) { out.push_back(std::move(question)); });
  return out;
}

class RecordedChoices : public TensorTest, public testing::WithParamInterface<Layout> {};

TEST_P(RecordedChoices, AreThoseOfTheHarness) {
  const auto model = Model::open(recorded_choices / "model");
  const auto recorded = parse_json(read_file(recorded_choices / "recorded.json")).at(GetParam().name);
  const std::vector<ChoiceQuestion> questions = questions_of(GetParam(), *model->tokenizer());
  ChoiceScore score;
  const std::vector<ScoredChoices> scored = score_choices(*model, questions, score);
  ASSERT_EQ(scored.size(), recorded.at("logprobs").size());
  for (size_t i = 0; i < scored.size(); ++i) {
    ASSERT_EQ(scored[i].logprobs.size(), recorded.at("logprobs")[i].size());
    for (size_t c = 0; c < scored[i].logprobs.size(); ++c)
      EXPECT_NEAR(scored[i].logprobs[c], recorded.at("logprobs")[i][c].get<double>(), 2e-4) << i << " " << c;
  }
  EXPECT_NEAR(score.accuracy(), recorded.at("acc"), 1e-9);
  EXPECT_NEAR(score.error_of(score.accuracy()), recorded.at("acc_stderr"), 1e-9);
  if (std::string(GetParam().name) == "winogrande") return;  // there the harness divides by the option in front
  EXPECT_NEAR(score.accuracy_normalized(), recorded.at("acc_bytes"), 1e-9);
  EXPECT_NEAR(score.error_of(score.accuracy_normalized()), recorded.at("acc_bytes_stderr"), 1e-9);
}

ColumnMap several(std::vector<std::string> names) {
  ColumnMap out{"choices", "choices", std::nullopt};
  out.several = std::move(names);
  return out;
}
ColumnMap one(const char* column, const char* from) { return {column, from, std::nullopt}; }

INSTANTIATE_TEST_SUITE_P(
    Layouts, RecordedChoices,
    testing::Values(
        Layout{"arc", "arc.jsonl", {one("prompt", "Question: {{question}}\nAnswer:")}},
        Layout{"arc_chat", "arc.jsonl", {{"prompt", "Question: {{question}}\nAnswer:", std::nullopt, ChatMap{}}}},
        Layout{"hellaswag",
               "hellaswag.jsonl",
               {one("prompt", "{{activity_label}}: {{ctx}}"), one("choices", "endings"), one("answer", "label")}},
        Layout{"mmlu",
               "mmlu.jsonl",
               {one("prompt",
                    "{{question.strip()}}\nA. {{choices[0]}}\nB. {{choices[1]}}\nC. {{choices[2]}}\n"
                    "D. {{choices[3]}}\nAnswer:"),
                several({"A", "B", "C", "D"})}},
        Layout{"piqa",
               "piqa.jsonl",
               {one("prompt", "Question: {{goal}}\nAnswer:"), several({"sol1", "sol2"}), one("answer", "label")}},
        Layout{"winogrande",
               "winogrande.jsonl",
               {one("prompt", "{{ '' }}"),
                several({"{{sentence.split('_')[0]}}{{option1}}", "{{sentence.split('_')[0]}}{{option2}}"}),
                one("answer", "{{answer|int - 1}}"), one("then", "{{sentence.split('_')[1].strip()}}")}},
        Layout{"boolq",
               "boolq.jsonl",
               {one("prompt", "{{passage}}\nQuestion: {{question}}?\nAnswer:"), several({"no", "yes"}),
                one("answer", "label")}}),
    [](const auto& info) { return std::string(info.param.name); });

// Of every kind of attention: with a window, with positions that turn by layer, with experts.
class SharedPrompts : public TensorTest, public testing::WithParamInterface<const char*> {};

TEST_P(SharedPrompts, SayWhatEachTextAloneSays) {
  const auto model = small_model(GetParam());  // its tokens are bytes, and its context 24
  const std::vector<ChoiceQuestion> questions = {
      {.prompt = "a b c", .choices = {"d", "def", "xyz 1"}, .right = 1},
      {.prompt = "1 2 3", .choices = {"four", "5"}, .right = 0},
      {.prompt = "a long prompt that has to lose", .choices = {"its", "a front"}, .right = 1}};
  ChoiceScore score;
  const auto scored = score_choices(*model, questions, score);
  EXPECT_EQ(score.cut, 1);
  double loss = 0;
  for (size_t q = 0; q < questions.size(); ++q)
    for (size_t c = 0; c < questions[q].choices.size(); ++c) {
      const std::string answer = " " + questions[q].choices[c];
      std::vector<int32_t> ids = model->tokenizer()->encode(questions[q].prompt + answer);
      if (ids.size() > 25) ids.erase(ids.begin(), ids.end() - 25);  // the last one is not read
      std::vector<float> weights(ids.size(), 0);
      std::fill(weights.end() - std::ssize(answer), weights.end(), 1.0F);
      const double alone = -score_texts(*model, std::vector<TokenExample>{{ids, weights}}).loss;
      EXPECT_NEAR(scored[q].logprobs[c], alone, 1e-3) << q << " " << c;
      EXPECT_EQ(scored[q].tokens[c], std::ssize(answer));
      EXPECT_NEAR(scored[q].normalized[c], scored[q].logprobs[c] / double(questions[q].choices[c].size()), 1e-9);
      if (c == questions[q].right) loss -= alone;
    }
  EXPECT_NEAR(score.loss, loss, 3e-3);
  EXPECT_EQ(score.tokens, 4 + 5 + 8);
}

INSTANTIATE_TEST_SUITE_P(Families, SharedPrompts,
                         testing::Values("gpt2", "mistral", "gemma2", "gemma3", "olmo3", "granite", "qwen3_moe"));

class Choices : public TensorTest {};

// All bytes are equally likely to it: " b" has two and " bcd" four, so the sum is for the short one, and the mean over
// bytes (2/1 and 4/3 times the loss of a guess) for the long one; of equal ones the first is taken.
TEST_F(Choices, AModelThatKnowsNothingTakesTheShortest) {
  const auto model = small_model();
  {
    const NoGradient still;
    assign(model->parameters().find("embedding.weight")->value, ops::full({257, 16}, 0));
  }
  ChoiceScore score;
  const std::vector<ChoiceQuestion> questions = {{.prompt = "a", .choices = {"bcd", "b", "c"}, .right = 0}};
  const auto scored = score_choices(*model, questions, score);
  EXPECT_NEAR(scored[0].logprobs[1], -2 * std::log(257.0), 1e-4);
  EXPECT_EQ(scored[0].likeliest, 1);
  EXPECT_EQ(scored[0].likeliest_normalized, 0);
  EXPECT_EQ(score.right, 0);
  EXPECT_EQ(score.right_normalized, 1);
  EXPECT_NEAR(score.mean_loss(), std::log(257.0), 1e-5);
}

TEST_F(Choices, AnEmptyPromptIsAnEndOfText) {
  const auto model = small_model();
  ChoiceScore score;
  const std::vector<ChoiceQuestion> questions = {{.prompt = "", .choices = {"ab", "c"}, .right = 0}};
  const auto scored = score_choices(*model, questions, score);
  const double alone = score_texts(*model, std::vector<TokenExample>{{{256, 'a', 'b'}, {}}}).loss;
  EXPECT_NEAR(scored[0].logprobs[0], -alone, 1e-4);
  EXPECT_EQ(scored[0].tokens, (std::vector<int64_t>{2, 1}));
}

TEST_F(Choices, OneThatIsLongerThanTheContextIsNamedWithItsRow) {
  const auto model = small_model();
  ChoiceScore score;
  const std::vector<ChoiceQuestion> questions = {
      {.prompt = "a", .choices = {"b", std::string(24, 'c')}, .where = "f.jsonl:3"}};
  EXPECT_THROW(
      try { score_choices(*model, questions, score); } catch (const Error& e) {
        EXPECT_STREQ(e.what(), "f.jsonl:3: choice 2 has 25 tokens, and the model's context of 24 has no room for them");
        throw;
      },
      Error);
}

TEST_F(Choices, WhiteSpaceAtTheEndOfThePromptBelongsToTheAnswer) {
  const auto [prompt, answer] = encode_answer(*byte_tokenizer(), "ab \n", "c");
  EXPECT_EQ(prompt, (std::vector<int32_t>{'a', 'b'}));
  EXPECT_EQ(answer, (std::vector<int32_t>{' ', '\n', 'c'}));
}

}  // namespace
}  // namespace rgm::test
