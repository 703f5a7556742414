// head_json.cpp - a head of the model's own in config.json, as transformers keeps one: the architecture's name and the
// labels.
#include "base/error.hpp"
#include "model/members.hpp"

namespace rgm {
namespace {

using Json = nlohmann::json;

constexpr std::string_view classifies = "ForSequenceClassification";

// GPT2LMHeadModel -> GPT2ForSequenceClassification
std::string architecture(const ModelConfig& c) {
  std::string name = c.family->architecture;
  if (c.outputs == 0) return name;
  for (const std::string_view ending : {"LMHeadModel", "ForCausalLM"})
    if (name.ends_with(ending)) name.resize(name.size() - ending.size());
  return name + std::string(classifies);
}

}  // namespace

// transformers counts outputs by the names of the labels, and takes 2 where none are written.
void write_head(const ModelConfig& c, Json& out) {
  out["architectures"] = {architecture(c)};
  if (c.outputs == 0) return;
  out["id2label"] = out["label2id"] = Json::object();
  for (size_t i = 0; i < static_cast<size_t>(c.outputs); ++i) {
    const std::string label = i < c.labels.size() ? c.labels[i] : fmt::format("LABEL_{}", i);
    out["id2label"][std::to_string(i)] = label;
    out["label2id"][label] = i;
  }
  out["problem_type"] = c.outputs == 1 ? "regression" : "single_label_classification";
}

void read_head(const Members& m, ModelConfig& c) {
  const bool has_labels = m.has("id2label"), has_type = m.has("problem_type");
  const int64_t count = m.size("num_labels", 2);
  m.find("label2id");
  if (!m.has("architectures") || !m["architectures"].is_array() || m["architectures"].empty()) return;
  const Json& name = m["architectures"][0];
  if (!name.is_string() || !name.get_ref<const std::string&>().ends_with(classifies)) return;
  const Json type = has_type ? m["problem_type"] : Json();  // transformers may leave it out
  require(!has_type || type == "regression" || type == "single_label_classification",
          "{}: \"problem_type\" is {}, which is not supported, only single_label_classification and regression; use a "
          "classifier of one of these kinds",
          m.where(), type.dump());
  c.outputs = count;
  if (has_labels) {
    const Json& labels = m["id2label"];
    require(labels.is_object() && !labels.empty(), "{}: \"id2label\" is not an object with a label for each number",
            m.where());
    c.outputs = static_cast<int64_t>(labels.size());
    for (size_t i = 0; i < labels.size(); ++i) {
      const auto found = labels.find(std::to_string(i));
      require(found != labels.end() && found->is_string(), "{}: \"id2label\" has {} labels and no text for \"{}\"",
              m.where(), labels.size(), i);
      c.labels.push_back(found->get<std::string>());
    }
  }
  require(c.outputs == 1 || type != "regression",
          "{}: \"problem_type\" is \"regression\" and the head has {} numbers, each on a scale of its own, which is "
          "not supported; use a head with one number, or a classifier",
          m.where(), c.outputs);
  if (c.outputs == 1) c.labels.clear();
}

}  // namespace rgm
