// safetensors_test.cpp - weights come back as they were written, and no header, however hostile, is believed.
#include "artefact/safetensors.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <ctime>
#include <limits>

#include "artefact/folder.hpp"
#include "base/error.hpp"
#include "base/sha256.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

template <class T>
std::span<const std::byte> bytes(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

std::string with_header(const std::string& header, const std::string& data = "") {
  const uint64_t length = header.size();
  std::string out(8, '\0');
  std::memcpy(out.data(), &length, 8);
  return out + header + data;
}

// What reading a file with this content says.
std::string refusal(const std::string& content) {
  const test::Folder folder;
  const auto path = folder / "hostile.safetensors";
  write_file(path, content);
  try {
    const SafeTensors file(path);
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), RGM_INVALID);
    EXPECT_THAT(e.what(), HasSubstr("hostile.safetensors"));
    return e.what();
  }
  return "read";
}
std::string refusal_of_entry(const std::string& entry, const std::string& data = std::string(8, 'x')) {
  return refusal(with_header("{\"w\":" + entry + "}", data));
}

TEST(SafeTensors, ComeBackAsWritten) {
  const test::Folder folder;
  const auto path = folder / "model.safetensors";
  const std::vector<float> weight{1, 2, 3, 4, 5, 6};
  const std::vector<int64_t> position{-7};
  const std::vector<uint16_t> half{0x3f80, 0x4000};
  const std::vector<uint8_t> mask{1, 0, 1};
  const std::vector<SavedTensor> tensors{{"w", RGM_F32, {2, 3}, bytes(weight)}, {"p", RGM_I64, {}, bytes(position)},
                                         {"h", RGM_BF16, {2}, bytes(half)},     {"nothing", RGM_F16, {0, 4}, {}},
                                         {"mask", RGM_BOOL, {3}, bytes(mask)},  {"bytes", RGM_U8, {3}, bytes(mask)}};
  const std::string sum = write_safetensors(path, tensors, {{"format", "pt"}});
  EXPECT_EQ(sum, sha256(read_file(path)));

  const SafeTensors file(path);
  ASSERT_EQ(file.tensors().size(), 6U);
  EXPECT_EQ(file.tensors()[0].name, "w");
  EXPECT_EQ(file.tensors()[5].name, "bytes");
  EXPECT_EQ(file.metadata().at("format"), "pt");
  for (const SavedTensor& t : tensors) {
    const SavedTensor* read = file.find(t.name);
    ASSERT_NE(read, nullptr) << t.name;
    EXPECT_EQ(read->dtype, t.dtype);
    EXPECT_EQ(read->shape, t.shape);
    EXPECT_TRUE(std::ranges::equal(read->data, t.data)) << t.name;
  }
  EXPECT_EQ(file.find("absent"), nullptr);
}

TEST(SafeTensors, DataBeginsAtAMultipleOfEight) {
  const test::Folder folder;
  const std::vector<float> one{1};
  for (const std::string name : {"a", "ab", "abc", "abcd", "abcde"}) {
    const std::vector<SavedTensor> tensors{{name, RGM_F32, {1}, bytes(one)}};
    write_safetensors(folder / name, tensors);
    EXPECT_EQ((fs::file_size(folder / name) - 4) % 8, 0U) << name;
  }
}

TEST(SafeTensors, AnEmptySetIsAFile) {
  const test::Folder folder;
  write_safetensors(folder / "empty", std::vector<SavedTensor>());
  EXPECT_TRUE(SafeTensors(folder / "empty").tensors().empty());
}

TEST(SafeTensors, NamesMayBeAnyText) {
  const test::Folder folder;
  const std::vector<float> one{1};
  const std::vector<SavedTensor> tensors{{"a \"quoted\" \\ näme\n", RGM_F32, {1}, bytes(one)}};
  write_safetensors(folder / "f", tensors);
  EXPECT_NE(SafeTensors(folder / "f").find(tensors[0].name), nullptr);
}

// A mixture of 128 experts in 48 layers has 18,867. Eight times as many take eight times as long, not 64 times.
TEST(SafeTensors, ManyTensorsAreReadInTimeThatGrowsAsTheyDo) {
  const test::Folder folder;
  const auto clocks_of = [&](int tensors) {
    std::string header = "{";
    for (int i = 0; i < tensors; ++i)
      header +=
          fmt::format(R"({}"t{}":{{"dtype":"U8","shape":[1],"data_offsets":[{},{}]}})", i ? "," : "", i, i, i + 1);
    write_file(folder / "f", with_header(header + "}", std::string(static_cast<size_t>(tensors), 'x')));
    std::clock_t best = std::numeric_limits<std::clock_t>::max();
    for (int i = 0; i < 3; ++i) {
      const std::clock_t begin = std::clock();
      EXPECT_NE(SafeTensors(folder / "f").find(fmt::format("t{}", tensors - 1)), nullptr);
      best = std::min(best, std::clock() - begin);
    }
    return static_cast<double>(best);
  };
  const double few = clocks_of(1000);
  EXPECT_LT(clocks_of(8000), 24 * few);
}

TEST(SafeTensors, EveryTruncationIsRefused) {
  const test::Folder folder;
  const std::vector<float> weight{1, 2};
  const std::vector<SavedTensor> tensors{{"w", RGM_F32, {2}, bytes(weight)}};
  write_safetensors(folder / "whole", tensors);
  const std::string whole = read_file(folder / "whole");
  for (size_t n = 0; n < whole.size(); ++n) EXPECT_NE(refusal(whole.substr(0, n)), "read") << n;
  EXPECT_THAT(refusal(whole + "x"), HasSubstr("1 bytes at the end belong to no tensor"));
}

TEST(SafeTensors, AHeaderOfFourGigabytesIsNotAllocated) {
  std::string content(64, 'x');
  const uint64_t length = uint64_t{4} << 30;
  std::memcpy(content.data(), &length, 8);
  EXPECT_THAT(refusal(content), HasSubstr("4294967296"));
  std::memset(content.data(), 0xff, 8);
  EXPECT_THAT(refusal(content), HasSubstr("at most"));
}

TEST(SafeTensors, AHeaderThatIsNoObjectIsRefused) {
  EXPECT_THAT(refusal(with_header("[1, 2]")), HasSubstr("array"));
  EXPECT_THAT(refusal(with_header("{\"w\":")), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal(with_header("")), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal(with_header("{\"w\":{\"a\":{\"b\":{\"c\":{\"d\":{}}}}}}")), HasSubstr("nested"));
  EXPECT_THAT(refusal(with_header(std::string(100000, '['))), HasSubstr("nested"));
  EXPECT_THAT(refusal_of_entry("7"), HasSubstr("number"));
  EXPECT_THAT(refusal(with_header(R"({"__metadata__":{"a":1}})")), HasSubstr("is not text"));
}

TEST(SafeTensors, UnknownTypesAndMissingMembersAreNamed) {
  EXPECT_THAT(refusal_of_entry(R"({"dtype":"F64","shape":[1],"data_offsets":[0,8]})"), HasSubstr("\"F64\""));
  EXPECT_THAT(refusal_of_entry(R"({"dtype":3,"shape":[1],"data_offsets":[0,8]})"), HasSubstr("type 3"));
  EXPECT_THAT(refusal_of_entry(R"({"dtype":"F32","data_offsets":[0,8]})"), HasSubstr("no \"shape\""));
}

TEST(SafeTensors, ShapesThatNoFileHasAreRefused) {
  const auto shape = [](const std::string& text) {
    return refusal_of_entry(R"({"dtype":"F32","shape":)" + text + R"(,"data_offsets":[0,8]})");
  };
  EXPECT_EQ(shape("[2]"), "read");
  EXPECT_THAT(shape("[-2]"), HasSubstr("[-2]"));
  EXPECT_THAT(shape("[2.0]"), HasSubstr("[2.0]"));
  EXPECT_THAT(shape("[3]"), HasSubstr("does not fill"));
  EXPECT_THAT(shape("[4294967296,4294967296]"), HasSubstr("does not fill"));  // 2^64 elements: 0 when it overflows
  EXPECT_THAT(shape("[9223372036854775807,2]"), HasSubstr("does not fill"));
  EXPECT_THAT(shape("[18446744073709551615]"), HasSubstr("0 or more"));
  EXPECT_THAT(shape("[1,1,1,1,1,1,1,1,2]"), HasSubstr("at most 8"));
  EXPECT_THAT(shape("2"), HasSubstr("at most 8"));
}

TEST(SafeTensors, PlacesThatDoNotTileTheFileAreRefused) {
  const auto place = [](const std::string& text) {
    return refusal_of_entry(R"({"dtype":"F32","shape":[2],"data_offsets":)" + text + "}");
  };
  EXPECT_THAT(place("[0,9]"), HasSubstr("truncated"));
  EXPECT_THAT(place("[8,0]"), HasSubstr("truncated"));
  EXPECT_THAT(place("[-8,0]"), HasSubstr("two sizes"));
  EXPECT_THAT(place("[0]"), HasSubstr("two sizes"));
  const std::string a = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  const auto beside = [&](const std::string& offsets) {
    return refusal(with_header("{" + a + R"(,"b":{"dtype":"F32","shape":[1],"data_offsets":)" + offsets + "}}",
                               std::string(8, 'x')));
  };
  EXPECT_EQ(beside("[4,8]"), "read");
  EXPECT_THAT(beside("[0,4]"), HasSubstr("overlaps"));
  EXPECT_THAT(beside("[2,6]"), HasSubstr("overlaps"));
  EXPECT_THAT(refusal(with_header("{" + a + "," + a + "}", "1234")), HasSubstr("has \"a\" twice"));
  EXPECT_THAT(refusal_of_entry(R"({"dtype":"F32","shape":[1],"dtype":"F32"})"), HasSubstr("has \"dtype\" twice"));
  EXPECT_THAT(refusal_of_entry(R"({"dtype":"F32","shape":[1],"data_offsets":[4,8]})"),
              HasSubstr("belong to no tensor"));
}

TEST(SafeTensors, WhatDoesNotAgreeIsNotWritten) {
  const test::Folder folder;
  const std::vector<float> one{1};
  const std::vector<SavedTensor> wrong{{"w", RGM_F32, {2}, bytes(one)}};
  EXPECT_THROW(write_safetensors(folder / "f", wrong), Error);
  const std::vector<SavedTensor> twice{{"w", RGM_F32, {1}, bytes(one)}, {"w", RGM_F32, {1}, bytes(one)}};
  EXPECT_THROW(write_safetensors(folder / "f", twice), Error);
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

}  // namespace
}  // namespace rgm
