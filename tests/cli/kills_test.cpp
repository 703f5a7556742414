// kills_test.cpp - every strategy, killed at twenty moments of one run: each time the same command goes on past its
// first step, and what is left in the end has the bits of a run that nobody killed.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <csignal>
#include <random>
#include <regex>
#include <thread>

#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

constexpr int kills = 20;

// A stage `s` of one strategy on the tiny base, and what it leaves. Stages that write rows go through 200 prompts, one
// a batch; those that train take 200 steps, with a checkpoint every three.
struct Strategy {
  const char *name, *yaml, *leaves;
};

void PrintTo(const Strategy& s, std::ostream* out) { *out << s.name; }

const char* const trains = "    steps: 200\n    checkpoint: {every: 3}\n    log: {every: 1}\n    batch: 4\n";
const char* const writes_rows = "    batch: 1\n";

const Strategy strategies[] = {
    {"pretrain", "pretrain\n    data: {train: {text: text.txt}}\n", "model/model.safetensors"},
    {"finetune",
     "finetune\n    data: {train: {jsonl: pairs.jsonl, columns: {text: chosen}}}\n    trainable: {last: 1}\n",
     "model/model.safetensors"},
    {"finetune_an_adapter",
     "finetune\n    data: {train: {jsonl: pairs.jsonl, columns: {text: chosen}}}\n"
     "    adapter: {lora: {rank: 2, dropout: 0.1, sites: [\"*.attention.query\"]}}\n",
     "adapter/adapter_model.safetensors"},
    {"dpo",
     "dpo\n    data: {train: {jsonl: pairs.jsonl, columns: {chosen: {prompt: prompt, answer: chosen}, "
     "rejected: {prompt: prompt, answer: rejected}}}}\n",
     "model/model.safetensors"},
    {"simpo",
     "simpo\n    data: {train: {jsonl: pairs.jsonl, columns: {chosen: {prompt: prompt, answer: chosen}, "
     "rejected: {prompt: prompt, answer: rejected}}}}\n",
     "model/model.safetensors"},
    {"orpo",
     "orpo\n    data: {train: {jsonl: pairs.jsonl, columns: {chosen: {prompt: prompt, answer: chosen}, "
     "rejected: {prompt: prompt, answer: rejected}}}}\n",
     "model/model.safetensors"},
    {"kto",
     "kto\n    data: {train: {jsonl: ranked.jsonl, columns: {completion: {prompt: prompt, answer: text}, desirable: "
     "good}}}\n",
     "model/model.safetensors"},
    {"distill", "distill\n    teacher: {from: base}\n    data: {train: {text: text.txt}}\n", "model/model.safetensors"},
    {"gkd",
     "{gkd: {on_policy: 0.5, max_tokens: 4, minibatches: 2}}\n    teacher: {from: base}\n"
     "    data: {train: {text: text.txt}, prompts: {jsonl: pairs.jsonl}}\n",
     "model/model.safetensors"},
    {"reward_modeling",
     "reward_modeling\n    reward: pairwise\n    data: {train: {jsonl: pairs.jsonl, columns: {chosen: {prompt: prompt, "
     "answer: chosen}, rejected: {prompt: prompt, answer: rejected}}}}\n",
     "model/model.safetensors"},
    {"ppo",
     "{ppo: {max_tokens: 4, epochs: 2, minibatches: 2, kl_target: 0.5}}\n    reward: {rule: {regex: a}}\n"
     "    critic: {from: base}\n    data: {prompts: {jsonl: pairs.jsonl}}\n",
     "critic/model.safetensors"},
    {"grpo",
     "{grpo: {answers: 2, max_tokens: 4}}\n    reward: {rule: {regex: a}}\n    data: {prompts: {jsonl: "
     "pairs.jsonl}}\n",
     "model/model.safetensors"},
    {"rloo",
     "{rloo: {answers: 2, max_tokens: 4}}\n    reward: {rule: {regex: a}}\n    data: {prompts: {jsonl: "
     "pairs.jsonl}}\n",
     "model/model.safetensors"},
    {"sample", "{sample: {answers: 2, max_tokens: 8}}\n    data: {prompts: {jsonl: pairs.jsonl}}\n", "rows.jsonl"},
    {"prompting",
     "{prompting: {template: \"{prompt}{label}\", labels: [sat, ran]}}\n    data: {prompts: {jsonl: ranked.jsonl, "
     "columns: {prompt: prompt, label: word}}}\n",
     "rows.jsonl"},
    {"best_of_n",
     "{best_of_n: {n: 2, max_tokens: 8}}\n    reward: {rule: {regex: a}}\n    data: {prompts: {jsonl: "
     "pairs.jsonl}}\n",
     "rows.jsonl"},
    {"rank",
     "rank\n    reward: {rule: {regex: a}}\n    data: {samples: {jsonl: ranked.jsonl, columns: {completion: "
     "{prompt: prompt, answer: text}}}}\n",
     "rows.jsonl"},
};

class EveryStrategy : public TinyRun, public testing::WithParamInterface<Strategy> {
 protected:
  EveryStrategy() {
    std::string pairs, ranked;
    for (int i = 0; i < 200; ++i) {
      const std::string prompt = fmt::format(R"("prompt": "{} {}")", i % 2 ? "cat" : "dog", i);
      pairs += fmt::format("{{{}, \"chosen\": \" sat\", \"rejected\": \" ran {}\"}}\n", prompt, i % 7);
      for (int k = 0; k < 2; ++k)
        ranked += fmt::format("{{{}, \"text\": \" {}\", \"word\": \"{}\", \"good\": {}}}\n", prompt, k ? "sat" : "ran",
                              i % 2 ? "sat" : "ran", (i + k) % 2);
    }
    write("pairs.jsonl", pairs);
    write("ranked.jsonl", ranked);
    const bool rows = std::string(GetParam().leaves) == "rows.jsonl";
    write("p.yaml", tiny(5) + "  - name: s\n    model: {from: base}\n    strategy: " + GetParam().yaml +
                        (rows ? writes_rows : trains));
  }
  // Lines of the file in which the stage shows how far it is.
  int64_t progress(const std::string& out) const {
    const bool rows = std::string(GetParam().leaves) == "rows.jsonl";
    const fs::path file = folder_ / out / "s" / (rows ? "rows.jsonl" : "metrics.jsonl");
    if (!fs::exists(file)) return 0;
    const std::string text = read_file(file);
    return std::count(text.begin(), text.end(), '\n');
  }
  // What the stage came to, but for time and memory.
  nlohmann::json numbers(const std::string& out) const {
    nlohmann::json all = json(out + "/s/stage.json")["result"];
    for (const char* one : {"seconds", "tokens_per_second", "peak_memory_bytes"}) all.erase(one);
    return all;
  }
  std::string said() const { return read_file(folder_ / "err.log"); }
  // Starts the run and kills it once it has gone on to `line`. False: it ended before.
  bool killed_at(int64_t line) const {
    const pid_t child = start("killed");
    int status = 0;
    while (progress("killed") < line && ::waitpid(child, &status, WNOHANG) == 0) std::this_thread::yield();
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status);
  }
};

TEST_P(EveryStrategy, KilledAtTwentyMomentsItEndsWithTheSameBits) {
  const Said whole = regimen("run p.yaml --out whole");
  ASSERT_EQ(whole.status, 0) << whole.err;
  std::mt19937 random(7);
  int64_t at = 0;
  for (int i = 0; i < kills; ++i) {
    at = std::max(at, progress("killed")) + 4 + static_cast<int64_t>(random() % 4);
    ASSERT_TRUE(killed_at(at)) << "it ended before line " << at << ", kill " << i << "\n" << said();
    const bool went_on = std::regex_search(said(), std::regex("s: resumed at (step|example) [1-9]"));
    ASSERT_TRUE(went_on || i == 0) << said();
  }
  const Said last = regimen("run p.yaml --out killed");
  ASSERT_EQ(last.status, 0) << last.err;
  EXPECT_TRUE(std::regex_search(last.err, std::regex("s: resumed at (step|example) [1-9]"))) << last.err;
  const std::string result = std::string("/s/") + GetParam().leaves;
  EXPECT_EQ(hash_of("killed" + result), hash_of("whole" + result));
  EXPECT_EQ(progress("killed"), progress("whole"));
  EXPECT_EQ(numbers("killed"), numbers("whole"));
}

INSTANTIATE_TEST_SUITE_P(Kills, EveryStrategy, testing::ValuesIn(strategies),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace rgm
