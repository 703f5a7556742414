// evaluated_rows.cpp - rows and the model's columns, kept until all are known and then written at once.
#include "cli/evaluated_rows.hpp"

#include "base/error.hpp"
#include "base/log.hpp"
#include "data/rows.hpp"

namespace rgm::cli {

EvaluatedRows::EvaluatedRows(fs::path out, const fs::path& data) : out_(std::move(out)), data_(data) {
  if (out_.empty()) return;
  std::error_code error;
  require(out_.has_filename() && !fs::is_directory(out_, error),
          "evaluate: --rows {} is a folder; name a file in it, as in --rows {}", out_.string(),
          (out_ / "rows.jsonl").string());
  const fs::path folder = out_.parent_path();
  require(folder.empty() || fs::is_directory(folder, error),
          "evaluate: there is no folder {}; make it, or correct --rows {}", folder.string(), out_.string());
  require(!fs::equivalent(out_, data_, error),
          "evaluate: --rows {} is the data itself, which would be lost; name another file", out_.string());
}

void EvaluatedRows::add(const Row& row) {
  if (!are_wanted()) return;
  drop_unreadable(rows_.emplace_back(row));
  said_.emplace_back();
}

void EvaluatedRows::say(size_t row, Row columns) {
  if (are_wanted()) said_[row] = std::move(columns);
}

// Nothing, or what tells the model's columns apart from those of the rows.
std::string EvaluatedRows::front_of_names() const {
  std::vector<std::string> names;
  for (const auto& [name, value] : said_.front().items()) names.push_back(name);
  std::string front, taken;
  const auto is_taken = [&] {
    for (const Row& row : rows_)
      for (const std::string& name : names)
        if (row.contains(front + name)) {
          taken = front + name;
          return true;
        }
    return false;
  };
  while (is_taken()) front += "model.";
  if (!front.empty())
    log::warning("{}: has a column \"{}\" of its own, which stays as it is; what the model says is called \"{}{}\"",
                 data_.string(), taken, front, fmt::join(names, fmt::format("\", \"{}", front)));
  return front;
}

void EvaluatedRows::write() const {
  if (!are_wanted()) return;
  const std::string front = front_of_names();
  FileWriter out(out_);
  for (size_t i = 0; i < rows_.size(); ++i) {
    Row line = rows_[i];
    for (const auto& [name, value] : said_[i].items()) line[front + name] = value;
    out.write(line.dump(-1, ' ', false, Row::error_handler_t::replace) + "\n");
  }
  out.commit();
}

}  // namespace rgm::cli
