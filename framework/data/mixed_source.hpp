// mixed_source.hpp - several sources as one: a step draws from each its share, or as many as it has of all.
#pragma once
#include <memory>
#include <vector>

#include "data/source.hpp"

namespace rgm {

// `parts` are those of the spec, opened. Places go to them as evenly as their shares allow: with 0.8 and 0.2, of any
// five in a row four to the first. Without shares an epoch has every unit once. In order, one part comes after the
// other, whole; examples that a text keeps together are one unit also where they are of several parts. RGM_INVALID:
// columns that only some parts have, two chat templates; with the files.
std::unique_ptr<Source> mixed(const DataSpec& spec, const std::vector<ColumnWish>& wishes,
                              std::vector<std::unique_ptr<Source>> parts);

}  // namespace rgm
