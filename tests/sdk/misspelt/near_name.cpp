// near_name.cpp - expect: anotate is no hook; did you mean annotate
#include <regimen/regimen.hpp>
using namespace regimen;

class Near {
 public:
  using Options = NoOptions;
  static constexpr rgm_column columns[] = {column::tokens("text")};
  explicit Near(const Options&) {}
  void anotate(const Train&, const Batch&) const {}
  Tensor loss(const Train&, const Batch&) const { return full({}, 0); }
};
constexpr rgm_component near_name = strategy<Near>("near_name", "1.0.0", "");
RGM_PLUGIN("near_name", "1.0.0", "", &near_name);
