// data_problems_test.cpp - data that is missing, empty, or has not what a stage reads.
#include <gmock/gmock.h>

#include "base/packed.hpp"
#include "fake_components.hpp"

namespace rgm::fake {
namespace {

using PipelineProblems = PipelineTest;

TEST_F(PipelineProblems, OneColumnIsNotOfTwoKinds) {
  EXPECT_EQ(
      problems(with_line(6, "    data: {train: {jsonl: p.jsonl}}") + "    reward: proofreader\n"),
      "8:5: reward \"proofreader\" reads the column \"text\" as text, which the stage reads as tokens already: the "
      "two cannot work on the same data\n"
      "8:5: strategy \"pretrain\" asks no reward for scores: leave \"reward\" out");
  // What comes with an answer is of a kind of its own.
  EXPECT_EQ(
      problems(right + "  - {name: s, strategy: sample, model: {from: base}, reward: proofreader, data: {prompts: "
                       "{jsonl: p.jsonl}}}\n"),
      "");
}

TEST_F(PipelineProblems, MissingFiles) {
  EXPECT_EQ(problems(with_line(6, "    data: {train: {text: shakespeare.txt}}")),
            "6:26: there is no file \"shakespeare.txt\" (looked for shakespeare.txt, data/shakespeare.txt): put it "
            "into data, or set REGIMEN_DATA to the folder that has it; it is tinyshakespeare: input.txt in "
            "https://github.com/karpathy/char-rnn/tree/master/data/tinyshakespeare");
  EXPECT_THAT(problems(with_line(6, "    data: {train: {text: stories.txt}}")),
              testing::EndsWith("; it is written by `regimen-stories --bytes 400000 --seed 1 --out stories.txt`, a "
                                "program beside regimen, as the build does"));
}

TEST_F(PipelineProblems, EmptyFiles) {
  fs::create_directories(folder_ / "data" / "void");
  for (const char* name : {"0.txt", "void/1.txt", "void/2.txt", "many/0.txt"}) write_file(folder_ / "data" / name, "");
  EXPECT_EQ(problems(with_line(6, "    data: {train: {text: [a.txt, 0.txt]}, validation: {text: void}}")),
            "6:34: data/0.txt is empty\n"
            "6:62: data/void is empty, as is every file in it");
  EXPECT_EQ(problems(with_line(6, "    data: {train: {text: many}}")), "");
}

TEST_F(PipelineProblems, FilesThatCannotBeRead) {
  if (::geteuid() == 0) GTEST_SKIP() << "root reads every file";
  fs::permissions(folder_ / "data/a.txt", fs::perms::none);
  EXPECT_EQ(problems(right), "6:26: data/a.txt cannot be read: Permission denied");
}

TEST_F(PipelineProblems, MissingSources) {
  EXPECT_EQ(problems(with_line(6, "")),
            "3:5: strategy \"pretrain\" reads \"train\" with text: write data: {train: {FORMAT: FILE}} with text, "
            "jsonl, json, csv, tsv, parquet");
}

TEST_F(PipelineProblems, UnknownSources) {
  EXPECT_EQ(problems(with_line(6, "    data: {train: {text: a.txt}, valid: {text: a.txt}, prompts: {text: a.txt}}")),
            "6:34: strategy \"pretrain\" does not read \"valid\": here it is \"validation\"\n"
            "6:56: strategy \"pretrain\" does not read \"prompts\"; it reads: train, validation, choices");
}

TEST_F(PipelineProblems, ColumnsOfQuestionsThatAreMaps) {
  EXPECT_EQ(problems(with_line(6,
                               "    data: {train: {text: a.txt}, choices: {jsonl: p.jsonl, columns: {prompt: "
                               "{messages: a}, answer: {prompt: a, answer: b}}}}")),
            "6:101: \"data.choices.columns.answer\" is a column or a template over the row; only \"prompt\" can be "
            "{messages: name}");
}

TEST_F(PipelineProblems, SourcesWithoutFormat) {
  EXPECT_EQ(
      problems(with_line(6, "    data: {train: {columns: {text: 0}}, validation: {txt: a.txt}}")),
      "6:19: \"data.train\" does not say where the data is: write {FORMAT: FILE} with text, jsonl, json, csv, tsv, "
      "parquet, "
      "or {from: STAGE}\n"
      "6:54: unknown key \"txt\" in a source of data: here it is \"text\"");
}

TEST_F(PipelineProblems, SourcesWithTwoFormats) {
  EXPECT_EQ(problems(with_line(6, "    data: {train: {text: a.txt, jsonl: p.jsonl}}")),
            "6:19: \"data.train\" names more than one place for its data: keep only one of them");
}

TEST_F(PipelineProblems, ColumnsThatNobodyReads) {
  EXPECT_EQ(problems(with_line(6, "    data: {train: {tsv: t.tsv, columns: {txt: 0, text: {prompt: 1}}}}")),
            "6:42: column \"txt\" is not read here; did you mean \"text\"?\n"
            "6:56: \"data.train.columns.text\" should have both: {prompt: name in the file, answer: name in the file}; "
            "or {messages: name}");
}

TEST_F(PipelineProblems, ColumnsOfText) {
  EXPECT_EQ(problems(with_line(6, "    data: {train: {text: a.txt, columns: {text: 0}}}")),
            "6:33: plain text has no columns: leave this out, or use jsonl, json, csv, tsv or parquet");
}

TEST_F(PipelineProblems, TextForSeveralColumns) {
  EXPECT_EQ(problems(with_line(4, "    strategy: pairs")),
            "6:20: strategy \"pairs\" reads the columns chosen, rejected, but plain text has none: use jsonl, json, "
            "csv, tsv or parquet");
}

TEST_F(PipelineProblems, FoldersWithoutFiles) {
  EXPECT_EQ(problems(with_line(6, "    data: {train: {jsonl: many}}")),
            "6:27: the folder data/many has no *.jsonl files in it, and no *.jsonl.gz or *.jsonl.zst");
}

TEST_F(PipelineProblems, PackedFilesAreFoundInFoldersAndOpened) {
  write_file(folder_ / "data/many/a.jsonl.gz", test::gzipped("{}\n"));
  write_file(folder_ / "data/many/b.jsonl.zst", test::zstandard("{}\n"));
  const std::string many = with_line(6, "    data: {train: {jsonl: many}}");
  EXPECT_THAT(read(many).stages[0].data.at("train").files,
              testing::ElementsAre(folder_ / "data/many/a.jsonl.gz", folder_ / "data/many/b.jsonl.zst"));
  write_file(folder_ / "data/many/b.jsonl", "{}\n");
  EXPECT_EQ(problems(many),
            "6:27: data/many/b.jsonl and b.jsonl.zst are both in the folder, and would both be read: move one of them "
            "away, or name the files");
  write_file(folder_ / "data/p.jsonl", "\x1F\x8B\x08");
  EXPECT_EQ(problems(with_line(6, "    data: {train: {jsonl: p.jsonl}}")),
            "6:27: data/p.jsonl: is cut off: its gzip data goes on after 0 unpacked bytes; copy or download it again");
}

TEST_F(PipelineProblems, FilesOfSeveralSplitsAreNotReadAsOneAndAPatternNamesThoseOfOne) {
  for (const char* name : {"train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"})
    write_file(folder_ / fmt::format("data/many/{}.jsonl", name), "{}\n");
  const auto reads = [](const std::string& files) {
    return with_line(6, "    data: {train: {jsonl: \"" + files + "\"}}");
  };
  EXPECT_EQ(problems(reads("many")),
            "6:27: the folder data/many has files of test and of train, which are not read as one: name those of one, "
            "as in many/train-*.jsonl");
  EXPECT_THAT(read(reads("many/train-*.jsonl")).stages[0].data.at("train").files,
              testing::ElementsAre(folder_ / "data/many/train-00000-of-00002.jsonl",
                                   folder_ / "data/many/train-00001-of-00002.jsonl"));
  EXPECT_THAT(problems(reads("many/dev-*.jsonl")), testing::HasSubstr("there is no file \"many/dev-*.jsonl\""));
}

// As `hf download` leaves them; what is suggested can be written as it stands.
TEST_F(PipelineProblems, TheSplitsOfASubfolderAreNamedWhereTheyLie) {
  fs::create_directories(folder_ / "data/hub/data");
  for (const char* split : {"train", "test"})
    write_file(folder_ / fmt::format("data/hub/data/{}-00000-of-00001.jsonl.gz", split), test::gzipped("{}\n"));
  EXPECT_THAT(problems(with_line(6, "    data: {train: {jsonl: hub}}")),
              testing::EndsWith("name those of one, as in hub/data/train-*.jsonl.gz"));
  EXPECT_EQ(problems(with_line(6, "    data: {train: {jsonl: hub/data/train-*.jsonl.gz}}")), "");
}

TEST_F(PipelineProblems, PatternsStandForNamesOfFilesAndAFileThatIsCalledSoIsMeant) {
  EXPECT_THAT(problems(with_line(6, "    data: {train: {jsonl: \"m*/a.jsonl\"}}")),
              testing::EndsWith(": * and ? stand for a part of the file's name, not of a folder's"));
  for (const char* name : {"why?.jsonl", "whys.jsonl"}) write_file(folder_ / "data" / name, "{}\n");
  EXPECT_THAT(read(with_line(6, "    data: {train: {jsonl: \"why?.jsonl\"}}")).stages[0].data.at("train").files,
              testing::ElementsAre(folder_ / "data/why?.jsonl"));
}

TEST_F(PipelineProblems, Splits) {
  EXPECT_EQ(problems(with_line(6, "    data: {train: {text: a.txt}, validation: {split: 1.5}}")),
            "6:54: \"data.validation.split\" is 1.5, should be above 0 and below 1");
}

TEST_F(PipelineProblems, SplitOfNothing) {
  EXPECT_EQ(problems(with_line(6, "    data: {validation: {split: 0.5}}")),
            "6:5: strategy \"pretrain\" reads \"train\" with text: write data: {train: {FORMAT: FILE}} with text, "
            "jsonl, json, csv, tsv, parquet");
}

}  // namespace
}  // namespace rgm::fake
