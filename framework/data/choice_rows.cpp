// choice_rows.cpp - what the first row shows of a file of questions, and each row as one.
#include "data/choice_rows.hpp"

#include <algorithm>
#include <map>

#include "base/log.hpp"
#include "base/text.hpp"
#include "data/chat_rows.hpp"
#include "data/rows.hpp"
#include "data/stored_column.hpp"

namespace rgm {
namespace {

bool is_template(const std::string& text) { return text.find("{{") != text.npos || text.find("{%") != text.npos; }

std::vector<std::string> columns_of(const Row& row) {
  std::vector<std::string> out;
  for (const auto& [name, value] : row.items()) out.push_back(name);
  return out;
}

// As many of the names that a column usually has as are in the row: none or one.
std::string usual_name(const std::string& column, const Row& row) {
  static const std::map<std::string, std::vector<std::string>> usual = {
      {"prompt", {"prompt", "question"}}, {"choices", {"choices"}}, {"answer", {"answer", "answerKey", "label"}}};
  const std::vector<std::string>& names = usual.at(column);
  const auto found = std::ranges::find_if(names, [&](const std::string& name) { return row.contains(name); });
  return found == names.end() ? names[0] : *found;
}

class ChoiceReader {
 public:
  ChoiceReader(const DataSpec& spec, const std::function<ChatTemplate(const ColumnMap&)>& template_for)
      : spec_(spec), template_for_(template_for) {}

  ChoiceQuestion read(const Row& row, const std::string& where) {
    if (!has_seen_) look_at(row);
    has_seen_ = true;
    ChoiceQuestion out;
    out.where = where;
    std::vector<std::string> labels;
    read_choices(row, where, out.choices, labels);
    require(out.choices.size() > 1, "{}: there are {} choices, at least two were expected", where, out.choices.size());
    const Row answer = value(answer_, row, where);
    require(!answer.is_null() && answer != "",
            "{}: \"{}\" is empty, so no choice is the right one: use the part of the data that has answers", where,
            answer_.from);
    out.right = right_choice(answer, out.choices, labels, where);
    if (then_) out.then = text(*then_, row, where);
    for (size_t i = 0; i < out.choices.size(); ++i)
      require(!out.scored(i).empty(), "{}: choice {} is empty, and nothing can be said of how likely that is", where,
              i + 1);
    read_prompt(row, where, out);
    return out;
  }

 private:
  void look_at(const Row& first) {
    const auto mapped = [&](const std::string& column) {
      const auto found = std::ranges::find(spec_.columns, column, &ColumnMap::column);
      return found == spec_.columns.end() ? std::nullopt : std::optional(*found);
    };
    const auto map = [&](const std::string& column) {
      const auto found = mapped(column);
      return found ? *found : ColumnMap{column, usual_name(column, first), std::nullopt};
    };
    prompt_ = map("prompt"), choices_ = map("choices"), answer_ = map("answer"), then_ = mapped("then");
    for (const ColumnMap& one : spec_.columns)
      require(std::ranges::find(choice_columns(), one.column, &ColumnWish::name) != choice_columns().end(),
              "nothing here reads the column \"{}\": questions have prompt, choices, answer and then", one.column);
    are_columns_ = look_at_several(first);
    if (spec_.split == 0)
      log::info("{}: read as questions: \"{}\" with {}, of which \"{}\" is right", spec_.files.front().string(),
                first_line(prompt_.from), shown_choices(), first_line(answer_.from));
  }
  static std::string first_line(const std::string& text) {
    const size_t end = text.find('\n');
    return end == text.npos ? text : text.substr(0, end) + " …";
  }
  std::string shown_choices() const {
    if (choices_.several.empty()) return fmt::format("the choices in \"{}\"", choices_.from);
    return fmt::format("{} \"{}\"", are_columns_ ? "the choices in" : "the same choices in every row,",
                       fmt::join(choices_.several, "\", \""));
  }

  // Of several names: whether they are columns, or the texts themselves.
  bool look_at_several(const Row& first) const {
    size_t columns = 0, templates = 0;
    std::string missing;
    for (const std::string& one : choices_.several) {
      const bool is_there = first.contains(one);
      columns += is_there, templates += is_template(one);
      if (!is_there && !is_template(one)) missing = one;
    }
    if (columns > 0 && !missing.empty())
      invalid("{}: there is no \"{}\" among the columns that the choices are in; there are {}{}",
              spec_.files.front().string(), missing, join(columns_of(first)), did_you_mean(missing, columns_of(first)));
    return columns + templates > 0;
  }

  // A column's value, or what a template makes of the row.
  Row value(const ColumnMap& map, const Row& row, const std::string& where) {
    if (is_template(map.from)) return rendered(map.from, row, where);
    require_readable(row, map.from, where);
    const auto found = row.find(map.from);
    if (found == row.end())
      invalid(
          "{0}: there is no \"{1}\" for \"{2}\"; there are {3}: say which one with columns: {{{2}: NAME}}, or for "
          "a command --column {2}=NAME{4}",
          where, map.from, map.column, join(columns_of(row)), unreadable_columns(row) + other_separator(row));
    return *found;
  }
  std::string text(const ColumnMap& map, const Row& row, const std::string& where) {
    const Row found = value(map, row, where);
    require(!found.is_structured() && !found.is_null(), "{}: \"{}\" is {}, but text is read here", where, map.from,
            found.is_null() ? "null" : "a list or an object");
    return as_text(found);
  }
  Row rendered(const std::string& source, const Row& row, const std::string& where) {
    auto found = templates_.find(source);
    if (found == templates_.end())
      found = templates_.emplace(source, jinja::Template(source, "the template \"" + first_line(source) + "\"")).first;
    Row readable = row;
    drop_unreadable(readable);
    try {
      return found->second.render(readable);
    } catch (const Error& e) {
      invalid("{}: {}", where, e.what());
    }
  }

  void read_choices(const Row& row, const std::string& where, std::vector<std::string>& texts,
                    std::vector<std::string>& labels) {
    for (const std::string& one : choices_.several)
      texts.push_back(are_columns_ ? text({"choices", one, std::nullopt}, row, where) : one);
    if (!texts.empty()) return;
    Row found = value(choices_, row, where);
    if (found.is_object() && found.contains("text")) {
      if (found.contains("label")) labels = list(found["label"], where);
      found = Row(found["text"]);
    }
    require(found.is_array(),
            "{}: \"{}\" is no list of choices: name the columns that hold them, as in columns: {{choices: [a, b]}}, or "
            "for a command --column choices=a,b",
            where, choices_.from);
    texts = list(found, where);
    require(labels.empty() || labels.size() == texts.size(), "{}: \"{}\" has {} texts and {} labels", where,
            choices_.from, texts.size(), labels.size());
  }
  std::vector<std::string> list(const Row& found, const std::string& where) const {
    std::vector<std::string> out;
    require(found.is_array(), "{}: \"{}\" holds something other than lists", where, choices_.from);
    for (const Row& one : found) {
      require(one.is_primitive() && !one.is_null(), "{}: a choice in \"{}\" is no text", where, choices_.from);
      out.push_back(as_text(one));
    }
    return out;
  }

  void read_prompt(const Row& row, const std::string& where, ChoiceQuestion& out) {
    const Row said = value(prompt_, row, where);
    if (!said.is_array() && !prompt_.chat) {
      out.prompt = text(prompt_, row, where);
      return;
    }
    if (!prompt_.chat) prompt_.chat = ChatMap{};
    if (!chat_) chat_.emplace(template_for_(prompt_));
    Messages messages = Messages::array();
    if (said.is_array())
      messages = messages_of({{prompt_.from, said}}, {"prompt", prompt_.from, std::nullopt, prompt_.chat}, where);
    else
      messages.push_back({{"role", "user"}, {"content", text(prompt_, row, where)}});
    try {
      out.prompt = chat_->render(messages, /*for_answer=*/true, beside_messages(row, where));
    } catch (const Error& e) {
      invalid("{}: {}", where, e.what());
    }
    out.separator = "";
  }

  const DataSpec& spec_;
  const std::function<ChatTemplate(const ColumnMap&)>& template_for_;
  ColumnMap prompt_, choices_, answer_;
  std::optional<ColumnMap> then_;
  std::map<std::string, jinja::Template> templates_;
  std::optional<ChatTemplate> chat_;
  bool are_columns_ = false, has_seen_ = false;
};

}  // namespace

const std::vector<ColumnWish>& choice_columns() {
  static const std::vector<ColumnWish> all = {{"prompt", RGM_TEXT_COLUMN, 0},
                                              {"choices", RGM_TEXT_COLUMN, 0},
                                              {"answer", RGM_TEXT_COLUMN, 0},
                                              {"then", RGM_TEXT_COLUMN, RGM_OPTIONAL}};
  return all;
}

bool is_choice_row(const Row& row) {
  const auto choices = row.find("choices");
  return choices != row.end() && choices->is_structured() && !row.contains("text") && !row.contains("messages");
}

void each_choice_question(const DataSpec& spec, const std::function<ChatTemplate(const ColumnMap&)>& template_for,
                          const ChoiceCall& see) {
  for (const DataSpec& part : parts_of(spec)) {
    ChoiceReader reader(part, template_for);
    const auto each = [&](const RowCall& row, const std::function<bool()>& is_enough) {
      for (const fs::path& file : part.files) {
        each_row(file, part.format, {columns_by_number(part), part.separator}, row, is_enough);
        if (is_enough()) break;
      }
    };
    int64_t all = 0, at = 0;
    const auto is_cut = [&] { return part.rows > 0 && all >= part.rows; };
    if (part.split_begin > 0 || part.split_end < 1) each([&](Row&, const std::string&) { ++all; }, is_cut);
    const bool is_share = all > 0;
    const auto begin = static_cast<int64_t>(part.split_begin * double(all));
    const int64_t end = is_share ? static_cast<int64_t>(part.split_end * double(all)) : part.rows;
    each(
        [&](Row& row, const std::string& where) {
          if (at++ >= begin) see(reader.read(row, where), row);
        },
        [&] { return (is_share || end > 0) && at >= end; });
    require(at > begin, "{}: has no questions", part.files.front().string());
  }
}

}  // namespace rgm
