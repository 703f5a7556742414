// wrong_signature.cpp - expect: score
#include <regimen/regimen.hpp>
using namespace regimen;

class Wrong {
 public:
  using Options = NoOptions;
  static constexpr rgm_column columns[] = {column::text("answer")};
  explicit Wrong(const Options&) {}
  float score(const Train&) const { return 0; }
};
constexpr rgm_component wrong_signature = reward<Wrong>("wrong_signature", "1.0.0", "");
RGM_PLUGIN("wrong_signature", "1.0.0", "", &wrong_signature);
