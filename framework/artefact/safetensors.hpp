// safetensors.hpp - the file format of weights: 8 bytes of length, a JSON header, raw little-endian data. Reading maps
// the file and copies nothing.
#pragma once
#include <regimen/abi/base.h>

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"

namespace rgm {

struct SavedTensor {
  std::string name;
  rgm_dtype dtype = RGM_F32;
  std::vector<int64_t> shape;
  std::span<const std::byte> data;  // row-major; borrowed
};

class SafeTensors {
 public:
  // Maps and checks the whole header: RGM_INVALID with path and what is wrong (truncated, overlapping, sizes that do
  // not agree, unknown dtype, header over 100 MB).
  explicit SafeTensors(const fs::path& path);
  const std::vector<SavedTensor>& tensors() const { return tensors_; }  // in the file's order
  const SavedTensor* find(std::string_view name) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  // Keeps the mapping alive for as long as somebody uses the data.
  std::shared_ptr<void> owner() const { return file_; }

 private:
  std::shared_ptr<MappedFile> file_;
  std::vector<SavedTensor> tensors_;
  std::map<std::string, size_t, std::less<>> index_;
  std::map<std::string, std::string> metadata_;
};

// One that is still to be written: its data need not be in memory before its turn.
struct OutgoingTensor {
  using Put = std::function<void(std::span<const std::byte> piece)>;
  std::string name;
  rgm_dtype dtype = RGM_F32;
  std::vector<int64_t> shape;
  std::function<void(const Put& put)> data;  // hands it over from first to last, row-major, in pieces of any size
};
OutgoingTensor outgoing(const SavedTensor& borrowed);  // its data is there until it is written

// Written whole or not at all; answers the SHA-256 of the file.
std::string write_safetensors(const fs::path& path, std::span<const OutgoingTensor> tensors,
                              const std::map<std::string, std::string>& metadata = {});
std::string write_safetensors(const fs::path& path, std::span<const SavedTensor> tensors,
                              const std::map<std::string, std::string>& metadata = {});

}  // namespace rgm
