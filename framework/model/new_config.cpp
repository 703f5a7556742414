// new_config.cpp - what a new model of a family has beside the sizes that it is given, and how its positions turn.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "model/family.hpp"

namespace rgm {

void begin_new(ModelConfig& c) {
  c.rope.base = c.family->rope_base, c.rope.part = c.family->rotary_part;
  if (c.family->window_rope_base > 0) c.window_rope = Rope{.base = c.family->window_rope_base};
  c.turned = usual_turned(c, c.family->unturned_each);
  if (c.family->has_experts()) {
    if (c.experts == 0) c.experts = 8;
    if (c.experts_per_token == 0) c.experts_per_token = std::min<int64_t>(2, c.experts);
    if (c.expert_hidden == 0) c.expert_hidden = usual_expert_hidden(c);
    if (c.shared_hidden == 0 && c.family->has_shared_expert()) c.shared_hidden = c.expert_hidden;
    c.normalised_experts = c.family->normalised_experts;
    c.balance = 0.01;  // as in the publication of OLMoE (arXiv 2409.02060)
  }
  if (c.family->begin) c.family->begin(c);
}

// A gated mlp has three matrices: two thirds of the width make as many parameters (Shazeer 2020).
int64_t usual_hidden(const Family& family, int64_t channels) {
  return family.gated ? (8 * channels / 3 + 7) / 8 * 8 : 4 * channels;
}

int64_t usual_expert_hidden(const ModelConfig& c) {
  return std::max<int64_t>(usual_hidden(*c.family, c.channels) / c.experts_per_token / 8 * 8, 8);
}

std::vector<int64_t> usual_windows(const ModelConfig& c, int64_t window, int64_t first) {
  std::vector<int64_t> out;
  for (int64_t i = 0; i < c.layers; ++i) {
    const Windows kind = c.family->windows;
    const bool has = kind == Windows::all || kind == Windows::stated ||
                     (kind == Windows::alternate && (i + 1) % c.family->full_each != 0) ||
                     (kind == Windows::odd && i % 2 == 1) || (kind == Windows::upper && i >= first) ||
                     (kind == Windows::unturned && !c.rope_of(static_cast<size_t>(i)));
    out.push_back(has ? window : 0);
  }
  return out;
}

std::vector<bool> usual_turned(const ModelConfig& c, int64_t unturned_each) {
  std::vector<bool> out;
  for (int64_t i = 0; unturned_each > 0 && i < c.layers; ++i) out.push_back((i + 1) % unturned_each != 0);
  return out;
}

std::vector<double> rope_frequencies(const ModelConfig& c, const Rope& rope, bool beyond) {
  if (rope.scaling == Rope::Scaling::yarn) return yarn_frequencies(rope, c.rotary());
  std::vector<double> out;
  for (int64_t i = 0; i < c.rotary() / 2; ++i) {
    const double plain = std::pow(rope.base, -2.0 * static_cast<double>(i) / static_cast<double>(c.rotary()));
    if (rope.scaling == Rope::Scaling::none) out.push_back(plain);
    if (rope.scaling == Rope::Scaling::longrope)
      out.push_back(plain / (beyond ? rope.long_factors : rope.short_factors)[static_cast<size_t>(i)]);
    if (rope.scaling == Rope::Scaling::linear) out.push_back(plain / rope.factor);
    if (rope.scaling != Rope::Scaling::llama3) continue;
    // Llama 3.1: what turns round `high` times or more within the old context stays, what turns less than `low` times
    // is slowed down, and in between is between.
    const double turns = static_cast<double>(rope.original_context) * plain / (2 * std::numbers::pi);
    const double kept = std::min(1.0, std::max(0.0, (turns - rope.low) / (rope.high - rope.low)));
    out.push_back(plain * (kept + (1 - kept) / rope.factor));
  }
  return out;
}

// LongRoPE, arXiv 2402.13753: sqrt(1 + ln(s) / ln(old context)), s the contexts' ratio, for texts of all lengths.
static double longrope_amplitude(const ModelConfig& c, const Rope& rope) {
  const auto old = static_cast<double>(rope.original_context);
  const double s = rope.factor > 0 ? rope.factor : static_cast<double>(c.context) / old;
  return s <= 1 ? 1 : std::sqrt(1 + std::log(s) / std::log(old));
}

double rope_amplitude(const ModelConfig& c, const Rope& rope) {
  if (rope.scaling != Rope::Scaling::yarn && rope.scaling != Rope::Scaling::longrope) return 1;
  if (rope.attention > 0) return rope.attention;
  return rope.scaling == Rope::Scaling::yarn ? yarn_amplitude(rope.factor) : longrope_amplitude(c, rope);
}

}  // namespace rgm
