// strategy_trial.cpp - rows for every column, a reward for every text, and the pipeline around them.
#include "inspect/strategy_trial.hpp"

#include <array>

#include "host/tables.hpp"
#include "pipeline/reader.hpp"
#include "tensor/ops.hpp"

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
    case RGM_INTEGER_COLUMN: return column.flags & RGM_TOGETHER ? pair : e % 2;
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

// What a learned reward is trained by.
const Component& reward_trainer() {
  static constexpr const rgm_option* no_options[] = {nullptr};
  static constexpr const rgm_column* no_columns[] = {nullptr};
  static constexpr const rgm_role* no_roles[] = {nullptr};
  static constexpr rgm_attr no_defaults[] = {{}};
  static const rgm_strategy table = [] {
    rgm_strategy s{};
    s.struct_size = sizeof s;
    s.columns = no_columns;
    s.roles = no_roles;
    s.defaults = no_defaults;
    s.create = [](const rgm_config*, void** self) -> rgm_status {
      *self = nullptr;
      return RGM_OK;
    };
    s.destroy = [](void*) {};
    s.loss = [](void*, rgm_train* train, rgm_batch* batch, rgm_tensor** out) {
      return train_table()->reward_loss(train, batch, out);
    };
    return s;
  }();
  static const rgm_component data{sizeof data, RGM_KIND_STRATEGY, "reward-trainer", "1", "", no_options, &table};
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

const Component* reward_for(const rgm_strategy& table, Registry& registry) {
  if (table.rollout) return &some_rule();
  return reads_a_column(table) ? nullptr : learned_reward(registry);
}

}  // namespace

Trial::Trial(Opened& opened, const std::string& id, const std::string& options)
    : Trial(opened, opened.component(RGM_KIND_STRATEGY, id), options,
            reward_for(opened.component(RGM_KIND_STRATEGY, id).table<rgm_strategy>(), opened.registry), "") {}

Trial Trial::of_reward(Opened& opened, const std::string& id, const std::string& options) {
  return {opened, reward_trainer(), "", &opened.component(RGM_KIND_REWARD, id), options};
}

Trial::Trial(Opened& opened, const Component& strategy, const std::string& options, const Component* reward,
             const std::string& reward_options) {
  const auto& table = strategy.table<rgm_strategy>();
  save_tiny_model(folder_.path() / "model");
  const std::string main = table.rollout ? "prompts" : "train";
  Columns columns = listed(table.columns);
  if (reward && reward->table<rgm_reward>().loss)
    for (const rgm_column* column : listed(reward->table<rgm_reward>().columns)) columns.push_back(column);
  std::string data;
  for (const auto& [source, rows] : rows_of(columns, main)) {
    write_file(folder_.path() / (source + ".jsonl"), rows);
    data += fmt::format("{}{}: {{jsonl: {}.jsonl}}", data.empty() ? "" : ", ", source, source);
    if (source == main && table.loss && table.evaluate)
      data += fmt::format(", validation: {{jsonl: {}.jsonl}}", source);
  }
  std::string roles, head;
  uint64_t seed = 8;  // a teacher that is the policy has nothing to teach
  for (const rgm_role* const* r = table.roles; *r; ++r) {
    const std::string name = (*r)->name;
    if (name == "reference" || name == "policy") continue;
    save_tiny_model(folder_.path() / ("model-" + name), seed++);
    roles += fmt::format("    {0}: {{from: \"model-{0}\"}}\n", name);
  }
  for (const rgm_column* const* c = table.columns; *c; ++c)
    if ((*c)->kind == RGM_LABEL_COLUMN && !((*c)->flags & RGM_OPTIONAL)) head = ", head: {classify: {labels: [a, b]}}";
  const auto given = [](const std::string& some, const Component& of) {
    return some.empty() ? sample_options(*of.data) : some;
  };
  const std::string text = fmt::format(
      "regimen: 1\nbackend: reference\nstages:\n  - name: trial\n    strategy: {{\"{}\": {}}}\n"
      "    model: {{from: model{}}}\n    data: {{{}}}\n    batch: {}\n    steps: 2\n{}{}",
      strategy.data->id, given(options, strategy), head, data, trial_batch, roles,
      reward ? fmt::format("    reward: {{\"{}\": {}}}\n", reward->data->id, given(reward_options, *reward)) : "");
  write_file(folder_.path() / "pipeline.yaml", text);
  const ComponentFinder find = [&](int kind, const std::string& wanted) -> const Component& {
    if (kind == RGM_KIND_STRATEGY) return strategy;
    return kind == RGM_KIND_REWARD && reward ? *reward : opened.registry.find(kind, wanted);
  };
  pipeline_ = read_pipeline(folder_.path() / "pipeline.yaml", {}, find, [](const fs::path&, const std::string&) {});
  around_.emplace(Surroundings{pipeline_, opened.registry, folder_.path() / "run", folder_.path() / "run" / "cache"});
}

Prepared::Prepared(const Opened& opened, const Trial& trial) : stage(trial.open()) {
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
Prepared::~Prepared() {
  if (self) stage.setup.strategy->destroy(self);
}

}  // namespace rgm::inspect
