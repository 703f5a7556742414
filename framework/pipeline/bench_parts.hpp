// bench_parts.hpp - what the benches of training and of writing share.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "model/model.hpp"
#include "pipeline/bench.hpp"
#include "tensor/kernel_profile.hpp"

namespace rgm {

using Figures = nlohmann::ordered_json;  // what was measured, in the order that people read it
constexpr int unmeasured_steps = 2, measured_steps = 5;

double median(std::vector<double> all);
double rounded(double x);  // to four digits

// Kernels by the time that they take of a step; what is below a thousandth of it is left out.
Figures kernel_table(const std::map<std::string, KernelTime>& times, double steps);

// What a frozen model, laid out for it, takes to write one token of `options.decode` sequences.
Figures decode_bench(const Model& model, const BenchOptions& options, Device& device);
// The same behind prompts of `options.prompt` tokens, these included.
Figures rollout_bench(const Model& model, const BenchOptions& options);

}  // namespace rgm
