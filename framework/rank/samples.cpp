// samples.cpp - rows with lists of answers, or with one answer each.
#include "rank/samples.hpp"

#include <unordered_map>

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "data/rows.hpp"

namespace rgm::rank {
namespace {

using Json = Row;

std::string text_of(const Json& row, const char* key, const std::string& where) {
  const auto found = row.find(key);
  require(found != row.end() && found->is_string(), "{}: \"{}\" is missing, or is not text", where, key);
  return found->get<std::string>();
}

std::vector<std::string> list_of(const Json& list, const char* key, const std::string& where) {
  std::vector<std::string> out;
  for (const Json& one : list) {
    require(one.is_string(), "{}: \"{}\" has {} in it, expected text", where, key, one.dump().substr(0, 40));
    out.push_back(one.get<std::string>());
  }
  return out;
}

const char* answer_key(const Json& row) {
  for (const char* key : {"text", "response", "answer"})
    if (row.contains(key)) return key;
  return "text";
}

}  // namespace

Samples make_samples(std::vector<Item> items, const std::vector<std::string>& where_of) {
  Samples out{std::move(items), ""};
  std::string all;
  for (size_t i = 0; i < out.items.size(); ++i) {
    Item& item = out.items[i];
    require(item.answers.size() > 1, "{}: its prompt has only one answer, so there is nothing to rank: sample several",
            where_of[i]);
    require(item.answers.size() <= 26, "{}: its prompt has {} answers; nobody ranks more than 26 at once", where_of[i],
            item.answers.size());
    if (item.sources.size() != item.answers.size()) item.sources.clear();
    if (item.finished.size() != item.answers.size()) item.finished.clear();
    all += item.prompt + '\0';
    for (const std::string& answer : item.answers) all += answer + '\0';
    all += '\1';
  }
  out.sha256 = rgm::sha256(all);
  return out;
}

Samples read_samples(const fs::path& file) {
  std::vector<Item> items;
  std::unordered_map<std::string, size_t> places;
  std::vector<std::string> where_of;
  each_row(file, "jsonl", false, [&](Json& row, const std::string& where) {
    const std::string prompt = text_of(row, "prompt", where);
    if (const auto responses = row.find("responses"); responses != row.end()) {
      require(responses->is_array(), "{}: \"responses\" should be a list of texts", where);
      Item item{prompt, list_of(*responses, "responses", where), {}};
      if (const auto sources = row.find("sources"); sources != row.end() && sources->is_array())
        item.sources = list_of(*sources, "sources", where);
      require(item.sources.empty() || item.sources.size() == item.answers.size(), "{}: {} sources for {} answers",
              where, item.sources.size(), item.answers.size());
      if (const auto finished = row.find("finished"); finished != row.end() && finished->is_array())
        for (const Json& one : *finished) item.finished.push_back(one != 0 && one != false);
      items.push_back(std::move(item));
      where_of.push_back(where);
      return;
    }
    const auto [place, is_new] = places.emplace(prompt, items.size());
    if (is_new) items.push_back({prompt, {}, {}, {}}), where_of.push_back(where);
    Item& item = items[place->second];
    item.answers.push_back(text_of(row, answer_key(row), where));
    if (const auto finished = row.find("finished"); finished != row.end())
      item.finished.push_back(*finished != 0 && *finished != false);
    if (row.contains("source")) item.sources.push_back(text_of(row, "source", where));
  });
  require(!items.empty(), "{}: has no rows", file.string());
  return make_samples(std::move(items), where_of);
}

}  // namespace rgm::rank
