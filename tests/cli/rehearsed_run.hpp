// rehearsed_run.hpp - a folder with a pipeline of two stages, and the mistakes that `check` and `run` tell before the
// first of them is trained.
#pragma once
#include <gmock/gmock.h>

#include <string>

#include "cli/tiny_run.hpp"

namespace rgm {

class RehearsedRun : public TinyRun {
 protected:
  RehearsedRun() {
    write("rows.tsv", "text\tlabel\nthe cat\tcat\nthe dog\tdog\n");
    write("pairs.jsonl", R"({"prompt": "the ", "good": "cat", "bad": "dog"})"
                         "\n");
  }
  static std::string second(const std::string& more) {
    return tiny(3) +
           "  - name: second\n    strategy: finetune\n    model: {from: base, head: {classify: {labels: [cat, "
           "dog]}}}\n    data: {train: {tsv: rows.tsv}}\n    batch: 2\n    steps: 2\n" +
           more;
  }
  // `message` stands in what both say, and nothing was trained.
  void expect_told(const std::string& pipeline, const std::string& message, const std::string& set = "") {
    write("p.yaml", pipeline);
    const std::string with = set.empty() ? "" : " --set '" + set + "'";
    const Said checked = regimen("check p.yaml" + with), ran = regimen("run p.yaml" + with);
    EXPECT_EQ(checked.status, 2) << set;
    EXPECT_THAT(checked.err, testing::HasSubstr(message));
    EXPECT_EQ(ran.status, 2) << set;
    EXPECT_THAT(ran.err, testing::HasSubstr(message));
    EXPECT_FALSE(fs::exists(folder_ / "runs/tiny/base/stage.json")) << set;
  }
};

}  // namespace rgm
