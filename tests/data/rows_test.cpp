// rows_test.cpp - rows of jsonl, json, csv and tsv, and where a broken one lies.
#include "data/rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "artefact/folder.hpp"
#include "base/error.hpp"
#include "base/packed.hpp"
#include "data/source.hpp"

namespace rgm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class RowsTest : public testing::Test {
 protected:
  // Each row as `line: json`
  std::vector<std::string> read(const std::string& format, const std::string& content, bool numbered = false) {
    const fs::path path = folder / ("f." + format);
    write_file(path, content, Sync::no);
    std::vector<std::string> out;
    each_row(path, format, numbered, [&](Row& row, const std::string& where) {
      out.push_back(where.substr(where.rfind(':') + 1) + ": " + row.dump());
    });
    return out;
  }
  std::string refusal(const std::string& format, const std::string& content, bool numbered = false) {
    try {
      read(format, content, numbered);
    } catch (const Error& e) {
      EXPECT_EQ(e.status(), RGM_INVALID);
      return e.what();
    }
    return "read";
  }
  test::Folder folder;
};

TEST_F(RowsTest, Utf16IsToldAsSuch) {
  for (const char* format : {"csv", "tsv", "jsonl", "json"})
    EXPECT_THAT(refusal(format, std::string("\xFF\xFE"
                                            "a\0",
                                            4)),
                HasSubstr("is UTF-16; convert it"));
}

// Records lie across the pieces of 256 KiB that are held of an unpacked text.
TEST_F(RowsTest, APackedFileHasTheRowsAndLinesOfTheUnpackedOne) {
  std::map<std::string, std::string> files = {
      {"csv", "a,b\n"}, {"tsv", "a\tb\n"}, {"jsonl", "\xEF\xBB\xBF"}, {"json", " [\n"}};
  const std::string filling(1250, '.');
  for (int i = 0; i < 220; ++i) {
    const std::string n = std::to_string(i), object = "{\"a\": " + n + ", \"b\": \"[" + filling + "\\\"\"}";
    files["csv"] += i % 2 ? n + ",\"" + filling + "\n\"\"\"\r\n" : "\n\n" + n + "," + filling + "\n";
    files["tsv"] += n + '\t' + filling + (i == 219 ? "" : "\r\n");
    files["jsonl"] += object + (i == 219 ? "" : "\n");
    files["json"] += object + (i == 219 ? "]\n\n" : "\n,");
  }
  for (const auto& [format, content] : files) {
    const auto rows = read(format, content);
    EXPECT_EQ(rows.size(), 220U);
    EXPECT_EQ(read(format, format.starts_with("j") ? test::gzipped(content) : test::zstandard(content)), rows)
        << format;
  }
}

TEST_F(RowsTest, APackedFileThatIsCutOffIsNotTakenForAShortOne) {
  for (const char* format : {"csv", "tsv", "jsonl", "json"}) {
    const std::string whole = test::gzipped("[{\"a\": 1}]\n");
    EXPECT_THAT(refusal(format, whole.substr(0, whole.size() - 1)), HasSubstr("is cut off: its gzip data goes on"));
  }
}

TEST_F(RowsTest, AnEndingSaysTheFormatAlsoInFrontOfThatOfAPack) {
  EXPECT_EQ(format_by_ending("a/b.jsonl"), "jsonl");
  EXPECT_EQ(format_by_ending("b.JSON.GZ"), "json");
  EXPECT_EQ(format_by_ending("b.c.csv.zst"), "csv");
  EXPECT_EQ(format_by_ending("b.txt.gz"), "text");
  EXPECT_EQ(format_by_ending("jsonl"), "text");
}

TEST_F(RowsTest, JsonLines) {
  EXPECT_THAT(read("jsonl", "{\"a\":1}\n\n{\"a\":2}\r\n  \n{\"a\":3}"),
              ElementsAre("1: {\"a\":1}", "3: {\"a\":2}", "5: {\"a\":3}"));
}

TEST_F(RowsTest, ABrokenLineIsNamed) {
  EXPECT_THAT(refusal("jsonl", "{\"a\":1}\n{\"a\":\n{\"a\":3}\n"), HasSubstr("f.jsonl:2: not valid JSON"));
  EXPECT_THAT(refusal("jsonl", "{\"a\":1}\n[1]\n"), HasSubstr("f.jsonl:2: a JSON array"));
  EXPECT_THAT(refusal("jsonl", "{\"a\":\"\xff\"}\n"), HasSubstr("f.jsonl:1: not valid JSON"));
}

TEST_F(RowsTest, ARowWithoutEndIsNamed) {
  const std::string deep = "{\"a\": " + std::string(200'000, '[') + std::string(200'000, ']') + "}";
  EXPECT_THAT(refusal("jsonl", "{\"a\":1}\n" + deep), HasSubstr("f.jsonl:2: JSON is nested more than 100 levels deep"));
  EXPECT_THAT(refusal("json", "[{\"a\":1},\n" + deep + "]"),
              HasSubstr("f.json:2: JSON is nested more than 100 levels deep"));
}

TEST_F(RowsTest, ArrayOfObjects) {
  EXPECT_THAT(read("json", "[\n {\"a\": \"x]},{\\\"\"},\n {\"a\": [1, {\"b\": 2}]}\n]\n"),
              ElementsAre("2: {\"a\":\"x]},{\\\"\"}", "3: {\"a\":[1,{\"b\":2}]}"));
  EXPECT_THAT(read("json", "[]"), ElementsAre());
  EXPECT_THAT(refusal("json", "[{\"a\":1},\n{\"a\" 2}]"), HasSubstr("f.json:2: not valid JSON"));
  EXPECT_THAT(refusal("json", "[{\"a\":1}"), HasSubstr("not closed"));
  EXPECT_THAT(refusal("json", "[{\"a\":1},]"), HasSubstr("f.json:1"));
  EXPECT_THAT(refusal("json", "[{\"a\":1}] x"), HasSubstr("after the array"));
  EXPECT_THAT(refusal("json", "{\"a\":1}"), HasSubstr("array of objects was expected"));
  EXPECT_THAT(refusal("json", ""), HasSubstr("array of objects was expected"));
  EXPECT_THAT(refusal("json", "[\"abc\\"), HasSubstr("not closed"));
}

TEST_F(RowsTest, CsvQuotes) {
  EXPECT_THAT(
      read("csv", "text,label\n\"a, b\",1\n\"say \"\"hi\"\"\",0\r\n\"two\nlines\",1\nplain \"x\",\n"),
      ElementsAre("2: {\"text\":\"a, b\",\"label\":\"1\"}", "3: {\"text\":\"say \\\"hi\\\"\",\"label\":\"0\"}",
                  "4: {\"text\":\"two\\nlines\",\"label\":\"1\"}", "6: {\"text\":\"plain \\\"x\\\"\",\"label\":\"\"}"));
  EXPECT_THAT(read("csv", "\"\",b,\"\"", true), ElementsAre("1: {\"0\":\"\",\"1\":\"b\",\"2\":\"\"}"));
}

TEST_F(RowsTest, CsvMistakes) {
  EXPECT_THAT(refusal("csv", "a,b\n1,\"never ends\n\n"), HasSubstr("f.csv:2: a quoted field begins here"));
  EXPECT_THAT(refusal("csv", "a,b\n1,\"x\"y\n"), HasSubstr("f.csv:2: there is text after a quoted field"));
  EXPECT_THAT(refusal("csv", "a,b\n1,2\n1,2,3\n"), HasSubstr("f.csv:3: has 3 fields, 2 were expected"));
  EXPECT_THAT(refusal("csv", "a,a\n1,2\n"), HasSubstr("two columns are called \"a\""));
}

TEST_F(RowsTest, AnotherSeparatorPartsTheFieldsOfACsv) {
  const fs::path path = folder / "f.csv";
  write_file(path, "text;label\n\"a; b\";1,5\n");
  std::vector<std::string> rows;
  each_row(path, "csv", {false, ';'}, [&](Row& row, const std::string&) { rows.push_back(row.dump()); });
  EXPECT_THAT(rows, ElementsAre(R"({"text":"a; b","label":"1,5"})"));
  EXPECT_EQ(read_separator(";"), ';');
  EXPECT_EQ(read_separator("\\t"), '\t');
  for (const char* none : {"", ";;", "\"", "\n"}) EXPECT_FALSE(read_separator(none)) << none;
}

TEST_F(RowsTest, AHeaderWithoutACommaIsHeldAgainstOtherSeparators) {
  EXPECT_EQ(other_separator({{"a;b;c", "1;2;3"}}),
            "; the first line has no comma, but 2 semicolons: write {csv: FILE, separator: \";\"}, or for a command "
            "--separator \";\"");
  EXPECT_THAT(other_separator({{"a\tb", "1"}}), HasSubstr("but 1 tab: write {csv: FILE, separator: \"\\t\"}"));
  EXPECT_EQ(other_separator({{"a", "1;2"}}), "");
  EXPECT_EQ(other_separator({{"a;b", "1"}, {"c", "2"}}), "");
}

TEST_F(RowsTest, OtherSeparatorsAreThoughtOfWhereTextsHaveCommasAndQuotes) {
  EXPECT_THAT(
      refusal("csv", "text;label\none, two;1\n"),
      HasSubstr("has 2 fields, 1 were expected; the first line has no comma, but 1 semicolon: write {csv: FILE"));
  EXPECT_THAT(
      refusal("csv", "text;label\n\"one, two\";1\n"),
      HasSubstr("there is text after a quoted field; double the quotes inside it, or if \";\" parts the fields, "
                "write {csv: FILE, separator: \";\"}, or for a command --separator \";\""));
  EXPECT_THAT(refusal("csv", "text\n\"one\" two\n"), testing::EndsWith("double the quotes inside it"));
}

TEST_F(RowsTest, TabsPartAndQuotesStayInTsv) {
  EXPECT_THAT(read("tsv", "text\tlabel\n\"quoted\" , text\t1\n"),
              ElementsAre("2: {\"text\":\"\\\"quoted\\\" , text\",\"label\":\"1\"}"));
  EXPECT_THAT(read("tsv", "good film\t1\n\nbad film\t0\r\n", true),
              ElementsAre("1: {\"0\":\"good film\",\"1\":\"1\"}", "3: {\"0\":\"bad film\",\"1\":\"0\"}"));
  EXPECT_THAT(refusal("tsv", "a\t1\nb\n", true), HasSubstr("f.tsv:2: has 1 fields, 2 were expected"));
  EXPECT_THAT(refusal("tsv", "\xff\t1\n", true), HasSubstr("f.tsv:1: is not UTF-8"));
}

TEST_F(RowsTest, TheMarkOfSpreadsheetsIsNoPartOfAName) {
  EXPECT_THAT(read("csv", "\xEF\xBB\xBFtext\nx\n"), ElementsAre("2: {\"text\":\"x\"}"));
}

TEST_F(RowsTest, WhatIsBehindEnoughIsNotRead) {
  const std::pair<const char*, const char*> broken[] = {{"jsonl", "{\"a\": 1}\n{\"a\": 2}\nbroken\n"},
                                                        {"json", "[{\"a\": 1}, {\"a\": 2}, broken"},
                                                        {"csv", "a\n1\n2\n\"broken"},
                                                        {"tsv", "a\n1\n2\nbroken\there\n"}};
  for (const auto& [format, content] : broken) {
    const fs::path path = folder / "f";
    write_file(path, content);
    int rows = 0;
    const auto count = [&](Row&, const std::string&) { ++rows; };
    each_row(path, format, false, count, [&] { return rows == 2; });
    EXPECT_EQ(rows, 2) << format;
  }
}

TEST_F(RowsTest, UnknownFormatsAreNamed) { EXPECT_THAT(refusal("arrow", "x"), HasSubstr("\"arrow\"")); }

}  // namespace
}  // namespace rgm
