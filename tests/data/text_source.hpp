// text_source.hpp - a folder with files of text, opened as windows of bytes or refused, and the tokens kept in it.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "artefact/folder.hpp"
#include "base/error.hpp"
#include "data/source.hpp"
#include "data/token_file.hpp"

namespace rgm {

class TextSourceTest : public testing::Test {
 protected:
  inline static const ColumnWish text_wish{"text", RGM_TOKENS_COLUMN, 0};

  fs::path write(const std::string& name, const std::string& text) {
    write_file(folder / name, text);
    return folder / name;
  }
  std::unique_ptr<Source> open(const std::vector<fs::path>& files, int64_t context, double begin = 0, double end = 1) {
    DataSpec spec{.format = "text", .files = files, .columns = {}, .split_begin = begin, .split_end = end};
    return open_source(spec, {text_wish}, byte_tokenizer(), {.context = context, .cache = folder / "cache"});
  }
  std::string refusal(const std::vector<fs::path>& files, int64_t context, double begin = 0) {
    try {
      open(files, context, begin);
    } catch (const Error& e) {
      EXPECT_EQ(e.status(), RGM_INVALID);
      return e.what();
    }
    return "opened";
  }
  std::vector<fs::path> token_files() const {
    std::vector<fs::path> out;
    for (const auto& entry : fs::directory_iterator(folder / "cache"))
      if (entry.path().extension() == ".tokens") out.push_back(entry.path());
    return out;
  }
  static std::string row_text(const Batch& batch, int64_t row) {
    const BatchColumn& c = batch.columns.at("text");
    std::string out;
    for (int64_t i = row * c.length; i < (row + 1) * c.length; ++i)
      if (c.segments[static_cast<size_t>(i)]) out += static_cast<char>(c.integers[static_cast<size_t>(i)]);
    return out;
  }
  test::Folder folder;
};

}  // namespace rgm
