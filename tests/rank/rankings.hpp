// rankings.hpp - a folder with samples to be ranked, and the text of failures.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>

#include "base/error.hpp"
#include "base/file.hpp"
#include "rank/session.hpp"

namespace rgm::rank {

template <class F>
std::string failure_of(F&& body) {
  try {
    body();
    return "";
  } catch (const Error& e) {
    return e.what();
  }
}

class RankTest : public testing::Test {
 protected:
  RankTest() {
    char name[] = "/tmp/regimen-rank-XXXXXX";
    folder_ = ::mkdtemp(name);
    write("samples.jsonl",
          R"({"prompt": "p", "responses": ["one", "two", "three"], "sources": ["small", "large", "person"]})"
          "\n"
          R"({"prompt": "q", "responses": ["<b>bold</b>", "plain"]})"
          "\n");
  }
  ~RankTest() override { fs::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) const { write_file(folder_ / name, text); }
  SessionOptions options(bool blind = false) const {
    return {read_samples(folder_ / "samples.jsonl"), folder_ / "out.jsonl", blind, 1};
  }
  std::string out() const { return read_file(folder_ / "out.jsonl"); }
  fs::path folder_;
};

}  // namespace rgm::rank
