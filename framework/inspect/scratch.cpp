// scratch.cpp - where trials put their files, and what they train.
#include "inspect/scratch.hpp"

#include "tensor/ops.hpp"

namespace rgm::inspect {

ScratchFolder::ScratchFolder() : path_(make_temporary_folder("check")) {}
ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::shared_ptr<Model> tiny_model(uint64_t seed) {
  ModelConfig c;
  c.family = &family("gpt2");
  c.layers = 2, c.heads = 4, c.kv_heads = 4, c.head_dim = 4, c.channels = 16, c.hidden = 32, c.context = 32;
  c.vocabulary = byte_tokenizer()->vocabulary();
  auto model = Model::create(c, byte_tokenizer(), seed);
  const NoGradient still;
  for (Parameter& p : model->parameters().all())
    if (p.value.rank() == 2) assign(p.value, 4 * p.value);
  return model;
}

void save_tiny_model(const fs::path& folder, uint64_t seed) {
  fs::create_directories(folder);
  tiny_model(seed)->save(folder);
}

Tensor tiny_tokens(int64_t rows, int64_t length, char first) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < rows * length; ++i) ids.push_back(static_cast<int32_t>(first + (i * i + 3 * i) % 26));
  return from_host(std::span<const int32_t>(ids), {rows, length});
}

}  // namespace rgm::inspect
