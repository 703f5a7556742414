// schema.cpp - listens to the readers while they go through a pipeline that has every part once, and writes down what
// they asked for. By hand is only what no table says: which part stands behind which key.
#include "pipeline/schema.hpp"

#include <cmath>

#include "pipeline/aside.hpp"
#include "pipeline/asked.hpp"
#include "pipeline/reader.hpp"
#include "plugins/options.hpp"

namespace rgm {
namespace {

using Json = nlohmann::ordered_json;

// Each map of the grammar once, and one wrong id wherever there is a list of them.
constexpr std::string_view every_part = R"(
regimen: 1
name: every-part
seed: 1
backend: none
processes: 1
collective: none
plugins: [{path: none, sha256: none}]
stages:
  - name: a
    strategy: none
    model: {family: gpt2, head: {classify: {labels: [a, b]}}}
    tokenizer: {bpe: {}}
    data: {train: {jsonl: none, columns: {text: {prompt: a, answer: b}, chat: {messages: a, prompt: b}}}, validation: {split: 0.1}}
    reward: {from: none, weight: 1}
    reference: {from: none}
    optimizer: {adamw: {}}
    schedule: {constant: {}}
    evaluate: {every: 1}
    keep: {best: a, average: 0.9}
    log: {every: 1}
    checkpoint: {every: 1}
    trainable: {last: 1}
    sample: {prompt: a}
    demand: {accuracy: 0.5}
  - {name: b, model: {from: none, add_tokens: [a]}, teacher: {from: none}, optimizer: {sgd: {}}, schedule: {linear: {}}}
  - {name: c, critic: {from: none}, data: {train: {from: none}}, schedule: {cosine: {}}}
  - {name: e, optimizer: {muon: {adamw: {}}}, schedule: {wsd: {}}}
  - {name: d, model: {family: gpt2, head: none}, tokenizer: none, optimizer: none, schedule: none}
)";

void go_through_every_part() {
  const TemporaryFolder folder("schema");
  const fs::path file = folder.path / "every-part.yaml";
  write_file(file, every_part);
  try {
    read_pipeline(
        file, {}, [](int, const std::string&) -> const Component& { invalid("no plug-in is needed for the grammar"); },
        [](const fs::path&, const std::string&) {});
  } catch (const Error&) {}  // that its names lead nowhere is no news
}

// A text may look like a number: nobody writes quotes around a name such as 2024.
Json text() { return {{"type", {"string", "number", "boolean"}}}; }
// As YAML's older words for them are read too.
Json boolean() { return {{"enum", {true, false, "yes", "no", "on", "off"}}}; }
Json texts() { return {{"anyOf", {text(), {{"type", "array"}, {"items", text()}}}}}; }
Json one_or_list(const Json& one) { return {{"anyOf", {one, {{"type", "array"}, {"items", one}}}}}; }
// A number of steps, or a share of all.
Json step_count() {
  const Json percent = {{"type", "string"}, {"pattern", "^(100|[0-9]{1,2}([.][0-9]+)?|[.][0-9]+)%$"}};
  return {{"anyOf", {{{"type", "integer"}, {"minimum", 0}}, percent}}};
}
Json reference(const std::string& name) { return {{"$ref", "#/$defs/" + name}}; }

Json closed(Json properties) {
  return {{"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
}

Json ranged(const char* type, const Range& range) {
  Json out{{"type", type}};
  const auto limit = [&](const char* key, double x) {
    if (std::isfinite(x)) out[key] = x == std::floor(x) && std::abs(x) < 0x1p53 ? Json(int64_t(x)) : Json(x);
  };
  limit(range.above ? "exclusiveMinimum" : "minimum", range.min);
  limit(range.below ? "exclusiveMaximum" : "maximum", range.max);
  return out;
}

Json of(const Asked& asked) {
  switch (asked.type) {
    case Asked::Type::text: return text();
    case Asked::Type::boolean: return boolean();
    case Asked::Type::integer: return ranged("integer", asked.range);
    case Asked::Type::number: return ranged("number", asked.range);
    case Asked::Type::choice: return {{"enum", asked.words}};
    default: return Json::object();
  }
}

Json of(const rgm_option& o) {
  const Range range{.min = o.min, .max = o.max};
  const auto element = [&](rgm_type type) -> Json {
    switch (type) {
      case RGM_BOOLEAN: return boolean();
      case RGM_INTEGER:
      case RGM_INTEGERS: return ranged("integer", range);
      case RGM_REAL:
      case RGM_REALS: return ranged("number", range);
      case RGM_CHOICE: return {{"enum", describe(o)["choices"]}};
      default: return text();
    }
  };
  Json out = o.type >= RGM_INTEGERS ? one_or_list(element(o.type)) : element(o.type);
  out["description"] = o.help;
  if (o.flags & RGM_DEPRECATED) out["deprecated"] = true;
  if (const Json initial = describe(o)["default"]; !initial.is_null()) out["default"] = initial;
  return out;
}

// `id`, or `{id: {options}}`, where `one` answers what stands behind an id and which of them need nothing there.
Json named(const std::vector<std::string>& alone, Json behind) {
  Json map = closed(std::move(behind));
  map["minProperties"] = map["maxProperties"] = 1;
  if (alone.empty()) return map;
  return {{"anyOf", {{{"enum", alone}}, map}}};
}

class Schema {
 public:
  explicit Schema(Registry& registry) {
    go_through_every_part();
    for (const Entry& entry : registry.list())
      if (entry.data && kind_name(entry.kind) != kind_name(0)) entries_.push_back(entry);
  }

  Json whole() {
    Json root = map_of("a pipeline");
    root["required"] = {"regimen", "stages"};
    Json out{{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "A pipeline of Regimen"}};
    out.update(root);
    Json& defs = out["$defs"];
    for (const int kind : {RGM_KIND_BACKEND, RGM_KIND_STRATEGY, RGM_KIND_ADAPTER, RGM_KIND_REWARD, RGM_KIND_COLLECTIVE})
      defs[std::string(kind_name(kind))] = component(kind);
    defs["reward"]["anyOf"].push_back(map_of("a reward"));
    defs["stage"] = stage();
    defs["model"] = map_of("a model");
    defs["source"] = map_of("a source of data");
    return out;
  }

 private:
  // All options of each plug-in of a kind.
  Json component(int kind) const {
    std::vector<std::string> alone;
    Json behind = Json::object();
    for (const Entry& entry : entries_) {
      if (entry.kind != kind) continue;
      Json options = Json::object(), required = Json::array();
      Problems ignored("");  // options that must be given have no default
      const Json defaults = to_json(*read_options(*entry.data, YAML::Node(YAML::NodeType::Null), ignored));
      for (const rgm_option& o : options_of(*entry.data)) {
        options[o.key] = of(o);
        if (o.flags & RGM_REQUIRED)
          required.push_back(o.key);
        else if (!defaults[o.key].is_null())  // also what the host adds, such as an adapter's sites
          options[o.key]["default"] = defaults[o.key];
      }
      Json map = closed(std::move(options));
      map["description"] = entry.summary;
      if (required.empty()) {
        alone.push_back(entry.id);
        map["type"] = {"object", "null"};
      } else {
        map["required"] = required;
      }
      behind[entry.id] = map;
    }
    if (kind == RGM_KIND_REWARD) {  // with its weight beside it
      Json map = closed(behind);
      map["properties"]["weight"] = {{"type", "number"}};
      map["minProperties"] = 1;
      map["maxProperties"] = 2;
      return {{"anyOf", {{{"enum", alone}}, map}}};
    }
    Json out = named(alone, behind);
    if (kind == RGM_KIND_ADAPTER) {  // with what it starts as beside it
      Json& map = alone.empty() ? out : out["anyOf"][1];
      map["properties"]["from"] = text();
      map["maxProperties"] = 2;
    }
    return out;
  }

  // One of the ids of a part that is no plug-in, with the map that is read behind it.
  Json part(const std::string& what, const Json& special = Json::object()) {
    std::vector<std::string> alone;
    Json behind = Json::object();
    for (const std::string& id : heard_.ids[what]) {
      if (!special.contains(id)) alone.push_back(id);
      behind[id] = special.contains(id) ? special[id] : Json{{"type", "null"}};
      if (!special.contains(id) && heard_.maps.contains(id)) {
        behind[id] = map_of(id);
        behind[id]["type"] = {"object", "null"};
      }
    }
    return named(alone, behind);
  }

  Json map_of(const std::string& what) {
    Json properties = Json::object();
    for (const auto& [key, asked] : heard_.maps[what]) properties[key] = value_of(what, key, asked);
    return closed(std::move(properties));
  }

  Json stage() {
    Json out = map_of("a stage");
    for (const Entry& entry : entries_)
      if (entry.kind == RGM_KIND_STRATEGY)
        for (const rgm_role* const* r = static_cast<const rgm_strategy*>(entry.data->table)->roles; *r; ++r)
          out["properties"][(*r)->name] = map_of("a role");
    out["required"] = {"name", "strategy", "model"};
    return out;
  }

  // What stands behind a key: as it was asked for, or the part that is read there.
  Json value_of(const std::string& what, const std::string& key, const Asked& asked) {
    if (what == "a pipeline") {
      if (key == "regimen") return {{"const", 1}};
      if (key == "backend" || key == "collective") return reference(key);
      if (key == "plugins") return one_or_list({{"anyOf", {text(), map_of("a plug-in")}}});
      if (key == "stages") return {{"type", "array"}, {"minItems", 1}, {"items", reference("stage")}};
    }
    if (key == "warmup" || (what == "wsd" && key == "decay")) return step_count();
    if (key == "micro_batch") return {{"anyOf", {{{"const", "auto"}}, of({Asked::Type::integer, micro_batch_rows})}}};
    if (key == "keep") {
      Json map = map_of(key);
      map["minProperties"] = 1;
      return {{"anyOf", {{{"enum", {"last", "best"}}}, map}}};
    }
    if (what == "keep" && key == "best") {
      const Json one = {{"type", "object"},
                        {"additionalProperties", {{"enum", {"highest", "lowest"}}}},
                        {"minProperties", 1},
                        {"maxProperties", 1}};
      return {{"anyOf", {text(), one}}};
    }
    if (what == "a stage") {
      if (key == "strategy") return reference("strategy");
      if (key == "adapter" || key == "reward") return one_or_list(reference(key));
      if (key == "model") return reference("model");
      if (key == "tokenizer") return part("tokenizer", {{"from", text()}});
      if (key == "optimizer" || key == "schedule") return part(key);
      if (key == "data") {
        Json source = one_or_list(reference("source"));
        source["anyOf"][1]["minItems"] = 1;
        return {{"type", "object"}, {"additionalProperties", source}};
      }
      if (key == "reference" || key == "teacher" || key == "critic") return map_of("a role");
      if (key == "trainable") {
        Json map = map_of(key);
        map["minProperties"] = map["maxProperties"] = 1;
        return {{"anyOf", {{{"enum", {"all", "head", "adapter"}}}, map}}};
      }
      if (key == "name") return {{"type", {"string", "integer"}}, {"pattern", "^[a-z0-9_-]{1,64}$"}};
      if (key == "demand") {
        const Json number = {{"type", "number"}};
        const Json bounds = {{"type", "object"},
                             {"properties", {{"at_least", number}, {"at_most", number}}},
                             {"additionalProperties", false},
                             {"minProperties", 1}};
        return {{"type", "object"}, {"additionalProperties", {{"anyOf", {number, bounds}}}}};
      }
      if (heard_.maps.contains(key)) return map_of(key);  // evaluate, log, checkpoint, sample
    }
    if (what == "a model" && key == "head") {
      Json classify = map_of("classify");
      classify["required"] = {"labels"};
      return part("head", {{"classify", classify}});
    }
    if (what == "a source of data") {
      if (key == "columns")
        return {{"type", "object"},
                {"additionalProperties", {{"anyOf", {text(), map_of("a column"), conversation(), texts()}}}}};
      if (key == "separator") return text();
      if (key == "split") return {{"type", "number"}, {"exclusiveMinimum", 0}, {"exclusiveMaximum", 1}};
      if (key == "begin" || key == "end" || key == "rows" || key == "share") return of(asked);
      return key == "from" ? text() : texts();  // a format, with one file or several
    }
    if (what == "muon" && key == "adamw") return map_of("adamw in muon");
    if (key == "from") return text();
    if (key == "labels" || key == "names" || key == "decay" || key == "matrices" || key == "stop" ||
        key == "add_tokens")
      return texts();
    if (key == "rates") return one_or_list({{"type", "object"}, {"additionalProperties", ranged("number", positive)}});
    return of(asked);
  }

  Json conversation() {
    Json out = map_of("a conversation");
    out["required"] = {"messages"};
    out["properties"]["roles"] = texts();
    return out;
  }

  Listener heard_;
  std::vector<Entry> entries_;
};

}  // namespace

nlohmann::ordered_json pipeline_schema(Registry& registry) { return Schema(registry).whole(); }

}  // namespace rgm
