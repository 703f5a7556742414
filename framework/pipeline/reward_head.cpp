// reward_head.cpp - the head of a model that is taken as a reward, by what the pipeline, its files and the model say.
#include "pipeline/reward_head.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "base/text.hpp"
#include "host/adapters.hpp"
#include "pipeline/open_model.hpp"
#include "pipeline/reader.hpp"
#include "text/chat.hpp"

namespace rgm {
namespace {

// A label without a name is its number.
std::vector<std::string> names_of(const OwnHead& head) {
  if (!head.labels.empty()) return head.labels;
  std::vector<std::string> out;
  for (int64_t i = 0; i < head.outputs; ++i) out.push_back(std::to_string(i));
  return out;
}

bool is_left_by_stage(const fs::path& folder) {
  const fs::path plain = (folder / "").parent_path();
  return fs::exists(plain / "stage.json") || fs::exists(plain.parent_path() / "stage.json");
}

// What the template writes behind an answer. One that has no place for two short messages says nothing of it.
std::vector<int32_t> end_of_turn(const Tokenizer& tokenizer) {
  try {
    if (const auto chat = chat_template_of(tokenizer)) return tokenizer.encode_on(chat->end_of_answer());
  } catch (const Error&) {}
  return {};
}

}  // namespace

OwnHead own_head(const fs::path& folder) {
  const ModelPlace place = model_place(folder);
  const fs::path file = place.model / "config.json";
  ModelConfig config = from_hugging_face(parse_json(read_file(file), file.string()), file.string());
  for (const fs::path& adapter : place.adapters) take_saved_head(adapter, config);
  return {config.outputs, config.labels};
}

std::optional<OwnHead> own_head(const Reader& reader, const ModelSpec& model) {
  if (model.head_outputs) return OwnHead{*model.head_outputs, model.head_labels};
  if (!model.family.empty()) return OwnHead{};
  for (const Stage& stage : reader.stages)
    if (!model.from_stage.empty() && stage.name == model.from_stage) return own_head(reader, stage.model);
  if (model.from_folder.empty()) return std::nullopt;
  try {
    return own_head(model.from_folder);
  } catch (const std::exception&) {
    return std::nullopt;  // which is told where it is opened
  }
}

std::string wrong_label(const OwnHead& head, const std::optional<std::string>& label) {
  if (head.outputs == 1) return label ? "the head has a single number and no labels: leave \"label\" out" : "";
  const std::vector<std::string> names = names_of(head);
  if (!label)
    return fmt::format("the head has the labels {}: say which of them is rewarded, as in label: {}", join(names),
                       names.back());
  if (std::ranges::find(names, *label) != names.end()) return "";
  return fmt::format("the head has no label \"{}\"{} (its labels are {})", *label, did_you_mean(*label, names),
                     join(names));
}

HeadReward head_reward(const Choice& choice, const Model& model) {
  const ModelConfig& config = model.config();
  const OwnHead head{config.outputs, config.labels};
  require(head.outputs > 0, "no reward was learned there, and the model has no head of its own that could score");
  const std::string wrong = wrong_label(head, choice.label);
  require(wrong.empty(), "{}", wrong);
  HeadReward out;
  if (choice.label) {
    const std::vector<std::string> names = names_of(head);
    out.label = std::ranges::find(names, *choice.label) - names.begin();
  }
  const bool is_reward_model = head.outputs == 1 && choice.from_stage.empty() && !is_left_by_stage(choice.from_folder);
  out.reads_end = choice.end_of_text.value_or(is_reward_model);
  if (!out.reads_end) return out;
  if (const auto pad = config.others.find("pad_token_id");
      !choice.end_of_text && pad != config.others.end() && pad->is_number_integer())
    out.pad = pad->get<int32_t>();
  if (model.tokenizer()) out.ending = end_of_turn(*model.tokenizer());
  return out;
}

}  // namespace rgm
