// parquet_test.cpp - files that pyarrow, polars, duckdb and fastparquet have written (tests/parity/record_parquet.py),
// compared with the same rows as JSON lines; cut off, damaged, and with columns that no row can hold.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "artefact/folder.hpp"
#include "base/error.hpp"
#include "base/packed.hpp"
#include "data/chat_rows.hpp"
#include "data/rows.hpp"
#include "data/source.hpp"
#include "parquet/codecs.hpp"
#include "parquet/rows.hpp"
#include "parquet/to_json.hpp"
#include "parquet/values.hpp"

namespace rgm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const fs::path recorded = fs::path(REGIMEN_SOURCE_DIRECTORY) / "tests/parity/parquet";

class ParquetTest : public testing::Test {
 protected:
  static std::vector<std::string> rows_of(const fs::path& file, const std::string& format) {
    std::vector<std::string> out;
    each_row(file, format, false, [&](Row& row, const std::string&) { out.push_back(row.dump()); });
    return out;
  }
  // Of a file with these bytes: its rows, and what is said of it.
  std::string said_of(const std::string& bytes) {
    const fs::path file = folder / "f.parquet";
    std::ofstream(file, std::ios::binary) << bytes;
    try {
      std::string out;
      for (const std::string& row : rows_of(file, "parquet")) out += row + '\n';
      return out;
    } catch (const Error& e) {
      EXPECT_EQ(e.status(), RGM_INVALID);
      EXPECT_THAT(e.what(), testing::StartsWith(file.string() + ": "));
      return std::string(e.what()).substr(file.string().size() + 2);
    }
  }
  static std::string bytes_of(const std::string& name) { return read_file(recorded / (name + ".parquet")); }
  test::Folder folder;
};

TEST_F(ParquetTest, EveryWritersFileHasTheRowsOfTheJsonLines) {
  std::set<std::string> compared;
  for (const auto& entry : fs::directory_iterator(recorded)) {
    const std::string file = entry.path().filename().string(), shape = file.substr(0, file.find('.'));
    if (entry.path().extension() != ".parquet" || !fs::exists(recorded / (shape + ".jsonl"))) continue;
    EXPECT_EQ(rows_of(entry.path(), "parquet"), rows_of(recorded / (shape + ".jsonl"), "jsonl")) << file;
    compared.insert(file);
  }
  EXPECT_EQ(compared.size(), 21U);
}

TEST_F(ParquetTest, ADictionaryMayBeGivenUpBetweenItsPages) {
  for (const char* name : {"pages.arrow", "pages.arrow-delta"}) {
    const auto rows = rows_of(recorded / fmt::format("{}.parquet", name), "parquet");
    ASSERT_EQ(rows.size(), 600U);
    for (int i = 0; i < 600; ++i)
      ASSERT_EQ(rows[static_cast<size_t>(i)],
                fmt::format("{{\"text\":\"number {:03}\",\"n\":{}}}", i * 7919 % 1000, i / 3));
  }
}

TEST_F(ParquetTest, RowsAreNumberedAndReadAsFarAsTheyAreWanted) {
  std::vector<std::string> where;
  each_row(
      recorded / "flat.arrow.parquet", "parquet", false,
      [&](Row&, const std::string& at) { where.push_back(at.substr(at.rfind('/') + 1)); },
      [&] { return where.size() == 2; });
  EXPECT_THAT(where, ElementsAre("flat.arrow.parquet: row 1", "flat.arrow.parquet: row 2"));
}

TEST_F(ParquetTest, AFileThatIsCutOffAnywhereIsRefused) {
  const std::string whole = bytes_of("nested.arrow-v2");
  for (size_t length = 4; length < whole.size(); length += 47)
    EXPECT_THAT(said_of(whole.substr(0, length)), HasSubstr("is cut off: it does not end with PAR1"));
  EXPECT_THAT(said_of("{\"text\": 1}"), HasSubstr("is not a Parquet file: it does not begin with PAR1"));
  EXPECT_THAT(said_of(""), HasSubstr("is not a Parquet file"));
}

// Of pages with checksums, what they hold; their heads have none, and a wrong one is mostly seen.
TEST_F(ParquetTest, NoValueChangesUnseen) {
  const std::string whole = bytes_of("flat.arrow-plain"), as_written = said_of(whole);
  const size_t names = whole.find("schema");
  ASSERT_NE(names, whole.npos);
  size_t refused = 0, tried = 0;
  for (size_t at = 4; at < names - 20; at += 29, ++tried) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x20);
    const std::string said = said_of(changed);
    if (said == as_written) continue;
    EXPECT_THAT(said, testing::AnyOf(HasSubstr("is damaged: "), HasSubstr("\"bytes\""))) << at;
    ++refused;
  }
  EXPECT_GT(refused, tried * 95 / 100);
}

// Nothing but an error comes of a byte of the footer, or of a page without a checksum.
TEST_F(ParquetTest, AnyByteMayBeWrong) {
  for (const char* name : {"nested.arrow", "types.arrow", "flat.duckdb-v2"}) {
    const std::string whole = bytes_of(name);
    for (size_t at = 0; at < whole.size(); at += 197) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ (1 << at % 8));
      said_of(changed);
    }
  }
}

TEST_F(ParquetTest, AColumnThatCannotBeReadIsAnErrorOnlyWhereItIsUsed) {
  const auto refusal = [&](const std::string& column, const std::string& text, const fs::path& file) -> std::string {
    const DataSpec spec{.format = "parquet", .files = {file}, .columns = {{column, text, std::nullopt}}};
    try {
      return fmt::format(
          "{} units",
          open_source(spec, {{column, RGM_TOKENS_COLUMN, 0}}, byte_tokenizer(), {.context = 8, .cache = {}})->units());
    } catch (const Error& e) {
      return e.what();
    }
  };
  const fs::path file = recorded / "unreadable.duckdb.parquet";
  EXPECT_EQ(refusal("text", "text", file), "2 units");
  EXPECT_THAT(refusal("text", "picture", file),
              HasSubstr("unreadable.duckdb.parquet: row 1: the column \"picture\" holds bytes that are no UTF-8 text "
                        "(BYTE_ARRAY); keep it as text, or leave it out of what is read"));
  EXPECT_THAT(refusal("text", "wait", file), HasSubstr("row 1: the column \"wait\" holds an interval"));
  EXPECT_THAT(refusal("body", "body", file), HasSubstr("there are text, picture, wait"));
  const Row row{{"tools", parquet::unreadable("the column \"tools\" holds an interval")}};
  EXPECT_THAT([&] { beside_messages(row, "f: row 1"); },
              testing::ThrowsMessage<Error>("f: row 1: the column \"tools\" holds an interval"));
}

// A value of more bytes than there are takes no memory.
TEST_F(ParquetTest, ValuesThatAreSaidToBeHugeAreRefused) {
  const parquet::SchemaElement huge{.type = parquet::Physical::fixed_bytes, .length = int64_t{1} << 62};
  EXPECT_THROW(parquet::values_of(parquet::Encoding::byte_stream_split, huge, "", 1, nullptr)->next(), Error);
}

// A hundred thousand objects with a long name, a text of 300 MB in 9373 bytes, ten thousand copies of a text in 612, 16
// million nulls in 248.
TEST_F(ParquetTest, AFewBytesThatClaimMuchMoreThanTheyAreAreRefused) {
  for (const char* name : {"claims-members.arrow", "claims-text.arrow", "claims-copies.arrow", "claims-nulls.arrow"}) {
    std::string why;
    each_row(recorded / (std::string(name) + ".parquet"), "parquet", false, [&](Row& row, const std::string&) {
      why = unreadable_columns(row);
      if (!row.contains("last")) return;
      EXPECT_EQ(row["text"], "a cat");
      EXPECT_EQ(row["last"], "a dog");  // as if nothing had been in front of it
    });
    EXPECT_THAT(why, testing::StartsWith("; the column \"many\" asks for more memory than the ")) << name;
  }
  EXPECT_THAT(said_of(bytes_of("claims-rows.arrow")),
              testing::StartsWith("says that it has more than 9036864 rows in 31394 bytes"));
}

TEST_F(ParquetTest, WhatNobodyWantsBehindTheFirstRowIsNotRead) {
  const fs::path file = recorded / "pages.arrow.parquet";
  std::vector<std::string> some;
  each_row(
      file, "parquet", false, [&](Row& row, const std::string&) { some.push_back(row.dump()); }, {},
      [] {
        return std::optional(std::vector<std::string>{"n", "x"});
      });
  ASSERT_EQ(some.size(), 600U);
  EXPECT_EQ(some[0], R"({"text":"number 000","n":0})");
  EXPECT_EQ(some[1], R"({"n":0})");
  EXPECT_EQ(some[599], R"({"n":199})");
}

TEST_F(ParquetTest, APageOfGzipMayHaveSeveralMembers) {
  const std::string both = test::gzipped("ab") + test::gzipped("cde");
  EXPECT_EQ(parquet::unpacked(parquet::Codec::gzip, both, 5).view(), "abcde");
  EXPECT_THROW(parquet::unpacked(parquet::Codec::gzip, both, 6), Error);
  EXPECT_THROW(parquet::unpacked(parquet::Codec::gzip, both, 4), Error);
}

// 2^63 ns are 106,751 days, 23:47:16.854775808.
TEST_F(ParquetTest, TheFirstNanosecondThatATimestampHoldsIsShown) {
  EXPECT_EQ(parquet::timestamp_text(INT64_MIN, {.second = 1'000'000'000}), "1677-09-21T00:12:43.145224192");
  EXPECT_THROW(parquet::time_text(-1, 1'000), parquet::Unsupported);  // of no day
}

// The codec is the byte behind 0x15 in the description of a column: 8 is BROTLI, 6 would be LZO.
TEST_F(ParquetTest, ACodecThatIsNotUnpackedIsNamed) {
  std::string bytes = bytes_of("flat.arrow-brotli");
  size_t changed = 0;
  const std::string before("\x19\x18\x05score\x15\x08", 10), after("\x19\x18\x05score\x15\x06", 10);
  for (size_t at; (at = bytes.find(before)) != bytes.npos; ++changed) bytes.replace(at, before.size(), after);
  ASSERT_EQ(changed, 1U);
  write_file(folder / "f.parquet", bytes);
  each_row(
      folder / "f.parquet", "parquet", false,
      [&](Row& row, const std::string& where) {
        EXPECT_EQ(row["count"], 0);
        EXPECT_THAT(unreadable_columns(row), HasSubstr("the column \"score\" is compressed with LZO, which is not "
                                                       "unpacked here; write the file again with another"));
        EXPECT_THROW(require_readable(row, "score", where), Error);
        drop_unreadable(row);
        EXPECT_FALSE(row.contains("score"));
      },
      [] { return true; });
}

}  // namespace
}  // namespace rgm
