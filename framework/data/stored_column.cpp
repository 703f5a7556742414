// stored_column.cpp - values from files into a column, and from a column into a batch.
#include "data/stored_column.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "data/chat_rows.hpp"

namespace rgm {
namespace {

std::string shown(const Row& value) {
  const std::string text = value.dump(-1, ' ', false, Row::error_handler_t::replace);
  return text.size() <= 40 ? text : text.substr(0, 40) + "...";
}

int32_t as_integer(const Row& value, std::string_view column, const std::string& where) {
  int64_t out = 0;
  bool good = false;
  if (value.is_boolean()) {
    out = value.get<bool>();
    good = true;
  } else if (value.is_number()) {
    const auto real = value.get<double>();
    good = real == std::floor(real) && std::abs(real) <= INT32_MAX;
    if (good) out = static_cast<int64_t>(real);
  } else if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    good = error == std::errc() && end == text.data() + text.size() && out >= -INT32_MAX && out <= INT32_MAX;
  }
  require(good, "{}: \"{}\" is {}, a whole number was expected", where, column, shown(value));
  return static_cast<int32_t>(out);
}

float as_real(const Row& value, std::string_view column, const std::string& where) {
  double out = NAN;
  if (value.is_boolean()) out = value.get<bool>();
  if (value.is_number()) out = value.get<double>();
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc() || end != text.data() + text.size()) out = NAN;
  }
  require(std::isfinite(out), "{}: \"{}\" is {}, a number was expected", where, column, shown(value));
  return static_cast<float>(out);
}

}  // namespace

std::string as_text(const Row& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

void StoredColumn::open_chat(const Tokenizer& tokenizer) {
  chat = std::make_shared<const ChatTemplate>(chat_template_for(map, tokenizer));
}

// A label's name, or its number.
int32_t StoredColumn::as_label(const Row& value, const std::string& where) const {
  std::string text = as_text(value);
  const auto is_numeric = [](const std::string& x) {
    double number = 0;
    const auto [end, error] = std::from_chars(x.data(), x.data() + x.size(), number);
    return error == std::errc() && end == x.data() + x.size();
  };
  const auto named = [&] { return std::ranges::find(labels, text); };
  if (value.is_boolean() && labels.empty()) text = value.get<bool>() ? "1" : "0";
  // 1 as pandas writes it in a column with gaps.
  if (named() == labels.end() && is_numeric(text) && text.ends_with(".0")) text.resize(text.size() - 2);
  if (named() != labels.end()) return static_cast<int32_t>(named() - labels.begin());
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  // Where labels are called by numbers, a number is a name, never a place.
  const bool is_number =
      error == std::errc() && end == text.data() + text.size() && std::ranges::none_of(labels, is_numeric);
  const std::string all = labels.empty() ? fmt::format("0 to {}", outputs - 1)
                          : std::ranges::any_of(labels, is_numeric)
                              ? fmt::format("{}", fmt::join(labels, ", "))
                              : fmt::format("{}, or their numbers from 0", fmt::join(labels, ", "));
  require(is_number && number >= 0 && number < outputs,
          "{}: \"{}\" is {}, which is not a label of the model's head: {}{}", where, map.from, shown(value), all,
          did_you_mean(text, labels));
  return static_cast<int32_t>(number);
}

void StoredColumn::add(const Row& value, const std::string& where) {
  if (wish.kind == RGM_LABEL_COLUMN)
    integers.push_back(as_label(value, where));
  else if (wish.kind == RGM_INTEGER_COLUMN)
    integers.push_back(as_integer(value, map.from, where));
  else if (wish.kind == RGM_REAL_COLUMN)
    reals.push_back(as_real(value, map.from, where));
  else
    texts.push_back(as_text(value));
}

bool StoredColumn::is_cut(const Row& row, size_t i) const {
  if (!map.prompt) return false;
  for (const std::string& key : {map.from + ".finished", std::string("finished")}) {
    const auto found = row.find(key);
    if (found == row.end()) continue;
    const Row& value = found->is_array() && i < found->size() ? (*found)[i] : *found;
    return value == 0 || value == false || value == "0";
  }
  return false;
}

void StoredColumn::add_tokens(const Row& value, const Row* prompt, const Tokenizer& tokenizer, Ending ending,
                              const std::string& where) {
  const auto before = static_cast<int64_t>(ids.size());
  const std::string question = prompt ? as_text(*prompt) : "";
  std::string answer = as_text(value);
  prompts.push_back(prompt ? std::hash<std::string>()(question) : 0);
  if (is_recognised && !question.empty() && answer.starts_with(question)) {
    answer.erase(0, question.size());
    ++begun;
  }
  try {
    const auto asked = prompt ? tokenizer.encode(question) : std::vector<int32_t>();
    // Answers are encoded for themselves, but where that would put a space between.
    const bool is_joined = prompt && tokenizer.puts_space_in_front();
    auto said = tokenizer.encode(is_joined ? question + answer : answer);
    const auto same = std::ranges::mismatch(asked, said).in1 - asked.begin();
    const auto end = tokenizer.end_of_text();
    // Stages write it by name where they write what was sampled, prompt and all.
    if (const bool ends = end && std::ssize(said) > (is_joined ? same : 0) && said.back() == *end;
        ends && ending == Ending::cut)
      said.pop_back();
    else if (end && !ends && ending == Ending::ended)
      said.push_back(*end);
    uncounted.push_back(is_joined ? same : static_cast<int64_t>(asked.size()));
    if (!is_joined) ids.insert(ids.end(), asked.begin(), asked.end());
    ids.insert(ids.end(), said.begin(), said.end());
  } catch (const Error& e) {
    invalid("{}: {}", where, e.what());
  }
  ends.push_back(static_cast<int64_t>(ids.size()));
  require(ends.back() > before, "{}: \"{}\" is empty", where, map.from);
}

// `for_answer`: a prompt, up to where the assistant is to speak; what ends a text is the template's. Ids are those of
// the whole text, as it is read when the model speaks: a piece has those that come when it is added.
void StoredColumn::add_chat(const Row& row, bool for_answer, const Tokenizer& tokenizer, const std::string& where) {
  const size_t before = ids.size();
  size_t asked = 0;
  Messages messages = messages_of(row, map, where, &asked);
  // Of a conversation, all before the last message.
  const auto last = messages.empty() ? messages.end() : messages.end() - 1;
  const Messages heard(messages.begin(), asked > 0 ? messages.begin() + static_cast<std::ptrdiff_t>(asked) : last);
  prompts.push_back(heard.empty() ? 0 : std::hash<std::string>()(heard.dump()));
  const Messages beside = map.chat->alpaca ? Messages::object() : beside_messages(row, where);
  try {
    while (for_answer && messages.size() > 1 && messages.back().value("role", "") == "assistant")
      messages.erase(messages.size() - 1);
    const auto pieces = for_answer ? std::vector<ChatPiece>{{chat->render(messages, true, beside), true}}
                                   : chat->pieces(messages, map.chat->roles, beside, asked);
    std::string text;          // what may have other ids when more follows
    std::vector<int32_t> own;  // those it has now
    const auto encoded = [&](std::string_view part) {
      return ids.size() == before ? tokenizer.encode(part) : tokenizer.encode_on(part);
    };
    for (const ChatPiece& piece : pieces) {
      text += piece.text;
      const std::vector<int32_t> now = encoded(text);
      const auto same = static_cast<size_t>(std::ranges::mismatch(own, now).in1 - own.begin());
      counts.resize(ids.size() + same);
      counts.resize(ids.size() + now.size(), piece.counts);
      own = now;
      const size_t stable = tokenizer.stable_prefix(text);
      const std::vector<int32_t> settled = encoded(std::string_view(text).substr(0, stable));
      ids.insert(ids.end(), settled.begin(), settled.end());
      own.erase(own.begin(), own.begin() + std::ssize(settled));
      text.erase(0, stable);
    }
    ids.insert(ids.end(), own.begin(), own.end());
  } catch (const Error& e) {
    invalid("{}: {}", where, e.what());
  }
  uncounted.push_back(0);
  ends.push_back(static_cast<int64_t>(ids.size()));
  require(ids.size() > before, "{}: the conversation has no text", where);
}

int64_t StoredColumn::counted(int64_t example, int64_t context) const {
  const int64_t n = std::min(length(example), context);
  if (counts.empty()) return std::max<int64_t>(0, n - uncounted[static_cast<size_t>(example)]);
  const auto first = counts.begin() + begin(example);
  return std::count(first, first + n, 1);
}

std::string StoredColumn::key(int64_t example) const {
  const auto e = static_cast<size_t>(example);
  if (is_integer()) return std::to_string(integers[e]);
  if (wish.kind == RGM_REAL_COLUMN) return fmt::format("{}", reals[e]);
  if (wish.kind == RGM_TEXT_COLUMN) return texts[e];
  return {reinterpret_cast<const char*>(ids.data() + begin(example)),
          static_cast<size_t>(length(example)) * sizeof(int32_t)};
}

TokenExample StoredColumn::tokens(int64_t example) const {
  const auto n = static_cast<size_t>(length(example));
  const auto first = ids.begin() + begin(example);
  TokenExample out{{first, first + length(example)}, std::vector<float>(n, 1.0F)};
  std::fill_n(out.weights.begin(), uncounted[static_cast<size_t>(example)], 0.0F);
  if (!counts.empty()) std::copy_n(counts.begin() + begin(example), n, out.weights.begin());
  return out;
}

BatchColumn StoredColumn::gather(const std::vector<int64_t>& examples, int64_t row_length, bool predicts_first) const {
  if (is_tokens()) {
    std::vector<TokenExample> out;
    out.reserve(examples.size());
    for (const int64_t e : examples) out.push_back(tokens(e));
    return pack(out, row_length, predicts_first);
  }
  BatchColumn out;
  const auto pick = [&](const auto& from, auto& to) {
    to.reserve(examples.size());
    for (const int64_t e : examples) to.push_back(from[static_cast<size_t>(e)]);
  };
  if (is_integer()) {
    out.kind = ColumnKind::integer;
    pick(integers, out.integers);
  } else if (wish.kind == RGM_REAL_COLUMN) {
    out.kind = ColumnKind::real;
    pick(reals, out.reals);
  } else {
    out.kind = ColumnKind::text;
    pick(texts, out.texts);
  }
  return out;
}

}  // namespace rgm
