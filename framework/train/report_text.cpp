// report_text.cpp - escaping, and numbers with as many digits as a reader wants.
#include "train/report_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "base/text.hpp"

namespace rgm::report {

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  while (!text.empty()) {
    const size_t valid = invalid_utf8(text).value_or(text.size());
    for (const char c : text.substr(0, valid)) switch (c) {
        case '&': out += "&amp;"; break;
        case '<': out += "&lt;"; break;
        case '>': out += "&gt;"; break;
        case '"': out += "&quot;"; break;
        case '\'': out += "&#39;"; break;
        case '\n':
        case '\t': out += c; break;
        default:
          if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
            out += "\xEF\xBF\xBD";
          else
            out += c;
      }
    if (valid < text.size()) out += "\xEF\xBF\xBD";
    text.remove_prefix(std::min(valid + 1, text.size()));
  }
  return out;
}

std::string link_target(std::string_view path) {
  std::string out = "./";  // a name with a colon is no scheme then
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && (std::isalnum(byte) || std::string_view("/._-~").find(c) != std::string_view::npos))
      out += c;
    else
      out += fmt::format("%{:02X}", byte);
  }
  return out;
}

std::string whole(double x) {
  if (!(std::abs(x) < 1e15)) return fmt::format("{:.4g}", x);
  const std::string digits = count_for_people(static_cast<uint64_t>(std::llround(std::abs(x))));
  return x <= -0.5 ? "\u2212" + digits : digits;
}

std::string number(double x) {
  if (!std::isfinite(x)) return std::isnan(x) ? "not a number" : x > 0 ? "\u221E" : "\u2212\u221E";
  if (std::abs(x) >= 1000 && std::abs(x) < 1e15) return whole(x);
  std::string out = fmt::format("{:.4g}", x);
  if (const size_t e = out.find('e'); e != std::string::npos)  // 3e-04 -> 3e-4
    out = out.substr(0, e) + "e" + std::to_string(std::stoi(out.substr(e + 1)));
  if (out.front() == '-') out.replace(0, 1, "\u2212");
  return out;
}

std::string loss(double x) { return std::isfinite(x) && x >= 0.01 && x < 1000 ? fmt::format("{:.3f}", x) : number(x); }

std::string percent(double share) {
  const double p = 100 * share;
  return fmt::format("{:.{}f}\u202F%", p, p < 0.95 ? 1 : 0);
}

std::string words(std::string_view key) {
  if (key == "seconds") return "time";
  if (key.size() > 6 && key.ends_with("_bytes")) key.remove_suffix(6);
  std::string out(key);
  for (char& c : out)
    if (c == '_') c = ' ';
  return out;
}

std::string cell(std::string_view key, const nlohmann::ordered_json& value) {
  const auto is = [&](std::string_view end) { return key.ends_with(end); };
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_null()) return "<span class=\"soft\">none</span>";
  if (value.is_number_float() || value.is_number_integer()) {
    const auto x = value.get<double>();
    if (is("bytes") && x >= 0 && x < 1e18) return bytes_for_people(static_cast<uint64_t>(x));
    if (is("seconds") && x >= 0 && x < 1e12) return time_for_people(x);
    if (key == "seed") return value.dump();  // a name, not an amount
    return number(x);
  }
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    const bool hash = text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (hash) return fmt::format("<code class=\"hash\" title=\"{0}\">{1}</code>", text, text.substr(0, 12));
    return text.empty() ? "<span class=\"soft\">empty</span>" : escape(text);
  }
  if (value.empty()) return "<span class=\"soft\">none</span>";
  if (value.is_array()) {
    std::string out;
    for (const auto& item : value) out += (out.empty() ? "" : ", ") + cell("", item);
    return out;
  }
  std::string out;
  for (const auto& [name, item] : value.items())
    out += fmt::format("{}{}: {}", out.empty() ? "" : ", ", escape(name), cell(name, item));
  return out;
}

}  // namespace rgm::report
