// strategy.cpp - a strategy on a tiny model and made-up data, through the same reading and opening as any pipeline.
#include <array>

#include "inspect/kernel_trace.hpp"
#include "inspect/opened.hpp"
#include "inspect/scratch.hpp"
#include "pipeline/open_stage.hpp"
#include "pipeline/reader.hpp"
#include "pipeline/run.hpp"
#include "plugins/options.hpp"
#include "tensor/ops.hpp"
#include "tensor/tape.hpp"
#include "train/feed.hpp"
#include "train/loop.hpp"

namespace rgm::inspect {
namespace {

using Columns = std::vector<const rgm_column*>;

Columns listed(const rgm_column* const* list) {
  Columns out;
  for (; *list; ++list) out.push_back(*list);
  return out;
}

// A value of the column for row `e`, another one in each column; rows 2i and 2i + 1 belong together.
nlohmann::json value_of(const rgm_column& column, int e, size_t place) {
  constexpr std::array words = {"red", "green", "blue", "black", "white"};
  const int pair = e / 2;
  switch (column.kind) {
    case RGM_TOKENS_COLUMN:
    case RGM_TEXT_COLUMN:
      return fmt::format("{} {} {}", words[(size_t(e) + place) % 5], words[(size_t(pair) + 2 * place) % 5], e);
    case RGM_INTEGER_COLUMN: return column.flags & RGM_TOGETHER ? pair : e % 3;
    case RGM_LABEL_COLUMN: return e % 2;
    default: return column.flags & RGM_TOGETHER ? pair : 0.25 * (e % 5);
  }
}

// Rows for every source that the columns name; what is optional is left out.
std::map<std::string, std::string> rows_of(const Columns& columns, const std::string& main) {
  constexpr size_t rows = 16;
  std::map<std::string, std::vector<nlohmann::json>> sources;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i]->flags & RGM_OPTIONAL) continue;
    const std::string name = columns[i]->name;
    const size_t dot = name.find('.');
    auto& source = sources[dot == std::string::npos ? main : name.substr(0, dot)];
    source.resize(rows);
    const std::string own = dot == std::string::npos ? name : name.substr(dot + 1);
    for (size_t e = 0; e < rows; ++e)
      if (own == every_column)
        source[e]["text"] = value_of(*columns[i], int(e), i), source[e]["label"] = std::to_string(e % 2);
      else
        source[e][own] = value_of(*columns[i], int(e), i);
  }
  std::map<std::string, std::string> out;
  for (const auto& [source, list] : sources)
    for (const nlohmann::json& row : list) out[source] += row.dump() + "\n";
  return out;
}

// What a strategy that makes rollouts is told of its answers: a number from 0 to 1 that differs from text to text.
const Component& some_rule() {
  static constexpr const rgm_option* no_options[] = {nullptr};
  static constexpr const rgm_column* no_columns[] = {nullptr};
  static const rgm_reward table = [] {
    rgm_reward r{};
    r.struct_size = sizeof r;
    r.columns = no_columns;
    r.create = [](const rgm_config*, void** self) -> rgm_status {
      *self = nullptr;
      return RGM_OK;
    };
    r.destroy = [](void*) {};
    r.score = [](void*, const rgm_completion* const* items, uint32_t n, float* out) -> rgm_status {
      for (uint32_t i = 0; i < n; ++i) {
        uint32_t sum = 0;
        for (const char c : std::string_view(items[i]->text.data, items[i]->text.size)) sum = 31 * sum + uint8_t(c);
        out[i] = float(sum % 97) / 97;
      }
      return RGM_OK;
    };
    return r;
  }();
  static const rgm_component data{sizeof data, RGM_KIND_REWARD, "some-rule", "1", "", no_options, &table};
  static const Component component{&data, nullptr, {}, "", whole_table(data)};
  return component;
}

// A learned reward for a strategy that needs no columns of its own and so those of its reward; NULL: none is there.
const Component* learned_reward(Registry& registry) {
  for (const std::string& id : registry.ids(RGM_KIND_REWARD))
    if (const Component& reward = registry.find(RGM_KIND_REWARD, id); reward.table<rgm_reward>().loss) return &reward;
  return nullptr;
}

bool reads_a_column(const rgm_strategy& table) {
  for (const rgm_column* const* c = table.columns; *c; ++c)
    if (!((*c)->flags & RGM_OPTIONAL)) return true;
  return false;
}

// A pipeline of one stage of the strategy, opened.
class Trial {
 public:
  Trial(Opened& opened, const std::string& id) {
    const Component& component = opened.component(RGM_KIND_STRATEGY, id);
    const auto& table = component.table<rgm_strategy>();
    save_tiny_model(folder_.path() / "model");
    const std::string main = table.rollout ? "prompts" : "train";
    const Component* const reward = table.rollout           ? &some_rule()
                                    : reads_a_column(table) ? nullptr
                                                            : learned_reward(opened.registry);
    Columns columns = listed(table.columns);
    if (reward && reward->table<rgm_reward>().loss)
      for (const rgm_column* column : listed(reward->table<rgm_reward>().columns)) columns.push_back(column);
    std::string data;
    for (const auto& [source, rows] : rows_of(columns, main)) {
      write_file(folder_.path() / (source + ".jsonl"), rows);
      data += fmt::format("{}{}: {{jsonl: {}.jsonl}}", data.empty() ? "" : ", ", source, source);
    }
    std::string roles, head;
    for (const rgm_role* const* r = table.roles; *r; ++r)
      if (std::string((*r)->name) != "reference" && std::string((*r)->name) != "policy")
        roles += fmt::format("    {}: {{from: model}}\n", (*r)->name);
    for (const rgm_column* const* c = table.columns; *c; ++c)
      if ((*c)->kind == RGM_LABEL_COLUMN && !((*c)->flags & RGM_OPTIONAL))
        head = ", head: {classify: {labels: [a, b]}}";
    const std::string text = fmt::format(
        "regimen: 1\nbackend: reference\nstages:\n  - name: trial\n    strategy: {{\"{}\": {}}}\n"
        "    model: {{from: model{}}}\n    data: {{{}}}\n    batch: 4\n    steps: 2\n{}{}",
        id, sample_options(*component.data), head, data, roles,
        reward ? fmt::format("    reward: {{\"{}\": {}}}\n", reward->data->id, sample_options(*reward->data)) : "");
    write_file(folder_.path() / "pipeline.yaml", text);
    const ComponentFinder find = [&](int kind, const std::string& wanted) -> const Component& {
      const bool ours = kind == RGM_KIND_REWARD && wanted == some_rule().data->id;
      return ours ? some_rule() : opened.registry.find(kind, wanted);
    };
    pipeline_ = read_pipeline(folder_.path() / "pipeline.yaml", {}, find, [](const fs::path&, const std::string&) {});
    around_.emplace(Surroundings{pipeline_, opened.registry, folder_.path() / "run", folder_.path() / "run" / "cache"});
  }

  const Pipeline& pipeline() const { return pipeline_; }
  fs::path run_folder() const { return folder_.path() / "run"; }
  OpenedStage open() const { return open_stage(pipeline_.stages.front(), 0, *around_); }

 private:
  const ScratchFolder folder_;
  Pipeline pipeline_;
  std::optional<Surroundings> around_;
};

// A strategy's instance, prepared.
struct Prepared {
  OpenedStage stage;
  void* self = nullptr;

  Prepared(const Opened& opened, const Trial& trial) : stage(trial.open()) {
    const TrainSetup& setup = stage.setup;
    opened.at("create");
    check_status(setup.strategy->create(setup.config, &self));
    stage.train->makes_reference = true;
    if (!setup.strategy->prepare) return;
    opened.at("prepare");
    const NoGradient still;
    const RandomScope random({1, 0, 0, 0});
    check_status(setup.strategy->prepare(self, stage.train.get()));
  }
  ~Prepared() {
    if (self) stage.setup.strategy->destroy(self);
  }
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;
};

void create_step(Opened& opened, const std::string& id) {
  const Component& component = opened.component(RGM_KIND_STRATEGY, id);
  const auto& table = component.table<rgm_strategy>();
  Problems problems(id);
  const auto config = read_options(*component.data, YAML::Load(sample_options(*component.data)), problems);
  problems.raise();
  for (int i = 0; i < 2; ++i) {
    void* self = nullptr;
    opened.at("create");
    if (table.create(config.get(), &self) != RGM_OK) return opened.failed("create failed: {}", last_failure());
    opened.at("destroy");
    table.destroy(self);
  }
  opened.ok("made and destroyed twice, with default options");
}

// Every column, in a shape that none has.
Batch misshapen(const rgm_strategy& table, const Shape& shape) {
  Batch batch;
  batch.examples = 2;
  for (const rgm_column* const* c = table.columns; *c; ++c) {
    const std::string name = (*c)->name;
    if ((*c)->kind == RGM_TEXT_COLUMN) continue;
    const rgm_dtype dtype = (*c)->kind == RGM_REAL_COLUMN ? RGM_F32 : RGM_I32;
    batch.uploaded.emplace(name, ops::full(shape, 1, dtype));
    if ((*c)->kind != RGM_TOKENS_COLUMN) continue;
    batch.uploaded.emplace(name + ".segments", ops::full(shape, 1, RGM_I32));
    batch.uploaded.emplace(name + ".weights", ops::full(shape, 1));
    batch.uploaded.emplace(name + ".ends", ops::full(shape, 0, RGM_I32));
  }
  return batch;
}

void nonsense_step(Opened& opened, const std::string& id) {
  if (!opened.open_reference()) return;
  const DeviceScope scope;
  const Trial trial(opened, id);
  const Prepared prepared(opened, trial);
  const rgm_strategy& table = *prepared.stage.setup.strategy;
  rgm_train& train = *prepared.stage.train;
  Refusals seen;
  const auto each = [&](const std::string& what, Batch batch) {
    const auto fresh = [&] {
      train.begin_step({&batch});
      train.batches.clear();
    };
    const RandomScope random({1, 1, 0, 0});
    fresh();
    if (table.loss)
      try_nonsense(opened, seen, "loss of " + what,
                   [&](rgm_tensor** out) { return table.loss(prepared.self, &train, &batch, out); });
    const NoGradient still;
    fresh();
    if (table.evaluate)
      try_nonsense(opened, seen, "evaluate of " + what,
                   [&](rgm_tensor**) { return table.evaluate(prepared.self, &train, &batch); });
    fresh();
    if (table.conclude)
      try_nonsense(opened, seen, "conclude of " + what,
                   [&](rgm_tensor**) { return table.conclude(prepared.self, &train, &batch); });
    fresh();
    if (table.annotate)
      try_nonsense(opened, seen, "annotate of " + what,
                   [&](rgm_tensor**) { return table.annotate(prepared.self, &train, &batch); });
    fresh();
    if (table.rollout)
      try_nonsense(opened, seen, "rollout of " + what, [&](rgm_tensor**) {
        rgm_experience made{};
        made.struct_size = sizeof made;
        return table.rollout(prepared.self, &train, &batch, &made);
      });
  };
  each("a batch without columns", Batch{});
  for (const Shape& shape : {Shape(), Shape({3}), Shape({2, 0}), Shape({2, 3, 2})})
    each("a batch whose columns have the shape " + shape.text(), misshapen(table, shape));
  tell(opened, seen);
}

void gradient_step(Opened& opened, const std::string& id) {
  if (!opened.open_reference()) return;
  const DeviceScope scope;
  const Trial trial(opened, id);
  Prepared prepared(opened, trial);
  const rgm_strategy& table = *prepared.stage.setup.strategy;
  if (!table.loss) return opened.skipped("it minimises nothing");
  rgm_train& train = *prepared.stage.train;
  opened.at("rollout and annotate");
  Feed feed(prepared.stage.setup, prepared.self);
  const std::vector<Batch*> batches = feed.next();
  train.begin_step(batches);
  const auto loss = [&] {
    const RandomScope random({1, 1, 0, 0});
    rgm_tensor* out = nullptr;
    check_status(table.loss(prepared.self, &train, batches.front(), &out));
    Tensor answer = Tensor::adopt(out);
    require_scalar(answer, "strategy \"" + id + "\"");
    train.metrics.clear();
    return answer;
  };
  check_gradients(opened, prepared.stage.setup.parameters, loss);
}

// The same shapes and segments. What groups examples stays, and so do the weights of tokens.
Batch with_other_values(const Batch& batch, const rgm_train& train) {
  Batch out;
  out.examples = batch.examples;
  out.columns = batch.columns;
  for (auto& [name, column] : out.columns) {
    if (!train.together(name)) std::ranges::reverse(column.integers);
    if (column.kind != ColumnKind::tokens)
      for (float& x : column.reals) x = 0.1F - 0.5F * x;
    for (std::string& text : column.texts) text += " and more";
  }
  return out;
}

void capture_step(Opened& opened, const std::string& id) {
  const auto& table = opened.component(RGM_KIND_STRATEGY, id).table<rgm_strategy>();
  if (!(table.flags & RGM_CAPTURABLE)) return opened.skipped("it does not promise that its steps may be captured");
  if (table.rollout) return opened.skipped("its steps are not captured, as it makes their data itself");
  if (!opened.open_reference()) return;
  const DeviceScope scope;
  const Trial trial(opened, id);
  Prepared prepared(opened, trial);
  rgm_train& train = *prepared.stage.train;
  Feed feed(prepared.stage.setup, prepared.self);
  Batch batch = *feed.next().front(), other = with_other_values(batch, train);
  KernelTrace trace(current_device());
  const auto asked = [&](Batch& of, uint64_t step) {
    const RandomScope random({1, step, 0, 0});
    train.begin_step({&of});
    rgm_tensor* out = nullptr;
    opened.at("loss");
    check_status(table.loss(prepared.self, &train, &of, &out));
    const Tensor loss = Tensor::adopt(out);
    if (loss.needs_gradient()) backward(loss);
    for (const Parameters* store : prepared.stage.setup.parameters)
      for (const Parameter& p : store->all()) p.value.take_gradient();
    train.metrics.clear();
    of.uploaded.clear();
    return trace.take();
  };
  asked(batch, 1);  // what is made at the first call
  const std::vector<std::string> first = asked(batch, 2), second = asked(other, 3);
  for (size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    const std::string was = i < first.size() ? first[i] : "nothing", is = i < second.size() ? second[i] : "nothing";
    if (was != is)
      return opened.failed(
          "it promises that its steps may be captured, and with other values of the same shapes kernel {} is \"{}\" "
          "where it was \"{}\": leave out `capturable`",
          i + 1, is, was);
  }
  opened.ok("steps may be captured: {} kernels, the same with other values", first.size());
}

void run_step(Opened& opened, const std::string& id) {
  if (!opened.open_reference()) return;
  const Trial trial(opened, id);
  opened.at("a run of two steps");
  RunOptions options;
  options.out = trial.run_folder();
  run(trial.pipeline(), options, opened.registry);
  opened.ok("a pipeline with it ran");
}

}  // namespace

std::vector<Step> strategy_steps() {
  return {{"create", create_step},
          {"nonsense", nonsense_step},
          {"gradients", gradient_step},
          {"capture", capture_step},
          {"run", run_step}};
}

}  // namespace rgm::inspect
