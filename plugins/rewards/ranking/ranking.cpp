// ranking.cpp - a reward learned from the ranked answers to each prompt, rank 1 the best. All answers of a prompt are
// in one batch, and each prompt counts the same. With r one number from the state after an answer's last token:
//   pairs           the mean over a prompt's pairs of -log sigmoid(r_better - r_worse)            arXiv 2203.02155
//   plackett_luce   the sum over a prompt's answers i of -log(e^r_i / sum over rivals j of e^r_j)
//                   where rivals are i and what was ranked behind it                              arXiv 2305.18290, A.3
// Equal ranks are ties. `drop` leaves a tied pair out; `equal` learns that neither is better: such a pair costs
// -(log sigmoid(d) + log sigmoid(-d)) / 2, and is a rival of the other in the second form.
#include <regimen/regimen.hpp>
using namespace regimen;

struct RankingOptions {
  static constexpr const char* losses[] = {"pairs", "plackett_luce", nullptr};
  static constexpr const char* ties_words[] = {"drop", "equal", nullptr};

  std::string_view loss = "pairs", ties = "drop";
  double center = 0;

  using O = RankingOptions;
  static constexpr auto list = options(
      option("loss", &O::loss, "how a ranking is judged").choices(losses),
      option("ties", &O::ties, "what equal ranks mean: nothing, or that both are equally good").choices(ties_words),
      option("center", &O::center, "price of the square of each score, which keeps scores around 0").range(0, 100));
};

class Ranking : public ScalarReward {
 public:
  using Options = RankingOptions;
  static constexpr rgm_column columns[] = {column::tokens("completion"), column::integer("group", RGM_TOGETHER),
                                           column::integer("rank")};

  explicit Ranking(const Options& o) : o_(o) {}

  Tensor loss(const Train& train, const Batch& batch, const Tensor& scores) const {
    const Tensor group = batch.column("group"), rank = batch.column("rank");
    const Tensor place = cumsum(full({scores.count()}, 1));
    const Tensor self = number(equal(down(place), across(place)));
    const Tensor together = number(equal(down(group), across(group)));   // (E, E)
    const Tensor better = together * number(down(rank) < across(rank));  // row before column
    const Tensor tied = o_.ties == "drop" ? full({}, 0) : together * number(equal(down(rank), across(rank))) - self;
    const Tensor gap = down(scores) - across(scores);
    train.metric("accuracy", sum(better * positive(gap)), sum(better));
    train.metric("margin", sum(better * gap), sum(better));
    const Tensor loss =
        o_.loss == "pairs" ? of_pairs(gap, together, better + 0.5 * tied) : of_order(scores, better + tied + self);
    return (loss + o_.center * sum(square(scores))) / train.total("group");
  }

 private:
  static Tensor number(const Tensor& yes) { return cast(yes, RGM_F32); }

  // Each pair weighs one over the pairs of its prompt. A prompt without a pair, all ranks equal, adds nothing.
  static Tensor of_pairs(const Tensor& gap, const Tensor& together, const Tensor& weight) {
    const Tensor pairs = matmul(together, down(sum(weight, 1)));  // (E, 1)
    return sum(weight * softplus(-gap) / max(pairs, full({}, 1)));
  }
  static Tensor of_order(const Tensor& scores, const Tensor& rivals) {
    const Tensor theirs = select(full({}, 0.5) < rivals, across(scores) + 0.0 * rivals, full({}, -1e9));
    return sum(reduce(RGM_LOGSUMEXP, 1U << 1, theirs) - scores);
  }

  Options o_;
};

constexpr rgm_component ranking = reward<Ranking>("ranking", "1.0.0", "Learned from rankings, ties included");
RGM_PLUGIN("ranking", "1.0.0", "", &ranking);
