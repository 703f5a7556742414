// program_test.cpp - the program around its pipelines: help, near names, odd numbers, plugins, new, exit statuses.
#include <gmock/gmock.h>

#include "base/json.hpp"
#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

TEST(Program, HelpsAndSaysItsVersion) {
  const Said help = regimen("--help");
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.out, HasSubstr("regimen plugins [ID]"));
  EXPECT_THAT(regimen("--version").out, testing::StartsWith("regimen "));
  const Said nothing = regimen("");
  EXPECT_EQ(nothing.status, 2);
  EXPECT_EQ(nothing.out, "");
  EXPECT_EQ(nothing.err, help.out);
}

TEST(Program, EveryCommandHasHelpWithAnExample) {
  for (const char* command : {"run", "check", "plan", "generate", "plugins", "schema", "bench", "new"}) {
    const Said help = regimen(std::string(command) + " --help");
    EXPECT_EQ(help.status, 0) << command;
    EXPECT_THAT(help.out, HasSubstr("Example: regimen ")) << command;
    EXPECT_EQ(help.err, "") << command;
    const size_t group = help.out.find("Options:");
    EXPECT_NE(group, std::string::npos) << command;
    EXPECT_EQ(help.out.find("Options:", group + 1), std::string::npos) << help.out;
    EXPECT_THAT(help.out, testing::Not(HasSubstr("\n\n  -h"))) << command;
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
  EXPECT_EQ(regimen("schema x").err, "schema: too many arguments; it takes only options\n");
  EXPECT_THAT(regimen("check p.yaml --bakend x").err, HasSubstr("did you mean \"--backend\"?"));
}

TEST(Plugins, AreListed) {
  const Said table = regimen("plugins");
  EXPECT_EQ(table.status, 0);
  EXPECT_THAT(table.out, testing::ContainsRegex("backend +reference"));
  const Said kernels = regimen("plugins onednn --kernels");
  EXPECT_THAT(kernels.out, ContainsRegex("fill +own\n"));
  EXPECT_THAT(kernels.out, ContainsRegex("matmul +own, and oneDNN for large products\n"));
  EXPECT_THAT(kernels.out, ContainsRegex("linear_grad +composed\n"));
  const auto listed = parse_json(regimen("plugins reference --kernels --json").out)[0]["kernels"];
  EXPECT_EQ(listed["linear_grad"], "own");
  EXPECT_EQ(listed.size(), 28u);
  EXPECT_EQ(regimen("plugins lora --kernels").err,
            "plugins: \"lora\" is not a backend, and only backends have kernels\n");
  EXPECT_THAT(regimen("plugins --kernels").err, HasSubstr("which? One of: "));
  const auto json = parse_json(regimen("plugins reference --json").out);
  ASSERT_EQ(json.size(), 1u);
  EXPECT_EQ(json[0]["kind"], "backend");
  EXPECT_EQ(json[0]["usable"], true);
  EXPECT_EQ(json[0]["sha256"].get<std::string>().size(), 64u);
}

// Its template has line ends: each option stays a line of the table.
TEST(Plugins, AnOptionIsALine) {
  const Said said = regimen("plugins prompting");
  EXPECT_THAT(said.out, ContainsRegex("\n  template +text +\"[^\n]*\\\\n[^\n]*\" "));
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

TEST(Program, RefusesNumbersThatMeanSomethingElse) {
  const std::string generate = "generate --model x --prompt y ";
  for (const char* more :
       {"--seed -1", "--seed=-1", "--temperature inf", "--temperature nan", "--top-p nan", "--min-p nan"}) {
    const Said said = regimen(generate + more);
    EXPECT_EQ(said.status, 2) << more;
    EXPECT_THAT(said.err, testing::StartsWith("generate: --")) << more;
  }
  for (const char* more : {"--temperature 1e-40", "--temperature 0.0009", "--temperature -1"})
    EXPECT_THAT(regimen(generate + more).err,
                HasSubstr("expected 0, which takes the likeliest token, or at least 0.001"))
        << more;
  EXPECT_THAT(
      regimen("chat --model x --temperature 1e-40").err,
      HasSubstr("chat: --temperature is 1e-40, expected 0, which takes the likeliest token, or at least 0.001"));
  for (const char* command : {"generate --model x --prompt y", "chat --model x"})
    for (const char* tokens : {"0", "1048577", "9223372036854775807"})
      EXPECT_THAT(regimen(fmt::format("{} --max-tokens {}", command, tokens)).err,
                  HasSubstr(fmt::format("--max-tokens is {}, expected 1 to 1048576", tokens)));
  for (const char* command : {"generate --model x --prompt y", "chat --model x"})
    for (const char* share : {"-0.1", "1.1"})
      EXPECT_THAT(regimen(fmt::format("{} --min-p={}", command, share)).err,
                  HasSubstr(fmt::format("--min-p is {}, expected from 0, which keeps all, to 1", share)));
  for (const std::string command : {"generate", "chat"}) {
    const Said empty = regimen(command + (command == "chat" ? "" : " --prompt y") + " --model x --stop a --stop ''");
    EXPECT_EQ(empty.status, 2);
    EXPECT_EQ(empty.err, command + ": --stop is an empty text, which ends nothing: leave it out\n");
  }
  EXPECT_THAT(regimen(generate + "--temperature 0.001").err, testing::Not(HasSubstr("--temperature")));
  const Said bench = regimen("bench --kernels --backend reference --seed -1");
  EXPECT_EQ(bench.status, 2);
  EXPECT_EQ(bench.err, "bench: --seed is -1, expected at least 0\n");
  const Said run = regimen("run p.yaml --out ''");
  EXPECT_EQ(run.status, 2);
  EXPECT_THAT(run.err, HasSubstr("--out"));
}

TEST_F(TinyRun, APlanSaysWhatHoldsForAllStages) {
  write("p.yaml", tiny(2));
  const Said plan = regimen("plan p.yaml");
  ASSERT_EQ(plan.status, 0) << plan.err;
  EXPECT_THAT(plan.out, testing::ContainsRegex("\n    seed +3\n"));
  EXPECT_THAT(plan.out, HasSubstr("\n    backend.reference"));
  for (const char* line : {"model.kv_heads +2", "model.hidden +128", "model.dropout +0", "data.validation.split +0.1"})
    EXPECT_THAT(plan.out, testing::ContainsRegex(line));
  EXPECT_THAT(plan.out, testing::Not(HasSubstr("share")));
  const auto json = parse_json(regimen("plan p.yaml --json").out)[0];
  EXPECT_EQ(json["seed"], 3);
  EXPECT_TRUE(json["backend"].contains("reference"));
  EXPECT_EQ(json["configuration"]["data"]["train"]["share"][1], 0.9);
}

TEST_F(TinyRun, GeneratingIntoAFullDiskFails) {
  write("p.yaml", tiny(1));
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  const std::string command =
      in_folder() + REGIMEN_PROGRAM " generate --model runs/tiny/base --prompt the --max-tokens 2 >/dev/full 2>err";
  const int status = ::system(command.c_str());
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_THAT(read_file(folder_ / "err"), HasSubstr("the text could not be written: No space left on device"));
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

TEST(New, SaysCommandsThatCanBePasted) {
  char name[] = "/tmp/regimen-new-XXXXXX";
  const fs::path folder = ::mkdtemp(name);
  const Said said = regimen("new strategy first_try \"" + (folder / "it's mine").string() + "\"");
  EXPECT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.out, HasSubstr("cmake --build '" + folder.string() + "/it'\\''s mine/build'\n"));
  fs::remove_all(folder);
}

// A file may have 512 bytes, and sources have more.
TEST(New, AFullDiskLeavesNoHalfOfAProject) {
  char name[] = "/tmp/regimen-new-XXXXXX";
  const fs::path folder = ::mkdtemp(name);
  fs::create_directories(folder / "empty");
  for (const char* to : {"project", "empty"}) {
    const std::string arguments = "new reward first_try " + (folder / to).string();
    const Said full = regimen(arguments, "ulimit -f 1 &&");
    EXPECT_EQ(full.status, 1) << to;
    EXPECT_THAT(full.err, HasSubstr("File too large"));
    EXPECT_EQ(fs::exists(folder / to), to == std::string("empty"));
    EXPECT_TRUE(fs::is_empty(folder / "empty"));
    const Said again = regimen(arguments);
    EXPECT_EQ(again.status, 0) << again.err;
    EXPECT_TRUE(fs::exists(folder / to / "first_try.cpp"));
    EXPECT_FALSE(fs::exists(folder / to / ".unfinished"));
  }
  fs::remove_all(folder);
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
  const Said none = regimen("bench --kernels --backend reference --only zzz");
  EXPECT_EQ(none.status, 2);
  EXPECT_EQ(none.out, "");
  EXPECT_EQ(none.err, "bench: no kernel has \"zzz\" in its name\n");
}

}  // namespace
}  // namespace rgm
