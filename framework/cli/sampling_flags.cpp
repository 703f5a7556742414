// sampling_flags.cpp - the flags, their ranges, and the model's own defaults behind them.
#include "cli/sampling_flags.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/log.hpp"
#include "generate/generation_config.hpp"

namespace rgm::cli {

SamplingFlags::SamplingFlags(const Command& command) : command_(command) {
  typed_.max_tokens = command.max_tokens;
  typed_.temperature = 0.8;
}

void SamplingFlags::add_to(boost::program_options::options_description& options) {
  Sampling& s = typed_;
  const auto number = [](double& to, const char* shown) {
    return boost::program_options::value(&to)->default_value(to, shown)->value_name("X");
  };
  const auto count = [](int64_t& to) { return boost::program_options::value(&to)->default_value(to)->value_name("N"); };
  options.add_options()("max-tokens", count(s.max_tokens), "how long an answer may be")(
      "temperature", number(s.temperature, "0.8"), "below 1 favours likely tokens; 0 always takes the likeliest")(
      "top-k", count(s.top_k), "only the N likeliest tokens; 0: all")(
      "top-p", number(s.top_p, "1"), "only the likeliest tokens that together have this probability")(
      "min-p", number(s.min_p, "0"), "only tokens with at least this share of the likeliest one's probability; 0: all")(
      "repetition-penalty", number(s.repetition_penalty, "1"),
      "above 1 makes tokens of the prompt and the answer less likely to come again; 1: off")(
      "stop", boost::program_options::value(&s.stop)->composing()->value_name("TEXT"), command_.stop)(
      "seed", count(seed_), "the same seed gives the same text");
}

void SamplingFlags::check(const boost::program_options::variables_map& given) {
  const Sampling& s = typed_;
  const char* const command = command_.name;
  constexpr int64_t most_tokens = 1 << 20;
  require(seed_ >= 0, "{}: --seed is {}, expected at least 0", command, seed_);
  require(s.max_tokens > 0 && s.max_tokens <= most_tokens, "{}: --max-tokens is {}, expected 1 to {}", command,
          s.max_tokens, most_tokens);
  require(std::isfinite(s.temperature) && (s.temperature == 0 || s.temperature >= least_temperature),
          "{}: --temperature is {}, expected 0, which takes the likeliest token, or at least {}", command,
          s.temperature, least_temperature);
  require(std::count(s.stop.begin(), s.stop.end(), "") == 0,
          "{}: --stop is an empty text, which ends nothing: leave it out", command);
  require(s.top_k >= 0, "{}: --top-k is {}, expected at least 0, which keeps all", command, s.top_k);
  require(s.top_p > 0 && s.top_p <= 1, "{}: --top-p is {}, expected above 0 and at most 1", command, s.top_p);
  require(s.min_p >= 0 && s.min_p <= 1, "{}: --min-p is {}, expected from 0, which keeps all, to 1", command, s.min_p);
  require(s.repetition_penalty >= least_repetition_penalty && s.repetition_penalty <= most_repetition_penalty,
          "{}: --repetition-penalty is {}, expected from {} to {}, where 1 changes nothing", command,
          s.repetition_penalty, least_repetition_penalty, most_repetition_penalty);
  for (const auto& [name, value] : given) {
    if (value.defaulted()) continue;
    std::string setting = name;
    std::ranges::replace(setting, '-', '_');
    given_.insert(std::move(setting));
  }
}

Sampling SamplingFlags::sampling(const TrainedModel& model) const {
  Sampling out = typed_;
  out.seed = static_cast<uint64_t>(seed_);
  const nlohmann::json& config = model->config().generation;
  if (!config.is_object()) return out;
  const std::string file = (model.folder() / generation_config_file).string();
  const std::string taken = take_generation_config(config, file, given_, out);
  if (!taken.empty()) log::info("sampled as the model's {} says: {}", generation_config_file, taken);
  return out;
}

}  // namespace rgm::cli
