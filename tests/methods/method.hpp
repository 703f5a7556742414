// method.hpp - one plug-in on a small model: batches of texts, its loss as a number, rollouts with given scores.
#pragma once
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "data/source.hpp"
#include "host/host.hpp"
#include "model/small.hpp"
#include "plugins/options.hpp"
#include "plugins/registry.hpp"
#include "train/session.hpp"

namespace rgm::test {

inline const Component& component(int kind, const std::string& id) {
  static Registry registry(host_table());  // plug-ins keep the host's table for ever
  static std::map<std::string, const Component*> loaded;
  const std::string key = std::to_string(kind) + id;
  if (!loaded.contains(key)) {
    registry.add(fs::path(REGIMEN_PLUGINS) / (id + ".so"));
    loaded[key] = &registry.find(kind, id);
  }
  return *loaded[key];
}

inline std::shared_ptr<rgm_config> options_of(const Component& c, const std::string& yaml) {
  Problems problems("test");
  std::shared_ptr<rgm_config> config = read_options(*c.data, YAML::Load(yaml), problems);
  problems.raise();
  return config;
}

// A vocabulary that a test can go through in float64, with distributions that are far from flat.
inline std::shared_ptr<Model> of_three_tokens(uint64_t seed) {
  ModelConfig c = small_config();
  c.vocabulary = 3;
  const auto model = Model::create(c, byte_tokenizer(), seed);
  const NoGradient still;
  for (Parameter& p : model->parameters().all())
    if (p.value.rank() == 2) assign(p.value, 10 * p.value);
  return model;
}

// Numbers that tests/parity/record_losses.py recorded.
inline const nlohmann::json& recorded(const std::string& name) {
  static const nlohmann::json all =
      nlohmann::json::parse(std::ifstream(REGIMEN_SOURCE_DIRECTORY "/tests/parity/losses.json"));
  return all.at(name);
}

struct Text {
  std::string prompt, answer;
};

inline TokenExample example_of(const Text& text) {
  TokenExample e;
  for (const char c : text.prompt + text.answer) e.ids.push_back(static_cast<unsigned char>(c));
  e.weights.assign(e.ids.size(), 1);
  std::fill_n(e.weights.begin(), text.prompt.size(), 0.0F);
  return e;
}

// log p of every token of the answer, by the model, alone in its row.
inline std::vector<double> logprobs_of(const Model& model, const Text& text) {
  const NoGradient still;
  const TokenExample e = example_of(text);
  const auto all = to_host(model.forward(pass_over(tokens_of({e.ids})), RGM_LOGPROBS)[0]);
  return {all.begin() + ptrdiff_t(std::max<size_t>(text.prompt.size(), 1)), all.end()};
}
inline double sum_of(const std::vector<double>& x) { return std::accumulate(x.begin(), x.end(), 0.0); }

inline void set_tokens(Batch& batch, const std::string& name, const std::vector<Text>& texts, int64_t length = 24) {
  std::vector<TokenExample> examples;
  for (const Text& t : texts) examples.push_back(example_of(t));
  batch.columns[name] = pack(examples, length);
  batch.examples = int64_t(texts.size());
}
inline void set_reals(Batch& batch, const std::string& name, const std::vector<float>& x) {
  batch.columns[name] = {.kind = ColumnKind::real, .reals = x};
}
inline void set_integers(Batch& batch, const std::string& name, const std::vector<int32_t>& x) {
  batch.columns[name] = {.kind = ColumnKind::integer, .integers = x};
}

// Scores that differ from answer to answer.
inline float by_letters(const std::string& text) {
  float sum = 0;
  for (const char c : text) sum += float(static_cast<unsigned char>(c) % 7);
  return sum / 5;
}

inline float nothing(const std::string&) { return 0; }  // scores no answer differently from another

inline double log_sigmoid(double x) { return -std::log1p(std::exp(-x)); }

// A rule that is a function of the test.
inline const rgm_reward& rule_of_the_test() {
  static constexpr const rgm_column* no_columns[] = {nullptr};
  static const rgm_reward table = [] {
    rgm_reward r{};
    r.struct_size = sizeof r;
    r.columns = no_columns;
    r.destroy = [](void* self) { delete static_cast<std::function<float(std::string)>*>(self); };
    r.score = [](void* self, const rgm_completion* const* items, uint32_t n, float* out) -> rgm_status {
      const auto& f = *static_cast<std::function<float(std::string)>*>(self);
      for (uint32_t i = 0; i < n; ++i) out[i] = f({items[i]->text.data, items[i]->text.size});
      return RGM_OK;
    };
    return r;
  }();
  return table;
}

class Method {
 public:
  // With `outputs` the policy has a head of its own.
  explicit Method(const std::string& id, const std::string& yaml = "{}", int64_t outputs = 0)
      : component_(component(RGM_KIND_STRATEGY, id)),
        table(component_.table<rgm_strategy>()),
        config_(options_of(component_, yaml)) {
    if (outputs > 0) policy->add_head(outputs, {}, 11);
    train.seed = 5;
    train.stage = "test";
    train.policy = policy;
    train.roles["policy"] = {policy};
    train.roles["reference"] = train.roles["teacher"] = {reference, false, true};
    train.context = 24;
    train.tokenizer = {policy->tokenizer()};
    for (const rgm_column* const* c = table.columns; *c; ++c)
      train.wishes.push_back({(*c)->name, (*c)->kind, (*c)->flags});
    check_status(table.create(config_.get(), &self));
    if (table.prepare) {
      const NoGradient still;
      const RandomScope random({5, 0, 0, 0});
      if (const rgm_status status = table.prepare(self, &train); status != RGM_OK) {
        table.destroy(self);
        check_status(status);
      }
    }
    train.close_scopes();
  }
  ~Method() { table.destroy(self); }
  Method(const Method&) = delete;
  Method& operator=(const Method&) = delete;

  double loss(Batch& batch) {
    const NoGradient still;
    train.begin_step({&batch});
    const RandomScope random({5, 1, 0, 0});
    rgm_tensor* out = nullptr;
    check_status(table.loss(self, &train, &batch, &out));
    return double(item(Tensor::adopt(out)));
  }
  void annotate(Batch& batch) {
    const NoGradient still;
    train.begin_step({&batch});
    check_status(table.annotate(self, &train, &batch));
    batch.uploaded.clear();
  }
  // Answers to the prompts, scored by a function of their text; the batch lives as long as this object.
  Batch& rollout(const std::vector<std::string>& prompts, std::function<float(std::string)> score) {
    Batch* const batch = rollout_if_any(prompts, std::move(score));
    require(batch != nullptr, "the rollout has nothing to learn from");
    return *batch;
  }
  // NULL where there is nothing to learn from.
  Batch* rollout_if_any(const std::vector<std::string>& prompts, std::function<float(std::string)> score) {
    const NoGradient still;
    train.rewards.clear();
    Reward reward;
    reward.id = reward.name = reward.label = "test";
    reward.table = &rule_of_the_test();
    reward.self = new std::function<float(std::string)>(std::move(score));
    train.rewards.push_back(std::move(reward));
    std::vector<Text> texts;
    for (const std::string& p : prompts) texts.push_back({p, ""});
    set_tokens(prompts_, "prompt", texts);
    train.begin_step({&prompts_});
    const RandomScope random({5, 1, 0, 1});
    rgm_experience out{};
    out.struct_size = sizeof out;
    check_status(table.rollout(self, &train, &prompts_, &out));
    return out.batch;
  }
  double metric(const std::string& name) const {
    const auto& m = train.metrics.at(name);
    return double(item(m.sum)) / double(item(m.count));
  }

 private:
  const Component& component_;

 public:
  const rgm_strategy& table;
  std::shared_ptr<Model> policy = small_model(), reference = small_model("gpt2", 8);
  rgm_train train;
  void* self = nullptr;

 private:
  std::shared_ptr<rgm_config> config_;
  Batch prompts_;
};

// The places of the tokens that count, by example.
inline std::vector<std::vector<size_t>> places_of(const BatchColumn& tokens, int64_t examples) {
  std::vector<std::vector<size_t>> out(static_cast<size_t>(examples));
  for (size_t i = 0; i < tokens.reals.size(); ++i)
    if (tokens.reals[i] > 0) out[size_t(tokens.segments[i] - 1)].push_back(i);
  return out;
}

}  // namespace rgm::test
