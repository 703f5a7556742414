// rows_test.cpp - rows that were written before a run ended are not made again, as far as they are sure to be whole.
#include "train/rows.hpp"

#include "artefact/folder.hpp"
#include "base/json.hpp"
#include "model/small.hpp"
#include "train/few_units.hpp"

namespace rgm::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// Four prompts: 0, 1, 2, 3.
class Prompts : public FewUnits {
 public:
  int64_t units() const override { return 4; }
  Batch in_order(int64_t begin, int64_t end) const override {
    Batch out;
    BatchColumn& column = out.columns["prompt"];
    column.kind = ColumnKind::text;
    for (int64_t unit = begin; unit < end; ++unit) column.texts.push_back(std::to_string(unit));
    out.examples = end - begin;
    return out;
  }
};

int calls = 0, fails_at = 0;

// Answers the prompt, measures 1, 2, 3, 4, and reports once.
rgm_status answer(void*, rgm_train* train, rgm_batch* data, rgm_experience* out) {
  if (++calls == fails_at) return keep_failure(RGM_INVALID, "told to");
  add_metric(*train, "place", ops::full({}, 1 + static_cast<double>(train->rollout)), {});
  if (train->rollout == 0) train->report["first"] = "seen";
  out->batch = data;
  return RGM_OK;
}

// Returns the prompt with what the test adds to it in each call, from 1 on; keeps what it concludes from.
std::function<void(int, Batch&)> add_in_call;
Batch concluded;
rgm_status answer_with_more(void*, rgm_train*, rgm_batch* data, rgm_experience* out) {
  add_in_call(++calls, *data);
  out->batch = data;
  return RGM_OK;
}
rgm_status conclude(void*, rgm_train*, rgm_batch* rows) {
  concluded = *rows;
  return RGM_OK;
}

class Rows : public TensorTest {
 protected:
  Rows() {
    strategy_.struct_size = sizeof strategy_;
    strategy_.rollout = answer;
    calls = 0;
    fails_at = 3;
    EXPECT_THROW(run(), Error);
    fails_at = calls = 0;
  }
  nlohmann::json run(const std::string& hash = "these", const nlohmann::json& inputs = {{"threads", 2}}) {
    rgm_train train;
    train.stage = "s";
    train.policy = policy_;
    TrainSetup setup;
    setup.strategy = &strategy_;
    setup.strategy_name = "strategy \"answering\"";
    setup.train = &train;
    setup.settings.batch = 1;
    setup.main_source = "prompts";
    setup.sources["prompts"] = std::make_unique<Prompts>();
    setup.folder = folder_.path();
    setup.check_folder = check_folder_;
    setup.training_sha256 = hash;
    setup.training_inputs = inputs;
    testing::internal::CaptureStderr();
    try {
      const nlohmann::json result = write_rows(setup, nullptr).result;
      said_ = testing::internal::GetCapturedStderr();
      return result;
    } catch (...) {
      said_ = testing::internal::GetCapturedStderr();
      throw;
    }
  }
  std::string text(const char* name) const { return read_file(folder_ / name); }
  nlohmann::json state(const char* name) const { return parse_json(text(name)); }

  static constexpr const char* whole =
      "{\"prompt\":\"0\"}\n{\"prompt\":\"1\"}\n{\"prompt\":\"2\"}\n{\"prompt\":\"3\"}\n";
  Folder folder_;
  std::shared_ptr<Model> policy_ = small_model();
  rgm_strategy strategy_{};
  std::string said_;
  std::function<void()> check_folder_;
};

TEST_F(Rows, GoOnBehindThoseOfAProcessThatWasEnded) {
  EXPECT_EQ(state("rows.json").at("units"), 1) << "the first is synced, as the last will be";
  EXPECT_EQ(state("rows.latest.json").at("units"), 2);
  const auto result = run();
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(text("rows.jsonl"), whole);
  EXPECT_EQ(result.at("rows"), 4);
  EXPECT_EQ(result.at("place"), 2.5) << "the mean of 1, 2, 3 and 4";
  EXPECT_EQ(result.at("first"), "seen");
  EXPECT_THAT(said_, HasSubstr("s: resumed at example 2"));
  EXPECT_FALSE(fs::exists(folder_ / "rows.latest.json"));
}

TEST_F(Rows, TakeTheSecondsOfAllProcesses) {
  auto latest = state("rows.latest.json");
  latest["seconds"] = 1000;
  write_file(folder_ / "rows.latest.json", latest.dump());
  EXPECT_GE(run().at("seconds").get<double>(), 1000);
}

// What was not synced may be there by its size alone, or not at all.
TEST_F(Rows, AfterAPowerCutThoseThatWereSyncedStay) {
  const std::string two = text("rows.jsonl"), latest = text("rows.latest.json");
  const auto one = state("rows.json").at("bytes").get<size_t>();
  for (const std::string& tail : {std::string(two.size() - one, '\0'), std::string()}) {
    SCOPED_TRACE(tail.size());
    write_file(folder_ / "rows.jsonl", two.substr(0, one) + tail);
    write_file(folder_ / "rows.latest.json", tail.empty() ? "" : latest);
    fails_at = 4;  // which none is
    calls = 0;
    const std::string synced = text("rows.json");
    EXPECT_EQ(run().at("place"), 2.5);
    EXPECT_EQ(calls, 3);
    EXPECT_EQ(text("rows.jsonl"), whole);
    write_file(folder_ / "rows.json", synced);
  }
}

TEST_F(Rows, AreNotDroppedWithoutAWord) {
  write_file(folder_ / "rows.json", "");
  write_file(folder_ / "rows.latest.json", "");
  run();
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(text("rows.jsonl"), whole);
  EXPECT_THAT(said_, HasSubstr("rows.jsonl are made again"));
  EXPECT_THAT(said_, HasSubstr("rows.json does not say what they were made from"));
}

TEST_F(Rows, OfOtherSettingsAreMadeAnewAndWhatDiffersIsTold) {
  run("others", {{"threads", 1}});
  EXPECT_EQ(calls, 4);
  EXPECT_THAT(said_, HasSubstr("made with other settings, data or threads: threads (2, now 1)"));
}

// A run with other settings was killed behind its first batches, before any state of theirs: the first two rows are as
// many bytes as those that rows.json counted before.
TEST_F(Rows, OfOtherSettingsAreNotTakenForTheirOwnByTheirSize) {
  fails_at = 1;
  EXPECT_THROW(run("others", {{"threads", 1}}), Error);
  EXPECT_EQ(text("rows.jsonl"), "");
  write_file(folder_ / "rows.jsonl", "{\"prompt\":\"8\"}\n{\"prompt\":\"9\"}\n");
  fails_at = calls = 0;
  EXPECT_EQ(run().at("place"), 2.5);
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(text("rows.jsonl"), whole);
  EXPECT_THAT(said_, HasSubstr("made with other settings, data or threads: threads (1, now 2)"));
}

TEST_F(Rows, ThatWereOnlyBegunAreNotSaidToBeResumed) {
  fails_at = 1;
  EXPECT_THROW(run("others"), Error);
  fails_at = calls = 0;
  run("others");
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(text("rows.jsonl"), whole);
  EXPECT_THAT(said_, testing::Not(HasSubstr("resumed")));
}

void add_real(Batch& batch, float x) { batch.columns["score"] = {.kind = ColumnKind::real, .reals = {x}}; }
void add_integer(Batch& batch, int32_t x) { batch.columns["score"] = {.kind = ColumnKind::integer, .integers = {x}}; }
void add_text(Batch& batch, const char* x) { batch.columns["score"] = {.kind = ColumnKind::text, .texts = {x}}; }

TEST_F(Rows, AreConcludedFromWithWholeNumbersAmongRealOnes) {
  strategy_.rollout = answer_with_more;
  strategy_.conclude = conclude;
  add_in_call = [](int call, Batch& batch) { call % 2 ? add_integer(batch, call) : add_real(batch, float(call) / 4); };
  run("others");
  EXPECT_EQ(concluded.examples, 4);
  EXPECT_EQ(concluded.columns.at("score").kind, ColumnKind::real);
  EXPECT_THAT(concluded.columns.at("score").reals, testing::ElementsAre(1, 0.5, 3, 1));
  EXPECT_THAT(concluded.columns.at("prompt").texts, testing::ElementsAre("0", "1", "2", "3"));
}

TEST_F(Rows, OfOtherColumnsThanTheFirstAreNotConcludedFrom) {
  strategy_.rollout = answer_with_more;
  strategy_.conclude = conclude;
  const auto problem = [&](std::function<void(int, Batch&)> add) -> std::string {
    static int runs = 0;
    add_in_call = std::move(add);
    calls = 0;
    try {
      run(std::to_string(++runs));
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_THAT(problem([](int call, Batch& batch) {
                if (call == 1) add_real(batch, 0.5);
              }),
              AllOf(HasSubstr("strategy \"answering\": "), HasSubstr("rows.jsonl:2: the row has no \"score\"")));
  EXPECT_THAT(problem([](int call, Batch& batch) {
                if (call == 3) add_real(batch, 0.5);
              }),
              HasSubstr("rows.jsonl:3: the row has \"score\", which the rows before it lack"));
  EXPECT_THAT(problem([](int call, Batch& batch) { call == 4 ? add_text(batch, "x") : add_real(batch, 0.5); }),
              HasSubstr("rows.jsonl:4: \"score\" is a string here, but not in the rows before"));
  EXPECT_THAT(problem([](int call, Batch& batch) { call == 1 ? add_text(batch, "x") : add_integer(batch, 2); }),
              HasSubstr("rows.jsonl:2: \"score\" is a number here"));
}

TEST_F(Rows, AreNotWrittenIntoAFolderThatIsAnothers) {
  const std::string before = text("rows.jsonl");
  check_folder_ = [] { failure("replaced"); };
  EXPECT_THROW(run("others"), Error);
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(text("rows.jsonl"), before);
  check_folder_ = [] {
    if (calls == 2) failure("replaced");
  };
  EXPECT_THROW(run("others"), Error);
  EXPECT_EQ(text("rows.jsonl"), "{\"prompt\":\"0\"}\n") << "nor those that are not synced";
  EXPECT_FALSE(fs::exists(folder_ / "rows.latest.json"));
}

}  // namespace
}  // namespace rgm::test
