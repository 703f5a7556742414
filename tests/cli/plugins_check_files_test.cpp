// plugins_check_files_test.cpp - `regimen plugins check` of plug-ins that must be given a file.
#include <gmock/gmock.h>

#include "cli/program.hpp"

namespace rgm {
namespace {

using testing::ContainsRegex;

// The file given has twenty lines. One that is not in the format that a plug-in asks for is no fault of it.
TEST(PluginsCheckFiles, ARequiredFileIsGivenAndMayBeOfAnotherFormat) {
  const Said said = regimen("plugins check " + std::string(REGIMEN_FIXTURE_DIRECTORY) + "/plugins/needs_file.so");
  EXPECT_EQ(said.status, 0) << said.out << said.err;
  EXPECT_THAT(said.out, ContainsRegex("reward \"lines\"\n +create +ok .*\n +answers +ok +8 answers, 0 refused"));
  EXPECT_THAT(said.out, ContainsRegex("reward \"format\"\n +create +skipped +create says no to the samples of the "
                                      "options that it must be given, .*sample.txt\"}: format: no FORMAT"));
}

}  // namespace
}  // namespace rgm
