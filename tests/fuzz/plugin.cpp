// plugin.cpp - a file that says it is a plug-in, as far as it is read before anything of it is loaded.
#include "fuzz/fuzz.hpp"
#include "plugins/peek.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rgm;
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  fuzz::only_errors([&] { peek(bytes); });
  fuzz::only_errors([&] { symbols_of(bytes); });
  return 0;
}
