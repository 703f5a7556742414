// gguf_test.cpp - the bytes of a GGUF file, and what its types make of numbers.
#include "artefact/gguf.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "artefact/folder.hpp"
#include "artefact/gguf_reader.hpp"
#include "base/error.hpp"

namespace rgm {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;

GgufTensor tensor_of(const std::string& name, std::vector<int64_t> shape, std::vector<float> values,
                     GgufType type = GgufType::float32) {
  return {{name, RGM_F32, std::move(shape),
           [values](const OutgoingTensor::Put& put) { put(std::as_bytes(std::span(values))); }},
          type};
}

std::vector<int> in_bytes(std::span<const float> values, GgufType type) {
  std::vector<int> out;
  for (const std::byte b : gguf_bytes(values, type)) out.push_back(std::to_integer<int>(b));
  return out;
}

TEST(Gguf, AFileIsTheseBytes) {
  const test::Folder folder;
  const std::vector<GgufTensor> tensors{tensor_of("w", {1, 2}, {1, -2})};
  write_gguf(folder / "a.gguf", {{"a", uint32_t{7}}, {"b", "xy"}}, tensors);
  using namespace std::string_literals;
  std::string expected = "GGUF\3\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0"s;    // version, tensors, keys
  expected += "\1\0\0\0\0\0\0\0a\4\0\0\0\7\0\0\0"s;                          // a number of type 4
  expected += "\1\0\0\0\0\0\0\0b\10\0\0\0\2\0\0\0\0\0\0\0xy"s;               // a text, of type 8
  expected += "\1\0\0\0\0\0\0\0w\2\0\0\0\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0"s;  // two axes, 2 and 1
  expected += "\0\0\0\0\0\0\0\0\0\0\0\0"s;                                   // float32, at 0
  expected.resize(128);                                                      // from 105: a multiple of 32
  expected += "\0\0\x80\x3F\0\0\0\xC0"s;
  expected.resize(160);
  EXPECT_EQ(read_file(folder / "a.gguf"), expected);
}

TEST(Gguf, EveryKindOfValueComesBack) {
  const test::Folder folder;
  write_gguf(folder / "a.gguf",
             {{"size", uint32_t{4'000'000'000}},
              {"real", 0.5F},
              {"yes", true},
              {"text", "ä"},
              {"whole", std::vector<int32_t>{-1, 2}},
              {"reals", std::vector<float>{0.25F}},
              {"flags", std::vector<bool>{true, false}},
              {"words", std::vector<std::string>{"", "b c"}},
              {"none", std::vector<std::string>{}}},
             {});
  const test::ReadGguf file(folder / "a.gguf");
  EXPECT_THAT(file.numbers.at("size"), ElementsAre(4e9));
  EXPECT_THAT(file.numbers.at("real"), ElementsAre(0.5));
  EXPECT_THAT(file.numbers.at("yes"), ElementsAre(1));
  EXPECT_THAT(file.texts.at("text"), ElementsAre("ä"));
  EXPECT_THAT(file.numbers.at("whole"), ElementsAre(-1, 2));
  EXPECT_THAT(file.numbers.at("reals"), ElementsAre(0.25));
  EXPECT_THAT(file.numbers.at("flags"), ElementsAre(1, 0));
  EXPECT_THAT(file.texts.at("words"), ElementsAre("", "b c"));
  EXPECT_TRUE(file.texts.at("none").empty());
}

TEST(Gguf, HalvesAreTheNearestAndEvenWhereTwoAreEquallyNear) {
  EXPECT_EQ(to_float16(1), 0x3C00);
  EXPECT_EQ(to_float16(-2), 0xC000);
  EXPECT_EQ(to_float16(0.1F), 0x2E66);
  EXPECT_EQ(to_float16(1 + 0x1p-11F), 0x3C00);
  EXPECT_EQ(to_float16(1 + 0x3p-11F), 0x3C02);
  EXPECT_EQ(to_float16(65504), 0x7BFF);
  EXPECT_EQ(to_float16(65520), 0x7C00) << "infinite";
  EXPECT_EQ(to_float16(0x1p-14F), 0x0400);
  EXPECT_EQ(to_float16(0x1p-24F), 0x0001) << "the smallest";
  EXPECT_EQ(to_float16(0x1p-25F), 0x0000);
  EXPECT_EQ(to_float16(-0x3p-25F), 0x8002);
  EXPECT_EQ(to_bfloat16(1), 0x3F80);
  EXPECT_EQ(to_bfloat16(1 + 0x1p-8F), 0x3F80);
  EXPECT_EQ(to_bfloat16(1 + 0x3p-8F), 0x3F82);
}

// The largest is 127 steps; -63.5 steps are rounded away from 0.
TEST(Gguf, ABlockOfQ8IsAScaleAndSteps) {
  std::vector<float> values(32);
  for (size_t i = 0; i < 30; ++i) values[i] = static_cast<float>(i) / 2;
  values[30] = -31.75F, values[31] = 63.5F;
  std::vector<int> expected{0x00, 0x38};  // 0.5
  for (int i = 0; i < 30; ++i) expected.push_back(i);
  expected.push_back(256 - 64), expected.push_back(127);
  EXPECT_THAT(in_bytes(values, GgufType::q8_0), ElementsAreArray(expected));
  EXPECT_THAT(in_bytes(std::vector<float>(32), GgufType::q8_0), ElementsAreArray(std::vector<int>(34)));
}

TEST(Gguf, TensorsComeBackInEveryType) {
  const test::Folder folder;
  std::vector<float> values;
  for (int i = 0; i < 96; ++i) values.push_back(static_cast<float>(i - 48) / 8);
  std::vector<GgufTensor> tensors;
  for (const char* type : {"float32", "float16", "bfloat16", "q8_0"})
    tensors.push_back(tensor_of(type, {3, 32}, values, gguf_type(type)));
  write_gguf(folder / "a.gguf", {}, tensors);
  const test::ReadGguf file(folder / "a.gguf");
  for (const auto& [type, tensor] : file.tensors) {
    EXPECT_THAT(tensor.sizes, ElementsAre(32, 3)) << type;
    EXPECT_EQ(tensor.type, static_cast<uint32_t>(gguf_type(type)));
    const float step = type == "q8_0" ? 6.0F / 127 : 0;  // of the block with the largest
    for (size_t i = 0; i < values.size(); ++i)
      ASSERT_NEAR(tensor.values[i], values[i], step / 2 + 0.004 * step) << type;
  }
}

std::string gguf_refusal(const fs::path& path, std::vector<GgufTensor> tensors) {
  try {
    write_gguf(path, {}, tensors);
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), RGM_INVALID);
    return e.what();
  }
  return "written";
}

TEST(Gguf, WhatDoesNotAgreeIsRefusedAndLeavesNoFile) {
  const test::Folder folder;
  const auto path = folder / "a.gguf";
  EXPECT_THAT(gguf_refusal(path, {tensor_of("w", {2}, {1})}), HasSubstr("tensor \"w\" has 4 bytes, its shape says 8"));
  EXPECT_THAT(gguf_refusal(path, {tensor_of("w", {1}, {1}), tensor_of("w", {1}, {1})}),
              HasSubstr("tensor \"w\" cannot be written twice"));
  EXPECT_THAT(gguf_refusal(path, {tensor_of("w", {2, 40}, std::vector<float>(80), GgufType::q8_0)}),
              HasSubstr("tensor \"w\" has rows of 40, q8_0 needs a multiple of 32"));
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

// 127 steps of at most 65504 each.
TEST(Gguf, AValueThatWouldBecomeInfiniteIsRefused) {
  const test::Folder folder;
  const auto path = folder / "a.gguf";
  const auto said = [&](float value, GgufType type) {
    std::vector<float> values(32);
    values[5] = value;
    return gguf_refusal(path, {tensor_of("w", {32}, values, type)});
  };
  EXPECT_EQ(said(65519, GgufType::float16), "written");
  EXPECT_EQ(said(-65520, GgufType::bfloat16), "written");
  EXPECT_EQ(said(8321039, GgufType::q8_0), "written");
  fs::remove(path);
  EXPECT_THAT(said(-65520, GgufType::float16),
              HasSubstr("tensor \"w\" has the value -65520, and its type ends below 65520: write bfloat16 or float32"));
  EXPECT_THAT(said(8321040, GgufType::q8_0), HasSubstr("ends below 8321040"));
  for (const GgufType type : {GgufType::float32, GgufType::q8_0}) {
    EXPECT_THAT(said(NAN, type), HasSubstr("has the value nan: its training diverged"));
    EXPECT_THAT(said(INFINITY, type), HasSubstr("has the value inf: its training diverged"));
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(Gguf, AnUnknownTypeIsAnsweredWithThoseThereAre) {
  try {
    gguf_type("q4_k_m");
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("only float32, float16, bfloat16, q8_0; llama.cpp's llama-quantize"));
  }
}

}  // namespace
}  // namespace rgm
