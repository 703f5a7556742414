// checkpoint.cpp - checkpoints: made under a temporary name, renamed when whole, and checked by hash when they are
// read.
#include "artefact/checkpoint.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "base/sha256.hpp"

namespace rgm {
namespace {

constexpr int format_version = 1;
constexpr std::string_view prefix = "step-", aside_prefix = "other-";

fs::path folder_of(const fs::path& folder, int64_t step) { return folder / fmt::format("{}{}", prefix, step); }

// The N of step-N; nothing for any other name, such as what a killed run left half made.
std::optional<int64_t> step_of(const fs::path& path) {
  const std::string name = path.filename().string();
  if (!name.starts_with(prefix)) return std::nullopt;
  int64_t step = 0;
  const char* end = name.data() + name.size();
  const auto [stopped, error] = std::from_chars(name.data() + prefix.size(), end, step);
  if (error != std::errc() || stopped != end || step < 0) return std::nullopt;
  return step;
}

std::vector<fs::path> entries(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> out;
  for (const auto& entry : fs::directory_iterator(folder, error)) out.push_back(entry.path());
  // What cannot be listed is not empty: a run would begin anew, and remove what it did not see.
  if (error && error != std::errc::no_such_file_or_directory)
    failure("{}: cannot be listed: {}", folder.string(), error.message());
  return out;
}

// The newest first
std::vector<int64_t> steps_in(const fs::path& folder) {
  std::vector<int64_t> out;
  for (const fs::path& path : entries(folder))
    if (const auto step = step_of(path)) out.push_back(*step);
  std::ranges::sort(out, std::greater());
  return out;
}

bool is_leftover(const fs::path& path) {
  const std::string name = path.filename().string();
  return !step_of(path) && (name.starts_with(prefix) || name.starts_with(".step-"));
}

bool is_aside(const fs::path& path) { return path.filename().string().starts_with(aside_prefix); }

// An owner may be any text, and is no name of a folder.
fs::path aside_of(const fs::path& folder, const std::string& owner) {
  return folder / fmt::format("{}{}", aside_prefix, sha256(owner).substr(0, 16));
}

void move_into(const fs::path& folder, const fs::path& from) {
  const fs::path to = folder / from.filename();
  std::error_code error;
  fs::remove_all(to, error);
  if (!error) fs::rename(from, to, error);
  if (error) failure("{}: cannot be moved to {}: {}", from.string(), to.string(), error.message());
}

// Throws when anything about the checkpoint is not as it was written.
Checkpoint read(const fs::path& folder, int64_t step) {
  const fs::path state_file = folder / "state.json", tensor_file = folder / "tensors.safetensors";
  const auto file = json_or_discarded(read_file(state_file));
  require(file.is_object(), "{}: is incomplete", state_file.string());
  const auto text = [&](const char* key) {
    const auto found = file.find(key);
    return found != file.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  require(file.value("checkpoint", nlohmann::json()) == format_version, "{}: is from another version",
          state_file.string());
  require(file.value("step", nlohmann::json()) == step && file.contains("state"), "{}: is from another step",
          state_file.string());
  require(text("state_sha256") == sha256(file["state"].dump()), "{}: does not have the hash it was written with",
          state_file.string());
  require(text("sha256") == sha256(MappedFile(tensor_file).text()), "{}: does not have the hash it was written with",
          tensor_file.string());
  return {step, file["state"], SafeTensors(tensor_file)};
}

}  // namespace

Checkpoints::Checkpoints(fs::path folder) : folder_(std::move(folder)) {}

void Checkpoints::write(int64_t step, const nlohmann::json& state, std::span<const OutgoingTensor> tensors) {
  require(step >= 0, "a checkpoint of step {} cannot be written", step);
  const fs::path temporary = folder_ / fmt::format(".step-{}.{}", step, ::getpid());
  std::error_code error;
  fs::remove_all(temporary, error);
  fs::create_directories(temporary, error);
  if (error) failure("{}: cannot be created: {}", temporary.string(), error.message());
  // An answer may end within a character.
  const auto text_of = [](const nlohmann::json& json, int indent) {
    return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
  };
  try {
    const std::string sum = write_safetensors(temporary / "tensors.safetensors", tensors);
    const nlohmann::json file = {{"checkpoint", format_version},
                                 {"step", step},
                                 {"sha256", sum},
                                 {"state_sha256", sha256(text_of(state, -1))},
                                 {"state", state}};
    write_file(temporary / "state.json", text_of(file, 1) + '\n');
    replace_folder(temporary, folder_of(folder_, step));
  } catch (...) {
    fs::remove_all(temporary, error);
    throw;
  }
  // Steps after this one were torn, or newest() would have gone on from there: they must not outlive what replaces
  // them.
  int kept = 0;
  for (const int64_t other : steps_in(folder_))
    if (other > step || ++kept > 2) fs::remove_all(folder_of(folder_, other), error);
  for (const fs::path& path : entries(folder_))
    if (is_leftover(path)) fs::remove_all(path, error);
}

std::optional<Checkpoint> Checkpoints::newest() const {
  for (const int64_t step : steps_in(folder_)) {
    const fs::path folder = folder_of(folder_, step);
    try {
      return read(folder, step);
    } catch (const Error& e) {
      log::warning("checkpoint {} is damaged and was skipped ({})", folder.string(), e.what());
    }
  }
  return std::nullopt;
}

bool Checkpoints::any() const { return !steps_in(folder_).empty(); }

fs::path Checkpoints::set_aside(const std::string& owner, std::span<const fs::path> beside) {
  fs::path aside = aside_of(folder_, owner);
  std::error_code error;
  fs::create_directories(aside, error);
  if (error) failure("{}: cannot be created: {}", aside.string(), error.message());
  // The steps last: as long as one is here, who is killed meanwhile does it again.
  for (const fs::path& file : beside)
    if (fs::exists(file)) move_into(aside, file);
  for (const int64_t step : steps_in(folder_)) move_into(aside, folder_of(folder_, step));
  return aside;
}

bool Checkpoints::take_back(const std::string& owner) {
  const fs::path aside = aside_of(folder_, owner);
  const std::vector<fs::path> found = entries(aside);
  // The steps first: what stands beside them is told from that of others by a step that is here.
  for (const fs::path& path : found)
    if (step_of(path)) move_into(folder_, path);
  for (const fs::path& path : found)
    if (!step_of(path)) move_into(folder_.parent_path(), path);
  std::error_code ignored;
  fs::remove(aside, ignored);
  return !found.empty();
}

void Checkpoints::remove_aside_but(const fs::path& kept) {
  std::error_code error;
  for (const fs::path& path : entries(folder_)) {
    if (!is_aside(path) || path == kept) continue;
    fs::remove_all(path, error);
    if (!error) log::info("{}: removed; only the newest checkpoints of other settings are kept", path.string());
  }
}

void Checkpoints::remove_all() {
  std::error_code error;
  for (const fs::path& path : entries(folder_))
    if (step_of(path) || is_leftover(path) || is_aside(path)) fs::remove_all(path, error);
  fs::remove(folder_, error);  // only when nothing else lies there
}

}  // namespace rgm
