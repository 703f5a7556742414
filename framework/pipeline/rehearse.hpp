// rehearse.hpp - opens every stage of a pipeline before the first one is run, so that what does not fit together is
// told before hours are spent on what stands in front of it.
#pragma once
#include "base/log.hpp"
#include "pipeline/open_model.hpp"

namespace rgm {

// What is wrong with models, adapters, rewards, data and options that plug-ins refuse, a line each with its place, and
// of each stage what is met first; empty: nothing was found. Stages are opened on a device that only counts, beside
// `real`, with models of the shapes that those before them would leave, and their strategies prepared. What depends on
// the weights or rows of an earlier stage, or on any values, is left out. `cache` is where tokenised text is kept, for
// the run itself. What is logged on the way is written from the level `least` on: a run says it when it comes to the
// stage.
std::vector<std::string> rehearse(const Pipeline& pipeline, Registry& registry, const fs::path& cache,
                                  const Device& real, log::Level least = log::Level::nothing);

// Of the stages before `stage`, those that could be opened.
PlannedModels models_before(size_t stage, const Pipeline& pipeline, Registry& registry, const fs::path& cache,
                            const Device& real);

}  // namespace rgm
