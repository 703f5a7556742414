// command.hpp - the commands of the program. To add one: write its file, declare it here, add its line to commands.cpp.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rgm {

// Each takes what stands after its name and returns the exit status; bad input is thrown as RGM_INVALID, which is 2.
int bench(const std::vector<std::string>& arguments);
int chat(const std::vector<std::string>& arguments);
int check(const std::vector<std::string>& arguments);
int check_plugin_file(const std::vector<std::string>& arguments);
int compare_runs(const std::vector<std::string>& arguments);
int evaluate(const std::vector<std::string>& arguments);
int export_model(const std::vector<std::string>& arguments);
int generate_text(const std::vector<std::string>& arguments);
int merge(const std::vector<std::string>& arguments);
int rank_samples(const std::vector<std::string>& arguments);
int new_project(const std::vector<std::string>& arguments);
int plan_pipeline(const std::vector<std::string>& arguments);
int plugins(const std::vector<std::string>& arguments);
int print_schema(const std::vector<std::string>& arguments);
int run_pipeline(const std::vector<std::string>& arguments);

namespace cli {

struct Command {
  std::string_view name, usage, summary;
  int (*run)(const std::vector<std::string>& arguments);
};

std::span<const Command> commands();

// Runs the command that is named; the exit status is 0 done, 1 the run failed, 2 bad input.
int main(int argc, char** argv);

}  // namespace cli
}  // namespace rgm
