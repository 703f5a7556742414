// run.hpp - one execution of a pipeline: stage after stage, skipping what is done, into a folder.
#pragma once
#include "base/process_group.hpp"
#include "pipeline/pipeline.hpp"

namespace rgm {

struct RunOptions {
  fs::path out;                       // the run's folder; empty: runs/<pipeline> in the current folder
  std::string only;                   // one stage alone; empty: all
  bool force = false;                 // also what has not changed, and from the start
  ProcessGroup* processes = nullptr;  // that run it together, borrowed; none: this one alone
};

// Throws Interrupted when a signal came and a checkpoint was written; the same call then goes on.
void run(const Pipeline& pipeline, const RunOptions& options, Registry& registry);

}  // namespace rgm
