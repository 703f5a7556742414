// reward_modeling.cpp - trains a reward, which says itself what it minimises (pairwise, ranking, regression), and makes
// a report card of it on held-out data. In `result.report_card`, over all pairs where one answer is held to be better:
//   accuracy            share of pairs that the scores order right, with its 95 % interval (Wilson, 1927); `random` is
//                       what a coin gets, `longer_is_better` what the longer answer gets (ties in length: a half)
//   margin              mean score of the better answer over the other's
//   calibration         pairs by how sure the reward is, sigmoid(|gap|), beside how often it is right
//   length_correlation  of score and tokens of the answer
//   raters              accuracy by the data's column `rater`, where it has one
// Of an ensemble's members, which read every example each, it is the card of their mean score.
#include <algorithm>
#include <cmath>
#include <map>
#include <regimen/regimen.hpp>
using namespace regimen;

struct Share {
  double right = 0, n = 0, sure = 0;
  void add(double is_right, double how_sure = 0) { right += is_right, n += 1, sure += how_sure; }
  double mean() const { return n > 0 ? right / n : 0; }
};

struct Answer {
  float score, length;
};

class Card {
 public:
  double seen = 0;

  void pair(Answer better, Answer worse, const std::string& rater) {
    const double gap = double(better.score) - double(worse.score), sure = 1 / (1 + std::exp(-std::abs(gap)));
    const double right = gap > 0 ? 1 : gap < 0 ? 0 : 0.5;
    all_.add(right);
    margin_ += gap;
    longer_.add(better.length > worse.length ? 1 : better.length < worse.length ? 0 : 0.5);
    bins_[std::min<size_t>(4, size_t((sure - 0.5) * 10))].add(right, sure);
    if (!rater.empty()) raters_[rater].add(right);
  }
  void answer(Answer a) {
    const double s = double(a.score), l = double(a.length);
    for (const auto& [sum, x] : {std::pair{&n_, 1.0}, {&s_, s}, {&l_, l}, {&ss_, s * s}, {&ll_, l * l}, {&sl_, s * l}})
      *sum += x;
  }
  std::string json() const {
    const double apart = std::sqrt((n_ * ss_ - s_ * s_) * (n_ * ll_ - l_ * l_));
    std::string out = "{\"answers\": " + number(n_) +
                      ", \"length_correlation\": " + number(apart > 0 ? (n_ * sl_ - s_ * l_) / apart : 0) +
                      ", \"pairs\": " + number(all_.n);
    if (all_.n == 0) return out + "}";
    const double p = all_.mean(), n = all_.n, z = 1.96, middle = (p + z * z / (2 * n)) / (1 + z * z / n);
    const double half = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n);
    out += ", \"accuracy\": " + number(p) + ", \"interval_95\": [" + number(middle - half) + ", " +
           number(middle + half) + "], \"random\": 0.5, \"longer_is_better\": " + number(longer_.mean()) +
           ", \"margin\": " + number(margin_ / n) + ", \"calibration\": [";
    std::string parts;
    for (const Share& bin : bins_)
      if (bin.n > 0)
        parts += std::string(parts.empty() ? "" : ", ") + "{\"sure\": " + number(bin.sure / bin.n) +
                 ", \"right\": " + number(bin.mean()) + ", \"pairs\": " + number(bin.n) + "}";
    out += parts + "]";
    parts.clear();
    for (const auto& [rater, share] : raters_)
      parts += (parts.empty() ? "" : ", ") + quoted(rater) + ": " + number(share.mean());
    return out + (parts.empty() ? "" : ", \"raters\": {" + parts + "}") + "}";
  }

 private:
  static std::string number(double x) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", x);
    return text;
  }
  static std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) out += c == '"' || c == '\\' || uint8_t(c) < 32 ? '_' : c;
    return out + "\"";
  }

  Share all_, longer_, bins_[5];
  double margin_ = 0, n_ = 0, s_ = 0, l_ = 0, ss_ = 0, ll_ = 0, sl_ = 0;
  std::map<std::string, Share> raters_;
};

class RewardModeling {
 public:
  using Options = NoOptions;
  static constexpr bool without_dropout = true;
  static constexpr rgm_column columns[] = {column::text("rater", RGM_OPTIONAL)};
  static constexpr rgm_attr defaults[] = {attr("optimizer.adamw.learning_rate", 1e-4), attr("clip", 1.0), {}};

  explicit RewardModeling(const Options&) {}

  Plan plan() const { return {.needs_reward = true, .trains_reward = true}; }

  Tensor loss(const Train& train, const Batch& batch) const { return train.reward_loss(batch); }

  // The card is of one pass over the held-out data, and told when its last example was seen.
  void evaluate(const Train& train, const Batch& batch) {
    const char* const first = batch.find("chosen") ? "chosen" : "completion";
    const auto n = size_t(batch.tokens(first).examples());
    const double all = double(read(train.total(first))[0]);
    train.metric("validation_loss", train.reward_loss(batch), full({}, double(n) / all));
    std::vector<Answer> answers;
    const std::vector<float> scores = read(train.score(batch));
    const auto member = batch.find("member");
    const size_t members = member ? size_t(read<int32_t>(*member).back()) + 1 : 1, own = n / members;
    auto from = scores.begin();
    for (const char* name : {first, "rejected"})
      if (batch.find(name)) {
        const Tokens tokens = batch.tokens(name);
        const std::vector<float> lengths = read(tokens.sum_each(tokens.weights));
        for (size_t e = 0; e < own; ++e) {
          double sum = 0;
          for (size_t m = 0; m < members; ++m) sum += double(from[ptrdiff_t(e + m * own)]);
          answers.push_back({float(sum / double(members)), lengths[e]});
        }
        from += ptrdiff_t(n);
      }
    for (const Answer& a : answers) card_.answer(a);
    const bool rated = batch.has_text("rater");
    each_pair(batch, own, [&](size_t better, size_t worse) {
      card_.pair(answers[better], answers[worse], rated ? std::string(batch.text("rater", int64_t(better % own))) : "");
    });
    card_.seen += double(n);
    if (card_.seen < all) return;
    train.report("report_card", card_.json());
    card_ = Card();
  }

 private:
  template <class See>
  static void each_pair(const Batch& batch, size_t n, const See& see) {
    const auto group = batch.find("group"), rank = batch.find("rank");
    if (batch.find("chosen"))
      for (size_t e = 0; e < n; ++e) see(e, n + e);
    if (!group || !rank) return;
    const std::vector<int32_t> groups = read<int32_t>(*group), ranks = read<int32_t>(*rank);
    for (size_t i = 0; i < n; ++i)
      for (size_t j = 0; j < n; ++j)
        if (groups[i] == groups[j] && ranks[i] < ranks[j]) see(i, j);
  }

  Card card_;
};

constexpr rgm_component reward_modeling =
    strategy<RewardModeling>("reward_modeling", "1.0.0", "Trains a reward that is learned, and makes its report card");
RGM_PLUGIN("reward_modeling", "1.0.0", "", &reward_modeling);
