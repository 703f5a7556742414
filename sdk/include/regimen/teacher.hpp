// teacher.hpp - the options of a strategy that pulls the policy to the distributions of a teacher: which divergence, of
// which softness. With p the teacher's and q the student's distribution of a token, both of logits divided by tau,
// D(p, q) is KL(p || q) (arXiv 1503.02531), KL(q || p) (arXiv 2306.08543), or, with b = js_weight and
// m = b p + (1 - b) q, that of Jensen and Shannon (arXiv 2306.13649):  b KL(p || m) + (1 - b) KL(q || m)
// A struct of options inherits them and names their list, as with Sampling; the role is role("teacher"). The strategy's
// constructor calls o.check_teaching("mine"), its loss o.apart(train, tokens, weights).
#pragma once
#include <string>

#include "strategy.hpp"

namespace regimen RGM_PRIVATE {

struct Teaching {
  static constexpr const char* divergences[] = {"forward", "reverse", "js", nullptr};

  std::string_view divergence = "forward";
  double softness = 1;  // tau; a strategy that samples has a `temperature` beside it
  std::optional<double> js_weight;

  static constexpr auto list =
      options(option("divergence", &Teaching::divergence, "what pulls the student to the teacher").choices(divergences),
              option("temperature", &Teaching::softness, "softens both distributions").range(0.01, 100),
              option("js_weight", &Teaching::js_weight, "the teacher's share in the mixture of js; unset: 0.5")
                  .range(0.01, 0.99));

  void check_teaching(const std::string& id) const {
    require(divergence == "js" || !js_weight,
            id + ": js_weight is the teacher's share in the mixture of divergence: js, and divergence is \"" +
                std::string(divergence) + "\": write divergence: js, or leave js_weight out");
  }
  // The sum of weights * D(p, q), ().
  Tensor apart(const Train& train, const Tokens& tokens, const Tensor& weights) const {
    const Model student = train.model("policy"), teacher = train.model("teacher");
    if (js_weight) return student.jensen_shannon(teacher, tokens, weights, *js_weight, softness);
    const int32_t kind = divergence == "forward"   ? RGM_FORWARD_KL
                         : divergence == "reverse" ? RGM_REVERSE_KL
                                                   : RGM_JENSEN_SHANNON;
    return student.divergence(teacher, tokens, weights, kind, softness);
  }
};

}  // namespace regimen
