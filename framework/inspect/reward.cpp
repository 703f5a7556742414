// reward.cpp - a rule on answers of any kind; a learned head on a tiny model.
#include <cmath>

#include "host/tables.hpp"
#include "inspect/opened.hpp"
#include "inspect/scratch.hpp"
#include "inspect/strategy_trial.hpp"
#include "pipeline/run.hpp"
#include "tensor/ops.hpp"
#include "train/session.hpp"

namespace rgm::inspect {
namespace {

struct Instance {
  std::unique_ptr<rgm_config> config;
  const rgm_reward& table;
  void* self = nullptr;

  Instance(Opened& opened, const std::string& id)
      : Instance(opened, id, sample_options(*opened.component(RGM_KIND_REWARD, id).data)) {}
  Instance(Opened& opened, const std::string& id, const std::string& options)
      : table(opened.component(RGM_KIND_REWARD, id).table<rgm_reward>()) {
    config = config_of(*opened.component(RGM_KIND_REWARD, id).data, options);
    opened.at("create");
    check_status(table.create(config.get(), &self));
  }
  ~Instance() {
    if (self) table.destroy(self);
  }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
};

void create_step(Opened& opened, const std::string& id) {
  for (int i = 0; i < 2; ++i) const Instance instance(opened, id);
  opened.ok("made and destroyed twice, with default options");
}

rgm_value sample(int32_t kind) {
  switch (kind) {
    case RGM_INTEGER_COLUMN:
    case RGM_LABEL_COLUMN: return {RGM_INTEGER, 1, {.i = 1}};
    case RGM_REAL_COLUMN: return {RGM_REAL, 1, {.f = 0.5}};
    default: return {RGM_TEXT, 1, {.s = {"yes", 3}}};
  }
}

bool needs_file(const rgm_component& data) {
  for (const rgm_option* const* o = data.options; *o; ++o)
    if (((*o)->flags & RGM_PATH) && ((*o)->flags & RGM_REQUIRED)) return true;
  return false;
}

void answers_step(Opened& opened, const std::string& id) {
  const Instance reward(opened, id);
  if (!reward.table.score) return opened.skipped("it is learned, not a rule");
  std::vector<rgm_value> full, none;
  for (const rgm_column* const* c = reward.table.columns; *c; ++c) {
    full.push_back(sample((*c)->kind));
    none.emplace_back();
  }
  const std::string long_text(20'000, 'a'), odd("a\0\xff\xfe\xe2\x82", 6);
  const std::pair<const char*, std::string> texts[] = {{"an answer", "Yes, 7 of them."},
                                                       {"an empty answer", ""},
                                                       {"an answer that is not UTF-8", odd},
                                                       {"an answer of 20000 letters", long_text}};
  int refused = 0;
  float low = INFINITY, high = -INFINITY;
  for (const auto& [what, text] : texts)
    for (const bool has_columns : {true, false}) {
      const std::string name = std::string("score of ") + what + (has_columns ? "" : " without columns");
      const rgm_completion item{
          sizeof item, 0, {text.data(), text.size()}, {text.data(), text.size()}, (has_columns ? full : none).data()};
      const rgm_completion* const items[] = {&item, &item};
      float out[3] = {-7, -7, -7};
      opened.at(name);
      keep_failure(RGM_OK, "");
      rgm_status status = RGM_OK;
      try {
        status = reward.table.score(reward.self, items, 2, out);
      } catch (...) {
        return opened.failed("{}: it threw an exception, where only a status is allowed", name);
      }
      if (out[2] != -7) return opened.failed("{}: it wrote past the last score", name);
      if (status != RGM_OK) {
        ++refused;
        if (out[0] != -7) return opened.failed("{}: failed, but wrote a score: outputs stay as they are", name);
        if (last_failure().empty()) return opened.failed("{}: failed without a reason; say why with host->fail", name);
        continue;
      }
      if (std::isinf(out[0])) return opened.failed("{}: it scores {}; NaN says that it cannot be scored", name, out[0]);
      if (out[0] != out[1] && !(std::isnan(out[0]) && std::isnan(out[1])))
        return opened.failed("{}: equal answers score {} and {}", name, out[0], out[1]);
      if (std::isfinite(out[0])) low = std::min(low, out[0]), high = std::max(high, out[0]);
    }
  opened.at("score of nothing");
  float nothing = 0;
  const rgm_completion* const no_items[] = {nullptr};
  static_cast<void>(reward.table.score(reward.self, no_items, 0, &nothing));
  if (refused == 8 && needs_file(*opened.component(RGM_KIND_REWARD, id).data))
    return opened.skipped("it needs a file that the check does not have: {}", last_failure());
  if (refused == 8) return opened.failed("it scores no answer: {}", last_failure());
  opened.ok("8 answers, {} refused; scores {} to {}", refused, low, high);
}

// The head that a learned reward makes, in a model's extra parameters.
struct Attached {
  std::shared_ptr<Model> model = tiny_model();
  rgm_scope scope{&model->extra(), &model->saved_extra(), "reward.trial.", 3, true, false};

  Attached(const Opened& opened, const Instance& reward) {
    const NoGradient still;
    const RandomScope random({3, 0, 0, 0});
    rgm_model_info info{};
    info.struct_size = sizeof info;
    fill_info(*model, tokenizer_handle(model->tokenizer()), info);
    opened.at("attach");
    check_status(reward.table.attach(reward.self, &info, &scope));
  }
  Attached(const Attached&) = delete;
  Attached& operator=(const Attached&) = delete;
};

void nonsense_step(Opened& opened, const std::string& id) {
  if (!opened.open_reference()) return;
  const DeviceScope device;
  const Instance reward(opened, id);
  if (!reward.table.scores) return opened.skipped("it is a rule, which sees no tensors");
  const Attached head(opened, reward);
  const RandomScope random({3, 1, 0, 0});
  Refusals seen;
  for (const Shape& shape : {Shape(), Shape({3}), Shape({2, 5, 7}), Shape({1, 2, 3, 4})}) {
    const Tensor hidden = ops::full(shape, 1), ends = ops::full({2}, 1000, RGM_I32), right = ops::full({2, 4, 16}, 1);
    try_nonsense(opened, seen, "scores of hidden states of the shape " + shape.text(),
                 [&](rgm_tensor** out) { return reward.table.scores(reward.self, hidden.get(), ends.get(), out); });
    rgm_train train;
    Batch empty;
    train.begin_step({&empty});
    if (reward.table.loss)
      try_nonsense(opened, seen, "loss of scores of the shape " + shape.text() + " and a batch without columns",
                   [&](rgm_tensor** out) { return reward.table.loss(reward.self, &train, &empty, hidden.get(), out); });
  }
  tell(opened, seen);
}

void gradient_step(Opened& opened, const std::string& id) {
  if (!opened.open_reference()) return;
  const DeviceScope device;
  const Instance reward(opened, id);
  if (!reward.table.scores) return opened.skipped("it is a rule, which learns nothing");
  const Attached head(opened, reward);
  {
    const NoGradient still;
    const RandomScope random({9, 0, 0, 0});
    for (Parameter& p : head.model->extra().all())
      assign(p.value, p.value + 0.3 * ops::random(p.value.shape(), RGM_NORMAL));
  }
  check_gradients(opened, {&head.model->extra()}, [&] {
    const RandomScope random({1, 1, 0, 0});
    const Tensor hidden = head.model->forward({.tokens = tiny_tokens(2, 6)}, RGM_HIDDEN).front();
    const std::vector<int32_t> ends = {5, 11};
    rgm_tensor* out = nullptr;
    opened.at("scores");
    check_status(
        reward.table.scores(reward.self, hidden.get(), from_host(std::span<const int32_t>(ends), {2}).get(), &out));
    const Tensor scores = Tensor::adopt(out);
    require(scores.shape() == Shape({2}), "scores returned the shape {} for 2 ends, (2) was expected",
            scores.shape().text());
    return ops::sum(ops::unary(RGM_SQUARE, scores + 1.0));
  });
}

void train(Opened& opened, const std::string& id, const std::string& given) {
  opened.open_reference();  // a run closes what it ran on
  const Trial trial = Trial::of_reward(opened, id, given);
  RunOptions options;
  options.out = trial.run_folder();
  run(trial.pipeline(), options, opened.registry);
}

void batches_step(Opened& opened, const std::string& id) {
  if (!opened.open_reference()) return;
  if (!opened.component(RGM_KIND_REWARD, id).table<rgm_reward>().loss)
    return opened.skipped("it is a rule, which learns nothing");
  const DeviceScope device;
  compare_batches(opened, Trial::of_reward(opened, id));
}

// Of made-up data: what a learned reward is for.
void run_step(Opened& opened, const std::string& id) {
  if (!opened.open_reference()) return;
  if (!opened.component(RGM_KIND_REWARD, id).table<rgm_reward>().loss)
    return opened.skipped("it is a rule, which learns nothing");
  opened.at("two steps that it learns in");
  train(opened, id, "");
  opened.ok("a pipeline that trains it ran");
}

// A rule scores an answer; a learned one learns.
void options_step(Opened& opened, const std::string& id) {
  if (!opened.open_reference()) return;
  const Component& component = opened.component(RGM_KIND_REWARD, id);
  try_options(opened, *component.data, [&](const std::string& options) {
    if (component.table<rgm_reward>().loss) return train(opened, id, options);
    const Instance reward(opened, id, options);
    std::vector<rgm_value> columns;
    for (const rgm_column* const* c = reward.table.columns; *c; ++c) columns.push_back(sample((*c)->kind));
    constexpr std::string_view text = "Yes, 7 of them.";
    const rgm_completion item{sizeof item, 0, {text.data(), text.size()}, {text.data(), text.size()}, columns.data()};
    const rgm_completion* const items[] = {&item};
    float out = 0;
    check_status(reward.table.score(reward.self, items, 1, &out));
    require(!std::isinf(out), "it scores {}; NaN says that it cannot be scored", out);
  });
}

}  // namespace

std::vector<Step> reward_steps() {
  return {{"create", create_step},      {"answers", answers_step}, {"nonsense", nonsense_step},
          {"gradients", gradient_step}, {"batches", batches_step}, {"run", run_step},
          {"options", options_step}};
}

}  // namespace rgm::inspect
