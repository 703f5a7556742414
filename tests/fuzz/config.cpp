// config.cpp - a model's config.json, read and written again.
#include <nlohmann/json.hpp>

#include "fuzz/fuzz.hpp"
#include "model/family.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rgm;
  const auto json = nlohmann::json::parse(data, data + size, nullptr, false);
  if (json.is_discarded()) return 0;
  fuzz::only_errors([&] { to_hugging_face(from_hugging_face(json, "config.json")); });
  return 0;
}
