// rows_state.cpp - reads what a run has left of its rows, and trusts no more of it than fits.
#include "train/rows_state.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "train/differences.hpp"

namespace rgm {
namespace {

using Json = nlohmann::json;

// An empty object where there is no whole one.
Json read_state(const fs::path& file) {
  Json out = fs::exists(file) ? json_or_discarded(read_file(file)) : Json::object();
  const auto is = [&](const char* key, bool (Json::*of_kind)() const noexcept) {
    return out.contains(key) && (out[key].*of_kind)();
  };
  const bool is_whole = out.is_object() && is("inputs", &Json::is_string) && is("units", &Json::is_number_unsigned) &&
                        is("rows", &Json::is_number_unsigned) && is("bytes", &Json::is_number_unsigned);
  return is_whole ? out : Json::object();
}

uintmax_t number(const Json& state, const char* key) { return state.empty() ? 0 : state.at(key).get<uintmax_t>(); }

// Behind what is synced there have to be as many whole rows as `latest` counts: after a power cut a file may have its
// size and not its content.
bool are_whole(const fs::path& rows, const Json& synced, const Json& latest) {
  const uintmax_t begin = number(synced, "bytes"), end = number(latest, "bytes");
  if (number(latest, "units") < number(synced, "units") || begin > end || fs::file_size(rows) < end) return false;
  const MappedFile file(rows);
  std::string_view text = file.text().substr(begin, end - begin);
  uintmax_t count = number(synced, "rows");
  for (size_t line_end; (line_end = text.find('\n')) != text.npos; text.remove_prefix(line_end + 1), ++count)
    if (!json_or_discarded(text.substr(0, line_end)).is_object()) return false;
  return text.empty() && count == number(latest, "rows");
}

}  // namespace

RowsState::RowsState(const TrainSetup& setup)
    : setup_(setup),
      rows_(setup.folder / "rows.jsonl"),
      synced_(setup.folder / "rows.json"),
      latest_(setup.folder / "rows.latest.json") {}

bool RowsState::is_own(const Json& state) const {
  return !state.empty() && state.at("inputs").get_ref<const std::string&>() == setup_.training_sha256;
}

Json RowsState::read() const {
  const Json any = read_state(synced_);
  Json latest = read_state(latest_);
  const uintmax_t written = fs::exists(rows_) ? fs::file_size(rows_) : 0;
  const bool fits = is_own(any) && number(any, "bytes") <= written;
  Json synced = fits ? any : Json::object();
  if (is_own(latest) && written > 0 && are_whole(rows_, synced, latest)) return latest;
  // It must not be met again when as many bytes are there.
  std::error_code ignored;
  fs::remove(latest_, ignored);
  if (fits) return synced;
  if (written > 0) say_anew(any, written);
  // Before the rows are cut: if this is killed with rows of which no state says anything yet, those of other settings
  // would be taken for theirs where they are as many bytes. It syncs the folder, too, from which the latest went.
  write({{"units", 0}, {"rows", 0}, {"bytes", 0}}, Sync::yes);
  return synced;
}

void RowsState::say_anew(const Json& state, uintmax_t written) const {
  const std::string what =
      fmt::format("{}: the {} in {} are made again", setup_.train->stage, bytes_for_people(written), rows_.string());
  if (state.empty())
    log::warning("{}: {} does not say what they were made from", what, synced_.string());
  else if (is_own(state))
    log::warning("{}: {} says that there are {}", what, synced_.string(), bytes_for_people(number(state, "bytes")));
  else
    log::info("{}: they were made with other settings, data or threads{}", what,
              state.contains("made_of") ? ": " + differences_for_people(state["made_of"], setup_.training_inputs) : "");
}

void RowsState::write(Json state, Sync sync) const {
  const auto text = [&] { return state.dump(-1, ' ', false, Json::error_handler_t::replace); };
  state["inputs"] = setup_.training_sha256;
  if (sync == Sync::no) return write_file(latest_, text(), sync);
  state["made_of"] = setup_.training_inputs;
  write_file(synced_, text(), sync);
  std::error_code ignored;
  fs::remove(latest_, ignored);
}

}  // namespace rgm
