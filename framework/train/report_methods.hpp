// report_methods.hpp - methods side by side: stages that were measured on the same rows, by what they trained. Stages
// called alike, in several runs or as NAME-1, NAME-2 in one, are one method with several seeds.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "train/report_run.hpp"

namespace rgm::report {

struct Mean {
  double value = 0, error = 0;  // the mean over seeds, and its standard error
  bool of_seeds = false;        // else the error is that of a share of so many rows; NaN: not known
};

struct Method {
  std::string name;
  std::vector<const StageRecord*> stages{};  // one a seed
  std::vector<std::string> seeds{};          // of each: its run, and its number in there
  Mean accuracy{};
  Mean behind{};  // the best method's accuracy less this one's, over seeds that both have; of_seeds is false below two
  double trained = 0, seconds = 0, memory = 0, disk = 0;  // means; NaN: not known
  std::string base{};                                     // unchanged, changed; empty: not known
};

// In the order of the stages; empty where fewer than three methods have an accuracy.
std::vector<Method> methods_of(std::span<const Run> runs);

// A plot of accuracy by trained parameters and a table, as HTML; empty where methods_of is.
std::string methods_section(std::span<const Run> runs);
// The same table for a terminal.
std::string methods_text(const std::vector<Method>& methods);

// Rewards that were trained on different numbers of rankings: accuracy by that number. Empty with fewer than two.
std::string rewards_section(const Run& run);

}  // namespace rgm::report
