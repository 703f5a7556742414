// store.hpp - what raters have said, in SQLite: on disk when save() returns, whatever happens to the program then.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.hpp"

struct sqlite3;

namespace rgm::rank {

struct Judgement {
  std::vector<int> ranks;  // of the answers in the file's order; empty: skipped
  std::string note;
  bool draft = false;  // on the way: kept, but it does not count yet
};

class Store {
 public:
  // Opens or makes `file`. RGM_INVALID where it was made for other samples.
  Store(const fs::path& file, const std::string& samples_sha256);

  void save(const std::string& rater, size_t item, const Judgement& judgement);
  // Takes the rater's last save back, draft or not, and answers which item that was; nothing where there is none.
  std::optional<size_t> undo(const std::string& rater);
  std::optional<Judgement> find(const std::string& rater, size_t item) const;  // the last, draft or not
  // The last that counts: a draft behind it does not take its place.
  std::optional<Judgement> judgement(const std::string& rater, size_t item) const;
  std::vector<std::string> raters() const;
  // Of all items that the rater has judged or skipped; no drafts.
  std::vector<std::pair<size_t, Judgement>> all(const std::string& rater) const;
  // Runs `body` while no other program writes here: what it reads is all that was said until it returns.
  void alone(const std::function<void()>& body) const;

 private:
  void run(const char* sql) const;
  std::string path_;
  struct Close {
    void operator()(sqlite3* db) const;
  };
  std::unique_ptr<sqlite3, Close> db_;
};

}  // namespace rgm::rank
