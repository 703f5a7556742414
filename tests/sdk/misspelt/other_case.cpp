// other_case.cpp - expect: rollOut is no hook; did you mean rollout
#include <regimen/regimen.hpp>
using namespace regimen;

class OtherCase {
 public:
  using Options = NoOptions;
  static constexpr rgm_column columns[] = {column::tokens("prompt")};
  explicit OtherCase(const Options&) {}
  Experience rollOut(const Train& train, const Batch& prompts) const {
    return {.batch = train.generate(train.model("policy"), prompts, {})};
  }
  Tensor loss(const Train&, const Batch&) const { return full({}, 0); }
};
constexpr rgm_component other_case = strategy<OtherCase>("other_case", "1.0.0", "");
RGM_PLUGIN("other_case", "1.0.0", "", &other_case);
