// batch.cpp - reading and setting the columns of a batch. What a plug-in sets is downloaded at once: the host's copy is
// the one that is cut, repacked and saved.
#include "data/batch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <variant>

#include "base/error.hpp"
#include "base/text.hpp"
#include "tensor/captured.hpp"

namespace rgm {
namespace {

const BatchColumn* find(const Batch& batch, std::string_view name) {
  const auto found = batch.columns.find(name);
  return found == batch.columns.end() ? nullptr : &found->second;
}

// `text.segments` as `text` and `segments`, where `text` is a token column and has such a part.
struct Part {
  const BatchColumn* tokens = nullptr;
  std::string_view name, part;
};
Part part_of(const Batch& batch, std::string_view name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return {};
  const std::string_view part = name.substr(dot + 1);
  if (part != "segments" && part != "weights" && part != "ends") return {};
  const BatchColumn* tokens = find(batch, name.substr(0, dot));
  if (!tokens || tokens->kind != ColumnKind::tokens) return {};
  return {tokens, name.substr(0, dot), part};
}

// What a name stands for, as it is uploaded.
struct Values {
  std::variant<std::span<const int32_t>, std::span<const float>> all;
  Shape shape;
  bool one_segment = false;
};

// Each row is one example from end to end.
bool one_segment(const BatchColumn& tokens) {
  if (tokens.segments.empty()) return false;
  for (auto row = tokens.segments.begin(); row != tokens.segments.end(); row += tokens.length)
    if (*row == 0 || std::any_of(row, row + tokens.length, [&](int32_t s) { return s != *row; })) return false;
  return true;
}

std::optional<Values> values_of(const Batch& batch, std::string_view name) {
  if (const BatchColumn* column = find(batch, name)) {
    const Shape rows = {column->rows, column->length}, each = {batch.examples};
    switch (column->kind) {
      case ColumnKind::integer: return Values{std::span<const int32_t>(column->integers), each};
      case ColumnKind::real: return Values{std::span<const float>(column->reals), each};
      case ColumnKind::tokens: return Values{std::span<const int32_t>(column->integers), rows};
      case ColumnKind::per_token: return Values{std::span<const float>(column->reals), rows};
      case ColumnKind::text: return {};
    }
  }
  const Part part = part_of(batch, name);
  if (!part.tokens) return {};
  const BatchColumn& tokens = *part.tokens;
  const Shape rows = {tokens.rows, tokens.length};
  if (part.part == "segments") return Values{std::span<const int32_t>(tokens.segments), rows, one_segment(tokens)};
  if (part.part == "weights") return Values{std::span<const float>(tokens.reals), rows};
  return Values{std::span<const int32_t>(tokens.ends), {std::ssize(tokens.ends)}};
}

// Drops what was uploaded of `name`, its parts included.
void forget(Batch& batch, std::string_view name) {
  std::erase_if(batch.uploaded, [&](const auto& entry) {
    const std::string_view key = entry.first;
    return key.starts_with(name) && (key.size() == name.size() || key[name.size()] == '.');
  });
}

template <class T>
double different(const std::vector<T>& values) {
  return static_cast<double>(std::set<T>(values.begin(), values.end()).size());
}

template <class T>
double sum(const std::vector<T>& values) {
  double out = 0;
  for (const T value : values) out += static_cast<double>(value);
  return out;
}

}  // namespace

Tensor column(Batch& batch, std::string_view name) {
  if (const auto known = batch.uploaded.find(name); known != batch.uploaded.end()) return known->second;
  const auto values = values_of(batch, name);
  if (!values) return {};
  Tensor out = std::visit([&](auto all) { return from_host(all, values->shape); }, values->all);
  out.get()->one_segment = values->one_segment;
  batch.uploaded.emplace(name, out);
  return out;
}

void upload_again(const Batch& batch, std::string_view name, const Tensor& to) {
  const auto values = values_of(batch, name);
  require(values && values->shape == to.shape() && values->one_segment == to.get()->one_segment,
          "column \"{}\" is not what was uploaded before", name);
  std::visit([&](auto all) { refill(to, all); }, values->all);
}

std::string layout_of(const Batch& batch) {
  std::string out = fmt::format("{}", batch.examples);
  for (const auto& [name, c] : batch.columns)
    out += fmt::format(" {}:{}:{}x{}:{}:{}", name, static_cast<int>(c.kind), c.rows, c.length, c.ends.size(),
                       c.kind == ColumnKind::tokens && one_segment(c));
  return out;
}

bool has_column(const Batch& batch, std::string_view name) {
  return find(batch, name) != nullptr || part_of(batch, name).tokens != nullptr;
}

std::string other_columns(const Batch& batch, std::string_view name, bool texts) {
  std::vector<std::string> own, all;
  for (const auto& [other, column] : batch.columns) {
    if ((column.kind == ColumnKind::text) != texts) continue;
    own.push_back(other);
    all.push_back(other);
    if (column.kind != ColumnKind::tokens) continue;
    for (const char* part : {".segments", ".weights", ".ends"}) all.push_back(other + part);
  }
  return fmt::format("{} (there {})", did_you_mean(name, all), own.empty() ? "is none" : "are: " + join(own));
}

std::string tokens_of(const Batch& batch, std::string_view name) {
  for (size_t dot = name.rfind('.'); dot != std::string_view::npos && dot > 0; dot = name.rfind('.', dot - 1)) {
    const BatchColumn* tokens = find(batch, name.substr(0, dot));
    if (tokens && tokens->kind == ColumnKind::tokens) return std::string(name.substr(0, dot));
  }
  return {};
}

void set_column(Batch& batch, std::string_view name, const Tensor& value) {
  const BatchColumn* known = find(batch, name);
  require(!known || known->kind != ColumnKind::tokens, "column \"{}\" holds tokens and cannot be set", name);
  const bool is_first = batch.columns.empty() && batch.examples == 0;
  if (value.rank() == 1 && (value.size(0) == batch.examples || is_first)) {
    const bool is_whole =
        value.dtype() == RGM_I32 || value.dtype() == RGM_I64 || value.dtype() == RGM_U8 || value.dtype() == RGM_BOOL;
    BatchColumn column{.kind = is_whole ? ColumnKind::integer : ColumnKind::real};
    if (is_whole)
      column.integers = to_host<int32_t>(value);
    else
      column.reals = to_host<float>(value);
    require(!part_of(batch, name).tokens,
            "column \"{}\" is part of its tokens and cannot be set to one value an "
            "example",
            name);
    batch.examples = value.size(0);
    batch.columns.insert_or_assign(std::string(name), std::move(column));
    forget(batch, name);
    return;
  }
  const std::string tokens_name = tokens_of(batch, name);
  require(!tokens_name.empty(),
          "column \"{}\" cannot be set to {}: it is neither one value for each of {} examples, nor "
          "named after a token column, as in \"completion.advantages\"",
          name, value.shape().text(), batch.examples);
  BatchColumn& tokens = batch.columns.find(tokens_name)->second;
  require(value.shape() == Shape{tokens.rows, tokens.length},
          "column \"{}\" cannot be set to {}: {} has {} rows of {} tokens and {} examples", name, value.shape().text(),
          tokens_name, tokens.rows, tokens.length, batch.examples);
  if (const Part part = part_of(batch, name); part.tokens) {
    require(part.part == "weights", "column \"{}\" follows from the packing and cannot be set", name);
    tokens.reals = to_host<float>(value);
  } else {
    BatchColumn column{.kind = ColumnKind::per_token};
    column.reals = to_host<float>(value);
    column.rows = tokens.rows;
    column.length = tokens.length;
    batch.columns.insert_or_assign(std::string(name), std::move(column));
  }
  forget(batch, name);
}

const std::string& text_of(const Batch& batch, std::string_view name, int64_t example) {
  const BatchColumn* column = find(batch, name);
  require(column && column->kind == ColumnKind::text, "the batch has no text column \"{}\"", name);
  require(example >= 0 && example < batch.examples, "a batch of {} examples has no example {}", batch.examples,
          example);
  return column->texts[static_cast<size_t>(example)];
}

void set_text(Batch& batch, std::string_view name, int64_t example, std::string_view text) {
  const auto is_text = [](const auto& entry) { return entry.second.kind == ColumnKind::text; };
  const BatchColumn* known = find(batch, name);
  require(!known || known->kind == ColumnKind::text, "column \"{}\" does not hold texts", name);
  // A batch of nothing but texts is one that a plug-in is making, and grows.
  if (example == batch.examples && std::ranges::all_of(batch.columns, is_text)) {
    ++batch.examples;
    for (auto& [other, column] : batch.columns) column.texts.resize(static_cast<size_t>(batch.examples));
  }
  require(example >= 0 && example < batch.examples, "a batch of {} examples has no example {}", batch.examples,
          example);
  BatchColumn& column = batch.columns[std::string(name)];
  column.kind = ColumnKind::text;
  column.texts.resize(static_cast<size_t>(batch.examples));
  column.texts[static_cast<size_t>(example)] = text;
}

std::vector<std::string> token_columns(const Batch& batch) {
  std::vector<std::string> out;
  for (const auto& [name, column] : batch.columns)
    if (column.kind == ColumnKind::tokens && name.find('.') == std::string::npos) out.push_back(name);
  return out;
}

std::string first_tokens(const Batch& batch) {
  for (const auto& [name, column] : batch.columns)
    if (column.kind == ColumnKind::tokens) return name;
  return {};
}

double total(const Batch& batch, std::string_view name, bool together) {
  if (const Part part = part_of(batch, name); part.tokens && !find(batch, name)) {
    require(part.part == "weights", "column \"{}\" has no total", name);
    return sum(part.tokens->reals);
  }
  const BatchColumn* column = find(batch, name);
  if (!column) invalid("the batch has no column \"{}\"{}", name, other_columns(batch, name));
  switch (column->kind) {
    case ColumnKind::tokens: return static_cast<double>(batch.examples);
    case ColumnKind::integer: return together ? different(column->integers) : sum(column->integers);
    case ColumnKind::real: return together ? different(column->reals) : sum(column->reals);
    case ColumnKind::per_token: break;
    case ColumnKind::text:
      require(together, "column \"{}\" holds texts, which have no total", name);
      return different(column->texts);
  }
  // Padding holds whatever a method computed there.
  const BatchColumn& tokens = batch.columns.at(tokens_of(batch, name));
  double out = 0;
  for (size_t i = 0; i < column->reals.size(); ++i)
    if (tokens.segments[i] != 0) out += static_cast<double>(column->reals[i]);
  return out;
}

}  // namespace rgm
