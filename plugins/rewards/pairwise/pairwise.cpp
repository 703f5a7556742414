// pairwise.cpp - a reward learned from pairs (Bradley-Terry, arXiv 2203.02155): with r one number from the state after
// an answer's last token, the loss is the mean over pairs of
//   -log sigmoid(r_chosen - r_rejected - margin)  +  center (r_chosen + r_rejected)^2
// `margin` is a column that the data may have (arXiv 2307.09288); centering keeps scores around 0 (arXiv 2312.09244).
#include <regimen/regimen.hpp>
using namespace regimen;

struct PairwiseOptions {
  double center = 0;

  static constexpr auto list =
      options(option("center", &PairwiseOptions::center, "price of scores away from 0; 0.01 is usual").range(0, 100));
};

class Pairwise : public ScalarReward {
 public:
  using Options = PairwiseOptions;
  static constexpr rgm_column columns[] = {column::tokens("chosen"), column::tokens("rejected"),
                                           column::real("margin", RGM_OPTIONAL)};

  explicit Pairwise(const Options& o) : o_(o) {}

  // Of both columns, one after the other: (2 E)
  Tensor loss(const Train& train, const Batch& batch, const Tensor& scores) const {
    const int64_t pairs = batch.tokens("chosen").examples();
    const Tensor chosen = slice(scores, 0, 0, pairs), rejected = slice(scores, 0, pairs, 2 * pairs);
    Tensor gap = chosen - rejected;
    train.metric("accuracy", positive(gap));
    train.metric("margin", gap);
    if (const auto margin = batch.find("margin")) gap = gap - *margin;
    return sum(softplus(-gap) + o_.center * square(chosen + rejected)) / train.total("chosen");
  }

 private:
  Options o_;
};

constexpr rgm_component pairwise = reward<Pairwise>("pairwise", "1.0.0", "Learned from pairs of answers");
RGM_PLUGIN("pairwise", "1.0.0", "", &pairwise);
