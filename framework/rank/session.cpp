// session.cpp - items as raters see them, saved and written.
#include "rank/session.hpp"

#include <algorithm>
#include <numeric>

#include "base/error.hpp"
#include "base/philox.hpp"
#include "base/sha256.hpp"
#include "rank/agreement.hpp"
#include "rank/order.hpp"

namespace rgm::rank {
namespace {

using Json = nlohmann::json;

uint64_t number_of(const std::string& name) { return std::stoull(sha256(name).substr(0, 15), nullptr, 16); }

fs::path store_beside(const fs::path& out) {
  fs::path store = out.string() + ".sqlite";
  require(!fs::exists(out) || fs::exists(store),
          "{}: already exists, and was not made by `regimen rank`: choose another --out", out.string());
  return store;
}

}  // namespace

void check_rater(const std::string& name) {
  require(name.find_first_not_of(" \t\r\n") != std::string::npos, "the rater's name is blank: give one");
  require(name.size() <= 100, "the rater's name is too long: it has {} bytes of at most 100; shorten it", name.size());
}

Session::Session(const SessionOptions& options)
    : out_(options.out),
      blind_(options.blind),
      seed_(options.seed),
      samples_(options.samples),
      store_(store_beside(options.out), samples_.sha256) {
  write();  // a program that was killed may have saved a ranking and not written it
}

std::vector<size_t> Session::shown(const std::string& rater, size_t index) const {
  std::vector<size_t> order(sample(index).answers.size());
  std::iota(order.begin(), order.end(), 0U);
  if (!blind_) return order;
  // Keyed by rater and prompt: the same at every look, and no answer's place tells its source.
  const uint64_t key = mix(seed_, number_of(rater), static_cast<uint32_t>(index));
  for (size_t i = order.size(); i-- > 1;) std::swap(order[i], order[mix(key, i) % (i + 1)]);
  return order;
}

Json Session::item(const std::string& rater, size_t index) const {
  require(index < count(), "there is no item {} of {}", index, count());
  const Item& sample = this->sample(index);
  std::vector<size_t> order = shown(rater, index);
  Json answers = Json::array();
  for (const size_t id : order) {
    answers.push_back({{"id", id}, {"text", sample.answers[id]}});
    if (!blind_ && !sample.sources.empty()) answers.back()["source"] = sample.sources[id];
  }
  const auto said = store_.find(rater, index), counts = judgement(rater, index);
  std::vector<bool> ties(order.size());
  if (said && !said->ranks.empty()) {
    std::ranges::stable_sort(order, {}, [&](size_t id) { return said->ranks[id]; });
    for (size_t i = 1; i < order.size(); ++i) ties[i] = said->ranks[order[i]] == said->ranks[order[i - 1]];
  }
  return {{"index", index},
          {"prompt", sample.prompt},
          {"answers", answers},
          {"order", order},
          {"ties", ties},
          {"note", said ? said->note : ""},
          {"judged", counts && !counts->ranks.empty()},
          {"skipped", counts && counts->ranks.empty()}};
}

std::optional<std::string> Session::finished() const {
  for (const std::string& rater : store_.raters())
    if (!next(rater)) return rater;
  return std::nullopt;
}

std::optional<size_t> Session::next(const std::string& rater) const {
  size_t at = 0;
  for (const auto& [index, judgement] : store_.all(rater)) {
    if (index != at) break;
    ++at;
  }
  return at < count() ? std::optional(at) : std::nullopt;
}

Json Session::state(const std::string& rater) const {
  size_t judged = 0, skipped = 0;
  for (const auto& [index, judgement] : store_.all(rater)) ++(judgement.ranks.empty() ? skipped : judged);
  Json raters = Json::array(), agreement = Json::array();
  std::vector<std::pair<std::string, std::vector<std::pair<size_t, Judgement>>>> said;
  for (const std::string& name : store_.raters()) {
    said.emplace_back(name, store_.all(name));
    std::erase_if(said.back().second, [](const auto& one) { return one.second.ranks.empty(); });
    raters.push_back({{"name", name}, {"judged", said.back().second.size()}});
  }
  for (size_t a = 0; a < said.size(); ++a)
    for (size_t b = a + 1; b < said.size(); ++b) {
      double sum = 0;
      size_t n = 0;
      for (const auto& [index, first] : said[a].second)
        for (const auto& [other, second] : said[b].second)
          if (other == index)
            if (const auto tau = tau_b(first.ranks, second.ranks)) sum += *tau, ++n;
      if (n > 0)
        agreement.push_back(
            {{"a", said[a].first}, {"b", said[b].first}, {"items", n}, {"tau", sum / static_cast<double>(n)}});
    }
  const auto at = next(rater);
  return {{"total", count()}, {"judged", judged},       {"skipped", skipped},  {"next", at ? Json(*at) : Json()},
          {"raters", raters}, {"agreement", agreement}, {"out", out_.string()}};
}

void Session::save(const std::string& rater, size_t index, const Judgement& judgement) {
  check_rater(rater);
  require(index < count(), "there is no item {} of {}", index, count());
  require(judgement.note.size() <= 10000, "the note is too long: it has {} bytes of at most 10,000; shorten it",
          judgement.note.size());
  if (!judgement.ranks.empty()) check_ranks(judgement.ranks, sample(index).answers.size());
  store_.save(rater, index, judgement);
  if (!judgement.draft) write();
}

std::optional<size_t> Session::undo(const std::string& rater) {
  const auto index = store_.undo(rater);
  if (index) write();
  return index;
}

size_t Session::write() const {
  size_t rows = 0;
  // Under one lock, or what was read before another program's save takes the place of what that has written.
  store_.alone([&] {
    FileWriter file(out_);
    for (const std::string& rater : store_.raters())
      for (const auto& [index, said] : store_.all(rater)) {
        if (said.ranks.empty()) continue;
        nlohmann::ordered_json row = {{"prompt", sample(index).prompt},
                                      {"responses", sample(index).answers},
                                      {"ranks", said.ranks},
                                      {"rater", rater},
                                      {"note", said.note}};
        if (const auto& finished = sample(index).finished; !finished.empty()) row["finished"] = finished;
        file.write(row.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
        ++rows;
      }
    file.commit();
  });
  return rows;
}

}  // namespace rgm::rank
