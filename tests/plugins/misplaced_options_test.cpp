// misplaced_options_test.cpp - keys of a stage among the options of a plug-in, and classes of other tools as its id.
#include <gmock/gmock.h>

#include "plugins/folder.hpp"
#include "plugins/options.hpp"
#include "plugins/registry.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

TEST(MisplacedOptions, KeysOfTheStageAreToldTheirPlace) {
  const Folder folder{"sound"};
  Registry registry;
  registry.add(folder.path() / "sound.so");
  Problems problems("file.yaml");
  read_options(*registry.find(RGM_KIND_STRATEGY, "sound").data, YAML::Load("{max_prompt_length: 64, steps: 3}"),
               problems);
  EXPECT_THAT(problems.text(),
              HasSubstr("file.yaml:1:2: strategy \"sound\": option \"max_prompt_length\" is not known: "
                        "it is \"length\" of the stage, beside the strategy"));
  EXPECT_THAT(problems.text(), HasSubstr("option \"steps\" is not known: it is \"steps\" of the stage"));
}

TEST(MisplacedOptions, ClassesOfOtherToolsAreAnsweredWithTheMethod) {
  const Folder folder{"sound"};
  Registry registry;
  registry.add(folder.path() / "sound.so");
  const auto refusal = [&](const std::string& id) -> std::string {
    try {
      registry.find(RGM_KIND_STRATEGY, id);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_THAT(refusal("SOUNDTrainer"), HasSubstr("strategy \"SOUNDTrainer\" is not known; did you mean \"sound\"?"));
  EXPECT_THAT(refusal("QuiteOtherTrainer"), HasSubstr(", and docs/from-trl.md says what such classes are called here"));
}

}  // namespace
}  // namespace rgm
