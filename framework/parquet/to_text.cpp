// to_text.cpp - dates, times, decimals and UUIDs as people write them.
#include <chrono>
#include <cstring>

#include "base/error.hpp"
#include "parquet/to_json.hpp"

namespace rgm::parquet {
namespace {

constexpr int64_t seconds_of_day = 86'400;

// Rounded down, also in front of 1970.
int64_t floor_of(int64_t value, int64_t by) { return value / by - (value % by < 0); }
// What that leaves, from 0 on.
int64_t rest_of(int64_t value, int64_t by) { return value % by + (value % by < 0 ? by : 0); }

}  // namespace

std::string date_text(int64_t days) {
  constexpr int64_t most = 366 * int64_t{9999};
  if (days < -most || days > most) throw Unsupported(fmt::format("holds a date {} days from 1970", days));
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(days))};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()));
}

// Parts of a second where there are any, as many digits as the unit has.
std::string time_text(int64_t units, int64_t second) {
  const int64_t whole = units / second, part = units % second;
  if (units < 0 || whole > seconds_of_day)
    throw Unsupported(fmt::format("holds a time {} s after midnight", floor_of(units, second)));
  const int digits = second == 1'000 ? 3 : second == 1'000'000 ? 6 : 9;
  return fmt::format("{:02}:{:02}:{:02}{}", whole / 3600, whole / 60 % 60, whole % 60,
                     part ? fmt::format(".{:0{}}", part, digits) : "");
}

std::string timestamp_text(int64_t units, const SchemaElement& type) {
  const int64_t day = seconds_of_day * type.second;
  return date_text(floor_of(units, day)) + 'T' + time_text(rest_of(units, day), type.second) + (type.is_utc ? "Z" : "");
}

// Nanoseconds of the day, then the day, of which 2440588 is the first of 1970.
std::string int96_text(std::string_view bytes) {
  int64_t part = 0;
  int32_t day = 0;
  std::memcpy(&part, bytes.data(), sizeof part);
  std::memcpy(&day, bytes.data() + sizeof part, sizeof day);
  require(part >= 0 && part < seconds_of_day * 1'000'000'000, "has a time of {} ns in a day", part);
  return date_text(int64_t{day} - 2'440'588) + 'T' + time_text(part, 1'000'000'000);
}

std::string decimal_text(std::string_view big_endian, int64_t scale) {
  constexpr int64_t most = 76;  // digits of 256 bits
  if (big_endian.size() > 32 || scale < 0 || scale > most)
    throw Unsupported(fmt::format("holds decimals of {} bytes and the scale {}", big_endian.size(), scale));
  std::string left(big_endian);
  const bool is_negative = !left.empty() && left[0] < 0;
  if (is_negative) {  // two's complement
    int carry = 1;
    for (size_t i = left.size(); i-- > 0;) {
      carry += static_cast<uint8_t>(~left[i]);
      left[i] = static_cast<char>(carry);
      carry >>= 8;
    }
  }
  std::string digits;  // the last one first
  while (left.find_first_not_of('\0') != left.npos) {
    int rest = 0;
    for (char& byte : left) {
      const int value = rest * 256 + static_cast<uint8_t>(byte);
      byte = static_cast<char>(value / 10);
      rest = value % 10;
    }
    digits += static_cast<char>('0' + rest);
  }
  while (std::ssize(digits) <= scale) digits += '0';
  if (scale > 0) digits.insert(static_cast<size_t>(scale), 1, '.');
  return (is_negative ? "-" : "") + std::string(digits.rbegin(), digits.rend());
}

std::string uuid_text(std::string_view bytes) {
  std::string out;
  for (size_t i = 0; i < bytes.size(); ++i)
    out += fmt::format("{}{:02x}", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", static_cast<uint8_t>(bytes[i]));
  return out;
}

}  // namespace rgm::parquet
