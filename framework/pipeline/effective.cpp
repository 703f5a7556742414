// effective.cpp - every value in force, in the words of the pipeline: what `plan` prints and stage.json keeps.

#include "pipeline/open_model.hpp"
#include "pipeline/reader.hpp"

namespace rgm {
namespace {

using Json = nlohmann::json;

Json head_of(const ModelSpec& model) {
  if (*model.head_outputs == 0) return "language";
  if (model.head_labels.empty()) return "scalar";
  return {{"classify", {{"labels", model.head_labels}}}};
}

Json of(const ModelSpec& model) {
  Json out = Json::object();
  if (model.head_outputs) out["head"] = head_of(model);
  if (!model.from_stage.empty() || !model.from_folder.empty()) {
    out["from"] = model.from_stage.empty() ? model.from_folder.string() : model.from_stage;
    if (model.merged) out["merged"] = true;
    if (!model.add_tokens.empty()) out["add_tokens"] = model.add_tokens;
    return out;
  }
  out["family"] = model.family;
  for (const auto& [key, value] : model.sizes) out[key] = value;
  for (const auto& [key, value] : model.reals) out[key] = value;
  if (model.family.empty() || !model.sizes.count("heads") || !model.sizes.count("channels")) return out;  // it is wrong
  const ModelConfig config = config_of(model, 0);
  out["kv_heads"] = config.kv_heads;
  if (config.experts == 0) out["hidden"] = config.hidden;
  if (config.experts > 0) {
    out["experts"] = config.experts;
    out["experts_per_token"] = config.experts_per_token;
    out["expert_hidden"] = config.expert_hidden;
    out["balance"] = config.balance;
    if (config.shared_hidden > 0) out["shared_hidden"] = config.shared_hidden;
  }
  out["dropout"] = config.dropout;
  out["tied"] = config.is_tied();
  return out;
}

Json of(const TokenizerSpec& tokenizer) {
  if (tokenizer.kind == "bpe") return {{"bpe", {{"vocabulary", tokenizer.vocabulary}}}};
  if (tokenizer.kind == "from") return {{"from", tokenizer.from.string()}};
  return tokenizer.kind;
}

Json of_chat(const ColumnMap& c) {
  Json out = {{"messages", c.from}, {"roles", c.chat->roles}};
  if (c.prompt) out["prompt"] = *c.prompt;
  if (!c.chat->template_name.empty()) out["template"] = c.chat->template_name;
  if (!c.chat->template_file.empty()) out["template"] = c.chat->template_file.string();
  return out;
}

Json of(const DataSpec& data, bool is_part = false) {
  if (!data.parts.empty()) {
    Json all = Json::array();
    for (const DataSpec& part : data.parts) all.push_back(of(part, /*is_part=*/true));
    return all;
  }
  Json out = Json::object();
  if (!data.from_stage.empty()) {
    out["from"] = data.from_stage;
  } else {
    Json& files = out[data.format] = Json::array();
    for (const fs::path& file : data.files) files.push_back(file.string());
  }
  if (data.separator != ',') out["separator"] = std::string(1, data.separator);
  for (const ColumnMap& c : data.columns)
    out["columns"][c.column] = c.chat               ? of_chat(c)
                               : c.prompt           ? Json{{"prompt", *c.prompt}, {"answer", c.from}}
                               : !c.several.empty() ? Json(c.several)
                                                    : Json(c.from);
  if (const bool is_cut = data.split_begin > 0 || data.split_end < 1; is_cut && is_part)
    out.update({{"begin", data.split_begin}, {"end", data.split_end}});  // a part's share is another one
  else if (is_cut)
    out["share"] = {data.split_begin, data.split_end};
  if (data.share > 0) out["share"] = data.share;
  if (data.rows > 0) out["rows"] = data.rows;
  if (data.split > 0) out["split"] = data.split;
  return out;
}

Json of(const OptimizerSpec& o) {
  Json values = {{"learning_rate", o.learning_rate}, {"weight_decay", o.weight_decay}};
  if (!o.decay.empty()) values["decay"] = o.decay;
  for (size_t i = 0; i < o.rates.size(); ++i) values["rates"][i][o.rates[i].pattern] = o.rates[i].learning_rate;
  if (o.kind != "adamw") values["momentum"] = o.momentum;
  if (o.kind == "sgd") return {{o.kind, values}};
  Json& adamw = o.kind == "muon" ? values["adamw"] : values;
  adamw.update({{"beta1", o.beta1}, {"beta2", o.beta2}, {"epsilon", o.epsilon}, {"moments", o.moments}});
  if (o.kind == "adamw") return {{o.kind, values}};
  adamw.update({{"learning_rate", o.rate_of_adamw()}, {"weight_decay", o.decay_of_adamw()}});
  values.update(
      {{"nesterov", o.nesterov}, {"steps", o.newton_schulz_steps}, {"scale", o.scale}, {"matrices", o.matrices}});
  return {{o.kind, values}};
}

Json of(const StepCount& count) {
  if (count.percent > 0) return fmt::format("{}%", count.percent);
  return count.steps;
}

Json of(const ScheduleSpec& s) {
  Json values = {{"warmup", of(s.warmup)}};
  if (s.kind == "wsd") values["decay"] = of(s.decay);
  if (s.kind != "constant") values["final"] = s.final;
  return {{s.kind, values}};
}

Json trainable(const Stage& s) {
  if (s.trainable_kind == "last") return {{"last", s.trainable_last}};
  if (s.trainable_kind == "names") return {{"names", s.trainable_names}};
  return s.trainable_kind;
}

Json evaluate(const Stage& s) {
  Json out = Json::object();
  if (s.evaluate_every) out["every"] = s.evaluate_every;
  if (s.evaluate_epochs > 0) out["epochs"] = s.evaluate_epochs;
  if (s.patience) out["patience"] = s.patience;
  return out;
}

Json keep(const Stage& s) {
  if (s.best_by.empty() && s.average == 0) return s.keep;
  Json out = Json::object();
  if (!s.best_by.empty()) out["best"] = {{s.best_by, s.highest_is_best ? "highest" : "lowest"}};
  if (s.average > 0) out["average"] = s.average;
  return out;
}

Json checkpoint(const Stage& s) {
  Json out = {{"keep", keep(s)}};
  if (s.checkpoint_every) out["every"] = s.checkpoint_every;
  if (s.checkpoint_minutes > 0) out["minutes"] = s.checkpoint_minutes;
  return out;
}

}  // namespace

nlohmann::json effective(const Stage& s) {
  Json out = {{"name", s.name}, {"strategy", to_json(s.strategy)}, {"model", of(s.model)}};
  if (!s.tokenizer.kind.empty()) out["tokenizer"] = of(s.tokenizer);
  for (const auto& [source, data] : s.data) out["data"][source] = of(data);
  for (const auto& [role, model] : s.roles) out[role] = of(model);
  for (const Choice& adapter : s.adapters) out["adapter"].push_back(to_json(adapter));
  if (s.ensemble > 1) out["ensemble"] = s.ensemble;
  for (const Choice& reward : s.rewards) {
    out["reward"].push_back(to_json(reward));
    out["reward"].back()["weight"] = reward.weight;
  }
  if (s.steps)
    out["steps"] = s.steps;
  else
    out["epochs"] = s.epochs;
  out["batch"] = s.batch;
  if (s.micro_batch_auto && s.micro_batch == 0)
    out["micro_batch"] = "auto";
  else
    out["micro_batch"] = s.micro_batch ? s.micro_batch : s.batch;
  if (s.length) out["length"] = s.length;
  out["log"] = {{"every", s.log_every}};
  out["precision"] = s.precision;
  out["weights"] = s.weights;
  out["recompute"] = s.recompute;
  out["checkpoint"] = checkpoint(s);
  for (const auto& [name, demand] : s.demands) {
    if (demand.at_least) out["demand"][name]["at_least"] = *demand.at_least;
    if (demand.at_most) out["demand"][name]["at_most"] = *demand.at_most;
  }
  if (trains(s)) {
    out["optimizer"] = of(s.optimizer);
    out["schedule"] = of(s.schedule);
    out["clip"] = s.clip;
    out["trainable"] = trainable(s);
    if (const Json when = evaluate(s); !when.empty()) out["evaluate"] = when;
    out["sample"] = {{"prompt", s.sample_prompt}, {"tokens", s.sample_tokens}, {"temperature", s.sample_temperature},
                     {"top_k", s.sample_top_k},   {"top_p", s.sample_top_p},   {"count", s.sample_count}};
    if (s.sample_min_p > 0) out["sample"]["min_p"] = s.sample_min_p;  // so that finished stages stay finished
    if (s.sample_repetition_penalty != 1) out["sample"]["repetition_penalty"] = s.sample_repetition_penalty;
    if (!s.sample_stop.empty()) out["sample"]["stop"] = s.sample_stop;
  }
  return out;
}

}  // namespace rgm
