// records.cpp - what a run left, as the next one and the report read it: metrics, a stage's record, a checkpoint.
#include "artefact/checkpoint.hpp"
#include "fuzz/fuzz.hpp"
#include "train/report.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rgm;
  const std::string_view text = fuzz::text_of(data, size);
  const size_t first = text.find('\0'), second = first == text.npos ? first : text.find('\0', first + 1);
  const auto part = [&](size_t begin, size_t end) {
    return begin == text.npos ? std::string_view() : text.substr(begin + (begin != 0), end - begin - (begin != 0));
  };
  fuzz::only_errors([&] {
    fs::create_directories(fuzz::folder() / "run/base/checkpoint/step-1");
    fuzz::file("run/run.json", R"({"pipeline": "p", "stages": ["base"]})");
    fuzz::file("run/base/metrics.jsonl", part(0, first));
    fuzz::file("run/base/stage.json", part(first, second));
    write_report(fuzz::folder() / "run");
    fuzz::file("run/base/checkpoint/step-1/state.json", part(second, text.size()));
    Checkpoints(fuzz::folder() / "run/base/checkpoint").newest();
  });
  return 0;
}
