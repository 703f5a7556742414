// store.cpp - every save is a row; the last one of a rater for an item counts, and undo removes it.
#include "rank/store.hpp"

#include <sqlite3.h>

#include "base/error.hpp"
#include "base/json.hpp"

namespace rgm::rank {
namespace {

// A statement with its values, finalised with its scope.
class Statement {
 public:
  Statement(sqlite3* db, const char* sql) : db_(db) {
    if (sqlite3_prepare_v2(db, sql, -1, &s_, nullptr) != SQLITE_OK) fail();
  }
  ~Statement() { sqlite3_finalize(s_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  Statement& bind(int place, const std::string& text) {
    if (sqlite3_bind_text(s_, place, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT) != SQLITE_OK) fail();
    return *this;
  }
  Statement& bind(int place, size_t number) {
    if (sqlite3_bind_int64(s_, place, static_cast<sqlite3_int64>(number)) != SQLITE_OK) fail();
    return *this;
  }
  bool step() {
    const int said = sqlite3_step(s_);
    if (said != SQLITE_ROW && said != SQLITE_DONE) fail();
    return said == SQLITE_ROW;
  }
  size_t number(int column) const { return static_cast<size_t>(sqlite3_column_int64(s_, column)); }
  std::string text(int column) const {
    const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(s_, column));
    return {data ? data : "", static_cast<size_t>(sqlite3_column_bytes(s_, column))};
  }

 private:
  [[noreturn]] void fail() const { failure("{}: {}", sqlite3_db_filename(db_, "main"), sqlite3_errmsg(db_)); }
  sqlite3* db_;
  sqlite3_stmt* s_ = nullptr;
};

Judgement judgement_of(const Statement& s, int ranks, int note) {
  const auto list = json_or_discarded(s.text(ranks));
  return {list.is_array() ? list.get<std::vector<int>>() : std::vector<int>(), s.text(note)};
}

}  // namespace

Store::Store(const fs::path& file, const std::string& samples_sha256) : path_(file.string()) {
  sqlite3* db = nullptr;
  const int opened = sqlite3_open(path_.c_str(), &db);
  db_.reset(db);
  if (opened != SQLITE_OK) failure("{}: cannot be opened: {}", path_, db ? sqlite3_errmsg(db) : "out of memory");
  sqlite3_busy_timeout(db, 10000);  // others write the file of rankings while they hold the lock
  // FULL: a save that was answered survives a power cut, too.
  run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
      "CREATE TABLE IF NOT EXISTS samples (sha256 TEXT NOT NULL);"
      "CREATE TABLE IF NOT EXISTS judgements (id INTEGER PRIMARY KEY AUTOINCREMENT, rater TEXT NOT NULL,"
      " item INTEGER NOT NULL, ranks TEXT NOT NULL, note TEXT NOT NULL, draft INTEGER NOT NULL);"
      "CREATE INDEX IF NOT EXISTS by_rater ON judgements (rater, item, id);");
  alone([&] {
    Statement known(db, "SELECT sha256 FROM samples");
    if (!known.step())
      Statement(db, "INSERT INTO samples VALUES (?)").bind(1, samples_sha256).step();
    else
      require(known.text(0) == samples_sha256,
              "{}: holds rankings of other samples than these: choose another --out, or move it away", path_);
  });
}
void Store::Close::operator()(sqlite3* db) const { sqlite3_close_v2(db); }

void Store::run(const char* sql) const {
  char* said = nullptr;
  if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, &said) == SQLITE_OK) return;
  const std::string why = said ? said : "unknown";
  sqlite3_free(said);
  failure("{}: {}", path_, why);
}

void Store::alone(const std::function<void()>& body) const {
  run("BEGIN IMMEDIATE");
  try {
    body();
    run("COMMIT");
  } catch (...) {
    sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
    throw;
  }
}

void Store::save(const std::string& rater, size_t item, const Judgement& judgement) {
  Statement(db_.get(), "INSERT INTO judgements (rater, item, ranks, note, draft) VALUES (?, ?, ?, ?, ?)")
      .bind(1, rater)
      .bind(2, item)
      .bind(3, nlohmann::json(judgement.ranks).dump())
      .bind(4, judgement.note)
      .bind(5, size_t{judgement.draft})
      .step();
}

std::optional<size_t> Store::undo(const std::string& rater) {
  Statement last(db_.get(), "SELECT id, item FROM judgements WHERE rater = ? ORDER BY id DESC LIMIT 1");
  if (!last.bind(1, rater).step()) return std::nullopt;
  const size_t id = last.number(0), item = last.number(1);
  Statement(db_.get(), "DELETE FROM judgements WHERE id = ?").bind(1, id).step();
  return item;
}

std::optional<Judgement> Store::find(const std::string& rater, size_t item) const {
  Statement s(db_.get(),
              "SELECT ranks, note, draft FROM judgements WHERE rater = ? AND item = ? ORDER BY id DESC LIMIT 1");
  if (!s.bind(1, rater).bind(2, item).step()) return std::nullopt;
  Judgement out = judgement_of(s, 0, 1);
  out.draft = s.number(2) != 0;
  return out;
}

std::optional<Judgement> Store::judgement(const std::string& rater, size_t item) const {
  Statement s(db_.get(),
              "SELECT ranks, note FROM judgements WHERE rater = ? AND item = ? AND draft = 0 ORDER BY id DESC LIMIT 1");
  if (!s.bind(1, rater).bind(2, item).step()) return std::nullopt;
  return judgement_of(s, 0, 1);
}

std::vector<std::string> Store::raters() const {
  std::vector<std::string> out;
  Statement s(db_.get(), "SELECT rater FROM judgements WHERE draft = 0 GROUP BY rater ORDER BY MIN(id)");
  while (s.step()) out.push_back(s.text(0));
  return out;
}

std::vector<std::pair<size_t, Judgement>> Store::all(const std::string& rater) const {
  std::vector<std::pair<size_t, Judgement>> out;
  Statement s(db_.get(),
              "SELECT item, ranks, note FROM judgements WHERE id IN (SELECT MAX(id) FROM judgements WHERE rater = ? "
              "AND draft = 0 GROUP "
              "BY item) ORDER BY item");
  s.bind(1, rater);
  while (s.step()) out.emplace_back(s.number(0), judgement_of(s, 1, 2));
  return out;
}

}  // namespace rgm::rank
