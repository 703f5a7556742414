// yaml_text.cpp - the text is checked as bytes, then as a stream of events that counts depth, size and keys, and only
// then made a tree: walking it can neither overflow the stack nor go on for ever.
#include "pipeline/yaml_text.hpp"

#include <algorithm>
#include <sstream>

#include "base/text.hpp"
#include "pipeline/yaml_guard.hpp"

namespace rgm {
namespace {

YAML::Mark place_of(std::string_view text, size_t offset, int first_line) {
  YAML::Mark mark;
  mark.line = first_line;
  for (size_t i = 0; i < offset; ++i) {
    const bool line_ends = text[i] == '\n';
    mark.line += line_ends;
    mark.column = line_ends ? 0 : mark.column + 1;
  }
  mark.pos = static_cast<int>(offset);
  return mark;
}

bool right_bytes(std::string_view text, Problems& problems, int first_line) {
  if (text.size() > yaml_most_bytes) {
    problems.add(place_of(text, 0, first_line),
                 fmt::format("{} long, but a pipeline has at most {}", bytes_for_people(text.size()),
                             bytes_for_people(yaml_most_bytes)));
    return false;
  }
  if (const auto offset = invalid_utf8(text)) {
    problems.add(place_of(text, *offset, first_line),
                 fmt::format("byte {} (0x{:02x}) is not UTF-8: save the file as UTF-8", *offset,
                             static_cast<unsigned char>(text[*offset])));
    return false;
  }
  for (size_t i = 0; i < text.size(); ++i)
    if (const auto c = static_cast<unsigned char>(text[i]); (c < 0x20 && c != '\n' && c != '\r' && c != '\t')) {
      problems.add(place_of(text, i, first_line),
                   fmt::format("byte {} (0x{:02x}) is a control character, expected text", i, c));
      return false;
    }
  return true;
}

// What yaml-cpp says in terms of grammars, in terms of what to look for.
std::string explained(const std::string& said, const std::string& before) {
  const auto has = [&](std::string_view part) { return said.find(part) != std::string::npos; };
  if (has("illegal tab") || (!before.empty() && before.find_first_not_of(" \t") == std::string::npos &&
                             (has("illegal") || has("not found")) && before.find('\t') != std::string::npos))
    return "a tab in the indentation: YAML indents with spaces";
  if (has("EOF in scalar")) return "a quoted text does not end";
  if (has("end of map not found"))
    return "a map is not read to its end: look for a wrong indentation or a missing \":\"";
  if (has("end of map flow")) return "a \"{\" has no \"}\"";
  if (has("end of sequence flow")) return "a \"[\" has no \"]\"";
  if (has("end of sequence not found"))
    return "a list is not read to its end: look for a wrong indentation or a missing \"-\"";
  if (has("illegal map value"))
    return "a \":\" where no key can be: look for a wrong indentation, or put the text in quotes";
  if (has("anchor is not defined")) return "an alias without an anchor before it: text that begins with * needs quotes";
  if (has("unknown token")) return "a text cannot begin with %, @ or `: put it in quotes";
  return "not YAML: " + said;
}

// The line of a mark, up to it.
std::string line_before(const std::string& text, const YAML::Mark& mark) {
  size_t begin = 0;
  for (int i = 0; i < mark.line && begin != std::string::npos; ++i) {
    begin = text.find('\n', begin);
    if (begin != std::string::npos) ++begin;
  }
  return begin == std::string::npos ? "" : text.substr(begin, static_cast<size_t>(std::max(mark.column, 0)));
}

YAML::Node load_at(const YAML::Mark& place, const char* text) {
  const auto n = [](int count) { return static_cast<size_t>(count > 0 ? count : 0); };
  return YAML::Load(std::string(n(place.line), '\n') + std::string(n(place.column), ' ') + text);
}

}  // namespace

YAML::Node parse_yaml(std::string_view text, Problems& problems, int first_line) {
  const YAML::Node none(YAML::NodeType::Undefined);
  if (!right_bytes(text, problems, first_line)) return none;
  // Without the end of the last line: after one, yaml-cpp takes quotes that are not closed for a text.
  const std::string shifted = std::string(static_cast<size_t>(first_line), '\n') +
                              std::string(text.substr(0, text.find_last_not_of(" \r\n") + 1));
  try {
    std::istringstream in(shifted);
    YAML::Parser parser(in);
    YamlGuard guard(problems);
    parser.HandleNextDocument(guard);
    Problems second("");
    YamlGuard rest(second);
    if (parser.HandleNextDocument(rest)) {
      problems.add(rest.beginning(), "a second document begins (after ---): a pipeline is one");
      return none;
    }
    if (guard.odd_key()) {
      problems.add(*guard.odd_key(), "a key should be a word, as in `key: value`");
      return none;
    }
    const YAML::Node tree = YAML::Load(shifted);
    return shifted.find("<<") == shifted.npos ? tree : with_merges(tree, problems);
  } catch (const YamlStop&) {
  } catch (const YAML::Exception& e) {
    problems.add(e.mark, explained(e.msg, line_before(shifted, e.mark)));
  }
  return none;
}

YAML::Node empty_map_at(const YAML::Mark& place) { return load_at(place, "{}"); }
YAML::Node empty_list_at(const YAML::Mark& place) { return load_at(place, "[]"); }
YAML::Node nothing_at(const YAML::Mark& place) { return load_at(place, "~"); }

}  // namespace rgm
