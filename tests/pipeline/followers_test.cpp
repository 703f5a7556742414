// followers_test.cpp - a role that follows the policy, as far as a pipeline can be wrong about it.
#include "fake_components.hpp"

namespace rgm::fake {
namespace {

using PipelineFollowers = PipelineTest;

// What a stage `taught` says from line 13 on.
std::string taught(const std::string& more) {
  return right +
         "  - name: taught\n    strategy: following\n    data: {train: {text: a.txt}}\n    batch: 4\n    steps: 1\n" +
         more;
}

TEST_F(PipelineFollowers, NeedNoModelOfTheirOwn) {
  EXPECT_EQ(problems(taught("    model: {from: base}\n")), "");
  const Pipeline p = read(taught("    model: {from: base}\n    adapter: low_rank\n"));
  EXPECT_TRUE(p.stages.at(1).follows_policy);
  EXPECT_TRUE(p.stages.at(1).annotates);
  EXPECT_FALSE(p.stages.at(0).follows_policy);
}

TEST_F(PipelineFollowers, OneThatIsNamedHasAdaptersNeitherInItNorInThePolicy) {
  const std::string adapted =
      "  - {name: adapted, strategy: pretrain, model: {from: base}, adapter: low_rank, data: "
      "{train: {text: a.txt}}, steps: 1}\n";
  const auto stage = [&](const std::string& more) {
    return right + adapted + "  - {name: taught, strategy: following, data: {train: {text: a.txt}}, steps: 1,\n     " +
           more + "}\n";
  };
  EXPECT_EQ(problems(stage("model: {from: base}, teacher: {from: base}")), "");
  EXPECT_EQ(problems(stage("model: {from: base}, adapter: low_rank, teacher: {from: base}")),
            "10:46: \"teacher\" follows the policy, which has an adapter: leave it out, and it starts as the policy, "
            "with an adapter of its own");
  EXPECT_EQ(problems(stage("model: {from: adapted}, teacher: {from: base}")),
            "10:30: \"teacher\" follows the policy, which has an adapter: leave it out, and it starts as the policy, "
            "with an adapter of its own");
  EXPECT_EQ(problems(stage("model: {from: adapted, merged: true}, teacher: {from: base}")), "");
  EXPECT_EQ(problems(stage("model: {from: base}, teacher: {from: adapted}")),
            "10:27: \"teacher\" follows the policy, which has no adapter, and comes with one: fold that in first "
            "(`regimen merge`), or leave it out, and it starts as the policy");
}

TEST_F(PipelineFollowers, AnEnsembleHasNoOnePolicyToFollow) {
  EXPECT_EQ(problems(taught("    model: {from: base}\n    adapter: low_rank\n    ensemble: 2\n")),
            "15:5: with the options given here a model of strategy \"following\" follows the policy, and an ensemble "
            "has as many policies as members: leave \"ensemble\" out, or that option");
}

}  // namespace
}  // namespace rgm::fake
