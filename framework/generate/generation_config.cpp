// generation_config.cpp - the members of a generation_config.json, each with the values that it may have.
#include "generate/generation_config.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"

namespace rgm {
namespace {

struct Member {
  const char *theirs, *ours, *flag, *expected;
  bool (*allows)(double);
  void (*set)(Sampling& to, double value);
  bool is_for_draws = false;  // of no use to who takes the likeliest token
};

constexpr double most_whole = 1 << 20;

bool is_whole(double x, double least, double most) { return x >= least && x <= most && x == std::floor(x); }

constexpr Member members[] = {
    {"temperature", "temperature", "--temperature", "0, which takes the likeliest token, or more",
     [](double x) { return x >= 0; },
     [](Sampling& to, double x) { to.temperature = x < least_temperature ? 0 : x; },  // some write 1e-06 for 0
     true},
    {"top_p", "top_p", "--top-p", "a number above 0 and at most 1", [](double x) { return x > 0 && x <= 1; },
     [](Sampling& to, double x) { to.top_p = x; }, true},
    {"top_k", "top_k", "--top-k", "a whole number from 0, which keeps all as -1 does, to 1048576",
     [](double x) { return is_whole(x, -1, most_whole); },
     [](Sampling& to, double x) { to.top_k = std::max<int64_t>(static_cast<int64_t>(x), 0); }, true},
    {"min_p", "min_p", "--min-p", "a number from 0, which keeps all, to 1", [](double x) { return x >= 0 && x <= 1; },
     [](Sampling& to, double x) { to.min_p = x; }, true},
    {"repetition_penalty", "repetition_penalty", "--repetition-penalty",
     "a number from 0.01 to 100, of which 1 changes nothing",
     [](double x) { return x >= least_repetition_penalty && x <= most_repetition_penalty; },
     [](Sampling& to, double x) { to.repetition_penalty = x; }},
    {"max_new_tokens", "max_tokens", "--max-tokens", "a whole number from 1 to 1048576",
     [](double x) { return is_whole(x, 1, most_whole); },
     [](Sampling& to, double x) { to.max_tokens = static_cast<int64_t>(x); }},
};

// A member that is null is one that is not there, as in transformers.
const nlohmann::json* found_in(const nlohmann::json& config, const char* name) {
  const auto found = config.find(name);
  return found == config.end() || found->is_null() ? nullptr : &*found;
}

bool is_draw_typed(const std::set<std::string>& given) {
  return std::ranges::any_of(members, [&](const Member& m) { return m.is_for_draws && given.contains(m.ours); });
}

// What do_sample says of the temperature. Where transformers has written the file, it left out its own default, 1.
std::string take_do_sample(const nlohmann::json& config, const std::string& file, const std::set<std::string>& given,
                           Sampling& to) {
  const nlohmann::json* const draws = found_in(config, "do_sample");
  if (!draws || given.contains("temperature")) return "";
  require(draws->is_boolean(),
          "{}: \"do_sample\" is {}, expected true or false: correct it there, or give --temperature, which counts "
          "instead",
          file, draws->dump());
  if (draws->get<bool>()) {
    if (found_in(config, "temperature")) return "";
    to.temperature = 1;
    return "temperature 1";
  }
  if (is_draw_typed(given)) return "";
  to.temperature = 0;
  return "temperature 0, as do_sample is false (--temperature X draws)";
}

}  // namespace

std::string take_generation_config(const nlohmann::json& config, const std::string& file,
                                   const std::set<std::string>& given, Sampling& to) {
  std::vector<std::string> told;
  if (std::string said = take_do_sample(config, file, given, to); !said.empty()) told.push_back(std::move(said));
  for (const Member& member : members) {  // the temperature first, which decides whether anything is drawn
    const nlohmann::json* const value = found_in(config, member.theirs);
    if (!value || given.contains(member.ours) || (to.temperature == 0 && member.is_for_draws)) continue;
    require(value->is_number() && member.allows(value->get<double>()),
            "{}: \"{}\" is {}, expected {}: correct it there, or give {}, which counts instead", file, member.theirs,
            value->dump(), member.expected, member.flag);
    member.set(to, value->get<double>());
    told.push_back(fmt::format("{} {}", member.ours, value->get<double>()));
  }
  return join(told);
}

}  // namespace rgm
