// record.hpp - what a run says about itself: run.json, and stage.json of every stage. report.html is made from them.
#pragma once
#include <nlohmann/json.hpp>

#include "pipeline/open_stage.hpp"
#include "tensor/device.hpp"

namespace rgm {

using Record = nlohmann::ordered_json;  // people read it from the top

// An object; empty when the file is not there or is broken.
Record read_record(const fs::path& file);
void write_record(const fs::path& file, const Record& record);

std::string time_now();  // 2026-01-31 23:59:59 UTC
Record run_record(const Pipeline& pipeline, const Device& device, const Registry& registry, const std::string& started);
// What is known before the stage runs; `status` is "running".
Record stage_record(const Stage& stage, const OpenedStage& opened, const Record& hashes);
// The values of a stage's record as the pipeline gave them: `auto`, and not the number that was chosen.
nlohmann::json given_values(const Record& record);

}  // namespace rgm
