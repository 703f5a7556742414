// methods_test.cpp - a pipeline of the strategies whose steps may be captured, on the GPU in software: what each learns
// is, to the bit, what it learns when its steps are enqueued one kernel after the other; also where a reference moves
// between them.
#include <vector>

#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

class CapturedMethods : public TinyRun {
 protected:
  CapturedMethods() {
    std::string rows;
    for (int i = 0; i < 8; ++i) {
      const int a = i, b = 9 - i;
      rows += fmt::format(
          "{{\"prompt\": \"{0} and {1}\", \"good\": \" the {0}\", \"bad\": \" the {1}\", \"desirable\": {2}}}\n", a, b,
          i % 2);
    }
    write("rows.jsonl", rows);
    const auto answers = [](const char* columns) {
      return fmt::format("    data: {{train: {{jsonl: rows.jsonl, columns: {{{}}}}}}}\n    batch: 4\n    steps: 4\n",
                         columns);
    };
    const std::string text = answers("text: {prompt: prompt, answer: good}");
    const std::string pairs =
        answers("chosen: {prompt: prompt, answer: good}, rejected: {prompt: prompt, answer: bad}");
    write("p.yaml",
          "plugins: [" EMULATED_GPU "]\n" + tiny(4) +
              "  - name: lora\n    strategy: finetune\n    model: {from: base}\n    adapter: lora\n    weights: nf4\n" +
              text +
              "  - name: members\n    strategy: finetune\n    model: {from: base}\n    adapter: {prefix: {length: "
              "2}}\n    ensemble: "
              "2\n" +
              text + "  - name: recomputed\n    strategy: finetune\n    model: {from: base}\n    recompute: true\n" +
              text + "  - name: dpo\n    strategy: {dpo: {sync_every: 1}}\n    model: {from: base}\n" + pairs +
              "  - name: simpo\n    strategy: simpo\n    model: {from: base}\n" + pairs +
              "  - name: orpo\n    strategy: orpo\n    model: {from: base}\n" + pairs +
              "  - name: kto\n    strategy: kto\n    model: {from: base}\n" +
              answers("completion: {prompt: prompt, answer: good}, desirable: desirable") +
              "  - name: distill\n    strategy: distill\n    model: {from: base}\n    teacher: {from: lora}\n" + text);
  }
  // Of all stages, in the order of their names.
  std::map<std::string, std::string> weights(const std::string& run) const {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / run))
      if (entry.path().extension() == ".safetensors")
        out[fs::relative(entry.path(), folder_ / run).string()] = sha256(read_file(entry.path()));
    return out;
  }
};

TEST_F(CapturedMethods, LearnTheSameBits) {
  const std::string here = "cd " + folder_.string() + " && EMULATED_GPU_GRAPHS=graphs";
  const Said captured = rgm::regimen("run p.yaml --backend cudnn --out captured", here);
  ASSERT_EQ(captured.status, 0) << captured.err;
  EXPECT_EQ(fs::file_size(folder_ / "graphs"), 9u * 3) << "three of the four steps of each stage";
  const Said usual = rgm::regimen("run p.yaml --backend cudnn --out usual --set backend.cudnn.capture=false", here);
  ASSERT_EQ(usual.status, 0) << usual.err;
  EXPECT_EQ(fs::file_size(folder_ / "graphs"), 9u * 3);
  EXPECT_GE(weights("usual").size(), 9u);
  EXPECT_EQ(weights("captured"), weights("usual"));
}

}  // namespace
}  // namespace rgm
