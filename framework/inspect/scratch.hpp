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
std::shared_ptr<Model> tiny_model();
void save_tiny_model(const fs::path& folder);
// (rows, length) I32, bytes of letters
Tensor tiny_tokens(int64_t rows, int64_t length);

}  // namespace rgm::inspect
