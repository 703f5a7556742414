// commands.cpp - the table of commands, in the order of the help.
#include "cli/command.hpp"

namespace rgm::cli {

std::span<const Command> commands() {
  static constexpr Command table[] = {
      {"run", "FILE", "runs a pipeline, or resumes an interrupted one", run_pipeline},
      {"check", "FILE", "reports every problem in a pipeline; runs nothing", check},
      {"plan", "FILE", "shows what a run would do, need and take; trains nothing", plan_pipeline},
      {"compare", "RUN…", "compares the methods of one run or several, with standard errors", compare_runs},
      {"generate", "--model DIR", "writes text with a trained model", generate_text},
      {"chat", "--model DIR", "talks with a trained model, using its chat template", chat},
      {"evaluate", "--model DIR --data FILE", "measures a trained model's loss, perplexity and accuracy", evaluate},
      {"merge", "--model DIR --out DIR", "folds adapters into a model's weights", merge},
      {"export", "--model DIR --out FILE", "writes a model as a GGUF file, for llama.cpp, Ollama and LM Studio",
       export_model},
      {"rank", "SAMPLES --out FILE", "lets people rank answers, on a page or in the terminal", rank_samples},
      {"plugins", "[ID]", "lists the installed plug-ins, and the options of each", plugins},
      {"schema", "", "prints a JSON Schema of pipelines, for an editor", print_schema},
      {"bench", "FILE", "times a stage on this machine, or checks a backend's kernels against the reference", bench},
      {"new", "KIND NAME [DIR]", "makes a plug-in project that builds and runs", new_project},
  };
  return table;
}

}  // namespace rgm::cli
