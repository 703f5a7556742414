// scratch.hpp - a folder that goes with its scope, and a model that is large enough to be wrong.
#pragma once
#include <memory>

#include "base/file.hpp"
#include "model/model.hpp"

namespace rgm::inspect {

class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Two layers of 16 channels over bytes, with weights four times as large as usual, so that every part is felt.
std::shared_ptr<Model> tiny_model(uint64_t seed = 7);
void save_tiny_model(const fs::path& folder, uint64_t seed = 7);
// (rows, length) I32, bytes of letters from `first` on
Tensor tiny_tokens(int64_t rows, int64_t length, char first = 'a');

}  // namespace rgm::inspect
