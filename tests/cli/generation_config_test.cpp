// generation_config_test.cpp - a model is sampled as its authors say, unless the user says something else.
#include <gmock/gmock.h>

#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST_F(TinyRun, AModelIsSampledAsItsOwnFileSaysUnlessTheUserDoes) {
  write("p.yaml", tiny(5));
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  const std::string ask = "generate --model runs/tiny/base --backend reference --prompt 'the cat' ";
  const Said before = regimen(ask + "--max-tokens 9");
  const Said greedy = regimen(ask + "--max-tokens 9 --temperature 0 --repetition-penalty 1.5");
  ASSERT_EQ(greedy.status, 0) << greedy.err;
  EXPECT_THAT(greedy.err, Not(HasSubstr("generation_config")));

  const std::string file = "runs/tiny/base/model/generation_config.json";
  write(file, R"({"do_sample": false, "repetition_penalty": 1.5, "max_new_tokens": 9})");
  const Said own = regimen(ask);
  EXPECT_EQ(own.out, greedy.out);
  EXPECT_THAT(own.err, HasSubstr("sampled as the model's generation_config.json says: temperature 0, as do_sample is "
                                 "false (--temperature X draws), repetition_penalty 1.5, max_tokens 9\n"));
  const Said given = regimen(ask + "--max-tokens 9 --temperature 0.8 --repetition-penalty 1");
  EXPECT_EQ(given.out, before.out);
  EXPECT_THAT(given.err, Not(HasSubstr("generation_config")));

  write(file, R"({"repetition_penalty": "high"})");
  const Said damaged = regimen(ask);
  EXPECT_EQ(damaged.status, 2);
  EXPECT_THAT(damaged.err,
              HasSubstr("/generation_config.json: \"repetition_penalty\" is \"high\", expected a number from 0.01 to "
                        "100, of which 1 changes nothing: correct it there, or give --repetition-penalty"));
  EXPECT_EQ(regimen(ask + "--repetition-penalty 1.5 --temperature 0 --max-tokens 9").out, greedy.out);
  const Said chat = regimen("chat --model runs/tiny/base --template chatml --backend reference </dev/null");
  EXPECT_EQ(chat.status, 2);
  EXPECT_THAT(chat.err, HasSubstr("\"repetition_penalty\" is \"high\""));
}

TEST(Program, ARepetitionPenaltyHasARange) {
  for (const char* command : {"generate --model x --prompt y", "chat --model x"})
    for (const char* penalty : {"0", "-1", "101", "nan"})
      EXPECT_THAT(regimen(fmt::format("{} --repetition-penalty={}", command, penalty)).err,
                  HasSubstr(fmt::format(
                      "--repetition-penalty is {}, expected from 0.01 to 100, where 1 changes nothing", penalty)));
}

}  // namespace
}  // namespace rgm
