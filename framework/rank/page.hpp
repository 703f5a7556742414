// page.hpp - the page's three files, as the build puts them into the program.
#pragma once
#include <string_view>

namespace rgm::rank {

extern const std::string_view page_html, page_css, page_js;

}  // namespace rgm::rank
