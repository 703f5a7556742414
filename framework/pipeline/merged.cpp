// merged.cpp - the answers of a model before and after its adapters are folded in.
#include "pipeline/merged.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/philox.hpp"
#include "tensor/ops.hpp"

namespace rgm {
namespace {

constexpr double most_difference = 1e-4;  // of the largest logit

// Logits, or scores of the model's own head, of two rows of random tokens.
std::vector<float> logits_of(const Model& model) {
  const NoGradient still;
  const int64_t T = std::min<int64_t>(32, model.config().context - model.virtual_tokens());
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < 2 * T; ++i)
    tokens.push_back(
        static_cast<int32_t>(mix(1, static_cast<uint64_t>(i)) % static_cast<uint64_t>(model.config().vocabulary)));
  const Pass pass{.tokens = from_host(tokens, {2, T})};
  return to_host<float>(model.forward(pass, model.config().outputs > 0 ? RGM_HEAD : RGM_LOGITS)[0]);
}

double difference(const std::vector<float>& a, const std::vector<float>& b) {
  double most = 0, largest = 1e-30;
  for (size_t i = 0; i < a.size(); ++i) {
    most = std::max<double>(most, std::abs(a[i] - b[i]));
    largest = std::max<double>(largest, std::abs(a[i]));
  }
  return most / largest;
}

}  // namespace

double merge_and_compare(const std::string& what, const Model& model, Adapters& adapters, std::string_view otherwise) {
  const std::vector<float> before = logits_of(model);
  try {
    adapters.merge(otherwise);
  } catch (const Error& e) {
    throw Error(e.status(), fmt::format("{}: {}", what, e.what()));
  }
  const double changed = difference(before, logits_of(model));
  if (!(changed <= most_difference))
    failure("{}: the merged model answers differently, by {:.2g} of its largest logit, where {} is allowed", what,
            changed, most_difference);
  return changed;
}

}  // namespace rgm
