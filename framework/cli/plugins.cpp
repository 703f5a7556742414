// plugins.cpp - `regimen plugins [ID]`: what is installed and whether it can be used; with an ID, its options.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "base/text.hpp"
#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "cli/open_backend.hpp"
#include "plugins/kernel_slots.hpp"
#include "plugins/options.hpp"
#include "plugins/registry.hpp"

namespace rgm {
namespace {

using Json = nlohmann::ordered_json;

std::string id_of(const Entry& e) { return e.kind ? e.id : e.path.stem().string(); }

// Defaults as they take effect: those of the table, and what the host adds.
Json defaults_of(const Entry& e) {
  Problems ignored("");  // options that must be given have no default
  return to_json(*read_options(*e.data, YAML::Node(YAML::NodeType::Null), ignored));
}

Json entry_json(const Entry& e, bool with_options) {
  Json out{{"kind", e.kind ? Json(kind_name(e.kind)) : Json()},
           {"id", id_of(e)},
           {"version", e.version},
           {"summary", e.summary},
           {"path", e.path.string()},
           {"sha256", e.sha256},
           {"usable", e.usable},
           {"reason", e.reason}};
  if (!with_options || !e.data) return out;
  const Json defaults = defaults_of(e);
  Json& options = out["options"] = Json::array();
  for (const rgm_option& o : options_of(*e.data)) {
    options.push_back(describe(o));
    options.back()["default"] = defaults[o.key];
  }
  return out;
}

void print_list(const std::vector<Entry>& list) {
  std::vector<std::vector<std::string>> rows{{"KIND", "ID", "VERSION", "USABLE", "SHA-256", "PATH", "REASON"}};
  for (const Entry& e : list)
    rows.push_back({e.kind ? std::string(kind_name(e.kind)) : "-", id_of(e), e.version.empty() ? "-" : e.version,
                    e.usable ? "yes" : "no", e.sha256.empty() ? "-" : e.sha256, e.path.string(), e.reason});
  fmt::print("{}", table_for_people(rows));
}

// A text as it is; one with line ends or the like, which would break a table, as JSON writes it.
std::string in_one_line(const Json& value) {
  const auto is_control = [](unsigned char c) { return c < 0x20; };
  if (value.is_string())
    if (const auto& text = value.get_ref<const std::string&>(); std::ranges::none_of(text, is_control)) return text;
  return value.dump();
}

void print_one(const Entry& e) {
  fmt::print("{} {} {}\n", e.kind ? kind_name(e.kind) : "file", id_of(e), e.version);
  if (!e.summary.empty()) fmt::print("{}\n", e.summary);
  fmt::print("\n  path     {}\n  SHA-256  {}\n  usable   {}\n", e.path.string(), e.sha256.empty() ? "-" : e.sha256,
             e.usable ? "yes" : "no: " + e.reason);
  if (!e.data) return;
  const std::vector<rgm_option> options = options_of(*e.data);
  fmt::print("\n{}\n", options.empty() ? "It has no options." : "Options");
  const Json defaults = defaults_of(e);
  std::vector<std::vector<std::string>> rows;
  for (const rgm_option& o : options) {
    std::vector<std::string> words;
    for (const char* const* c = o.choices; c && *c; ++c) words.emplace_back(*c);
    const std::string initial = o.flags & RGM_REQUIRED      ? "required"
                                : defaults[o.key].is_null() ? "unset"
                                                            : in_one_line(defaults[o.key]);
    rows.push_back({o.key, std::string(type_name(o.type)), initial, words.empty() ? range_text(o) : join(words, " | "),
                    o.help + std::string(o.flags & RGM_DEPRECATED ? " (deprecated)" : "")});
  }
  fmt::print("{}", table_for_people(rows, "  "));
}

// Who computes each kernel: "own", the libraries that the backend names, or "composed" of other kernels by the host.
std::vector<std::pair<std::string, std::string>> kernels_of(Registry& registry, const std::string& id) {
  const OpenBackend backend(registry, id);
  std::vector<std::pair<std::string, std::string>> out;
  for (const KernelSlot& slot : kernel_slots) {
    const bool told = RGM_HAS(&backend.table(), origin);
    const char* const by = told ? backend.table().origin(slot.name) : nullptr;
    const bool needed = std::strcmp(slot.name, "pack") != 0;  // without it weights stay as they are
    out.emplace_back(slot.name, !offers(backend.kernels(), slot) ? needed ? "composed" : "none" : by ? by : "own");
  }
  return out;
}

void print_kernels(Registry& registry, const Entry& e) {
  std::vector<std::vector<std::string>> rows{{"KERNEL", "COMPUTED BY"}};
  for (const auto& [name, by] : kernels_of(registry, id_of(e))) rows.push_back({name, by});
  fmt::print("{}", table_for_people(rows));
}

}  // namespace

int plugins(const std::vector<std::string>& arguments) {
  if (!arguments.empty() && arguments[0] == "check") return check_plugin_file({arguments.begin() + 1, arguments.end()});
  boost::program_options::options_description options;
  options.add_options()("json", "print a JSON array, for programs")(
      "kernels", "for a backend: who computes each kernel: itself, a library, or the host from other kernels");
  const auto given = cli::parse(
      {.command = "plugins",
       .line = "[ID] [--kernels] [--json]",
       .text = "Lists the plug-ins that are installed: kind, id, version, file, SHA-256, and whether they can be used\n"
               "or why not. With an ID, its options too.\n"
               "`regimen plugins check FILE.so` tests a file, for its author.",
       .example = "regimen plugins lora",
       .places = {"id"}},
      options, arguments);
  if (!given) return 0;
  Registry registry;
  std::vector<Entry> list = registry.list();
  const bool one = given->count("id") > 0;
  if (one) {
    const std::string id = (*given)["id"].as<std::string>();
    std::vector<std::string> known;
    known.reserve(list.size());
    for (const Entry& e : list) known.push_back(id_of(e));
    std::erase_if(list, [&](const Entry& e) { return id_of(e) != id; });
    if (list.empty())
      invalid("plug-in \"{}\" is not known{} (looked in {})", id, did_you_mean(id, known), registry.places());
  }
  const bool kernels = given->count("kernels") > 0;
  if (kernels) {
    require(one, "plugins: --kernels is for one backend; which? One of: {}", join(registry.ids(RGM_KIND_BACKEND)));
    std::erase_if(list, [](const Entry& e) { return e.kind != RGM_KIND_BACKEND; });
    require(!list.empty(), "plugins: \"{}\" is not a backend, and only backends have kernels",
            (*given)["id"].as<std::string>());
  }
  if (given->count("json")) {
    Json all = Json::array();
    for (const Entry& e : list) {
      all.push_back(entry_json(e, one));
      if (!kernels) continue;
      Json& listed = all.back()["kernels"] = Json::object();
      for (const auto& [name, by] : kernels_of(registry, id_of(e))) listed[name] = by;
    }
    fmt::print("{}\n", all.dump(2));
  } else if (kernels) {
    print_kernels(registry, list.front());
  } else if (one) {
    for (const Entry& e : list) {
      if (&e != &list.front()) fmt::print("\n");
      print_one(e);
    }
  } else {
    print_list(list);
  }
  return 0;
}

}  // namespace rgm
