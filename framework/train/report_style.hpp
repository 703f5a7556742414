// report_style.hpp - the style sheet of the report, for light and dark.
#pragma once

namespace rgm::report {

extern const char* const style;

}  // namespace rgm::report
