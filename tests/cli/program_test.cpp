// program_test.cpp - the program without a pipeline: help, near names, plugins, new, and the exit statuses.
#include "cli/program.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace rgm {
namespace {

using testing::HasSubstr;

TEST(Program, HelpsAndSaysItsVersion) {
  const Said help = regimen("--help");
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.out, HasSubstr("regimen plugins [ID]"));
  EXPECT_THAT(regimen("--version").out, testing::StartsWith("regimen "));
  EXPECT_EQ(regimen("").status, 2);
}

TEST(Program, EveryCommandHasHelpWithAnExample) {
  for (const char* command : {"check", "plugins", "bench", "new"}) {
    const Said help = regimen(std::string(command) + " --help");
    EXPECT_EQ(help.status, 0) << command;
    EXPECT_THAT(help.out, HasSubstr("Example: regimen ")) << command;
    EXPECT_EQ(help.err, "") << command;
  }
}

TEST(Program, SuggestsCommandsAndOptions) {
  const Said command = regimen("plugns");
  EXPECT_EQ(command.status, 2);
  EXPECT_EQ(command.err, "command \"plugns\" is not known; did you mean \"plugins\"?\n");
  const Said option = regimen("plugins --jsn");
  EXPECT_EQ(option.status, 2);
  EXPECT_THAT(option.err, HasSubstr("did you mean \"--json\"?"));
  EXPECT_EQ(regimen("plugins a b").status, 2);
}

TEST(Plugins, AreListed) {
  const Said table = regimen("plugins");
  EXPECT_EQ(table.status, 0);
  EXPECT_THAT(table.out, testing::ContainsRegex("backend +reference"));
  const auto json = nlohmann::json::parse(regimen("plugins reference --json").out);
  ASSERT_EQ(json.size(), 1u);
  EXPECT_EQ(json[0]["kind"], "backend");
  EXPECT_EQ(json[0]["usable"], true);
  EXPECT_EQ(json[0]["sha256"].get<std::string>().size(), 64u);
}

TEST(Plugins, UnknownIdIsBadInput) {
  const Said said = regimen("plugins refrence");
  EXPECT_EQ(said.status, 2);
  EXPECT_EQ(said.out, "");
  EXPECT_THAT(said.err, HasSubstr("did you mean \"reference\"? (looked in "));
}

TEST(Program, FailsWhenTheOutputCannotBeWritten) {
  const int status = ::system(REGIMEN_PROGRAM " plugins >/dev/full 2>/dev/null");
  EXPECT_EQ(WEXITSTATUS(status), 1);
}

TEST(New, MakesAProjectOfEachKind) {
  for (const char* kind : {"strategy", "adapter", "reward", "backend"}) {
    char name[] = "/tmp/regimen-new-XXXXXX";
    const fs::path folder = ::mkdtemp(name);
    const std::string arguments = std::string("new ") + kind + " first_try " + (folder / "project").string();
    const Said said = regimen(arguments);
    EXPECT_EQ(said.status, 0) << said.err;
    EXPECT_THAT(said.out, HasSubstr("cmake --build"));
    for (const char* file : {"CMakeLists.txt", "first_try.cpp", "pipeline.yaml", "test.sh", "README.md"})
      EXPECT_THAT(read_file(folder / "project" / file), testing::Not(HasSubstr("@NAME@"))) << kind << " " << file;
    EXPECT_THAT(read_file(folder / "project/first_try.cpp"), HasSubstr("first_try"));

    const Said again = regimen(arguments);
    EXPECT_EQ(again.status, 2);
    EXPECT_THAT(again.err, HasSubstr("is not an empty folder"));
    fs::remove_all(folder);
  }
}

TEST(New, RefusesOddNames) {
  for (const char* arguments : {"new", "new stategy x", "new strategy Big", "new strategy 'a b'", "new strategy test"})
    EXPECT_EQ(regimen(arguments).status, 2) << arguments;
  EXPECT_THAT(regimen("new stategy x").err, HasSubstr("did you mean \"strategy\"?"));
}

TEST(Bench, ComparesKernels) {
  const Said said = regimen("bench --kernels --backend reference --cases 1 --only fill");
  EXPECT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.out, HasSubstr("fill"));
  EXPECT_EQ(regimen("bench --kernels --backend refernce").status, 2);
  EXPECT_EQ(regimen("bench").status, 2);
}

}  // namespace
}  // namespace rgm
