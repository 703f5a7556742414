// safetensors.cpp - a file of weights: every byte of every tensor that it says it has is there.
#include "artefact/safetensors.hpp"
#include "fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rgm;
  fuzz::only_errors([&] {
    const SafeTensors file(fuzz::file("model.safetensors", fuzz::text_of(data, size)));
    unsigned sum = 0;
    for (const SavedTensor& tensor : file.tensors())
      for (const std::byte b : tensor.data) sum += static_cast<unsigned>(b);
    const volatile unsigned seen = sum;  // so that they are read
    static_cast<void>(seen);
  });
  return 0;
}
