// commands.cpp - the table of commands, in the order of the help.
#include "cli/command.hpp"

namespace rgm::cli {

std::span<const Command> commands() {
  static constexpr Command table[] = {
      {"run", "FILE", "runs a pipeline; goes on with one that was interrupted", run_pipeline},
      {"check", "FILE", "every problem of a pipeline; nothing is run", check},
      {"plan", "FILE", "what a run would do, need and take; nothing is trained", plan_pipeline},
      {"compare", "RUN…", "methods of one run or several side by side, with standard errors", compare_runs},
      {"generate", "--model DIR", "text from a trained model", generate_text},
      {"chat", "--model DIR", "talks with a trained model, by its chat template", chat},
      {"evaluate", "--model DIR --data FILE", "loss, perplexity and accuracy of a trained model", evaluate},
      {"merge", "--model DIR --out DIR", "folds adapters into a model's weights", merge},
      {"rank", "SAMPLES --out FILE", "people order answers, on a page or in the terminal", rank_samples},
      {"plugins", "[ID]", "what is installed, and the options of each", plugins},
      {"schema", "", "a JSON Schema of pipelines, for an editor", print_schema},
      {"bench", "FILE", "how fast a stage is here; or a backend's kernels against the reference", bench},
      {"new", "KIND NAME [DIR]", "a plug-in project that builds and runs", new_project},
  };
  return table;
}

}  // namespace rgm::cli
