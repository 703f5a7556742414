// record.cpp - composes run.json and stage.json, and asks the system about memory.
#include "pipeline/record.hpp"

#include <fmt/chrono.h>

#include <ctime>

#include "base/json.hpp"
#include "host/host.hpp"
#include "plugins/check.hpp"

namespace rgm {

Record read_record(const fs::path& file) {
  if (!fs::exists(file)) return Record::object();
  Record out = json_or_discarded<Record>(read_file(file));
  return out.is_object() ? out : Record::object();
}

void write_record(const fs::path& file, const Record& record) {
  // A name or a sample may hold broken UTF-8: it is shown as such, and does not end the run.
  write_file(file, record.dump(2, ' ', false, Record::error_handler_t::replace) + '\n');
}

std::string time_now() { return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(std::time(nullptr))); }

Record run_record(const Pipeline& pipeline, const Device& device, const Registry& registry,
                  const std::string& started) {
  Record stages = Record::array(), plugins = Record::array();
  for (const Stage& stage : pipeline.stages) stages.push_back(stage.name);
  for (const Component& c : registry.loaded())
    plugins.push_back({{"kind", kind_name(c.data->kind)},
                       {"id", c.data->id},
                       {"version", c.data->version},
                       {"sha256", c.sha256},
                       {"path", c.path.string()}});
  const rgm_device_info& info = device.info();
  return {{"pipeline", pipeline.name},
          {"file", pipeline.file.string()},
          {"version", host_table()->version},
          {"started", started},
          {"seed", pipeline.seed},
          {"backend", device.id()},
          {"device", info.name ? info.name : ""},
          {"stages", stages},
          {"plugins", plugins}};
}

Record stage_record(const Stage& stage, const OpenedStage& opened, const Record& hashes) {
  const ModelConfig& c = opened.model->config();
  const auto wishes = wishes_of(stage);
  Record data = Record::object();
  for (const auto& [name, source] : opened.setup.sources) {
    Record files = Record::array();
    for (const fs::path& file : all_files(stage.data.at(name))) files.push_back(file.string());
    Record token_columns = Record::array();
    // What is held out is read as what it is held out of.
    if (const auto found = wishes.find(name == "validation" ? main_source_of(stage) : name); found != wishes.end())
      for (const ColumnWish& column : found->second)
        if (column.kind == RGM_TOKENS_COLUMN) token_columns.push_back(column.name);
    data[name] = {{"files", files},
                  {"token_columns", token_columns},
                  {"units", source->units()},
                  {"tokens", source->tokens()},
                  {"counted_tokens", source->counted()},
                  {"sha256", source->sha256()}};
  }
  Record out = {{"stage", stage.name},
                {"strategy", stage.strategy.id},
                {"status", "running"},
                {"model",
                 {{"family", c.family->id},
                  {"layers", c.layers},
                  {"heads", c.heads},
                  {"channels", c.channels},
                  {"context", c.context},
                  {"vocabulary", c.vocabulary},
                  {"outputs", c.outputs},
                  {"parameters", opened.parameters()},
                  {"trained_parameters", opened.trained_parameters()}}},
                {"configuration", stage.effective},
                {"data", data},
                {"hashes", hashes}};
  if (stage.micro_batch_auto) out["chosen"] = {{"micro_batch", "auto"}};
  return out;
}

nlohmann::json given_values(const Record& record) {
  nlohmann::json out = record.value("configuration", Record::object());
  const Record chosen = record.value("chosen", Record());
  if (out.is_object() && chosen.is_object())
    for (const auto& [key, word] : chosen.items()) out[key] = word;
  return out;
}

}  // namespace rgm
