// loop_held_out.cpp - what the policy makes of held-out data and questions, which processes share out.
#include <algorithm>
#include <cstring>
#include <span>

#include "base/interrupt.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "tensor/ops.hpp"
#include "train/loop.hpp"
#include "train/routed.hpp"

namespace rgm {
namespace {

constexpr uint32_t evaluation_draws = 0xE0A1;  // keeps its random numbers apart from those of the steps

class FirstPrompt {  // of the batch at hand, while the count goes on
 public:
  FirstPrompt(rgm_train& train, int64_t first) : train_(train), next_(std::exchange(train.first_prompt, first)) {}
  ~FirstPrompt() { train_.first_prompt = next_; }
  FirstPrompt(const FirstPrompt&) = delete;
  FirstPrompt& operator=(const FirstPrompt&) = delete;

 private:
  rgm_train& train_;
  int64_t next_;
};

}  // namespace

// Else the strategy may put together what it has seen of all batches.
bool Loop::deals_held_out() const {
  return !setup_.strategy->evaluate || (setup_.strategy->flags & RGM_EVALUATES_APART);
}

// The strategy's loss over all held-out data; empty where it evaluates by itself. Processes take turns with the
// batches, where that may be, and one of them may have none.
Tensor Loop::held_out_loss() {
  ProcessGroup& processes = *train_.processes;
  const bool deals = deals_held_out();
  const auto size = deals ? uint32_t(processes.size()) : 1, rank = deals ? uint32_t(processes.rank()) : 0;
  Tensor sum;
  uint32_t number = 0;
  struct PromptsCounted {  // so that an answer does not depend on how the examples are cut into batches
    rgm_train& train;
    ~PromptsCounted() { train.first_prompt = 0; }
  } const counted{train_};
  feed_.each_held_out([&](Batch& batch) {
    const uint32_t i = number++, turn = i % size;
    if (turn == 0 && any_of_them(processes, interrupted())) throw Stopped();
    const int64_t first = std::exchange(train_.first_prompt, train_.first_prompt + batch.examples);
    if (turn != rank) return;
    std::optional<Joint> joint;
    if (!deals) joint.emplace(train_);
    const FirstPrompt here(train_, first);
    const size_t shown = train_.shown->size();
    const RandomScope random({train_.seed, uint64_t(step_), i, evaluation_draws});
    const Routed routed(train_, 1);
    if (setup_.strategy->evaluate) {
      call_plugin(setup_.strategy_name, "evaluate", [&] { return setup_.strategy->evaluate(self_, &train_, &batch); });
    } else {
      rgm_tensor* out = nullptr;
      call_plugin(setup_.strategy_name, "loss", [&] { return setup_.strategy->loss(self_, &train_, &batch, &out); });
      const Tensor part = Tensor::adopt(out);
      require_scalar(part, setup_.strategy_name);
      sum = sum ? sum + part : part;
    }
    routed.tell();
    train_.batches.clear();
    for (size_t s = shown; s < train_.shown->size(); ++s) (*train_.shown)[s]["batch"] = i;
  });
  if (processes.size() == 1 || setup_.strategy->evaluate) return sum;
  float all = sum ? item(sum) : 0;
  processes.sum({&all, 1});
  return ops::full({}, all);
}

// The first ones in the order of the batches, whoever made them.
void Loop::gather_shown() {
  nlohmann::json& shown = *train_.shown;
  if (train_.processes->size() > 1 && deals_held_out()) {
    std::vector<nlohmann::json> all;
    const std::string own = shown.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    for (const std::string& one : train_.processes->gather(own))
      for (nlohmann::json& answer : parse_json(one, "answers")) all.push_back(std::move(answer));
    std::ranges::stable_sort(all, {}, [](const nlohmann::json& answer) { return answer.at("batch").get<int64_t>(); });
    shown = nlohmann::json::array();
    for (nlohmann::json& answer : all)
      if (shown.size() < most_shown && (shown.empty() || shown.back().at("prompt") != answer.at("prompt")))
        shown.push_back(std::move(answer));
  }
  for (nlohmann::json& answer : shown) answer.erase("batch");
}

// What the policy says of the stage's questions, which processes share out.
ChoiceScore Loop::score_of_choices() {
  ProcessGroup& processes = *train_.processes;
  if (any_of_them(processes, interrupted())) throw Stopped();
  const std::span<const ChoiceQuestion> all = setup_.choices;
  const auto bound = [&](int rank) { return size_t(rank) * all.size() / size_t(processes.size()); };
  const size_t begin = bound(processes.rank()), end = bound(processes.rank() + 1);
  const auto stop = [&] {  // several could not agree here
    if (processes.size() == 1 && interrupted()) throw Stopped();
  };
  ChoiceScore total;
  for (const std::string& part : from_each(processes, [&] {
         ChoiceScore own;
         score_choices(*train_.policy, all.subspan(begin, end - begin), own, stop);
         return std::string(reinterpret_cast<const char*>(&own), sizeof own);
       })) {
    ChoiceScore one;
    std::memcpy(&one, part.data(), sizeof one);
    total.add(one);
  }
  return total;
}

Numbers Loop::choice_numbers() {
  if (setup_.choices.empty()) return {};
  const ChoiceScore score = score_of_choices();
  if (score.cut > 0 && train_.warned.insert("choices").second)
    log::warning("{}: {} of {} questions are longer than the context of {} tokens and lost their beginning",
                 train_.stage, score.cut, score.count, train_.policy->config().context);
  const double accuracy = score.accuracy(), normalized = score.accuracy_normalized();
  Numbers out = {{"accuracy", accuracy}, {"accuracy_normalized", normalized}, {"choice_loss", score.mean_loss()}};
  if (score.count < 2) return out;
  out.emplace_back("accuracy_error", score.error_of(accuracy));
  out.emplace_back("accuracy_normalized_error", score.error_of(normalized));
  return out;
}

}  // namespace rgm
