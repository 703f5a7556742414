// head_rewards_test.cpp - the head of a classifier as a reward, as far as a pipeline can be wrong about it.
#include "fake_components.hpp"

namespace rgm::fake {
namespace {

class PipelineHeadRewards : public PipelineTest {
 protected:
  // A stage `scored` whose reward begins at column 77, behind stages that leave a base and what is given.
  static std::string scored(const std::string& reward, const std::string& before = "") {
    return right + before + "  - {name: scored, strategy: online, model: {from: base}, steps: 1, reward: " + reward +
           ", data: {prompts: {jsonl: p.jsonl}}}\n";
  }
  static std::string classifies(const std::string& head) {
    return "  - {name: judge, strategy: pretrain, steps: 1, model: {from: base, head: " + head +
           "}, data: {train: {text: a.txt}}}\n";
  }
  // A folder as transformers saves a classifier of Llama's.
  void write_classifier(const std::string& labels) const {
    fs::create_directories(folder_ / "published");
    write_file(folder_ / "published/config.json",
               R"({"architectures": ["LlamaForSequenceClassification"], "model_type": "llama", "hidden_size": 8,
                   "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 16,
                   "max_position_embeddings": 8, "id2label": )" +
                   labels + "}");
  }
};

constexpr const char* two_labels = "{classify: {labels: [negative, positive]}}";

TEST_F(PipelineHeadRewards, ALabelIsTakenFromAClassifier) {
  const std::string text = scored("{from: judge, label: positive, weight: 2}", classifies(two_labels));
  EXPECT_EQ(problems(text), "");
  const Choice reward = read(text).stages.at(2).rewards.at(0);
  EXPECT_TRUE(reward.is_head);
  EXPECT_EQ(reward.label, "positive");
  EXPECT_EQ(read(text).stages.at(2).effective["reward"].dump(),
            R"([{"from":"judge","label":"positive","weight":2.0}])");
}

TEST_F(PipelineHeadRewards, ALabelThatIsMissingOrWrongIsAnsweredWithAllThereAre) {
  EXPECT_EQ(problems(scored("{from: judge}", classifies(two_labels))),
            "9:84: the head has the labels negative, positive: say which of them is rewarded, as in label: positive");
  EXPECT_EQ(problems(scored("{from: judge, label: postive}", classifies(two_labels))),
            "9:91: the head has no label \"postive\"; did you mean \"positive\"? (its labels are negative, positive)");
}

// The head comes with the model through the stage that trains it further.
TEST_F(PipelineHeadRewards, AHeadIsFoundBehindSeveralStages) {
  const std::string further = classifies(two_labels) +
                              "  - {name: more, strategy: pretrain, steps: 1, model: {from: judge}, "
                              "data: {train: {text: a.txt}}}\n";
  EXPECT_EQ(problems(scored("{from: more, label: negative}", further)), "");
  EXPECT_EQ(problems(scored("{from: more, label: bad}", further)),
            "10:90: the head has no label \"bad\" (its labels are negative, positive)");
}

TEST_F(PipelineHeadRewards, ANumberHasNoLabels) {
  EXPECT_EQ(problems(scored("{from: judge}", classifies("scalar"))), "");
  EXPECT_EQ(problems(scored("{from: judge, end_of_text: true}", classifies("scalar"))), "");
  EXPECT_EQ(problems(scored("{from: judge, label: good}", classifies("scalar"))),
            "9:91: the head has a single number and no labels: leave \"label\" out");
}

TEST_F(PipelineHeadRewards, AModelWithoutAHeadOfItsOwnScoresNothing) {
  EXPECT_EQ(problems(scored("{from: base, label: positive}")),
            "8:84: stage \"base\" learns no reward: name the reward that it should learn there, or give its model a "
            "head that scores, as in head: {classify: {labels: [negative, positive]}}");
}

TEST_F(PipelineHeadRewards, AStageThatLeavesRowsIsToldOnce) {
  const std::string rows =
      "  - {name: judge, strategy: sample, model: {from: base}, data: {prompts: {jsonl: p.jsonl}}}\n";
  EXPECT_EQ(problems(scored("{from: judge}", rows)),
            "9:84: stage \"judge\" leaves rows, but a model that scores is needed here: strategy \"sample\" trains "
            "nothing");
}

TEST_F(PipelineHeadRewards, AStageThatIsNamedAsAPlugInIsToBeTaken) {
  EXPECT_EQ(problems(scored("judge", classifies(two_labels))),
            "9:77: reward \"judge\" is not known; to take the stage of that name, write {from: judge}");
}

TEST_F(PipelineHeadRewards, AFolderOfTransformersIsAReward) {
  write_classifier(R"({"0": "LABEL_0"})");
  EXPECT_EQ(problems(scored("{from: published}")), "");
  EXPECT_TRUE(read(scored("{from: published}")).stages.at(1).rewards.at(0).is_head);
  EXPECT_EQ(problems(scored("{from: published, label: LABEL_0}")),
            "8:95: the head has a single number and no labels: leave \"label\" out");
  write_classifier(R"({"0": "NEGATIVE", "1": "POSITIVE"})");
  EXPECT_EQ(problems(scored("{from: published, label: POSITIVE}")), "");
  EXPECT_EQ(problems(scored("{from: published, label: positive}")),
            "8:95: the head has no label \"positive\"; did you mean \"POSITIVE\"? (its labels are NEGATIVE, POSITIVE)");
}

TEST_F(PipelineHeadRewards, AFolderWithNeitherAHeadNorALearnedRewardIsNone) {
  write_classifier(R"({"0": "LABEL_0"})");
  std::string config = read_file(folder_ / "published/config.json");
  config.replace(config.find("SequenceClassification"), 22, "CausalLM");
  write_file(folder_ / "published/config.json", config);
  EXPECT_EQ(problems(scored("{from: published}")),
            "8:84: no reward was learned there: published/heads.safetensors has no \"reward.\" parameters, and the "
            "model has no head of its own, as a \"…ForSequenceClassification\" of transformers has one");
}

TEST_F(PipelineHeadRewards, ALearnedRewardHasNeitherLabelsNorAnEndToChoose) {
  const std::string learns =
      "  - {name: judge, strategy: judging, model: {from: base}, reward: ranking, steps: 1, "
      "data: {train: {jsonl: p.jsonl}}}\n";
  EXPECT_EQ(problems(scored("{from: judge}", learns)), "");
  EXPECT_EQ(problems(scored("{from: judge, label: good}", learns)),
            "9:91: stage \"judge\" learns the reward \"ranking\", which has no labels: leave \"label\" out");
  EXPECT_EQ(problems(scored("{from: judge, end_of_text: true}", learns)),
            "9:91: \"end_of_text\" is of a model with a head of its own, and reward \"ranking\" was learned from "
            "answers as they end: leave it out");
}

TEST_F(PipelineHeadRewards, AnEnsembleIsNoOneModel) {
  const std::string members =
      "  - {name: judge, strategy: pretrain, steps: 1, adapter: low_rank, ensemble: 2, model: {from: base, head: "
      "scalar}, data: {train: {text: a.txt}}}\n";
  EXPECT_EQ(problems(scored("{from: judge}", members)),
            "9:84: stage \"judge\" leaves an ensemble, whose members answer each on its own: no one model scores");
}

}  // namespace
}  // namespace rgm::fake
