// fake_components.hpp - a few components as plain tables, none of which can run, and a folder to write pipelines into.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "base/text.hpp"
#include "pipeline/reader.hpp"

namespace rgm::fake {

inline rgm_status loss(void*, rgm_train*, rgm_batch*, rgm_tensor**) { return RGM_INTERNAL; }
inline rgm_status rollout(void*, rgm_train*, rgm_batch*, rgm_experience*) { return RGM_INTERNAL; }
inline rgm_status reward_loss(void*, rgm_train*, rgm_batch*, rgm_tensor*, rgm_tensor**) { return RGM_INTERNAL; }

inline const rgm_column text_column{sizeof(rgm_column), 0, "text", RGM_TOKENS_COLUMN, 0};
inline const rgm_column prompt_column{sizeof(rgm_column), 0, "prompt", RGM_TOKENS_COLUMN, 0};
inline const rgm_column chosen_column{sizeof(rgm_column), 0, "chosen", RGM_TOKENS_COLUMN, 0};
inline const rgm_column rejected_column{sizeof(rgm_column), 0, "rejected", RGM_TOKENS_COLUMN, 0};
inline const rgm_column mixed_column{sizeof(rgm_column), RGM_OPTIONAL, "pretrain.text", RGM_TOKENS_COLUMN, 0};
inline const rgm_column rank_column{sizeof(rgm_column), 0, "rank", RGM_INTEGER_COLUMN, 0};
inline const rgm_column* const of_text[] = {&text_column, nullptr};
inline const rgm_column* const of_pairs[] = {&chosen_column, &rejected_column, nullptr};
inline const rgm_column* const of_prompts[] = {&prompt_column, nullptr};
inline const rgm_column* const of_online[] = {&prompt_column, &mixed_column, nullptr};
inline const rgm_column* const of_ranks[] = {&rank_column, nullptr};
inline const rgm_column text_of_answer{sizeof(rgm_column), 0, "text", RGM_TEXT_COLUMN, 0};
inline const rgm_column text_of_prompt{sizeof(rgm_column), 0, "prompt", RGM_TEXT_COLUMN, 0};
inline const rgm_column* const of_answers[] = {&text_of_answer, &text_of_prompt, nullptr};
inline const rgm_column* const of_nothing[] = {nullptr};

inline const rgm_role reference_role{sizeof(rgm_role), 0, "reference"};
inline const rgm_role critic_role{sizeof(rgm_role), RGM_OPTIONAL, "critic"};
inline const rgm_role* const with_reference[] = {&reference_role, &critic_role, nullptr};
inline const rgm_role* const no_roles[] = {nullptr};

inline const rgm_attr no_defaults[] = {{}};
inline const rgm_attr small_rate[] = {
    {"optimizer.adamw.learning_rate", {RGM_REAL, 1, {.f = 1e-6}}}, {"epochs", {RGM_INTEGER, 1, {.i = 1}}}, {}};
inline const rgm_attr wrong_defaults[] = {{"optimiser.rate", {RGM_REAL, 1, {.f = 1e-6}}}, {}};

inline rgm_strategy strategy(const rgm_column* const* columns, const rgm_role* const* roles, const rgm_attr* defaults,
                             bool loses, bool rolls_out) {
  rgm_strategy s{};
  s.struct_size = sizeof s;
  s.columns = columns;
  s.roles = roles;
  s.defaults = defaults;
  if (loses) s.loss = loss;
  if (rolls_out) s.rollout = rollout;
  return s;
}
inline const rgm_strategy pretrain = strategy(of_text, no_roles, no_defaults, true, false);
inline const rgm_strategy pairs = strategy(of_pairs, with_reference, small_rate, true, false);
inline const rgm_strategy online = strategy(of_online, with_reference, small_rate, true, true);
inline const rgm_strategy sample = strategy(of_prompts, no_roles, no_defaults, false, true);
inline const rgm_strategy judging = strategy(of_text, no_roles, small_rate, true, false);
inline const rgm_strategy mistaken = strategy(of_text, no_roles, wrong_defaults, true, false);
// Its teacher follows the policy.
inline const rgm_role followed_role{sizeof(rgm_role), RGM_FOLLOWS, "teacher"};
inline const rgm_role* const with_followed[] = {&followed_role, nullptr};
inline const rgm_strategy following = [] {
  rgm_strategy s = strategy(of_text, with_followed, small_rate, true, false);
  s.create = [](const rgm_config*, void** self) -> rgm_status {
    *self = nullptr;
    return RGM_OK;
  };
  s.destroy = [](void*) {};
  s.plan = [](void*, rgm_strategy_plan* out) -> rgm_status {
    out->needs = RGM_FOLLOWS_POLICY;
    return RGM_OK;
  };
  return s;
}();
inline const rgm_reward learned = [] {
  rgm_reward r{};
  r.struct_size = sizeof r;
  r.columns = of_ranks;
  r.loss = reward_loss;
  return r;
}();
inline const rgm_reward rule = [] {
  rgm_reward r{};
  r.struct_size = sizeof r;
  r.columns = of_nothing;
  return r;
}();
inline const rgm_reward proofreader = [] {
  rgm_reward r{};
  r.struct_size = sizeof r;
  r.columns = of_answers;
  return r;
}();
inline const char* const every_site[] = {"*.query", nullptr};
inline rgm_status fold(void*, void*, rgm_tensor*, rgm_tensor*, rgm_tensor**, rgm_tensor**) { return RGM_INTERNAL; }
inline rgm_status vectors(void*, void*, rgm_tensor*, rgm_tensor**) { return RGM_INTERNAL; }
inline const rgm_adapter low_rank = [] {
  rgm_adapter a{};
  a.struct_size = sizeof a;
  a.kinds = RGM_LINEAR_SITE;
  a.sites = every_site;
  a.merge = fold;
  return a;
}();
inline const rgm_adapter in_front = [] {
  rgm_adapter a{};
  a.struct_size = sizeof a;
  a.kinds = RGM_LINEAR_SITE;
  a.sites = every_site;
  a.prompt = vectors;
  return a;
}();
inline const rgm_backend device{};
inline constexpr rgm_collective collective(uint32_t flags) {
  rgm_collective c{};
  c.struct_size = sizeof c;
  c.flags = flags;
  return c;
}
inline const rgm_collective wires = collective(RGM_STARTED_BY_HOST), launched = collective(RGM_STARTED_BY_LAUNCHER);

inline const rgm_option rank_option{sizeof(rgm_option),         0, "rank", "how wide", RGM_INTEGER, 0,
                                    {RGM_INTEGER, 1, {.i = 8}}, 1, 1024,   nullptr};
inline const rgm_option alpha_option{sizeof(rgm_option),       0, "alpha",  "how strong", RGM_REAL, 0,
                                     {RGM_REAL, 1, {.f = 16}}, 0, INFINITY, nullptr};
inline const rgm_option threads_option{
    sizeof(rgm_option), 0, "threads", "how many", RGM_INTEGER, 0, {}, 1, 1024, nullptr};
inline const rgm_option words_option{
    sizeof(rgm_option), RGM_PATH | RGM_REQUIRED, "words", "a list", RGM_TEXT, 0, {}, 0, 0, nullptr};
inline const rgm_option* const low_rank_options[] = {&rank_option, &alpha_option, nullptr};
inline const rgm_option* const device_options[] = {&threads_option, nullptr};
inline const rgm_option* const rule_options[] = {&words_option, nullptr};
inline const rgm_option* const no_options[] = {nullptr};

inline const Component& find(int kind, const std::string& id) {
  const auto entry = [](int k, const char* name, const rgm_option* const* options, const void* table) {
    return rgm_component{sizeof(rgm_component), k, name, "1.0.0", "", options, table};
  };
  static const rgm_component all[] = {entry(RGM_KIND_STRATEGY, "pretrain", no_options, &pretrain),
                                      entry(RGM_KIND_STRATEGY, "pairs", no_options, &pairs),
                                      entry(RGM_KIND_STRATEGY, "online", no_options, &online),
                                      entry(RGM_KIND_STRATEGY, "sample", no_options, &sample),
                                      entry(RGM_KIND_STRATEGY, "judging", no_options, &judging),
                                      entry(RGM_KIND_STRATEGY, "mistaken", no_options, &mistaken),
                                      entry(RGM_KIND_STRATEGY, "following", no_options, &following),
                                      entry(RGM_KIND_REWARD, "ranking", no_options, &learned),
                                      entry(RGM_KIND_REWARD, "words", rule_options, &rule),
                                      entry(RGM_KIND_REWARD, "proofreader", no_options, &proofreader),
                                      entry(RGM_KIND_ADAPTER, "low_rank", low_rank_options, &low_rank),
                                      entry(RGM_KIND_ADAPTER, "in_front", no_options, &in_front),
                                      entry(RGM_KIND_COLLECTIVE, "wires", no_options, &wires),
                                      entry(RGM_KIND_COLLECTIVE, "launched", no_options, &launched),
                                      entry(RGM_KIND_BACKEND, "chip", device_options, &device)};
  static std::list<Component> found;
  std::vector<std::string> known;
  for (const rgm_component& c : all) {
    if (c.kind != kind) continue;
    known.emplace_back(c.id);
    if (c.id == id) return found.emplace_back(Component{&c, nullptr, {}, "", whole_table(c)});
  }
  invalid("{} \"{}\" is not known{}", kind_name(kind), id, did_you_mean(id, known));
}

class PipelineTest : public testing::Test {
 protected:
  PipelineTest() {
    folder_ = fs::temp_directory_path() / fmt::format("regimen-pipeline-{}", ::getpid());
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "data" / "many");
    for (const char* name : {"a.txt", "many/2.txt", "many/1.txt", "many/3.md", "p.jsonl", "t.tsv"})
      write_file(folder_ / "data" / name, "some text\n");
    fs::create_directories(folder_ / "trained" / "model");
    write_file(folder_ / "trained/model/config.json", "{}");
    ::unsetenv("REGIMEN_DATA");
  }
  ~PipelineTest() override { fs::remove_all(folder_); }

  Pipeline read(const std::string& text, const ReadOptions& options = {}) {
    write_file(folder_ / "p.yaml", text);
    return read_pipeline(folder_ / "p.yaml", options, find,
                         [&](const fs::path& file, const std::string&) { plugins_.push_back(file.string()); });
  }
  // The problems, one a line, the file's name cut off: `3:5: text`. Empty when there are none.
  std::string problems(const std::string& text, const ReadOptions& options = {}) {
    try {
      read(text, options);
    } catch (const Error& e) {
      EXPECT_EQ(e.status(), RGM_INVALID);
      std::string all = e.what();
      const std::string folder = folder_.string();
      for (const std::string& cut : {folder + "/p.yaml:", folder + "/"})
        for (size_t at; (at = all.find(cut)) != std::string::npos;) all.erase(at, cut.size());
      return all;
    }
    return "";
  }

  fs::path folder_;
  std::vector<std::string> plugins_;
};

inline ReadOptions set(std::vector<std::string> values) { return {std::move(values), std::nullopt}; }
inline ReadOptions backend(const std::string& id) { return {{}, id}; }

// A pipeline that is right, and what the tests make of it: `right` without its length, with more behind it, with
// another line.
inline const char* const no_length = R"(regimen: 1
stages:
  - name: base
    strategy: pretrain
    model: {family: gpt2, layers: 1, heads: 2, channels: 8, context: 8}
    data: {train: {text: a.txt}}
)";
inline const std::string right = std::string(no_length) + "    steps: 1\n";
inline std::string one_stage(const std::string& more) { return no_length + more; }
inline std::string with_line(int number, const std::string& line) {
  size_t begin = 0;
  for (int i = 1; i < number; ++i) begin = right.find('\n', begin) + 1;
  std::string out = right;
  return out.replace(begin, right.find('\n', begin) - begin, line);
}

}  // namespace rgm::fake
