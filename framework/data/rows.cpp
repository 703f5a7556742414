// rows.cpp - reading the files that have rows.
#include "data/rows.hpp"

#include <algorithm>

#include "base/interrupt.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

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
void each_line(std::string_view text, Line&& line) {
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    std::string_view one = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (one.ends_with('\r')) one.remove_suffix(1);
    if (!one.empty() && !line(one, number)) return;
  }
}

// Cuts an array into its elements without building it, so that each has its line and a large file takes no memory.
void each_element(std::string_view text, const std::string& file, const GoesOn& row) {
  constexpr std::string_view blank = " \t\r\n";
  size_t line = 1, at = 0;
  const auto skip = [&] {
    for (; at < text.size() && blank.find(text[at]) != std::string_view::npos; ++at) line += text[at] == '\n';
  };
  const auto where = [&] { return fmt::format("{}:{}", file, line); };
  skip();
  require(at < text.size() && text[at] == '[',
          "{}: an array of objects was expected, as in [{{\"text\": \"...\"}}]; for one object per line use jsonl",
          where());
  ++at;
  for (bool is_first = true;; is_first = false) {
    skip();
    require(at < text.size(), "{}: the array is not closed", where());
    if (text[at] == ']' && is_first) break;
    const size_t begin = at, began_on = line;
    bool in_text = false;
    for (int depth = 0; at < text.size(); ++at) {
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
    require(at < text.size(), "{}:{}: the array is not closed", file, began_on);
    const std::string place = fmt::format("{}:{}", file, began_on);
    Row value = parse_object(text.substr(begin, at - begin), place);
    if (!row(value, place)) return;
    if (text[at] == ']') break;
    ++at;
  }
  ++at;
  skip();
  require(at == text.size(), "{}: there is text after the array", where());
}

// Rows of fields, under the names in the first.
class Table {
 public:
  Table(bool numbered, const GoesOn& row) : numbered_(numbered), row_(row) {}

  bool add(const std::vector<std::string>& fields, const std::string& where) {
    if (names_.empty()) {
      for (size_t i = 0; i < fields.size(); ++i) names_.push_back(numbered_ ? std::to_string(i) : fields[i]);
      if (!numbered_) {
        check_names(where);
        return true;
      }
    }
    require(fields.size() == names_.size(), "{}: has {} fields, {} were expected", where, fields.size(), names_.size());
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

  bool numbered_;
  const GoesOn& row_;
  std::vector<std::string> names_;
};

}  // namespace

void each_row(const fs::path& path, std::string_view format, bool numbered, const RowCall& given,
              const std::function<bool()>& is_enough) {
  const std::string file = path.string();
  const MappedFile mapped(path);
  std::string_view text = mapped.text();
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // the mark that spreadsheets write
  require(!text.starts_with("\xFF\xFE") && !text.starts_with("\xFE\xFF"),
          "{}: is UTF-16; convert it, for example with iconv -f UTF-16 -t UTF-8", file);
  require(!is_gzip(text), "{}: is compressed with gzip; unpack it, for example with gunzip", file);
  const GoesOn row = [&](Row& values, const std::string& where) {
    stop_if_interrupted("reading {}", file);
    given(values, where);
    return !is_enough || !is_enough();
  };
  Table table(numbered, row);
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
    for (size_t at = 0, line = 1, began_on = 1; next_csv_record(text, at, line, file, fields, began_on);)
      if (!table.add(fields, fmt::format("{}:{}", file, began_on))) break;
  } else {
    invalid("{}: the format \"{}\" is not known; there are text, jsonl, json, csv and tsv", file, format);
  }
}

}  // namespace rgm
