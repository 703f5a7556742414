// train.hpp - the running stage: batches, models by role, totals over a step, metrics, generation.
#pragma once
#include <optional>
#include <string>

#include "model.hpp"

namespace regimen RGM_PRIVATE {

namespace column {  // what a component reads, with flags such as RGM_OPTIONAL: column::tokens("chosen")
constexpr rgm_column of(int32_t kind, const char* name, uint32_t flags) {
  return {sizeof(rgm_column), flags, name, kind, 0};
}
constexpr rgm_column tokens(const char* name, uint32_t flags = 0) { return of(RGM_TOKENS_COLUMN, name, flags); }
constexpr rgm_column text(const char* name, uint32_t flags = 0) { return of(RGM_TEXT_COLUMN, name, flags); }
constexpr rgm_column integer(const char* name, uint32_t flags = 0) { return of(RGM_INTEGER_COLUMN, name, flags); }
constexpr rgm_column real(const char* name, uint32_t flags = 0) { return of(RGM_REAL_COLUMN, name, flags); }
constexpr rgm_column label(const char* name, uint32_t flags = 0) { return of(RGM_LABEL_COLUMN, name, flags); }
}  // namespace column

// A model beside the policy: role("teacher"), with flags such as RGM_TRAINED.
constexpr rgm_role role(const char* name, uint32_t flags = 0) { return {sizeof(rgm_role), flags, name}; }

template <const auto& items>  // the ABI's list of pointers, ending with NULL, to an array of structs
constexpr auto pointers = [] {
  std::array<decltype(&items[0]), std::size(items) + 1> p{};
  for (size_t i = 0; i < std::size(items); ++i) p[i] = &items[i];
  return p;
}();
template <class T>
constexpr const rgm_column* const* columns_of() {
  static_assert(requires { T::columns; }, "a component lists the columns it reads");
  return pointers<T::columns>.data();
}

// E examples in named columns. Borrowed from the host: it lives until the call that saw it returns.
class Batch {
 public:
  explicit Batch(rgm_batch* batch) : batch_(batch) {}
  rgm_batch* get() const { return batch_; }
  int64_t examples() const {
    int64_t out = 0;
    check(host->train->examples(batch_, &out));
    return out;
  }
  // By the names at rgm_column: `chosen`, `chosen.ends`, `score`. Fails with RGM_UNSUPPORTED if there is none.
  Tensor column(const std::string& name) const { return make(host->train->get, batch_, name.c_str()); }
  // Nothing if the batch has no such column, as may be with RGM_OPTIONAL.
  std::optional<Tensor> find(const char* name) const {
    rgm_tensor* out = nullptr;
    const rgm_status status = host->train->get(batch_, name, &out);
    if (status == RGM_UNSUPPORTED) return std::nullopt;
    check(status);
    return Tensor::adopt(out);
  }
  Tokens tokens(const std::string& name) const {
    return {column(name), column(name + ".segments"), column(name + ".weights"), column(name + ".ends")};
  }
  std::string_view text(const char* name, int64_t example) const {
    rgm_str out{};
    check(host->train->get_text(batch_, name, example, &out));
    return view(out);
  }
  bool has_text(const char* name) const {
    rgm_str out{};
    const rgm_status status = host->train->get_text(batch_, name, 0, &out);
    if (status != RGM_UNSUPPORTED) check(status);
    return status == RGM_OK;
  }
  // Adds or replaces a column: (E), or (B, T) named after its tokens, as in `completion.advantages`; or one text. Not
  // inside loss.
  void set(const char* name, const Tensor& value) const { check(host->train->set(batch_, name, value.get())); }
  void set(const char* name, int64_t example, std::string_view text) const {
    check(host->train->set_text(batch_, name, example, str(text)));
  }

 private:
  rgm_batch* batch_;
};

// The running stage. What is marked [outside] is refused inside loss.
class Train {
 public:
  explicit Train(rgm_train* train) : train_(train) {}
  // "policy", or a role that the strategy lists; find returns nothing if an optional one is not configured.
  Model model(const char* role) const {
    rgm_model* out = nullptr;
    check(host->train->model(train_, role, &out));
    return Model(out);
  }
  std::optional<Model> find(const char* role) const {
    rgm_model* out = nullptr;
    const rgm_status status = host->train->model(train_, role, &out);
    if (status == RGM_UNSUPPORTED) return std::nullopt;
    check(status);
    return Model(out);
  }
  // [outside] for parameters of the strategy's own, saved with the model of that role
  Scope scope(const char* role, const char* name) const {
    rgm_scope* out = nullptr;
    check(host->train->scope(train_, role, name, &out));
    return Scope(out);
  }
  // (), from 0 in the first step to 1 at the end: for a schedule in the loss, as in (1.0 - train.progress()) * kl.
  Tensor progress() const { return make(host->train->progress, train_); }
  // (), what to divide a loss by: the column's total over the whole step, and 1 in place of 0. See rgm_train_api.total.
  Tensor total(const char* column) const { return make(host->train->total, train_, column); }
  // Logs sum / count, each added up since the last line of the log; of x alone, the mean of all its elements. No wait.
  void metric(const char* name, const Tensor& sum, const Tensor& count) const {
    check(host->train->metric(train_, name, sum.get(), count.get()));
  }
  void metric(const char* name, const Tensor& x) const { metric(name, sum(x), full({}, double(x.count()))); }
  void metric(const char* name, double x) const { metric(name, full({}, x)); }
  // The mean of those scores (E) that are not NaN, over all batches of an evaluation.
  void metric_of_scores(const char* name, const Tensor& scores) const {
    const Tensor is_number = equal(scores, scores);
    metric(name, sum(select(is_number, scores, full({}, 0))), sum(cast(is_number, RGM_F32)));
  }
  // The share of those scores (E) that are above 0, of those that are not NaN.
  void metric_of_positive(const char* name, const Tensor& scores) const {
    metric(name, sum(positive(scores)), sum(cast(equal(scores, scores), RGM_F32)));
  }
  // A JSON value in the stage's result, in place of an earlier one of that key.
  void report(const char* key, std::string_view json) const { check(host->train->report(train_, key, str(json))); }
  Batch batch() const {  // a new one, without examples
    rgm_batch* out = nullptr;
    check(host->train->batch_new(train_, &out));
    return Batch(out);
  }
  // [outside] answers to the prompts: generate(model, prompts, {attr("answers", int64_t{4})}). Settings, their defaults
  // and the columns of the new batch are at rgm_train_api.generate; sampling.hpp has them as options of a strategy.
  Batch generate(const Model& model, const Batch& prompts, std::initializer_list<rgm_attr> sampling) const {
    return generate(model, prompts, std::span(sampling.begin(), sampling.size()));
  }
  Batch generate(const Model& model, const Batch& prompts, std::span<const rgm_attr> sampling) const {
    rgm_batch* out = nullptr;
    check(host->train->generate(train_, model.get(), prompts.get(), sampling.data(),
                                static_cast<uint32_t>(sampling.size()), &out));
    return Batch(out);
  }
  // [outside] (E), the weighted sum of the stage's rewards; NaN: cannot be scored
  Tensor score(const Batch& completions) const { return make(host->train->score, train_, completions.get()); }
  // [outside] (E) of one reward alone, named by the stage or folder it came from, otherwise by its id. Nothing if there
  // is no such reward.
  std::optional<Tensor> score_by(const Batch& completions, const char* reward) const {
    rgm_tensor* out = nullptr;
    const rgm_status status = host->train->score_by(train_, completions.get(), reward, &out);
    if (status == RGM_UNSUPPORTED) return std::nullopt;
    check(status);
    return Tensor::adopt(out);
  }
  bool has_reward(const char* reward) const {
    rgm_tensor* out = nullptr;
    const rgm_status status = host->train->score_by(train_, nullptr, reward, &out);
    if (status == RGM_UNSUPPORTED) return false;
    check(status);
    static_cast<void>(Tensor::adopt(out));
    return true;
  }
  // [outside] how a person ranks answers, (E), and who it was; waits for the person. See rgm_train_api.ask_person.
  std::pair<Tensor, std::string_view> ask_person(const Batch& batch) const {
    rgm_tensor* ranks = nullptr;
    rgm_str rater{};
    check(host->train->ask_person(train_, batch.get(), &ranks, &rater));
    return {Tensor::adopt(ranks), view(rater)};
  }
  // [outside] examples of another source of the stage, the same at every call. Nothing if there is no such source.
  std::optional<Batch> draw(const char* source, int64_t count) const {
    rgm_batch* out = nullptr;
    const rgm_status status = host->train->draw(train_, source, count, &out);
    if (status == RGM_UNSUPPORTED) return std::nullopt;
    check(status);
    return Batch(out);
  }
  // [outside] makes a TOKENS column of prompts and the answer to each, or of prompts alone. Weights are 1 on the
  // answers, or on the prompts if there are no answers.
  Tokens set_tokens(const Batch& batch, const char* column, std::span<const std::string> prompts,
                    std::span<const std::string> answers = {}) const {
    std::vector<rgm_str> first, then;
    for (const std::string& text : prompts) first.push_back(str(text));
    for (const std::string& text : answers) then.push_back(str(text));
    check(host->train->set_tokens(train_, batch.get(), column, static_cast<uint32_t>(first.size()), first.data(),
                                  then.empty() ? nullptr : then.data()));
    return batch.tokens(column);
  }
  // (), what the stage's learned reward minimises on this batch
  Tensor reward_loss(const Batch& batch) const { return make(host->train->reward_loss, train_, batch.get()); }
  // In after_step only: role <- rate * policy + (1 - rate) * role, of a role with RGM_FOLLOWS, where plan() says
  // `follows_policy`. See rgm_train_api.follow.
  void follow(const char* role, double rate) const { check(host->train->follow(train_, role, rate)); }

 private:
  rgm_train* train_;
};

}  // namespace regimen
