// stage_folder.hpp - what a stage leaves in its folder: written at its end, told by hashes, and looked for by a later
// run.
#pragma once
#include "pipeline/record.hpp"

namespace rgm {

// -- stage_folder.cpp
// model/, adapter/ and the like, in place of what an earlier run has left there.
void write_artefacts(const Stage& stage, const OpenedStage& opened, bool base_changed, const Surroundings& around);
// The files with the weights in model/, adapter/, or both.
std::vector<fs::path> weights_in(const fs::path& folder);
// SHA-256 of every file that the stage has left for others, by its place in the folder.
Record files_in(const fs::path& folder, const OpenedStage& opened);
// What only a stage that is not finished needs: who is killed right after the end leaves it behind.
void remove_checkpoints(const fs::path& folder);
// That, and all else that an earlier run left unfinished.
void begin_anew(const fs::path& folder);

// -- is_done.cpp
// The stage was finished with the same inputs, and what it left is still there.
bool is_done(const Record& record, const Record& hashes, const fs::path& folder, const fs::path& cache);

}  // namespace rgm
