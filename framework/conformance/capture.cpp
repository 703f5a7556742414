// capture.cpp - work that is captured runs when it is replayed, as often as that, and on what the memory holds by then.
#include <array>
#include <vector>

#include "judge.hpp"

namespace rgm::conformance {
namespace {

using Values = std::array<float, 4>;

// A queue and one block of memory, while this lives.
struct Place {
  explicit Place(const Device& d) : device(d) {
    ready =
        d.table->queue_new(d.device, &queue) == RGM_OK && d.table->alloc(d.device, sizeof(Values), &memory) == RGM_OK;
  }
  ~Place() {
    if (work) device.table->captured_free(device.device, work);
    if (memory) device.table->free(device.device, memory);
    if (queue) device.table->queue_free(queue);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  const Device& device;
  rgm_queue* queue = nullptr;
  void* memory = nullptr;
  rgm_captured* work = nullptr;
  bool ready = false;
};

// What is wrong, or nothing. x becomes x + x each time.
std::string try_capture(Place& p) {
  const rgm_backend& b = *p.device.table;
  const rgm_kernels& k = *b.kernels(p.device.device);
  const Values first = {1, 2, 3, 4}, second = {5, 5, 6, 6};
  Values now{};
  const rgm_view x{p.memory, RGM_F32, 1, {4}, {1}};
  const auto holds = [&](const Values& wanted) {
    return b.download(p.queue, now.data(), p.memory, sizeof now) == RGM_OK && now == wanted;
  };
  const auto doubles = [&] { return k.binary(p.queue, RGM_ADD, &x, &x, &x) == RGM_OK; };
  if (!p.ready || b.upload(p.queue, p.memory, first.data(), sizeof first) != RGM_OK || !doubles())
    return "a queue, memory or a kernel fails";
  if (b.capture_begin(p.queue) != RGM_OK || !doubles() || !doubles()) return "work cannot be captured";
  const bool refuses = b.upload(p.queue, p.memory, second.data(), sizeof second) != RGM_OK &&
                       b.download(p.queue, now.data(), p.memory, sizeof now) != RGM_OK && b.wait(p.queue) != RGM_OK;
  if (b.capture_end(p.queue, &p.work) != RGM_OK || !p.work) return "what was captured cannot be taken out";
  if (!refuses) return "upload, download and wait are not refused while work is captured";
  if (!holds({2, 4, 6, 8})) return "captured work has run before it was replayed";
  if (b.replay(p.queue, p.work) != RGM_OK || b.replay(p.queue, p.work) != RGM_OK) return "replay fails";
  if (!holds({32, 64, 96, 128})) return "replaying it twice is not like enqueuing it twice";
  if (b.upload(p.queue, p.memory, second.data(), sizeof second) != RGM_OK || b.replay(p.queue, p.work) != RGM_OK ||
      !holds({20, 20, 24, 24}))
    return "it does not work on what the memory holds at that time";
  if (b.capture_begin(p.queue) != RGM_OK || !doubles() || b.capture_end(p.queue, nullptr) != RGM_OK ||
      !holds({20, 20, 24, 24}))
    return "work whose capture is abandoned is not dropped";
  return "";
}

}  // namespace

bool captures(const Device& subject) {
  const rgm_backend* b = subject.table;
  return RGM_HAS(b, capture_begin) && RGM_HAS(b, capture_end) && RGM_HAS(b, replay) && RGM_HAS(b, captured_free);
}

Result capture_case(const Device& subject) {
  Result result{"capture", "work that is enqueued again", true, false, 0, 0, {}, false};
  Place place(subject);
  result.reason = try_capture(place);
  result.passed = result.reason.empty();
  return result;
}

}  // namespace rgm::conformance
