// row_room.cpp - the least room of a stage's models, and data that fits into it.
#include "pipeline/row_room.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "data/fitted_source.hpp"
#include "data/mixed_source.hpp"
#include "generate/generate.hpp"

namespace rgm {
namespace {

constexpr int64_t whole_examples = INT32_MAX;  // a context that cuts none

int64_t room_of(const rgm_model& m) {
  return m.model->config().context - (m.adapters_off ? 0 : m.model->virtual_tokens());
}

bool is_tokens(const ColumnWish& wish) { return wish.kind == RGM_TOKENS_COLUMN; }

std::string named(const std::string& role, const Stage& stage) {
  const auto given = stage.roles.find(role);
  if (given == stage.roles.end()) return role;
  const ModelSpec& spec = given->second;
  return fmt::format("{} \"{}\"", role, spec.from_stage.empty() ? spec.from_folder.string() : spec.from_stage);
}

std::unique_ptr<Source> open_prompts(const Stage& stage, const DataSpec& data, const std::vector<ColumnWish>& wishes,
                                     const std::shared_ptr<const Tokenizer>& tokenizer, SourceOptions options,
                                     const RowRoom& room) {
  const int64_t most = prompt_room(room.least, std::max<int64_t>(1, stage.answer_tokens));
  if (data.format == "text") {
    options.context = std::max<int64_t>(1, most - 1);  // a window has one token more
    options.by_length = false;
    return open_source(data, wishes, tokenizer, options);
  }
  options.context = whole_examples;
  std::unique_ptr<Source> whole = open_source(data, wishes, tokenizer, options);
  for (const LongExamples& found : longer_than(*whole, most))
    log::warning("{}: {}: {}{}", stage.name, data.files.front().string(),
                 stage.answer_tokens > 0
                     ? said_of_cut(found.longer, found.all, room.least, stage.answer_tokens, room.is_least_by_length())
                     : fmt::format("{} of {} prompts have more than {} tokens and lose their first ones", found.longer,
                                   found.all, most),
                 room.least < room.policy ? fmt::format(" ({} has the least room)", room.whose) : "");
  return fitted(std::move(whole), most, room.least);
}

}  // namespace

RowRoom row_room(const Stage& stage, const rgm_train& train) {
  const int64_t context = train.policy->config().context, own = room_of({train.policy});
  require(stage.length <= context,
          "stage \"{}\": length is {}, and the model has a context of {}: write at most {}, or leave it out",
          stage.name, stage.length, context, context);
  const bool by_length = stage.length > 0 && stage.length < own;
  const int64_t bound = by_length ? stage.length : own;
  RowRoom out{.policy = bound, .least = bound, .whose = "the model", .by_length = by_length};
  const auto consider = [&out](int64_t room, const std::string& whose) {
    if (room < out.least) out.least = room, out.whose = whose;
  };
  for (const auto& [name, model] : train.roles)
    if (model.model != train.policy) consider(room_of(model), named(name, stage));
  for (const Reward& reward : train.rewards)
    if (reward.model && reward.model != train.policy)
      consider(room_of({reward.model}), fmt::format("reward \"{}\"", reward.label));
  return out;
}

std::unique_ptr<Source> open_for_all(const Stage& stage, const DataSpec& data, const std::vector<ColumnWish>& wishes,
                                     const std::shared_ptr<const Tokenizer>& tokenizer, SourceOptions options,
                                     const RowRoom& room, bool is_continued) {
  if (!data.parts.empty()) {
    std::vector<std::unique_ptr<Source>> parts;
    for (const DataSpec& part : data.parts)
      parts.push_back(open_for_all(stage, part, wishes, tokenizer, options, room, is_continued));
    return mixed(data, wishes, std::move(parts));
  }
  const bool has_tokens = std::ranges::any_of(wishes, is_tokens);
  if (is_continued && has_tokens) return open_prompts(stage, data, wishes, tokenizer, options, room);
  const bool is_cut_anew = data.format == "text";  // into windows of any length
  options.context = is_cut_anew ? room.least : room.policy;
  options.by_length = is_cut_anew ? room.is_least_by_length() : room.by_length;
  if (is_cut_anew && has_tokens && room.least < room.policy)
    log::warning("{}: {}: windows of {} tokens, because {} has no room for more; {} {}", stage.name,
                 data.files.front().string(), room.least, room.whose,
                 room.by_length ? "the stage's length is" : "the model itself has room for", room.policy);
  std::unique_ptr<Source> source = open_source(data, wishes, tokenizer, options);
  if (is_cut_anew || !has_tokens || room.least == room.policy) return source;
  for (const LongExamples& found : longer_than(*source, room.least))
    invalid(
        "stage \"{}\": {}: {} of {} examples of \"{}\" in {} have more than the {} tokens that it has room for: leave "
        "them out, cut them with length: {}, or use a model with a longer context or fewer virtual tokens",
        stage.name, room.whose, found.longer, found.all, found.column, data.files.front().string(), room.least,
        room.least);
  return fitted(std::move(source), room.least, room.least);
}

}  // namespace rgm
