// check_tables.cpp - the checks of a component's table: required functions, columns, roles, defaults, formats of files.
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "plugins/checker.hpp"

namespace rgm {
namespace {

#define RGM_NEEDS(table, field) check.expect(RGM_HAS(&(table), field), "{} lacks " #field, name)

void columns(const Checker& check, const rgm_column* const* list, const std::string& owner) {
  std::set<std::string> names;
  for (; *list; ++list) {
    const rgm_column& c = **list;
    check.size(c.struct_size, sizeof(rgm_column), "a column of " + owner);
    check.expect(c.name && *c.name, "{} has a column without a name", owner);
    check.expect(names.insert(c.name).second, "{} has the column \"{}\" twice", owner, c.name);
    check.expect(c.kind >= RGM_TOKENS_COLUMN && c.kind <= RGM_LABEL_COLUMN,
                 "column \"{}\" of {} has the unknown kind {}", c.name, owner, c.kind);
    check.expect((c.flags & ~uint32_t{RGM_OPTIONAL | RGM_TOGETHER | RGM_STATES | RGM_WHOLE | RGM_OF_HEAD}) == 0,
                 "column \"{}\" of {} has the flags {:#x}", c.name, owner, c.flags);
  }
}

void roles(const Checker& check, const rgm_role* const* list, const std::string& owner) {
  std::set<std::string> names;
  for (; *list; ++list) {
    const rgm_role& r = **list;
    check.size(r.struct_size, sizeof(rgm_role), "a role of " + owner);
    check.expect(r.name && *r.name, "{} has a role without a name", owner);
    check.expect(names.insert(r.name).second, "{} has the role \"{}\" twice", owner, r.name);
    check.expect((r.flags & ~uint32_t{RGM_OPTIONAL | RGM_TRAINED | RGM_ANNOTATES | RGM_FOLLOWS}) == 0,
                 "role \"{}\" of {} has the flags {:#x}", r.name, owner, r.flags);
    check.expect(!((r.flags & RGM_TRAINED) && (r.flags & RGM_ANNOTATES)),
                 "role \"{}\" of {} is both trained and freed after annotate", r.name, owner);
    check.expect(!((r.flags & RGM_TRAINED) && (r.flags & RGM_FOLLOWS)),
                 "role \"{}\" of {} both is trained and follows the policy", r.name, owner);
    check.expect(!(r.flags & RGM_FOLLOWS) || std::string_view(r.name) != "policy", "the policy of {} follows itself",
                 owner);
  }
}

void pairs(const Checker& check, const rgm_pair* list, const std::string& owner) {
  for (; list && list->ours; ++list)
    check.expect(*list->ours && list->theirs && *list->theirs, "{} has a pair without one of its names", owner);
}

// Numbers of the model stand for {layers} and the like, so that what is left must be JSON.
bool is_json(std::string text) {
  for (const char* mark : {"{layers}", "{channels}", "{heads}", "{kv_heads}", "{kv_channels}"})
    for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark))
      text.replace(at, std::string_view(mark).size(), "1");
  return nlohmann::json::accept(text);
}

// "stack", "blocks", "rows length" or "rows" and a number.
bool is_joining(const std::string& how) {
  double number = 0;
  const std::string_view text = how;
  const std::string_view value = text.starts_with("rows ") ? text.substr(5) : "";
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  return how == "stack" || how == "blocks" || value == "length" ||
         (!value.empty() && error == std::errc() && end == value.data() + value.size());
}

bool has(const rgm_pair* list, std::string_view ours) {
  for (; list && list->ours; ++list)
    if (list->ours == ours) return true;
  return false;
}

void format(const Checker& check, const rgm_format& f, const std::string& name) {
  const std::string owner = "the format of " + name;
  check.size(f.struct_size, sizeof(rgm_format), owner);
  check.expect(f.peft_type && *f.peft_type, "{} has no peft_type", owner);
  pairs(check, f.options, owner);
  pairs(check, f.fixed, owner);
  pairs(check, f.tensors, owner);
  if (RGM_HAS(&f, fused)) pairs(check, f.fused, owner);
  if (RGM_HAS(&f, modules)) pairs(check, f.modules, owner);
  if (RGM_HAS(&f, refused)) pairs(check, f.refused, owner);
  for (const rgm_pair* p = RGM_HAS(&f, fused) ? f.fused : nullptr; p && p->ours; ++p) {
    if (has(f.options, p->ours)) continue;
    check.expect(has(f.tensors, p->ours), "{} joins \"{}\", which is none of its tensors or options", owner, p->ours);
    check.expect(is_joining(p->theirs),
                 "{} joins \"{}\" as \"{}\"; stack, blocks, rows NUMBER or rows length were expected", owner, p->ours,
                 p->theirs);
  }
  for (const rgm_pair* p = f.fixed; p && p->ours; ++p)
    check.expect(is_json(p->theirs), "{} writes \"{}\": {}, which is not JSON; text needs quotes of its own", owner,
                 p->ours, p->theirs);
}

void backend(const Checker& check, const rgm_backend& b, const std::string& name) {
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

void adapter(const Checker& check, const rgm_adapter& a, const std::string& name) {
  RGM_NEEDS(a, create);
  RGM_NEEDS(a, destroy);
  RGM_NEEDS(a, attach);
  RGM_NEEDS(a, sites);
  check.expect(a.kinds != 0, "{} acts on no kind of site", name);
  check.expect(RGM_HAS(&a, input) || RGM_HAS(&a, output) || RGM_HAS(&a, key_values) || RGM_HAS(&a, prompt),
               "{} has no hook: input, output, key_values or prompt", name);
  if (RGM_HAS(&a, format)) format(check, *a.format, name);
}

void strategy(const Checker& check, const rgm_strategy& s, const std::string& name) {
  RGM_NEEDS(s, columns);
  RGM_NEEDS(s, roles);
  RGM_NEEDS(s, defaults);
  RGM_NEEDS(s, create);
  RGM_NEEDS(s, destroy);
  check.expect(RGM_HAS(&s, loss) || RGM_HAS(&s, rollout), "{} has neither loss nor rollout", name);
  check.expect(RGM_HAS(&s, loss) || !RGM_HAS(&s, after_step), "{} has after_step, but no loss, and so no steps", name);
  check.expect((s.flags & ~uint32_t{RGM_CAPTURABLE | RGM_WITHOUT_DROPOUT | RGM_EVALUATES_APART}) == 0,
               "{} has the flags {:#x}", name, s.flags);
  columns(check, s.columns, name);
  roles(check, s.roles, name);
  for (const rgm_attr* a = s.defaults; a->key && *a->key; ++a) {
    const rgm_value& v = a->value;
    check.expect(v.type >= RGM_UNSET && v.type <= RGM_TEXTS, "the default {} of {} has the unknown type {}", a->key,
                 name, v.type);
    check.expect((v.type != RGM_TEXT && v.type != RGM_CHOICE) || v.as.s.data || v.as.s.size == 0,
                 "the default {} of {} is a text that is missing", a->key, name);
  }
}

void reward(const Checker& check, const rgm_reward& r, const std::string& name) {
  RGM_NEEDS(r, columns);
  RGM_NEEDS(r, create);
  RGM_NEEDS(r, destroy);
  check.expect(RGM_HAS(&r, score) || (RGM_HAS(&r, attach) && RGM_HAS(&r, scores) && RGM_HAS(&r, loss)),
               "{} has neither score nor a learned head (attach, scores and loss)", name);
  columns(check, r.columns, name);
  if (!RGM_HAS(&r, score)) return;
  for (const rgm_column* const* c = r.columns; *c; ++c)
    check.expect((*c)->kind != RGM_TOKENS_COLUMN,
                 "column \"{}\" of {} holds tokens, but what scores answers by their text reads only texts and numbers",
                 (*c)->name, name);
}

void collective(const Checker& check, const rgm_collective& c, const std::string& name) {
  RGM_NEEDS(c, usable);
  RGM_NEEDS(c, join);
  RGM_NEEDS(c, info);
  RGM_NEEDS(c, sum);
  RGM_NEEDS(c, gather);
  RGM_NEEDS(c, wait);
  RGM_NEEDS(c, abort);
  RGM_NEEDS(c, leave);
  check.expect(c.flags == RGM_STARTED_BY_HOST || c.flags == RGM_STARTED_BY_LAUNCHER,
               "{} has the flags {:#x}; either the host or a launcher starts the processes", name, c.flags);
}

#undef RGM_NEEDS

}  // namespace

void check_table(const Checker& check, const rgm_component& c, const std::string& name) {
  if (c.kind < RGM_KIND_BACKEND || c.kind > RGM_KIND_COLLECTIVE) return;  // from a newer SDK; skipped
  check.expect(c.table, "{} has no table", name);
  check.size(*static_cast<const uint32_t*>(c.table), sizeof(uint32_t), name);
  switch (c.kind) {
    case RGM_KIND_BACKEND: return backend(check, *static_cast<const rgm_backend*>(c.table), name);
    case RGM_KIND_ADAPTER: return adapter(check, *static_cast<const rgm_adapter*>(c.table), name);
    case RGM_KIND_STRATEGY: return strategy(check, *static_cast<const rgm_strategy*>(c.table), name);
    case RGM_KIND_REWARD: return reward(check, *static_cast<const rgm_reward*>(c.table), name);
    case RGM_KIND_COLLECTIVE: return collective(check, *static_cast<const rgm_collective*>(c.table), name);
    default: return;
  }
}

}  // namespace rgm
