// check.cpp - the checks of a plug-in's constant: versions, ids, option tables, and the functions each kind must have.
#include "plugins/check.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string>

#include "base/error.hpp"

namespace rgm {
namespace {

constexpr std::array<std::string_view, 5> kinds = {"component", "backend", "adapter", "strategy", "reward"};
constexpr uint32_t largest_table = 1 << 16;  // far above any table: beyond it, the bytes are not a table

bool is_identifier(const char* text) {
  const std::string_view s = text ? text : "";
  return !s.empty() && s.size() <= 64 && s[0] >= 'a' && s[0] <= 'z' && std::all_of(s.begin(), s.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

class Checker {
 public:
  explicit Checker(std::string_view file) : file_(file) {}

  template <class... A>
  void expect(bool condition, fmt::format_string<A...> text, A&&... args) const {
    if (!condition) invalid("{}: {}; its author has to correct it", file_, fmt::format(text, std::forward<A>(args)...));
  }
  void size(uint32_t came, size_t wanted, std::string_view what) const {
    expect(came >= wanted && came <= largest_table, "{} has struct_size {}, expected at least {}", what, came, wanted);
  }

  void component(const rgm_component& c) const {
    size(c.struct_size, sizeof(rgm_component), "a component");
    expect(is_identifier(c.id), "the id of a component, \"{}\", is not a lower-case identifier", c.id ? c.id : "");
    const std::string name = fmt::format("{} \"{}\"", kind_name(c.kind), c.id);
    expect(c.version && *c.version, "{} has no version", name);
    expect(c.summary, "{} has no summary", name);
    expect(c.options, "{} has no list of options (an empty one ends with NULL)", name);
    std::set<std::string> keys;
    for (const rgm_option* const* o = c.options; *o; ++o) {
      option(**o, name);
      expect(keys.insert((*o)->key).second, "{} has the option \"{}\" twice", name, (*o)->key);
      expect(c.kind != RGM_KIND_ADAPTER || std::string_view((*o)->key) != "sites",
             "{} has an option \"sites\", which the host adds to every adapter", name);
    }
    if (c.kind < RGM_KIND_BACKEND || c.kind > RGM_KIND_REWARD) return;  // from a newer SDK; skipped
    expect(c.table, "{} has no table", name);
    switch (c.kind) {
      case RGM_KIND_BACKEND: return backend(*static_cast<const rgm_backend*>(c.table), name);
      case RGM_KIND_ADAPTER: return adapter(*static_cast<const rgm_adapter*>(c.table), name);
      case RGM_KIND_STRATEGY: return strategy(*static_cast<const rgm_strategy*>(c.table), name);
      case RGM_KIND_REWARD: return reward(*static_cast<const rgm_reward*>(c.table), name);
    }
  }

 private:
  void option(const rgm_option& o, const std::string& owner) const {
    size(o.struct_size, sizeof(rgm_option), "an option of " + owner);
    expect(is_identifier(o.key), "{}: the key of an option, \"{}\", is not a lower-case identifier", owner,
           o.key ? o.key : "");
    const std::string name = fmt::format("option \"{}\" of {}", o.key, owner);
    expect(o.help && *o.help, "{} has no help", name);
    expect(o.type >= RGM_BOOLEAN && o.type <= RGM_TEXTS, "{} has the unknown type {}", name, o.type);
    expect(!(o.min > o.max) && !std::isnan(o.min) && !std::isnan(o.max), "{} has the empty range {} to {}", name, o.min,
           o.max);
    expect((o.type == RGM_CHOICE) == (o.choices != nullptr), "{} has choices without being a choice, or the reverse",
           name);
    const rgm_value& v = o.initial;
    if (v.type == RGM_UNSET) return;
    expect(!(o.flags & RGM_REQUIRED), "{} is required and has a default", name);
    expect(v.type == o.type, "the default of {} has type {}, the option has {}", name, v.type, o.type);
    const auto inside = [&](double x) {
      expect(x >= o.min && x <= o.max, "the default of {} is {}, its range is {} to {}", name, x, o.min, o.max);
    };
    if (v.type == RGM_INTEGER) inside(static_cast<double>(v.as.i));
    if (v.type == RGM_REAL) inside(v.as.f);
    expect(v.type < RGM_INTEGERS || v.count == 0 || v.as.is, "the default of {} is a list that is missing", name);
    for (uint32_t i = 0; v.type == RGM_INTEGERS && i < v.count; ++i) inside(static_cast<double>(v.as.is[i]));
    for (uint32_t i = 0; v.type == RGM_REALS && i < v.count; ++i) inside(v.as.fs[i]);
    if (v.type == RGM_CHOICE) {
      const std::string_view word(v.as.s.data, v.as.s.size);
      bool found = false;
      for (const char* const* c = o.choices; *c; ++c) found = found || word == *c;
      expect(found, "the default of {}, \"{}\", is not among its choices", name, word);
    }
  }

#define RGM_NEEDS(table, field) expect(RGM_HAS(&table, field), "{} lacks the function " #field, name)
  void backend(const rgm_backend& b, const std::string& name) const {
    size(b.struct_size, sizeof(uint32_t), name);
    RGM_NEEDS(b, device_count);
    RGM_NEEDS(b, device_info);
    RGM_NEEDS(b, open);
    RGM_NEEDS(b, close);
    RGM_NEEDS(b, kernels);
    RGM_NEEDS(b, alloc);
    RGM_NEEDS(b, free);
    RGM_NEEDS(b, parallel_for);
    RGM_NEEDS(b, queue_new);
    RGM_NEEDS(b, queue_free);
    RGM_NEEDS(b, upload);
    RGM_NEEDS(b, download);
    RGM_NEEDS(b, wait);
  }
  void adapter(const rgm_adapter& a, const std::string& name) const {
    size(a.struct_size, sizeof(uint32_t), name);
    RGM_NEEDS(a, create);
    RGM_NEEDS(a, destroy);
    RGM_NEEDS(a, attach);
    RGM_NEEDS(a, sites);
    expect(a.kinds != 0, "{} acts on no kind of site", name);
    expect(RGM_HAS(&a, input) || RGM_HAS(&a, output) || RGM_HAS(&a, key_values) || RGM_HAS(&a, prompt),
           "{} has no hook: input, output, key_values or prompt", name);
  }
  void strategy(const rgm_strategy& s, const std::string& name) const {
    size(s.struct_size, sizeof(uint32_t), name);
    RGM_NEEDS(s, columns);
    RGM_NEEDS(s, roles);
    RGM_NEEDS(s, defaults);
    RGM_NEEDS(s, create);
    RGM_NEEDS(s, destroy);
    expect(RGM_HAS(&s, loss) || RGM_HAS(&s, rollout), "{} has neither loss nor rollout", name);
  }
  void reward(const rgm_reward& r, const std::string& name) const {
    size(r.struct_size, sizeof(uint32_t), name);
    RGM_NEEDS(r, columns);
    RGM_NEEDS(r, create);
    RGM_NEEDS(r, destroy);
    expect(RGM_HAS(&r, score) || (RGM_HAS(&r, attach) && RGM_HAS(&r, scores) && RGM_HAS(&r, loss)),
           "{} has neither score nor a learned head (attach, scores and loss)", name);
  }
#undef RGM_NEEDS

  std::string_view file_;
};

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
    check.component(**c);
    check.expect(ids.emplace((*c)->kind, (*c)->id).second, "{} \"{}\" is in it twice", kind_name((*c)->kind), (*c)->id);
  }
}

}  // namespace rgm
