// inspect.cpp - the list of checks, each in a child process of its own, and the page that tells what came out.
#include "inspect/inspect.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "base/log.hpp"
#include "inspect/opened.hpp"
#include "inspect/scratch.hpp"
#include "plugins/options.hpp"

namespace rgm::inspect {
namespace {

constexpr int most_seconds = 120;

std::vector<Step> steps_of(int kind) {
  switch (kind) {
    case RGM_KIND_STRATEGY: return strategy_steps();
    case RGM_KIND_ADAPTER: return adapter_steps();
    case RGM_KIND_REWARD: return reward_steps();
    case RGM_KIND_BACKEND: return backend_steps();
    case RGM_KIND_COLLECTIVE: return collective_steps();
    default: return {};
  }
}

struct Findings {
  std::vector<Finding> all{};
  const std::function<void(const Finding&)>& tell;
  void push_back(Finding finding) {
    all.push_back(std::move(finding));
    if (tell) tell(all.back());
  }
};

// True when there are any.
bool add_verdicts(Findings& all, const std::string& part, const std::string& step, const Told& told) {
  bool any = false;
  for (const nlohmann::json& line : told.lines) {
    if (!line.contains("verdict")) continue;
    any = true;
    const std::string verdict = line["verdict"];
    all.push_back({part, step,
                   verdict == "ok"        ? Verdict::ok
                   : verdict == "skipped" ? Verdict::skipped
                                          : Verdict::failed,
                   line.value("text", "")});
  }
  return any;
}

// Takes what one check told; false when it did not come to its end.
bool add(Findings& all, const std::string& part, const std::string& step, const Told& told) {
  add_verdicts(all, part, step, told);
  if (!told.end.empty()) all.push_back({part, step, Verdict::failed, told.end});
  return told.end.empty();
}

// The choice of options that was tried last, where some were.
std::optional<size_t> last_choice(const Told& told) {
  std::optional<size_t> out;
  for (const nlohmann::json& line : told.lines)
    if (line.contains("choice")) out = line["choice"].get<size_t>();
  return out;
}

struct Part {  // of the file: a component
  std::string name, id;
  int kind;
  bool must_have_options;
};

// Twenty lines of text, and a program that says them, for plug-ins that run one.
void write_samples(const fs::path& file) {
  std::string lines = "#!/bin/cat\n";
  for (int i = 2; i <= 20; ++i) lines += fmt::format("sample line {}\n", i);
  write_file(file, lines);
  fs::permissions(file, fs::perms::owner_exec, fs::perm_options::add);
}

Told in_trial(const fs::path& path, const fs::path& scratch, const std::function<void(Opened&)>& trial) {
  return in_child(
      [&](const Pen& pen) {
        log::set_levels({log::Level::warning, log::Level::warning});
        ::setenv("TMPDIR", scratch.c_str(), 1);  // a trial that crashes removes nothing
        pen.at("loading it");
        Opened opened(path, pen);
        trial(opened);
      },
      most_seconds);
}

// It wants other values than samples for options that it must be given: nothing more can be tried. If that cannot be
// found out, the checks will tell.
bool refuses_samples(const fs::path& path, const Part& part, const fs::path& scratch, Findings& all) {
  if (!part.must_have_options || part.kind == RGM_KIND_BACKEND || part.kind == RGM_KIND_COLLECTIVE) return false;
  const Told told = in_trial(path, scratch, [&](Opened& opened) {
    if (const auto refusal = refusal_of_samples(opened, part.kind, part.id)) opened.skipped("{}", *refusal);
  });
  return !told.lines.empty() && told.end.empty() && add_verdicts(all, part.name, "create", told);
}

// In a process of its own, and in another for what a choice of options has kept it from that ended the first.
void run_step(const fs::path& path, const Part& part, const Step& step, const fs::path& scratch, Findings& all) {
  for (size_t choice = 0;;) {
    const Told told = in_trial(path, scratch, [&](Opened& opened) {
      opened.first_choice = choice;
      step.run(opened, part.id);
    });
    const std::optional<size_t> last = last_choice(told);
    if (add(all, part.name, step.name, told) || !last) return;
    choice = *last + 1;
  }
}

// The constant as the host reads it: versions, ids, tables, options. Tells what is in it, a line a component.
void check_tables(const fs::path& file, const Pen& pen) {
  pen.at("loading it");
  PluginFile plugin_file(file);
  const rgm_plugin& plugin = plugin_file.load(RGM_ABI_MINOR);
  int options = 0, components = 0;
  for (const rgm_component* const* c = plugin.components; *c; ++c) {
    const std::vector<rgm_option> its = options_of(**c);
    const bool must = std::ranges::any_of(its, [](const rgm_option& o) { return o.flags & RGM_REQUIRED; });
    pen.write({{"kind", (*c)->kind}, {"id", (*c)->id}, {"must_have_options", must}});
    ++components;
    options += static_cast<int>(its.size());
  }
  pen.write({{"verdict", "ok"},
             {"text", fmt::format("\"{}\" {} for ABI 1.{}, needs a host with at least 1.{}; {} component{}, {} options",
                                  plugin.name, plugin.version, plugin.abi_minor, plugin.min_host_minor, components,
                                  components == 1 ? "" : "s", options)}});
}

}  // namespace

std::vector<Finding> inspect(const fs::path& file, const std::function<void(const Finding&)>& tell) {
  std::error_code error;
  if (!fs::exists(file, error)) invalid("{}: there is no such file; build the plug-in first", file.string());
  const fs::path path = fs::absolute(file).lexically_normal();
  const ScratchFolder scratch;  // here: what trials lack would be told as the plug-in's fault
  write_samples(sample_file(scratch.path()));
  Findings all{.tell = tell};
  const auto opening = in_child(
      [&](const Pen& pen) {
        pen.at("reading it");
        const PluginFile read(path);
        require(read.has_entry(),
                "it does not export regimen_plugin_v1, so it is not a plug-in; build it with regimen_add_plugin");
        pen.write({{"verdict", "ok"}, {"text", "SHA-256 " + read.sha256()}});
      },
      most_seconds);
  if (!add(all, "file", "read", opening)) return all.all;
  if (!add(all, "file", "symbols", in_child([&](const Pen& pen) { check_symbols(path, pen); }, most_seconds)))
    return all.all;
  const Told tables = in_child([&](const Pen& pen) { check_tables(path, pen); }, most_seconds);
  if (!add(all, "file", "tables", tables)) return all.all;

  for (const nlohmann::json& line : tables.lines) {
    if (!line.contains("kind")) continue;
    const int kind = line["kind"];
    const std::string id = line["id"];
    const Part part{fmt::format("{} \"{}\"", kind_name(kind), id), id, kind, line["must_have_options"]};
    if (steps_of(kind).empty())
      all.push_back({part.name, "kind", Verdict::skipped, "this host does not know the kind: update it"});
    if (refuses_samples(path, part, scratch.path(), all)) continue;
    for (const Step& step : steps_of(kind)) run_step(path, part, step, scratch.path(), all);
  }
  return all.all;
}

bool all_sound(const std::vector<Finding>& findings) {
  return std::none_of(findings.begin(), findings.end(), [](const Finding& f) { return f.verdict == Verdict::failed; });
}

std::string line_of(const Finding& f, bool is_first) {
  const char* const word = f.verdict == Verdict::ok ? "ok" : f.verdict == Verdict::skipped ? "skipped" : "FAILED";
  return (is_first ? fmt::format("\n{}\n", f.part) : "") + fmt::format("  {:<10} {:<8} {}\n", f.step, word, f.text);
}

std::string summary(const std::vector<Finding>& findings) {
  const auto failed = std::ranges::count(findings, Verdict::failed, &Finding::verdict);
  return failed == 0 ? fmt::format("\nsound: {} checks\n", findings.size())
                     : fmt::format("\n{} of {} checks failed\n", failed, findings.size());
}

}  // namespace rgm::inspect
