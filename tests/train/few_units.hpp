// few_units.hpp - a source that is made up: units in their order, whatever is drawn.
#pragma once
#include <string>

#include "data/source.hpp"

namespace rgm {

class FewUnits : public Source {
 public:
  int64_t tokens() const override { return 0; }
  Batch batch(int64_t position, int64_t count, uint64_t) const override { return in_order(position, position + count); }
  const std::string& sha256() const override { return hash_; }
  int64_t unit_at(int64_t position, uint64_t) const override { return position; }

 private:
  std::string hash_;
};

}  // namespace rgm
