// rows.cpp - reading the files that have rows.
#include "data/rows.hpp"

#include <algorithm>
#include <cctype>

#include "base/interrupt.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "parquet/rows.hpp"

namespace rgm {
namespace {

Row parse_object(std::string_view text, const std::string& where) {
  Row value = parse_json<Row>(text, where);
  require(value.is_object(), "{}: a JSON {} where an object was expected, as in {{\"text\": \"...\"}}{}", where,
          value.type_name(), value.is_array() ? "; a file that is one array of objects has the format json" : "");
  return value;
}

// What reads on answers true: a row may be the last that is wanted.
using GoesOn = std::function<bool(Row& values, const std::string& where)>;

// Calls line(text, number) for each that is not empty, without its line break, as long as it answers true.
template <class Line>
void each_line(TextWindow& text, Line&& line) {
  for (size_t number = 1; text.holds(0); ++number) {
    size_t end = text.text().find('\n');
    for (size_t seen = text.text().size(); end == std::string_view::npos && text.holds(seen);) {
      end = text.text().find('\n', seen);
      seen = text.text().size();
    }
    std::string_view one = text.text().substr(0, end);
    const size_t length = one.size() + (end != std::string_view::npos);
    if (one.ends_with('\r')) one.remove_suffix(1);
    if (!one.empty() && !line(one, number)) return;
    text.drop(length);
  }
}

// Cuts an array into its elements without building it, so that each has its line and a large file takes no memory.
void each_element(TextWindow& text, const std::string& file, const GoesOn& row) {
  constexpr std::string_view blank = " \t\r\n";
  size_t line = 1;
  const auto skip = [&] {
    size_t at = 0;
    for (; text.holds(at) && blank.find(text[at]) != std::string_view::npos; ++at) line += text[at] == '\n';
    text.drop(at);
    return text.holds(0);
  };
  require(skip() && text[0] == '[',
          "{}:{}: an array of objects was expected, as in [{{\"text\": \"...\"}}]; for one object per line use jsonl",
          file, line);
  text.drop(1);
  for (bool is_first = true;; is_first = false) {
    require(skip(), "{}:{}: the array is not closed", file, line);
    if (text[0] == ']' && is_first) break;
    const std::string place = fmt::format("{}:{}", file, line);
    bool in_text = false;
    size_t at = 0;
    for (int depth = 0; text.holds(at); ++at) {
      const char c = text[at];
      line += c == '\n';
      if (in_text) {
        if (c == '\\') ++at;
        in_text = c != '"';
        continue;
      }
      if (depth == 0 && (c == ',' || c == ']')) break;
      if (c == '"') in_text = true;
      depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    }
    require(text.holds(at), "{}: the array is not closed", place);
    Row value = parse_object(text.text().substr(0, at), place);
    if (!row(value, place)) return;
    text.drop(at);
    if (text[0] == ']') break;
    text.drop(1);
  }
  text.drop(1);
  require(!skip(), "{}:{}: there is text after the array", file, line);
}

// Rows of fields, under the names in the first.
class Table {
 public:
  Table(bool numbered, bool is_csv, const GoesOn& row) : numbered_(numbered), is_csv_(is_csv), row_(row) {}

  bool add(const std::vector<std::string>& fields, const std::string& where) {
    if (names_.empty()) {
      for (size_t i = 0; i < fields.size(); ++i) names_.push_back(numbered_ ? std::to_string(i) : fields[i]);
      if (!numbered_) {
        check_names(where);
        return true;
      }
    }
    if (fields.size() != names_.size())
      invalid("{}: has {} fields, {} were expected{}", where, fields.size(), names_.size(),
              is_csv_ && names_.size() == 1 ? other_separator({{names_[0], ""}}) : "");
    Row values = Row::object();
    auto& members = values.get_ref<Row::object_t&>();
    members.reserve(fields.size());
    for (size_t i = 0; i < fields.size(); ++i) {
      require(!invalid_utf8(fields[i]), "{}: is not UTF-8; convert it, for example with iconv -t UTF-8", where);
      members.emplace_back(names_[i], fields[i]);  // names differ, so none has to be looked for
    }
    return row_(values, where);
  }

 private:
  void check_names(const std::string& where) const {
    auto sorted = names_;
    std::ranges::sort(sorted);
    const auto twice = std::ranges::adjacent_find(sorted);
    require(twice == sorted.end(),
            "{}: two columns are called \"{}\"; this line was read as their names: give columns by number if the file "
            "has no header line",
            where, twice == sorted.end() ? "" : *twice);
  }

  bool numbered_, is_csv_;
  const GoesOn& row_;
  std::vector<std::string> names_;
};

}  // namespace

std::string format_by_ending(const fs::path& file) {
  std::string ending = fs::path(without_packed_ending(file.string())).extension().string();
  for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const char* const format : {"jsonl", "json", "csv", "tsv", "parquet"})
    if (ending == std::string(".") + format) return format;
  return "text";
}

void require_readable(const Row& row, const std::string& name, const std::string& where) {
  const auto found = row.find(name);
  if (found != row.end() && parquet::is_unreadable(*found)) invalid("{}: {}", where, parquet::why_unreadable(*found));
}
std::string unreadable_columns(const Row& row) {
  std::string out;
  for (const auto& [name, value] : row.items())
    if (parquet::is_unreadable(value)) out += "; " + parquet::why_unreadable(value);
  return out;
}
void drop_unreadable(Row& row) {
  Row readable = Row::object();
  for (auto& [name, value] : row.items())
    if (!parquet::is_unreadable(value)) readable[name] = std::move(value);
  row = std::move(readable);
}

std::string other_separator(const Row& row) {
  if (row.size() != 1) return "";
  const std::string& header = row.begin().key();
  const std::pair<char, std::pair<const char*, const char*>> others[] = {
      {';', {"semicolon", ";"}}, {'\t', {"tab", "\\t"}}, {'|', {"bar", "|"}}};
  for (const auto& [sign, names] : others)
    if (const auto count = std::ranges::count(header, sign); count > 0)
      return fmt::format(
          "; the first line has no comma, but {} {}{}: write {{csv: FILE, separator: \"{}\"}}, or for a command "
          "--separator \"{}\"",
          count, names.first, count == 1 ? "" : "s", names.second, names.second);
  return "";
}

void each_row(const fs::path& path, std::string_view format, TableLines lines, const RowCall& given,
              const std::function<bool()>& is_enough, const WantedNames& wanted) {
  const std::string file = path.string();
  const GoesOn row = [&](Row& values, const std::string& where) {
    stop_if_interrupted("reading {}", file);
    given(values, where);
    return !is_enough || !is_enough();
  };
  if (format == "parquet") return parquet::each_row(path, row, wanted);
  TextWindow text(path);
  if (text.holds(2) && text.text().starts_with("\xEF\xBB\xBF")) text.drop(3);  // the mark that spreadsheets write
  require(!text.text().starts_with("\xFF\xFE") && !text.text().starts_with("\xFE\xFF"),
          "{}: is UTF-16; convert it, for example with iconv -f UTF-16 -t UTF-8", file);
  Table table(lines.numbered, format == "csv", row);
  if (format == "json") {
    each_element(text, file, row);
  } else if (format == "jsonl") {
    each_line(text, [&](std::string_view line, size_t number) {
      if (line.find_first_not_of(" \t") == std::string_view::npos) return true;
      const std::string where = fmt::format("{}:{}", file, number);
      Row values = parse_object(line, where);
      return row(values, where);
    });
  } else if (format == "tsv") {
    each_line(text, [&](std::string_view line, size_t number) {
      std::vector<std::string> fields;
      for (size_t at = 0; at != std::string_view::npos;) {
        const size_t tab = line.find('\t', at);
        fields.emplace_back(line.substr(at, tab == std::string_view::npos ? tab : tab - at));
        at = tab == std::string_view::npos ? tab : tab + 1;
      }
      return table.add(fields, fmt::format("{}:{}", file, number));
    });
  } else if (format == "csv") {
    std::vector<std::string> fields;
    for (size_t line = 1, began_on = 1; next_csv_record(text, line, file, fields, began_on, lines.separator);)
      if (!table.add(fields, fmt::format("{}:{}", file, began_on))) break;
  } else {
    invalid("{}: the format \"{}\" is not known; there are text, jsonl, json, csv, tsv and parquet", file, format);
  }
}

}  // namespace rgm
