// check.cpp - the checks of a plug-in's constant: versions, ids, option tables.
#include "plugins/check.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string>

#include "base/error.hpp"
#include "plugins/checker.hpp"

namespace rgm {
namespace {

constexpr std::array<std::string_view, 6> kinds = {"component", "backend", "adapter",
                                                   "strategy",  "reward",  "collective"};

bool is_identifier(const char* text) {
  const std::string_view s = text ? text : "";
  return !s.empty() && s.size() <= 64 && s[0] >= 'a' && s[0] <= 'z' && std::all_of(s.begin(), s.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

void option(const Checker& check, const rgm_option& o, const std::string& owner) {
  check.size(o.struct_size, sizeof(rgm_option), "an option of " + owner);
  check.expect(is_identifier(o.key), "{}: the key of an option, \"{}\", is not a lower-case identifier", owner,
               o.key ? o.key : "");
  const std::string name = fmt::format("option \"{}\" of {}", o.key, owner);
  check.expect(o.help && *o.help, "{} has no help", name);
  check.expect(o.type >= RGM_BOOLEAN && o.type <= RGM_TEXTS, "{} has the unknown type {}", name, o.type);
  check.expect(!(o.min > o.max) && !std::isnan(o.min) && !std::isnan(o.max), "{} has the empty range {} to {}", name,
               o.min, o.max);
  check.expect((o.type == RGM_CHOICE) == (o.choices != nullptr),
               "{} has choices without being a choice, or the reverse", name);
  const rgm_value& v = o.initial;
  if (v.type == RGM_UNSET) return;
  check.expect(!(o.flags & RGM_REQUIRED), "{} is required and has a default", name);
  check.expect(v.type == o.type, "the default of {} has type {}, the option has {}", name, v.type, o.type);
  const auto inside = [&](double x) {
    check.expect(x >= o.min && x <= o.max, "the default of {} is {}, its range is {} to {}", name, x, o.min, o.max);
  };
  if (v.type == RGM_INTEGER) inside(static_cast<double>(v.as.i));
  if (v.type == RGM_REAL) inside(v.as.f);
  check.expect(v.type < RGM_INTEGERS || v.count == 0 || v.as.is, "the default of {} is a list that is missing", name);
  for (uint32_t i = 0; v.type == RGM_INTEGERS && i < v.count; ++i) inside(static_cast<double>(v.as.is[i]));
  for (uint32_t i = 0; v.type == RGM_REALS && i < v.count; ++i) inside(v.as.fs[i]);
  if (v.type == RGM_TEXT || v.type == RGM_CHOICE)
    check.expect(v.as.s.data || v.as.s.size == 0, "the default of {} is a text that is missing", name);
  if (v.type == RGM_CHOICE) {
    const std::string_view word(v.as.s.data, v.as.s.size);
    bool found = false;
    for (const char* const* c = o.choices; *c; ++c) found = found || word == *c;
    check.expect(found, "the default of {}, \"{}\", is not among its choices", name, word);
  }
}

void component(const Checker& check, const rgm_component& c) {
  check.size(c.struct_size, sizeof(rgm_component), "a component");
  check.expect(is_identifier(c.id), "the id of a component, \"{}\", is not a lower-case identifier", c.id ? c.id : "");
  const std::string name = fmt::format("{} \"{}\"", kind_name(c.kind), c.id);
  check.expect(c.version && *c.version, "{} has no version", name);
  check.expect(c.summary, "{} has no summary", name);
  check.expect(c.options, "{} has no list of options (an empty one ends with NULL)", name);
  std::set<std::string> keys;
  for (const rgm_option* const* o = c.options; *o; ++o) {
    option(check, **o, name);
    check.expect(keys.insert((*o)->key).second, "{} has the option \"{}\" twice", name, (*o)->key);
    check.expect(c.kind != RGM_KIND_ADAPTER || std::string_view((*o)->key) != "sites",
                 "{} has an option \"sites\", which the host adds to every adapter", name);
  }
  check_table(check, c, name);
}

}  // namespace

std::string_view kind_name(int kind) {
  return kind > 0 && kind < static_cast<int>(kinds.size()) ? kinds[static_cast<size_t>(kind)] : kinds[0];
}

int kind_of(std::string_view name) {
  const auto found = std::find(kinds.begin() + 1, kinds.end(), name);
  return found == kinds.end() ? 0 : static_cast<int>(found - kinds.begin());
}

void check_plugin(const rgm_plugin& p, std::string_view file, uint32_t host_minor) {
  const Checker check(file);
  check.size(p.struct_size, offsetof(rgm_plugin, init) + sizeof p.init, "regimen_plugin_v1");
  if (p.min_host_minor > host_minor)
    invalid(
        "{} was built for ABI 1.{} and needs a host with at least 1.{}, this host has 1.{}: update the host, or "
        "rebuild the plug-in with RGM_TARGET_MINOR={}",
        file, p.abi_minor, p.min_host_minor, host_minor, host_minor);
  check.expect(p.name && *p.name, "the plug-in has no name");
  check.expect(p.version && *p.version, "the plug-in has no version");
  check.expect(p.components && *p.components, "the plug-in has no components");
  check.expect(p.init, "the plug-in has no init function");
  std::set<std::pair<int, std::string>> ids;
  for (const rgm_component* const* c = p.components; *c; ++c) {
    component(check, **c);
    check.expect(ids.emplace((*c)->kind, (*c)->id).second, "{} \"{}\" is in it twice", kind_name((*c)->kind), (*c)->id);
  }
}

}  // namespace rgm
