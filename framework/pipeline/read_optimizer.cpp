// read_optimizer.cpp - the optimizer of a stage and its options.
#include <algorithm>

#include "pipeline/reader.hpp"

namespace rgm {
namespace {

constexpr int64_t most_newton_schulz_steps = 100;
constexpr double muon_momentum = 0.95;

// {pattern: learning rate}, or a list of such maps, as `plan` prints them: their order counts.
void read_rates(const Yaml& given, std::vector<OwnRate>& out) {
  out.clear();
  for (const Yaml& one : given.one_or_list()) {
    YamlMap map(one, "rates");
    for (const YamlMap::Item& item : map.items()) {
      Problems ignored("");
      if (item.value.is_map())  // as a path with dots makes it
        item.value.wrong("a number, above 0",
                         "; a pattern with dots is set with all of \"rates\": --set '….rates={\"*.b\": 1e-3}'");
      else if (Yaml(item.value.node(), "", ignored).number() == 0.0)
        item.value.problem(
            fmt::format("\"{}\" is 0: to leave parameters as they are, say in \"trainable\" what is trained instead",
                        item.value.path()));
      else if (const auto rate = item.value.number(single_positive))
        out.push_back({item.name, *rate});
    }
  }
}

void read_adamw(YamlMap& map, OptimizerSpec& out) {
  map.read("beta1", out.beta1, single_share);
  map.read("beta2", out.beta2, single_share);
  map.read("epsilon", out.epsilon, single_positive);
  map.choose("moments", out.moments, precisions());
}

// And the AdamW beside it.
void read_muon(YamlMap& map, OptimizerSpec& out) {
  map.read("momentum", out.momentum, single_share);
  map.read("nesterov", out.nesterov);
  map.read("steps", out.newton_schulz_steps, 1, most_newton_schulz_steps);
  map.choose("scale", out.scale, {"match_rms_adamw", "original"});
  if (const auto matrices = map.find("matrices")) {
    out.matrices = matrices->texts();
    if (matrices->is_list() && matrices->node().size() == 0)
      matrices->problem(fmt::format("\"{}\" is empty: for AdamW alone write optimizer: adamw", matrices->path()));
  }
  const auto given = map.find("adamw");
  if (!given) return;
  YamlMap adamw(*given, "adamw in muon");
  const auto read = [&](const char* key, std::optional<double>& to, const Range& range) {
    if (double number = 0; adamw.read(key, number, range)) to = number;
  };
  read("learning_rate", out.adamw_learning_rate, single_positive);
  read("weight_decay", out.adamw_weight_decay, single_not_negative);
  read_adamw(adamw, out);
  adamw.finish();
}

// As those of `kind` begin. Muon moves matrices as far as AdamW does, so what a strategy has for AdamW is right for it.
OptimizerSpec begun(const std::string& kind, const OptimizerSpec& before) {
  OptimizerSpec out = kind == "muon" && before.kind == "adamw" ? before : OptimizerSpec();
  out.kind = kind;
  if (kind == "muon") out.momentum = muon_momentum;
  return out;
}

}  // namespace

void read_optimizer(const Yaml& given, OptimizerSpec& out) {
  const auto named = read_named(given, "optimizer");
  if (!named) return;
  const std::vector<std::string> kinds = {"adamw", "sgd", "muon"};
  if (!std::count(kinds.begin(), kinds.end(), named->id)) {
    named->place.problem(not_known("optimizer", named->id, kinds));
    return;
  }
  if (named->id != out.kind) out = begun(named->id, out);
  if (named->options.node().IsNull()) return;
  YamlMap map(named->options, named->id);
  map.read("learning_rate", out.learning_rate, single_positive);
  map.read("weight_decay", out.weight_decay, single_not_negative);
  if (const auto decay = map.find("decay")) out.decay = decay->texts();
  if (const auto rates = map.find("rates")) read_rates(*rates, out.rates);
  if (out.kind == "adamw") read_adamw(map, out);
  if (out.kind == "sgd") map.read("momentum", out.momentum, single_share);
  if (out.kind == "muon") read_muon(map, out);
  map.finish();
}

}  // namespace rgm
