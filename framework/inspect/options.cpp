// options.cpp - the options of a plug-in under trial: those that it must be given, and every other choice one at a
// time.
#include <cmath>

#include "inspect/opened.hpp"

namespace rgm::inspect {
namespace {

nlohmann::json required_options(const rgm_component& component) {
  nlohmann::json given = nlohmann::json::object();
  for (const rgm_option& o : options_of(component)) {
    if (!(o.flags & RGM_REQUIRED)) continue;
    const double low = std::isfinite(o.min) ? o.min : std::isfinite(o.max) ? o.max : 1;
    nlohmann::json one;
    switch (o.type) {
      case RGM_BOOLEAN: one = true; break;
      case RGM_INTEGER:
      case RGM_INTEGERS: one = static_cast<int64_t>(std::ceil(low)); break;
      case RGM_REAL:
      case RGM_REALS: one = low; break;
      case RGM_CHOICE: one = o.choices[0]; break;
      case RGM_TEXT:
      case RGM_TEXTS: one = o.flags & RGM_PATH ? sample_file(fs::temp_directory_path()).string() : "sample"; break;
      default: one = "sample"; break;
    }
    given[o.key] = o.type >= RGM_INTEGERS ? nlohmann::json::array({one}) : one;
  }
  return given;
}

// What it may be beside its default.
std::vector<nlohmann::json> other_values(const rgm_option& o) {
  const nlohmann::json initial = describe(o)["default"];
  std::vector<nlohmann::json> out;
  if (o.type == RGM_BOOLEAN) out.emplace_back(initial != true);
  if (o.type == RGM_CHOICE)
    for (const char* const* c = o.choices; *c; ++c)
      if (initial != *c) out.emplace_back(*c);
  return out;
}

rgm_status plan_of(const rgm_strategy& table, void* self) {
  rgm_strategy_plan plan{};
  plan.struct_size = sizeof plan;
  return RGM_HAS(&table, plan) ? table.plan(self, &plan) : RGM_OK;
}
template <class Table>
rgm_status plan_of(const Table&, void*) {
  return RGM_OK;
}

// What an instance with these options, which is destroyed again, answers, and in which function.
struct Answer {
  const char* function;
  rgm_status status;
};
template <class Table>
Answer make(const rgm_component& component, const rgm_config& config) {
  const auto& table = *static_cast<const Table*>(component.table);
  void* self = nullptr;
  if (const rgm_status status = table.create(&config, &self); status != RGM_OK) return {"create", status};
  const rgm_status status = plan_of(table, self);
  table.destroy(self);
  return {"plan", status};
}

Answer make_once(const rgm_component& component, const std::string& options) {
  const auto config = config_of(component, options);
  switch (component.kind) {
    case RGM_KIND_ADAPTER: return make<rgm_adapter>(component, *config);
    case RGM_KIND_STRATEGY: return make<rgm_strategy>(component, *config);
    default: return make<rgm_reward>(component, *config);
  }
}

}  // namespace

fs::path sample_file(const fs::path& folder) { return folder / "sample.txt"; }

std::optional<std::string> refusal_of_samples(Opened& opened, int kind, const std::string& id) {
  const rgm_component& component = *opened.component(kind, id).data;
  const nlohmann::json required = required_options(component);
  if (required.empty()) return std::nullopt;
  opened.at("create with " + required.dump());
  keep_failure(RGM_OK, "");
  const auto [function, status] = make_once(component, required.dump());
  if (status != RGM_INVALID && status != RGM_UNSUPPORTED) return std::nullopt;  // a check of its own tells
  return fmt::format("{} says no to the samples of the options that it must be given, {}: {}", function,
                     required.dump(), last_failure());
}

std::string sample_options(const rgm_component& component) { return required_options(component).dump(); }

std::unique_ptr<rgm_config> config_of(const rgm_component& component, const std::string& options) {
  Problems problems(component.id);
  auto config = read_options(component, YAML::Load(options), problems);
  problems.raise();
  return config;
}

void try_options(const Opened& opened, const rgm_component& component,
                 const std::function<void(const std::string& options)>& attempt) {
  size_t tried = 0;
  bool is_wrong = opened.first_choice > 0;  // as the one before that showed
  std::vector<std::string> refused;
  for (const rgm_option& o : options_of(component))
    for (const nlohmann::json& value : other_values(o)) {
      if (tried++ < opened.first_choice) continue;
      opened.pen.write({{"choice", tried - 1}});
      nlohmann::json options = required_options(component);
      options[o.key] = value;
      const std::string what =
          fmt::format("{}: {}", o.key, value.is_string() ? value.get<std::string>() : value.dump());
      try {
        opened.at("create with " + what);
        keep_failure(RGM_OK, "");
        const auto [function, status] = make_once(component, options.dump());
        if (status == RGM_INVALID || status == RGM_UNSUPPORTED) {
          refused.push_back(fmt::format("with {}: {}", what, last_failure()));
          continue;
        }
        if (status != RGM_OK) throw Error(status, fmt::format("{} failed: {}", function, last_failure()));
        opened.at("a trial with " + what);
        attempt(options.dump());
      } catch (const std::exception& e) {
        opened.failed("with {}: {}", what, e.what());
        is_wrong = true;
      }
    }
  if (is_wrong) return;
  if (tried == 0) return opened.skipped("no option is a choice");
  opened.ok("{} other choice{} of options tried{}{}", tried, tried == 1 ? "" : "s",
            refused.empty() ? "" : ", refused: ", fmt::join(refused, "; "));
}

}  // namespace rgm::inspect
