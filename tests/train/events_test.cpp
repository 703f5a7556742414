// events_test.cpp - TensorBoard events, byte by byte: framing, checksums, and the messages within.
#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <cstring>

#include "train/metrics.hpp"

namespace rgm {
namespace {

template <class T>
T load(std::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// CRC32C a bit at a time, so that the test does not share the code it tests.
uint32_t masked_crc32c(std::string_view bytes) {
  uint32_t crc = ~0u;
  for (const char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78 : 0);
  }
  crc = ~crc;
  return (crc >> 15 | crc << 17) + 0xA282EAD8;
}

std::vector<std::string> records(const fs::path& folder) {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string bytes = read_file(entry.path());
    for (size_t at = 0; at < bytes.size();) {
      const auto size = load<uint64_t>(bytes, at);
      EXPECT_EQ(load<uint32_t>(bytes, at + 8), masked_crc32c(std::string_view(bytes).substr(at, 8)));
      out.push_back(bytes.substr(at + 12, size));
      EXPECT_EQ(load<uint32_t>(bytes, at + 12 + size), masked_crc32c(out.back()));
      at += 16 + size;
    }
  }
  return out;
}

class Events : public testing::Test {
 protected:
  Events() : folder_(fs::temp_directory_path() / ("regimen-events-" + std::to_string(getpid()))) {}
  ~Events() override { fs::remove_all(folder_); }
  fs::path folder_;
};

TEST(Crc32c, OfTheStandardTextIsTheStandardNumber) {
  const uint32_t crc = 0xE3069283;  // of "123456789", RFC 3720
  EXPECT_EQ(masked_crc32c("123456789"), (crc >> 15 | crc << 17) + 0xA282EAD8);
}

TEST_F(Events, BeginWithTheVersionThatReadersAskFor) {
  { EventFile file(folder_, 0); }
  const auto all = records(folder_);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0][0], '\x09');  // wall_time, eight bytes
  EXPECT_EQ(all[0].substr(9), "\x10" + std::string(1, '\0') + "\x1A\x0D" + "brain.Event:2");
}

TEST_F(Events, AScalarIsATagAndAFloat) {
  EventFile(folder_, 0).write(300, {{"loss", 1.5}});
  const auto all = records(folder_);
  ASSERT_EQ(all.size(), 3u);                // version, session start, summary
  const std::string step = "\x10\xAC\x02";  // 300 as a varint
  EXPECT_EQ(all[1].substr(9), step + "\x3A\x02\x08\x01");
  const std::string value = std::string("\x0A\x04") + "loss" + "\x15" + std::string("\0\0\xC0\x3F", 4);
  EXPECT_EQ(all[2].substr(9), step + "\x2A\x0D" + "\x0A\x0B" + value);
}

TEST_F(Events, FilesOfOneSecondDoNotOverwriteEachOther) {
  EventFile first(folder_, 0), second(folder_, 10);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 2);
}

TEST_F(Events, ARunThatGoesOnAddsAFileAndOneThatBeginsAnewHasOnlyItsOwn) {
  EventFile(folder_, 0).write(10, {{"loss", 1.5}});
  write_file(folder_ / "metrics.jsonl", "");
  const auto files = [&] { return std::distance(fs::directory_iterator(folder_), {}) - 1; };
  { EventFile file(folder_, 10); }
  EXPECT_EQ(files(), 2);
  { EventFile file(folder_, 0); }
  EXPECT_EQ(files(), 1);
  EXPECT_TRUE(fs::exists(folder_ / "metrics.jsonl"));
}

}  // namespace
}  // namespace rgm
