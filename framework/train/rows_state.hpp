// rows_state.hpp - how far rows.jsonl is whole. rows.json says it as of the last second and is as sure to be on the
// disk as the rows are; rows.latest.json says it as of now, which outlives the process but maybe not the machine.
#pragma once
#include <nlohmann/json.hpp>

#include "train/trainer.hpp"

namespace rgm {

class RowsState {
 public:
  explicit RowsState(const TrainSetup& setup);
  // `units`, `rows`, `bytes` and what else was written with them, of the newest state that the rows fit; an empty
  // object where they are made anew, after saying why if there are any: what is on the disk then says that there are
  // none.
  nlohmann::json read() const;
  void write(nlohmann::json state, Sync sync) const;

 private:
  bool is_own(const nlohmann::json& state) const;
  void say_anew(const nlohmann::json& state, uintmax_t written) const;

  const TrainSetup& setup_;
  const fs::path rows_, synced_, latest_;
};

}  // namespace rgm
