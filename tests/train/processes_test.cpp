// processes_test.cpp - a stage that several processes run together: the steps, numbers and files of one that is alone.
#include <csignal>

#include "artefact/folder.hpp"
#include "base/forked.hpp"
#include "base/interrupt.hpp"
#include "base/json.hpp"
#include "model/small.hpp"
#include "train/few_units.hpp"
#include "train/trainer.hpp"

namespace rgm::test {
namespace {

using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::StartsWith;

// Unit u is the number x = u / 8.
class Eighths : public FewUnits {
 public:
  explicit Eighths(int64_t units) : units_(units) {}
  int64_t units() const override { return units_; }
  Batch in_order(int64_t begin, int64_t end) const override {
    Batch out;
    out.examples = end - begin;
    BatchColumn x{.kind = ColumnKind::real};
    for (int64_t u = begin; u < end; ++u) x.reals.push_back(float(u) / 8);
    out.columns["x"] = std::move(x);
    return out;
  }

 private:
  int64_t units_;
};

// A parabola through points of a sine. `rare` has a gradient in the micro-batch with x = 0 alone, `idle` has none.
struct Fit {
  Parameters parameters;
  Tensor weight, rare, idle;
  const rgm_role* no_roles[1] = {nullptr};
  rgm_strategy strategy{};
  rgm_train train;
  TrainSetup setup;
  OnDevice device;

  static inline Fit* now = nullptr;
  static inline int micro_batches = 0;  // whose loss was computed here, in steps and evaluations

  Fit(ProcessGroup& processes, const fs::path& folder) {
    now = this;
    const auto add = [&](const char* name, std::vector<float> x) {
      return parameters.add(name, from_host(std::span<const float>(x), {std::ssize(x)}), true).value;
    };
    weight = add("weight", {1, -0.5F, 0.25F}), rare = add("rare", {0.5F, 2}), idle = add("idle", {3});
    strategy.struct_size = sizeof strategy;
    strategy.roles = no_roles;
    strategy.create = [](const rgm_config*, void**) -> rgm_status { return RGM_OK; };
    strategy.destroy = [](void*) {};
    strategy.loss = [](void*, rgm_train* t, rgm_batch* batch, rgm_tensor** out) -> rgm_status {
      ++micro_batches;
      *out = now->loss(*t, *batch).release();
      return RGM_OK;
    };
    train.stage = "fit";
    train.policy = small_model();
    train.processes = &processes;
    setup.strategy = &strategy;
    setup.strategy_name = "strategy \"fitting\"";
    setup.train = &train;
    setup.parameters = {&parameters};
    setup.main_source = "train";
    setup.sources["train"] = std::make_unique<Eighths>(1000);
    setup.sources["validation"] = std::make_unique<Eighths>(7);
    setup.folder = folder;
    setup.training_sha256 = "of these settings";
    setup.settings.optimizer.learning_rate = 0.05;
    setup.settings.clip = 0.1;
    setup.settings.batch = 6;
    setup.settings.micro_batch = 2;
    setup.settings.steps = 5;
    setup.settings.log_every = 1;
  }
  Tensor loss(rgm_train& t, Batch& batch) {
    const std::vector<float> x = batch.columns.at("x").reals;
    const auto n = std::ssize(x);
    std::vector<float> powers, sine;
    for (const float at : x) {
      powers.insert(powers.end(), {1, at, at * at});
      sine.push_back(std::sin(at));
    }
    const Tensor drawn = ops::random({1}, RGM_UNIFORM);  // keyed by the micro-batch's number in the step
    Tensor missed = ops::matmul(from_host(powers, {n, 3}), false, ops::reshape(weight, {3, 1}), false) -
                    from_host(sine, {n, 1}) + 0.01 * ops::reshape(drawn, {1, 1});
    Tensor sum = ops::sum(missed * missed) / total_on_device(t, "x");
    if (x[0] == 0) {
      sum = sum + ops::sum(rare * rare);
      add_metric(t, "at_zero", ops::full({}, 1), {});
    }
    add_metric(t, "mean_x", ops::full({}, std::accumulate(x.begin(), x.end(), 0.0)), ops::full({}, double(n)));
    return sum;
  }
  // Weights as bits, and what the result says.
  std::string run() {
    const TrainResult trained = rgm::train(setup);
    std::vector<std::vector<float>> all;
    for (const Tensor& t : {weight, rare, idle}) all.push_back(to_host(t));
    return nlohmann::json{{"weights", all}, {"result", trained.result}, {"computed", micro_batches}}.dump();
  }
};

class Processes : public testing::Test {
 protected:
  using Change = std::function<void(Fit&)>;
  std::vector<nlohmann::json> fits(int n, const Change& change = {}, const char* folder = "stage") const {
    std::vector<nlohmann::json> out;
    for (const std::string& one : said(n, change, folder)) out.push_back(parse_json(one));
    return out;
  }
  std::vector<std::string> said(int n, const Change& change = {}, const char* folder = "stage") const {
    return in_processes(n, [&](ProcessGroup& processes) {
      log::set_levels({log::Level::nothing, log::Level::nothing});
      Fit fit(processes, folder_ / folder);
      if (change) change(fit);
      return fit.run();
    });
  }
  std::vector<nlohmann::json> lines(const char* folder = "stage") const {
    std::vector<nlohmann::json> out;
    std::istringstream text(read_file(folder_ / folder / "metrics.jsonl"));
    for (std::string line; std::getline(text, line);) out.push_back(parse_json(line));
    return out;
  }
  Folder folder_;
};

std::vector<float> all_weights(const nlohmann::json& fit) {
  std::vector<float> out;
  for (const auto& one : fit.at("weights"))
    for (const auto& x : one) out.push_back(x.get<float>());
  return out;
}

// Three micro-batches in another order of adding: AdamW's updates are at most 0.05, and of a gradient that is right to
// a few 2^-24 they are, too; five of them, of weights near 1.
constexpr double rounding = 1e-6;

TEST_F(Processes, TwoTakeTheStepsOfOne) {
  const auto one = fits(1, {}, "one");
  const auto two = fits(2, {}, "two"), three = fits(3, {}, "three");
  EXPECT_EQ(two[0]["weights"], two[1]["weights"]) << "bit for bit";
  EXPECT_EQ(three[0]["weights"], three[2]["weights"]);
  expect_near(all_weights(one[0]), all_weights(two[0]), rounding);
  expect_near(all_weights(one[0]), all_weights(three[0]), rounding);
  EXPECT_NE(all_weights(one[0])[0], 1);
  // 3 micro-batches a step and 4 of held-out data; of these process 0 has 2 a step, and 2.
  EXPECT_EQ(one[0]["computed"], 5 * 3 + 4);
  EXPECT_EQ(two[0]["computed"], 5 * 2 + 2);
  EXPECT_EQ(two[1]["computed"], 5 * 1 + 2);
}

// It has a gradient in one process, in the first step.
TEST_F(Processes, AGradientInOneOfThemIsThatOfAll) {
  const auto two = fits(2, [](Fit& fit) { fit.setup.settings.steps = 1; });
  for (const auto& fit : two) {
    EXPECT_NEAR(fit["weights"][1][0].get<double>(), 0.45, 1e-5) << "AdamW's first step is its rate";
    EXPECT_NEAR(fit["weights"][1][1].get<double>(), 1.95, 1e-5);
    EXPECT_EQ(fit["weights"][2][0], 3) << "nobody had one";
  }
}

TEST_F(Processes, LossesNormsAndMetricsAreOfAllMicroBatches) {
  fits(1, {}, "one");
  const auto two = fits(2, {}, "two");
  const auto alone = lines("one"), together = lines("two");
  ASSERT_EQ(alone.size(), 6U);
  ASSERT_EQ(together.size(), 6U);
  for (size_t i = 0; i < 6; ++i)
    for (const auto& [name, value] : alone[i].items()) {
      if (name == "tokens_per_second") continue;
      ASSERT_TRUE(together[i].contains(name)) << name;
      EXPECT_NEAR(together[i][name].get<double>(), value.get<double>(), 2e-6) << name << " of line " << i;
    }
  EXPECT_EQ(together[0]["at_zero"], 1) << "which one of them has seen";
  EXPECT_FALSE(together[1].contains("at_zero"));
  EXPECT_EQ(together[0]["mean_x"], 2.5 / 8) << "of 0 ... 5";
  EXPECT_EQ(two[0]["result"]["validation_loss"], two[1]["result"]["validation_loss"]);
  EXPECT_EQ(two[0]["result"]["processes"], 2);
}

TEST_F(Processes, OneOfThemWritesTheFilesOfAStage) {
  const auto keep = [](Fit& fit) {
    fit.setup.settings.keep = "best";
    fit.setup.settings.checkpoint_every = 2;
    fit.setup.settings.evaluate_every = 1;
  };
  const auto two = fits(2, keep);
  EXPECT_EQ(two[0]["result"]["best_step"], two[1]["result"]["best_step"]);
  EXPECT_EQ(two[0]["weights"], two[1]["weights"]) << "the best ones";
  size_t events = 0;
  for (const auto& entry : fs::directory_iterator(folder_ / "stage"))
    events += entry.path().filename().string().starts_with("events.");
  EXPECT_EQ(events, 1U);
  EXPECT_EQ(lines().size(), 10U);
}

TEST_F(Processes, GoOnWithTheBitsOfARunThatWasNeverInterrupted) {
  const auto whole = fits(2, {}, "whole");
  const auto stop = [](Fit& fit) {
    fit.setup.settings.checkpoint_every = 2;
    fit.setup.settings.log_every = 3;  // so that a checkpoint holds metrics that no line has yet
    fit.setup.after_step = [](int64_t step, int64_t) {
      if (step == 3) failure("stopped");
      return true;
    };
  };
  const auto log = [](Fit& fit) { fit.setup.settings.log_every = 3; };
  EXPECT_THAT(said(2, stop), Each("threw: stopped"));
  const auto resumed = fits(2, log);
  EXPECT_EQ(resumed[0]["weights"], whole[0]["weights"]);
  EXPECT_EQ(resumed[0]["result"]["validation_loss"], whole[0]["result"]["validation_loss"]);
  EXPECT_EQ(lines()[0]["step"], 3);
  EXPECT_EQ(lines()[0]["mean_x"], (2.5 + 8.5 + 14.5) / 3 / 8) << "of steps 1 to 3";
  EXPECT_THAT(said(1, stop, "begun alone"), Each("threw: stopped"));
  const auto others = fits(2, {}, "begun alone");
  EXPECT_EQ(others[0]["weights"], others[1]["weights"]);
  expect_near(all_weights(others[0]), all_weights(whole[0]), rounding);
}

TEST_F(Processes, ASignalToOneOfThemStopsAllAfterTheSameStep) {
  const auto both = said(2, [](Fit& fit) {
    catch_interrupts();
    fit.setup.settings.steps = 1000;
    fit.setup.after_step = [&](int64_t step, int64_t) {
      if (step == 2 && fit.train.processes->rank() == 1) {
        ::kill(::getpid(), SIGTERM);
        while (!interrupted()) ::usleep(100);
      }
      return true;
    };
  });
  EXPECT_THAT(both, Each("threw: fit: interrupted after step 3, checkpoint written"));
  EXPECT_TRUE(fs::exists(folder_ / "stage/checkpoint/step-3"));
}

TEST_F(Processes, WhereTheStrategyEndsInOneOfThemAllEnd) {
  const auto both = fits(2, [](Fit& fit) {
    fit.strategy.loss = [](void*, rgm_train* t, rgm_batch* batch, rgm_tensor** out) -> rgm_status {
      if (t->processes->rank() == 1 && batch->columns.at("x").reals[0] >= 1) return keep_failure(RGM_CANCELLED, "far");
      *out = Fit::now->loss(*t, *batch).release();
      return RGM_OK;
    };
  });
  for (const auto& fit : both) EXPECT_EQ(fit["result"]["steps"], 1);  // in step 2 micro-batch 1 begins at 8 / 8
  EXPECT_EQ(both[0]["weights"], both[1]["weights"]);
}

// As by its clock, which others read a moment later.
TEST_F(Processes, WhereTheStrategyEndsBehindAStepInOneOfThemAllEndThere) {
  const auto both = fits(2, [](Fit& fit) {
    fit.strategy.after_step = [](void*, rgm_train* t, int64_t step) -> rgm_status {
      return t->processes->rank() == 1 && step == 2 ? keep_failure(RGM_CANCELLED, "late") : RGM_OK;
    };
  });
  for (const auto& fit : both) EXPECT_EQ(fit["result"]["steps"], 2) << "this step counts";
  EXPECT_EQ(both[0]["weights"], both[1]["weights"]);
}

TEST_F(Processes, WeightsThatWentApartEndTheStage) {
  const auto both = said(2, [](Fit& fit) {
    fit.strategy.after_step = [](void*, rgm_train* t, int64_t step) -> rgm_status {
      const NoGradient still;
      if (step == 3 && t->processes->rank() == 1) assign(Fit::now->rare, 2.0 * ops::detach(Fit::now->rare));
      return RGM_OK;
    };
  });
  EXPECT_THAT(both, Each(AllOf(HasSubstr("fit: after step 5 processes 0 and 1 no longer hold the same weights: "
                                         "\"rare\" differs"),
                               HasSubstr("a plug-in keeps state of its own"))));
}

TEST_F(Processes, ABatchThatIsTooSmallForThemIsToldBeforeAnyStep) {
  EXPECT_THAT(said(3, [](Fit& fit) { fit.setup.settings.batch = 2; }),
              Each(StartsWith("threw: fit: 3 processes cannot share out a batch of 2: run it with at most 2, or")));
}

// Without the promise, an evaluation that puts together what it has seen sees all of it wherever it runs.
TEST_F(Processes, HeldOutDataIsSharedOutWhereTheStrategyPromisesToLookAtEachBatchByItself) {
  const auto evaluates = [&](bool apart) {
    return fits(2, [apart](Fit& fit) {
      if (apart) fit.strategy.flags = RGM_EVALUATES_APART;
      fit.strategy.evaluate = [](void*, rgm_train* t, rgm_batch* batch) -> rgm_status {
        const std::vector<float>& x = batch->columns.at("x").reals;
        add_metric(*t, "accuracy", ops::full({}, x[0]), ops::full({}, double(x.size())));
        t->report["seen"] = t->report.value("seen", 0.0) + double(x.size());
        return RGM_OK;
      };
    });
  };
  const auto whole = evaluates(false), parts = evaluates(true);
  for (const auto& all : {whole, parts})
    for (const auto& fit : all)
      EXPECT_FLOAT_EQ(fit["result"]["accuracy"].get<float>(), (0 + 2 + 4 + 6) / 8.0F / 7) << "units 0, 2, 4 and 6 of 7";
  EXPECT_EQ(whole[0]["result"]["seen"], 7);
  EXPECT_EQ(parts[0]["result"]["seen"], 4) << "of batches 0 and 2";
  EXPECT_EQ(parts[1]["result"]["seen"], 3);
}

TEST(RowsAtOnce, AreFewerWhereElseAProcessWouldHaveNone) {
  EXPECT_EQ(rows_at_once(8, 0, 1), 8);
  EXPECT_EQ(rows_at_once(8, 0, 2), 4);
  EXPECT_EQ(rows_at_once(7, 0, 2), 4);
  EXPECT_EQ(rows_at_once(8, 2, 2), 2);
  EXPECT_EQ(rows_at_once(8, 6, 2), 4);
  EXPECT_EQ(rows_at_once(8, 16, 1), 8);
  EXPECT_EQ(rows_at_once(1, 0, 2), 1) << "a step of experience may have fewer than there are processes";
}

}  // namespace
}  // namespace rgm::test
