// gguf.hpp - the file format of llama.cpp: version 3, little-endian; metadata as keys with typed values, a table of
// tensors, and their data. Only written here.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "artefact/safetensors.hpp"

namespace rgm {

using GgufValue = std::variant<uint32_t, float, bool, std::string, std::vector<int32_t>, std::vector<float>,
                               std::vector<bool>, std::vector<std::string>>;
// In the order in which they are written.
using GgufMetadata = std::vector<std::pair<std::string, GgufValue>>;

// The numbers are the format's. q8_0: blocks of 32 numbers of a row, a scale in float16 and a byte each.
enum class GgufType : uint32_t { float32 = 0, float16 = 1, q8_0 = 8, bfloat16 = 30 };
inline constexpr int64_t gguf_block = 32;

// float32, float16, bfloat16 or q8_0. RGM_INVALID with those that there are.
GgufType gguf_type(const std::string& name);
uint32_t gguf_file_type(GgufType type);  // for the key general.file_type
float gguf_limit(GgufType type);         // from here on, numbers would become infinite

// A tensor of float32 or bfloat16, and what it is written as. Its shape is ours, the last axis being that of neighbours
// in memory; the file has the axes in the other order.
struct GgufTensor {
  OutgoingTensor values;
  GgufType type = GgufType::float32;
};

// Written whole or not at all, with a few megabytes of memory.
void write_gguf(const fs::path& path, const GgufMetadata& metadata, std::span<const GgufTensor> tensors);

uint16_t to_float16(float x);   // the nearest, of two equally near ones the even one
uint16_t to_bfloat16(float x);  // likewise
// `values` as they stand in a file; of q8_0, their number is a multiple of 32.
std::vector<std::byte> gguf_bytes(std::span<const float> values, GgufType type);

}  // namespace rgm
