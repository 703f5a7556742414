// rank_test.cpp - `regimen rank` in a terminal, how it ends, and what is wrong with what it is given.
#include <gmock/gmock.h>

#include <csignal>

#include "cli/rank_command.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

TEST_F(RankCommand, InATerminalAnOrderIsALine) {
  const Said said =
      rgm::regimen("rank samples.jsonl --out out.jsonl --terminal --rater Ada",
                   in_folder() + "printf 'C > B = D > A\\nA > B\\nn a note\\nA=B=C=D\\nu\\ns\\nD>C>B>A\\n' |");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.out, HasSubstr("C is left out")) << "of A > B";
  const auto rows = rankings();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0]["ranks"], nlohmann::json({3, 2, 1, 2}));
  EXPECT_EQ(rows[0]["rater"], "Ada");
  EXPECT_EQ(rows[1]["prompt"], "third") << "the second was undone and then skipped";
}

TEST_F(RankCommand, WhatIsWrongIsTold) {
  EXPECT_EQ(regimen("rank samples.jsonl").status, 2);
  EXPECT_THAT(regimen("rank samples.jsonl --out o.jsonl --terminal").err, HasSubstr("--rater NAME"));
  EXPECT_THAT(regimen("rank missing.jsonl --out o.jsonl").err, HasSubstr("missing.jsonl"));
  write("one.jsonl", "{\"prompt\": \"p\", \"responses\": [\"a\"]}\n");
  const Said said = regimen("rank one.jsonl --out o.jsonl");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, HasSubstr("one.jsonl:1: its prompt has only one answer"));
  EXPECT_FALSE(fs::exists(folder_ / "o.jsonl.sqlite"));
  EXPECT_THAT(regimen("rank samples.jsonl --out o.jsonl --rater ' '").err, HasSubstr("name is blank"));
}

TEST_F(RankCommand, AFileThatCannotBeWrittenIsToldBeforeAnybodyRanks) {
  fs::create_directories(folder_ / "y");
  const Said none = regimen("rank samples.jsonl --out nodir/x.jsonl");
  EXPECT_EQ(none.status, 2);
  EXPECT_EQ(none.err, "rank: there is no folder nodir; make it, or correct --out nodir/x.jsonl\n");
  for (const char* out : {"y", "y/", "z/"}) {
    const Said said = regimen(std::string("rank samples.jsonl --out ") + out);
    EXPECT_EQ(said.status, 2) << out;
    EXPECT_THAT(said.err, HasSubstr(std::string(1, out[0]) + "/rankings.jsonl")) << out;
  }
}

TEST_F(RankCommand, CtrlCEndsItAndNothingIsLost) {
  serve({"--rater", "Ada"});
  EXPECT_EQ(stop(SIGINT), 0);
  EXPECT_THAT(read_file(folder_ / "rank.log"), HasSubstr("the same command continues"));
}

}  // namespace
}  // namespace rgm
