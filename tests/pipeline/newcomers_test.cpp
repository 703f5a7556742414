// newcomers_test.cpp - what people write first, before they know the names, and what they are told then.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "fake_components.hpp"
#include "pipeline/open_model.hpp"

namespace rgm::fake {
namespace {

class Newcomers : public PipelineTest {
 protected:
  static std::string refusal(const fs::path& folder) {
    try {
      model_place(folder);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }
};

TEST_F(Newcomers, AValueAloneWhereAMapIsMeantIsAnsweredWithItsKeys) {
  EXPECT_EQ(problems(right + "    checkpoint: 5\n"), "8:17: \"checkpoint\" should be a map, {every: steps}, got \"5\"");
  EXPECT_EQ(problems(right + "    sample: Once\n"), "8:13: \"sample\" should be a map, {prompt: TEXT}, got \"Once\"");
}

// Opening a pipe waits for its writer, and a second reading finds nothing.
TEST_F(Newcomers, APipeIsNoData) {
  ASSERT_EQ(::mkfifo((folder_ / "data/pipe.txt").c_str(), 0600), 0);
  EXPECT_EQ(problems(with_line(6, "    data: {train: {text: pipe.txt}}")),
            "6:26: data/pipe.txt is a pipe or a device, and data is read more than once: write it into a file first");
}

TEST_F(Newcomers, TildesAndVariablesInPathsAreNotExpanded) {
  EXPECT_THAT(problems(with_line(6, "    data: {train: {text: ~/a.txt}}")),
              testing::HasSubstr("data/~/a.txt): ~ and $VARIABLE are not expanded here, so write the path in full"));
}

TEST_F(Newcomers, TextThatBeginsWithASignOfYamlNeedsQuotes) {
  EXPECT_EQ(problems(right + "    sample: {prompt: @you}\n"),
            "8:22: a text cannot begin with %, @ or `: put it in quotes");
}

TEST_F(Newcomers, ANameOfTheHubIsNotDownloaded) {
  EXPECT_EQ(problems(with_line(5, "    model: {from: Qwen/Qwen2.5-0.5B}")),
            "5:19: \"Qwen/Qwen2.5-0.5B\" is neither an earlier stage (there is none before this one) nor a folder "
            "(looked for Qwen/Qwen2.5-0.5B); nothing is downloaded: put the model's folder there, or name another");
}

TEST_F(Newcomers, AFolderThatIsAnAdapterSaysHowItIsUsed) {
  fs::create_directories(folder_ / "tuned");
  write_file(folder_ / "tuned/adapter_config.json", "{}");
  EXPECT_THAT(
      refusal(folder_ / "tuned"),
      testing::HasSubstr("tuned: holds an adapter, and no model: a command takes its base with --model and this "
                         "folder with --adapter; in a stage, write model: {from: BASE} and adapter: {ID: {}, "
                         "from: "));
}

TEST_F(Newcomers, AStageThatIsNotDoneHasNoModelYet) {
  fs::create_directories(folder_ / "base");
  write_file(folder_ / "base/stage.json", "{\"status\": \"interrupted\"}");
  EXPECT_THAT(refusal(folder_ / "base"), testing::HasSubstr("base: has no model yet: its stage is not done "
                                                            "(interrupted); `regimen run` of its pipeline"));
  for (const char* record : {"{\"status\": \"done\"}", "{\"status\": 3}", "[]", "torn"}) {
    write_file(folder_ / "base/stage.json", record);
    EXPECT_THAT(refusal(folder_ / "base"), testing::HasSubstr("base: has no model: expected config.json")) << record;
  }
}

}  // namespace
}  // namespace rgm::fake
