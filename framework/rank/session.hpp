// session.hpp - a ranking under way: the samples, what raters have said of them, and the file they become. The web page
// and the terminal are two faces of it.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>

#include "rank/samples.hpp"
#include "rank/store.hpp"

namespace rgm::rank {

struct SessionOptions {
  Samples samples;
  fs::path out;
  bool blind = false;  // answers in an order of the rater's own, without their sources
  uint64_t seed = 0;
};

// RGM_INVALID unless a rater may be called so.
void check_rater(const std::string& name);

class Session {
 public:
  explicit Session(const SessionOptions& options);
  size_t count() const { return samples_.items.size(); }
  const fs::path& out() const { return out_; }
  // Who has judged or skipped everything, the first such; nothing while nobody has.
  std::optional<std::string> finished() const;

  // Places of the answers in the order in which a rater sees them.
  std::vector<size_t> shown(const std::string& rater, size_t item) const;
  // {index, prompt, answers: [{id, text, source}], order, ties, note, skipped, judged}: what a page shows.
  nlohmann::json item(const std::string& rater, size_t index) const;
  // {total, judged, skipped, next, raters: [{name, judged}], agreement: [{a, b, items, tau}]}
  nlohmann::json state(const std::string& rater) const;
  void save(const std::string& rater, size_t index, const Judgement& judgement);
  std::optional<size_t> undo(const std::string& rater);
  std::optional<size_t> next(const std::string& rater) const;  // the first item not judged yet
  const Item& sample(size_t index) const { return samples_.items.at(index); }
  // The last that counts, whatever draft was made since.
  std::optional<Judgement> judgement(const std::string& rater, size_t index) const {
    return store_.judgement(rater, index);
  }
  // Writes {prompt, responses, ranks, rater, note} for every judgement with ranks; answers how many. Opening a session
  // does, and each save and undo, so that the file is always what was said, by whichever program.
  size_t write() const;

 private:
  fs::path out_;
  bool blind_;
  uint64_t seed_;
  Samples samples_;
  Store store_;
};

}  // namespace rgm::rank
