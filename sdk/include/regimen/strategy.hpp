// strategy.hpp - a strategy is a class with Options, a constructor from them, columns, and loss or rollout or both. The
// other hooks are optional; abi/strategy.h says when each is called.
//   prepare(train)   annotate(train, batch)   rollout(train, data) -> Experience   loss(train, batch) -> Tensor
//   after_step(train, step)   evaluate(train, batch)   conclude(train, rows)   plan() -> Plan
// Optional lists are `static constexpr rgm_role roles[]` and `rgm_attr defaults[]`. `static constexpr bool capturable =
// true` promises RGM_CAPTURABLE of the loss, `without_dropout = true` asks for RGM_WITHOUT_DROPOUT, and `evaluates_apart = true`
// promises RGM_EVALUATES_APART.
#pragma once
#include <algorithm>

#include "hooks.hpp"
#include "options.hpp"
#include "train.hpp"

namespace regimen RGM_PRIVATE {

struct Experience {
  Batch batch{nullptr};           // none, as in {}: there is nothing to learn from in this data
  int64_t epochs = 1, steps = 1;  // `epochs` rounds through the batch, of `steps` optimizer steps each
};

// What the strategy is going to do, with the options it was given: see rgm_strategy_plan.
struct Plan {
  bool needs_reward = false;
  int64_t epochs = 0, steps = 0, units = 0;
  int64_t answer_tokens = 0;
  bool reads_one_source = false, needs_all_sources = false;
  bool trains_reward = false;
  bool follows_policy = false;       // its roles with RGM_FOLLOWS
  bool without_annotations = false;  // annotate is not called
};

template <class T>
struct StrategyThunks {
  RGM_HOOK(T, prepare); RGM_HOOK(T, annotate); RGM_HOOK(T, rollout); RGM_HOOK(T, loss); RGM_HOOK(T, evaluate);
  RGM_HOOK(T, conclude); RGM_HOOK(T, plan); RGM_NO_HOOK(T, summarise, conclude); RGM_NO_HOOK(T, finish, conclude);
  RGM_HOOK(T, after_step); RGM_NO_HOOK(T, afterstep, after_step); RGM_NO_HOOK(T, after_steps, after_step);
  RGM_NO_HOOK(T, afterStep, after_step); RGM_NO_HOOK(T, step_end, after_step); RGM_NO_HOOK(T, on_step_end, after_step);
  RGM_NO_HOOK(T, prepear, prepare); RGM_NO_HOOK(T, setup, prepare); RGM_NO_HOOK(T, init, prepare);
  RGM_NO_HOOK(T, anotate, annotate); RGM_NO_HOOK(T, annotates, annotate); RGM_NO_HOOK(T, annotation, annotate);
  RGM_NO_HOOK(T, roll_out, rollout); RGM_NO_HOOK(T, rolout, rollout); RGM_NO_HOOK(T, rollouts, rollout);
  RGM_NO_HOOK(T, generate, rollout); RGM_NO_HOOK(T, losses, loss); RGM_NO_HOOK(T, compute_loss, loss);
  RGM_NO_HOOK(T, lose, loss); RGM_NO_HOOK(T, eval, evaluate); RGM_NO_HOOK(T, evalute, evaluate);
  RGM_NO_HOOK(T, evaluation, evaluate); RGM_NO_HOOK(T, validate, evaluate); RGM_NO_HOOK(T, evaluates, evaluate);
  RGM_NO_HOOK(T, Evaluate, evaluate); RGM_NO_HOOK(T, prepares, prepare); RGM_NO_HOOK(T, prepar, prepare);
  RGM_NO_HOOK(T, annotat, annotate); RGM_NO_HOOK(T, rollOut, rollout); RGM_NO_HOOK(T, concludes, conclude);

  static T& at(void* self) { return *static_cast<T*>(self); }
  static uint32_t whole(int64_t x, const char* what) {  // before anything is written to an out struct
    require(x >= 0 && x <= UINT32_MAX, "the " + std::string(what) + " are " + std::to_string(x));
    return static_cast<uint32_t>(x);
  }
  static rgm_status prepare(void* self, rgm_train* train) { return guard([&] { at(self).prepare(Train(train)); }); }
  static rgm_status annotate(void* self, rgm_train* train, rgm_batch* batch) {
    return guard([&] { at(self).annotate(Train(train), Batch(batch)); });
  }
  static rgm_status rollout(void* self, rgm_train* train, rgm_batch* data, rgm_experience* out) {
    return guard([&] {
      const Experience e = at(self).rollout(Train(train), Batch(data));
      const uint32_t epochs = whole(e.epochs, "epochs of its experience"), steps = whole(e.steps, "steps of its experience");
      out->batch = e.batch.get();
      out->epochs = epochs;
      out->steps = steps;
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
  static rgm_status after_step(void* self, rgm_train* train, int64_t step) {
    return guard([&] { at(self).after_step(Train(train), step); });
  }

  static rgm_status plan(void* self, rgm_strategy_plan* out) {
    return guard([&] {
      const Plan p = at(self).plan();
      const uint32_t epochs = whole(p.epochs, "epochs of its plan"), steps = whole(p.steps, "steps of its plan"),
                     units = whole(p.units, "units of its plan");
      out->needs = p.needs_reward ? RGM_NEEDS_REWARD : 0;
      if (p.reads_one_source) out->needs |= RGM_READS_ONE_SOURCE;
      if (p.needs_all_sources) out->needs |= RGM_NEEDS_ALL_SOURCES;
      if (p.trains_reward) out->needs |= RGM_TRAINS_REWARD;
      if (p.follows_policy) out->needs |= RGM_FOLLOWS_POLICY;
      if (p.without_annotations) out->needs |= RGM_WITHOUT_ANNOTATIONS;
      out->epochs = epochs;
      out->steps = steps;
      out->units = units;
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
    if constexpr (requires { T::evaluates_apart; }) s.flags |= T::evaluates_apart ? RGM_EVALUATES_APART : 0;
    s.create = Instance<T>::create;
    s.destroy = Instance<T>::destroy;
    if constexpr (requires { &T::prepare; }) s.prepare = prepare;
    if constexpr (requires { &T::annotate; }) s.annotate = annotate;
    if constexpr (requires { &T::rollout; }) s.rollout = rollout;
    if constexpr (requires { &T::loss; }) s.loss = loss;
    if constexpr (requires { &T::evaluate; }) s.evaluate = evaluate;
    if constexpr (requires { &T::conclude; }) s.conclude = conclude;
    if constexpr (requires { &T::plan; }) s.plan = plan;
    if constexpr (requires { &T::after_step; }) s.after_step = after_step;
    return s;
  }();
  // Asks the class, not the table: under GCC's -fsanitize=undefined a constant cannot compare function pointers.
  static_assert(requires { &T::loss; } || requires { &T::rollout; },
                "a strategy minimises a loss, or performs a rollout");
};

// The component to give to RGM_PLUGIN.
template <class T>
constexpr rgm_component strategy(const char* id, const char* version, const char* summary) {
  return {sizeof(rgm_component), RGM_KIND_STRATEGY, id, version, summary,
          OptionTable<typename T::Options>::pointers.data(), &StrategyThunks<T>::table};
}

}  // namespace regimen
