// taken_stages.cpp - earlier stages that a stage builds on, as their records tell.
#include "pipeline/taken_stages.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include "base/text.hpp"
#include "pipeline/inputs.hpp"
#include "pipeline/made_again.hpp"

namespace rgm {
namespace {

// Stages whose models, adapters, rewards or rows it takes.
std::set<std::string> taken_by(const Stage& stage) {
  std::set<std::string> out = {stage.model.from_stage};
  for (const auto& [role, spec] : stage.roles) out.insert(spec.from_stage);
  for (const auto& [source, data] : stage.data)
    for (const DataSpec& part : parts_of(data)) out.insert(part.from_stage);
  for (const std::vector<Choice>* choices : {&stage.adapters, &stage.rewards})
    for (const Choice& choice : *choices) out.insert(choice.from_stage);
  return out;
}

// What went in by its content, and the seed: another backend or a newer plug-in is no reason to make it anew, nor is
// what an older record does not say. What was made of a model that is gone by now is as good as it was.
std::vector<std::string> other_content(const Stage& stage, size_t index, const Record& before,
                                       const Surroundings& around, const Device& device) {
  Record now;
  try {
    now = hash_inputs(stage, index, around, device, device.info().threads);
  } catch (const Error&) {
    return {};
  }
  std::vector<std::string> out;
  for (const auto& [key, hash] : now.items())
    if (!key.starts_with("plugin.") && key != "inputs" && key != "training" && key != "configuration" &&
        before.value(key, hash) != hash)
      out.push_back(key);
  return out;
}

// "report_card.accuracy" in the result; nothing where there is no such number.
std::optional<double> number_in(const Record& result, const std::string& path) {
  const Record* at = &result;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    const auto found = at->is_object() ? at->find(path.substr(begin, end - begin)) : at->end();
    if (!at->is_object() || found == at->end()) return std::nullopt;
    at = &*found;
    begin = end + 1;
  }
  return at->is_number() ? std::optional(at->get<double>()) : std::nullopt;
}

}  // namespace

void require_demands(const Stage& stage, const fs::path& folder) {
  if (stage.demands.empty()) return;
  const Record record = read_record(folder / "stage.json"), result = record.value("result", Record::object());
  for (const auto& [name, demand] : stage.demands) {
    const auto value = number_in(result, name);
    if (!value) {
      std::vector<std::string> names;
      for (const auto& [key, item] : result.items())
        if (item.is_number()) names.push_back(key);
      invalid("stage {}: \"{}\" is demanded, but its result has no such number{} (there are: {})", stage.name, name,
              did_you_mean(name, names), join(names));
    }
    const auto refuse = [&, &name = name](const char* side, double bound) {
      failure("stage {}: {} is {:g}, but at {} {:g} is demanded: no later stage is run. Its results are in {}",
              stage.name, name, *value, side, bound, folder.string());
    };
    if (demand.at_least && *value < *demand.at_least) refuse("least", *demand.at_least);
    if (demand.at_most && *value > *demand.at_most) refuse("most", *demand.at_most);
  }
}

namespace {

void check_taken(const Stage& stage, const Surroundings& around, const Device& device, std::set<std::string>& seen) {
  const std::set<std::string> taken = taken_by(stage);
  for (size_t i = 0; i < around.pipeline.stages.size(); ++i) {
    const Stage& source = around.pipeline.stages[i];
    if (!taken.contains(source.name) || !seen.insert(source.name).second) continue;
    const fs::path file = around.run / source.name / "stage.json";
    const Record record = read_record(file), status = record.value("status", Record("missing"));
    require(status == "done",
            "stage {0}: it builds on stage \"{1}\", which is not finished ({2}: {3}): run that first, with --only {1} "
            "or without --only",
            stage.name, source.name, file.string(), status.is_string() ? status.get<std::string>() : "damaged");
    check_taken(source, around, device, seen);
    const Record before = record.value("hashes", Record::object());
    const Record made_by = before.is_object() ? before.value("configuration", Record()) : Record();
    const auto refuse = [&](const std::string& what) {
      invalid(
          "stage {0}: it builds on stage \"{1}\", which was made {2}: run that again, with --only {1} or without "
          "--only",
          stage.name, source.name, what);
    };
    if (made_by.is_string() && made_by != configuration_hash(source))
      refuse(fmt::format("with other values than the pipeline has now (in {})",
                         differing(given_values(record), source.effective)));
    if (made_by.is_string())
      if (const auto keys = other_content(source, i, before, around, device); !keys.empty())
        refuse(fmt::format("from other content than there is now (in {})", join(keys)));
    require_demands(source, around.run / source.name);
  }
}

}  // namespace

void check_taken(const Stage& stage, const Surroundings& around, const Device& device) {
  std::set<std::string> seen;
  check_taken(stage, around, device, seen);
}

}  // namespace rgm
