// grouped_source.hpp - a mixture whose parts hold examples of the same group, such as two models' answers to a prompt.
#pragma once
#include <memory>
#include <string>

#include "data/source.hpp"

namespace rgm {

// Units with the same text in the column `together` become one, where the first of them was; the source itself if no
// two have. Of a mixture without shares: a group can be of several parts.
std::unique_ptr<Source> grouped(std::unique_ptr<Source> mixture, const std::string& together);

}  // namespace rgm
