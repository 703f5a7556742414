// events.cpp - TensorBoard's event files: TFRecords (length, masked CRC32C, data, masked CRC32C) of Event messages.
// The few protobuf fields are encoded by hand: wall_time 1, step 2, file_version 3, summary 5, session_log 7.
#include <unistd.h>

#include <atomic>
#include <bit>
#include <boost/crc.hpp>
#include <chrono>

#include "base/error.hpp"
#include "train/metrics.hpp"

namespace rgm {

namespace {

static_assert(std::endian::native == std::endian::little, "records are little-endian");

template <class T>
void append_raw(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

enum WireType : uint64_t { varint = 0, eight_bytes = 1, sized = 2, four_bytes = 5 };
void append_key(std::string& out, uint64_t field, WireType type) { append_varint(out, field << 3 | type); }

void append_sized(std::string& out, uint64_t field, std::string_view data) {
  append_key(out, field, sized);
  append_varint(out, data.size());
  out.append(data);
}

// Masked, because a CRC stored beside the data that it covers would otherwise be covered by the next one.
uint32_t masked_crc(std::string_view data) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;  // CRC32C, Castagnoli
  crc.process_bytes(data.data(), data.size());
  return std::rotr(static_cast<uint32_t>(crc.checksum()), 15) + 0xA282EAD8u;
}

std::string record(std::string_view data) {
  std::string out;
  append_raw(out, static_cast<uint64_t>(data.size()));
  append_raw(out, masked_crc(out));
  out.append(data);
  append_raw(out, masked_crc(data));
  return out;
}

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string event(int64_t step) {
  std::string out;
  append_key(out, 1, eight_bytes);
  append_raw(out, wall_time());
  append_key(out, 2, varint);
  append_varint(out, static_cast<uint64_t>(step));
  return out;
}

constexpr std::string_view name_begins = "events.out.tfevents.";

// The time sorts files as TensorBoard reads them; process and number keep two files of one second apart.
std::string file_name() {
  static std::atomic<int> files{0};
  char machine[256] = "host";
  gethostname(machine, sizeof machine - 1);
  return fmt::format("{}{:010}.{}.{}.{}", name_begins, static_cast<int64_t>(wall_time()), machine, getpid(), files++);
}

// TensorBoard would show their steps beside the new ones.
void remove_events(const fs::path& folder) {
  std::vector<fs::path> old;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_regular_file() && entry.path().filename().string().starts_with(name_begins)) old.push_back(entry);
  for (const fs::path& file : old) fs::remove(file);
}

fs::path new_file(const fs::path& folder, int64_t resume_after_step) {
  fs::create_directories(folder);
  if (resume_after_step <= 0) remove_events(folder);
  return folder / file_name();
}

}  // namespace

EventFile::EventFile(const fs::path& folder, int64_t resume_after_step)
    : file_(new_file(folder, resume_after_step), 0) {
  std::string version = event(0);
  append_sized(version, 3, "brain.Event:2");
  append(version);
}

void EventFile::append(std::string_view message) { file_.append(record(message), Sync::no); }

void EventFile::write(int64_t step, const Numbers& numbers) {
  if (!std::exchange(started_, true)) {
    // A session that starts makes TensorBoard drop what an interrupted run had written from this step on.
    std::string start = event(step);
    append_sized(start, 7, std::string_view("\x08\x01", 2));  // status: START
    append(start);
  }
  std::string summary;
  for (const auto& [name, value] : numbers) {
    std::string scalar;
    append_sized(scalar, 1, name);
    append_key(scalar, 2, four_bytes);
    append_raw(scalar, static_cast<float>(value));
    append_sized(summary, 1, scalar);
  }
  std::string message = event(step);
  append_sized(message, 5, summary);
  append(message);
}

}  // namespace rgm
