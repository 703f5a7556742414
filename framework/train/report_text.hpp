// report_text.hpp - text and numbers on their way into HTML. What a model wrote, or a file was called, is never
// trusted.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace rgm::report {

// Safe between tags and in quoted attributes: markup is escaped, control characters and broken UTF-8 become U+FFFD.
std::string escape(std::string_view text);
// A path as the target of a link.
std::string link_target(std::string_view path);

std::string number(double x);       // 1.874, 3e-4, 12,345
std::string loss(double x);         // 1.770: three decimals, so that two losses compare
std::string whole(double x);        // 12,345
std::string percent(double share);  // 42 %, 0.3 %

// A value of stage.json in a table cell, as HTML; `key` says what it counts: `…bytes`, `seconds`, `sha256` and the
// like.
std::string cell(std::string_view key, const nlohmann::ordered_json& value);
// `learning_rate` as people write it.
std::string words(std::string_view key);

}  // namespace rgm::report
