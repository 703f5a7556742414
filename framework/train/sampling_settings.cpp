// sampling_settings.cpp - the settings of rgm_train_api.generate, one by one.
#include "train/sampling_settings.hpp"

#include <cmath>

#include "train/session.hpp"

namespace rgm {
namespace {

double number_of(const rgm_attr& a, double least, double most, bool whole) {
  const bool is_number = a.value.type == RGM_REAL || a.value.type == RGM_INTEGER;
  const double x = a.value.type == RGM_REAL ? a.value.as.f : is_number ? double(a.value.as.i) : 0;
  require(is_number && x >= least && x <= most && (!whole || x == std::floor(x)),
          "generate: \"{}\" is {}, expected a {}number from {} to {}", a.key,
          is_number ? fmt::format("{}", x) : "not a number", whole ? "whole " : "", least, most);
  return x;
}

double checked_temperature(double x) {
  require(x == 0 || x >= least_temperature,
          "generate: temperature is {}, expected 0, which takes the likeliest token, or at least {}", x,
          least_temperature);
  return x;
}

}  // namespace

Sampling read_sampling(std::span<const rgm_attr> attrs) {
  constexpr double many = 1e9;
  Sampling out;
  for (const rgm_attr& a : attrs) {
    require(a.key != nullptr, "generate: a setting has no name");
    const std::string_view key = a.key;
    if (key == "answers")
      out.answers = int64_t(number_of(a, 0, many, true));
    else if (key == "max_tokens")
      out.max_tokens = int64_t(number_of(a, 0, many, true));
    else if (key == "temperature")
      out.temperature = checked_temperature(number_of(a, 0, many, false));
    else if (key == "top_k")
      out.top_k = int64_t(number_of(a, 0, many, true));
    else if (key == "top_p")
      out.top_p = number_of(a, 0, 1, false);
    else if (key == "min_p")
      out.min_p = number_of(a, 0, 1, false);
    else if (key == "repetition_penalty")
      out.repetition_penalty = number_of(a, least_repetition_penalty, most_repetition_penalty, false);
    else if (key == "stop" && a.value.type == RGM_TEXTS)
      for (uint32_t i = 0; i < a.value.count; ++i) out.stop.emplace_back(view(a.value.as.ss[i]));
    else if (key == "stop" && (a.value.type == RGM_TEXT || a.value.type == RGM_CHOICE))
      out.stop.emplace_back(view(a.value.as.s));
    else if (key == "stop")
      invalid("generate: \"stop\" is neither a text nor a list of texts");
    else
      invalid(
          "generate: \"{}\" is not known; there are answers, max_tokens, temperature, top_k, top_p, min_p, "
          "repetition_penalty, stop",
          key);
  }
  return out;
}

}  // namespace rgm
