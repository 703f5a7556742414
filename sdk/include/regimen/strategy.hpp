// strategy.hpp - a strategy is a class: Options, columns, and loss or rollout; the rest when it needs it.
//   prepare(train)   annotate(train, batch)   rollout(train, data) -> Experience   loss(train, batch) -> Tensor
//   evaluate(train, batch)   conclude(train, rows)   plan() -> Plan
// `static constexpr bool capturable = true` promises RGM_CAPTURABLE of its loss, `without_dropout = true` asks for
// RGM_WITHOUT_DROPOUT.
#pragma once
#include <algorithm>

#include "hooks.hpp"
#include "options.hpp"
#include "train.hpp"

namespace regimen RGM_PRIVATE {

struct Experience {
  Batch batch{nullptr};           // without one, as of {}, there is nothing to learn from in this data
  int64_t epochs = 1, steps = 1;  // `steps` optimizer steps in each of `epochs` rounds
};

// What the stage is going to do, by its options: see rgm_strategy_plan.
struct Plan {
  bool needs_reward = false;
  int64_t epochs = 0, steps = 0, units = 0;
  int64_t answer_tokens = 0;
  bool reads_one_source = false, needs_all_sources = false;
};

template <class T>
struct StrategyThunks {
  RGM_HOOK(T, prepare); RGM_HOOK(T, annotate); RGM_HOOK(T, rollout); RGM_HOOK(T, loss); RGM_HOOK(T, evaluate);
  RGM_HOOK(T, conclude); RGM_HOOK(T, plan); RGM_NO_HOOK(T, summarise, conclude); RGM_NO_HOOK(T, finish, conclude);
  RGM_NO_HOOK(T, prepear, prepare); RGM_NO_HOOK(T, setup, prepare); RGM_NO_HOOK(T, init, prepare);
  RGM_NO_HOOK(T, anotate, annotate); RGM_NO_HOOK(T, annotates, annotate); RGM_NO_HOOK(T, annotation, annotate);
  RGM_NO_HOOK(T, roll_out, rollout); RGM_NO_HOOK(T, rolout, rollout); RGM_NO_HOOK(T, rollouts, rollout);
  RGM_NO_HOOK(T, generate, rollout); RGM_NO_HOOK(T, losses, loss); RGM_NO_HOOK(T, compute_loss, loss);
  RGM_NO_HOOK(T, lose, loss); RGM_NO_HOOK(T, eval, evaluate); RGM_NO_HOOK(T, evalute, evaluate);
  RGM_NO_HOOK(T, evaluation, evaluate); RGM_NO_HOOK(T, validate, evaluate); RGM_NO_HOOK(T, evaluates, evaluate);
  RGM_NO_HOOK(T, Evaluate, evaluate); RGM_NO_HOOK(T, prepares, prepare); RGM_NO_HOOK(T, prepar, prepare);
  RGM_NO_HOOK(T, annotat, annotate); RGM_NO_HOOK(T, rollOut, rollout); RGM_NO_HOOK(T, concludes, conclude);

  static T& at(void* self) { return *static_cast<T*>(self); }
  static rgm_status prepare(void* self, rgm_train* train) { return guard([&] { at(self).prepare(Train(train)); }); }
  static rgm_status annotate(void* self, rgm_train* train, rgm_batch* batch) {
    return guard([&] { at(self).annotate(Train(train), Batch(batch)); });
  }
  static rgm_status rollout(void* self, rgm_train* train, rgm_batch* data, rgm_experience* out) {
    return guard([&] {
      const Experience e = at(self).rollout(Train(train), Batch(data));
      out->batch = e.batch.get();
      out->epochs = static_cast<uint32_t>(e.epochs);
      out->steps = static_cast<uint32_t>(e.steps);
    });
  }
  static rgm_status loss(void* self, rgm_train* train, rgm_batch* batch, rgm_tensor** out) {
    return guard([&] { *out = at(self).loss(Train(train), Batch(batch)).release(); });
  }
  static rgm_status evaluate(void* self, rgm_train* train, rgm_batch* batch) {
    return guard([&] { at(self).evaluate(Train(train), Batch(batch)); });
  }
  static rgm_status conclude(void* self, rgm_train* train, rgm_batch* rows) {
    return guard([&] { at(self).conclude(Train(train), Batch(rows)); });
  }

  static rgm_status plan(void* self, rgm_strategy_plan* out) {
    return guard([&] {
      const Plan p = at(self).plan();
      out->needs = p.needs_reward ? RGM_NEEDS_REWARD : 0;
      if (p.reads_one_source) out->needs |= RGM_READS_ONE_SOURCE;
      if (p.needs_all_sources) out->needs |= RGM_NEEDS_ALL_SOURCES;
      out->epochs = static_cast<uint32_t>(p.epochs);
      out->steps = static_cast<uint32_t>(p.steps);
      out->units = static_cast<uint32_t>(p.units);
      out->answer_tokens = static_cast<uint32_t>(std::clamp<int64_t>(p.answer_tokens, 0, UINT32_MAX));
    });
  }

  static constexpr const rgm_role* no_roles[] = {nullptr};
  static constexpr rgm_attr no_defaults[] = {{}};
  static constexpr rgm_strategy table = [] {
    rgm_strategy s{};
    s.struct_size = sizeof s;
    s.columns = columns_of<T>();
    s.roles = no_roles;
    s.defaults = no_defaults;
    if constexpr (requires { T::roles; }) s.roles = pointers<T::roles>.data();
    if constexpr (requires { T::defaults; }) s.defaults = ended<T::defaults>.data();
    if constexpr (requires { T::capturable; }) s.flags |= T::capturable ? RGM_CAPTURABLE : 0;
    if constexpr (requires { T::without_dropout; }) s.flags |= T::without_dropout ? RGM_WITHOUT_DROPOUT : 0;
    s.create = Instance<T>::create;
    s.destroy = Instance<T>::destroy;
    if constexpr (requires { &T::prepare; }) s.prepare = prepare;
    if constexpr (requires { &T::annotate; }) s.annotate = annotate;
    if constexpr (requires { &T::rollout; }) s.rollout = rollout;
    if constexpr (requires { &T::loss; }) s.loss = loss;
    if constexpr (requires { &T::evaluate; }) s.evaluate = evaluate;
    if constexpr (requires { &T::conclude; }) s.conclude = conclude;
    if constexpr (requires { &T::plan; }) s.plan = plan;
    return s;
  }();
  // Not through the table: under GCC's -fsanitize=undefined a function's address is no constant to compare.
  static_assert(requires { &T::loss; } || requires { &T::rollout; },
                "a strategy minimises a loss, or performs a rollout");
};

template <class T>
constexpr rgm_component strategy(const char* id, const char* version, const char* summary) {
  return {sizeof(rgm_component), RGM_KIND_STRATEGY, id, version, summary,
          OptionTable<typename T::Options>::pointers.data(), &StrategyThunks<T>::table};
}

}  // namespace regimen
