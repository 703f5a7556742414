// column_source.hpp - a folder with one file of rows, opened as examples or refused, and the columns that its tests
// read.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "artefact/folder.hpp"
#include "base/error.hpp"
#include "data/source.hpp"
#include "data/wishes.hpp"

namespace rgm {

class ColumnSourceTest : public testing::Test {
 protected:
  inline static const ColumnWish chosen{"chosen", RGM_TOKENS_COLUMN, 0}, rejected{"rejected", RGM_TOKENS_COLUMN, 0},
      completion{"completion", RGM_TOKENS_COLUMN, 0}, group{"group", RGM_INTEGER_COLUMN, RGM_TOGETHER};

  std::unique_ptr<Source> open(const std::string& format, const std::string& content,
                               const std::vector<ColumnWish>& wishes, const std::vector<ColumnMap>& columns = {},
                               double begin = 0, double end = 1) {
    const fs::path path = folder / ("data." + format);
    write_file(path, content);
    DataSpec spec{.format = format, .files = {path}, .columns = columns, .split_begin = begin, .split_end = end};
    return open_source(spec, wishes, byte_tokenizer(), options);
  }
  std::string refusal(const std::string& format, const std::string& content, const std::vector<ColumnWish>& wishes,
                      const std::vector<ColumnMap>& columns = {}) {
    try {
      open(format, content, wishes, columns);
    } catch (const Error& e) {
      EXPECT_EQ(e.status(), RGM_INVALID);
      return e.what();
    }
    return "opened";
  }
  test::Folder folder;
  SourceOptions options{.context = 8, .cache = folder / "cache"};
};

}  // namespace rgm
