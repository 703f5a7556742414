// pipeline.cpp - a pipeline's file, read and checked as `regimen check` does, with components that cannot run.
#include "fuzz/fuzz.hpp"
#include "pipeline/fake_components.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rgm;
  static const bool ready = [] {
    fuzz::file("a.txt", "some text\n");
    fuzz::file("p.jsonl", "{\"prompt\": \"some text\"}\n");
    return true;
  }();
  fuzz::only_errors([&] {
    if (ready)
      read_pipeline(fuzz::file("p.yaml", fuzz::text_of(data, size)), {}, fake::find,
                    [](const fs::path&, const std::string&) {});
  });
  return 0;
}
