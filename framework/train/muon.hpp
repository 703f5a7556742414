// muon.hpp - Muon (Jordan et al. 2024; Liu et al. 2025, arXiv 2502.16982): a matrix of a layer moves by its momentum
// with all singular values brought near 1. AdamW updates everything else.
#pragma once
#include <span>
#include <string>

#include "model/parameters.hpp"
#include "train/settings.hpp"

namespace rgm {

// By its name and its two axes; false of every other optimizer.
bool goes_by_muon(const OptimizerSpec& optimizer, const Parameter& p);

// U S V^T of x = U D V^T (rows, columns), where S is between 0.7 and 1.2 for what was not tiny: Newton and Schulz's
// iteration, which takes products alone. They read `dtype` and sum in float32.
Tensor orthogonalised(const Tensor& x, int64_t steps, rgm_dtype dtype = RGM_F32);

// What an update with singular values near 1 is multiplied by; `kind` as in OptimizerSpec::scale.
double muon_scale(const std::string& kind, int64_t rows, int64_t columns);

// One step of a matrix and its momentum m, which nothing moves where `factor` () of the gradient is NaN.
void step_by_muon(const OptimizerSpec& optimizer, const Parameter& p, const Tensor& m, Tensor gradient,
                  const Tensor& factor, double rate, double weight_decay);

// Elements that Muon updates, and the additions and multiplications of its iterations in a step.
int64_t muon_parameters(const OptimizerSpec& optimizer, std::span<Parameters* const> stores);
double muon_flops(const OptimizerSpec& optimizer, std::span<Parameters* const> stores);
// Where a pattern of `matrices` that was given, or all of them, match nothing.
void warn_of_matrices(const OptimizerSpec& optimizer, std::span<Parameters* const> stores, const std::string& stage);

}  // namespace rgm
