// backend.cpp - a backend's device and threads, and its kernels beside the reference's on random shapes.
#include <algorithm>
#include <array>
#include <atomic>
#include <functional>

#include "conformance/conformance.hpp"
#include "inspect/opened.hpp"

namespace rgm::inspect {
namespace {

// The first device, opened with default options.
class FirstDevice {
 public:
  FirstDevice(Opened& opened, const std::string& id) {
    const Component& component = opened.component(RGM_KIND_BACKEND, id);
    config_ = config_of(*component.data, sample_options(*component.data));
    device.table = &component.table<rgm_backend>();
    uint32_t count = 0;
    opened.at("device_count");
    const rgm_status status = device.table->device_count(&count);
    if (status != RGM_OK || count == 0) {
      opened.skipped("it finds no device here: {}", status == RGM_OK ? "device_count says 0" : last_failure());
      return;
    }
    opened.at("open");
    check_status(device.table->open(0, config_.get(), &device.device));
  }
  ~FirstDevice() {
    if (device.device) device.table->close(device.device);
  }
  FirstDevice(const FirstDevice&) = delete;
  FirstDevice& operator=(const FirstDevice&) = delete;
  explicit operator bool() const { return device.device; }

  conformance::Device device;

 private:
  std::unique_ptr<rgm_config> config_;
};

void device_step(Opened& opened, const std::string& id) {
  const FirstDevice first(opened, id);
  if (!first) return;
  const rgm_backend& table = *first.device.table;
  rgm_device_info info{};
  info.struct_size = sizeof info;
  opened.at("device_info");
  check_status(table.device_info(0, &info));
  if (!info.name || !*info.name) return opened.failed("device_info gives no name");
  opened.at("kernels");
  if (!table.kernels(first.device.device)) return opened.failed("it has no table of kernels");
  opened.at("queue_new, alloc, upload, download, wait");
  rgm_queue* queue = nullptr;
  check_status(table.queue_new(first.device.device, &queue));
  void* block = nullptr;
  check_status(table.alloc(first.device.device, 1000, &block));
  if (!block) return opened.failed("alloc returns RGM_OK and no memory");
  std::vector<char> sent(1000), came(1000);
  for (size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 7);
  check_status(table.upload(queue, block, sent.data(), sent.size()));
  check_status(table.download(queue, came.data(), block, came.size()));
  check_status(table.wait(queue));
  table.free(first.device.device, block);
  table.queue_free(queue);
  if (reinterpret_cast<uintptr_t>(block) % 256) return opened.failed("alloc gives memory that is not aligned to 256");
  if (sent != came) return opened.failed("what was uploaded comes back changed");
  opened.ok("{}, score {}", info.name, info.score);
}

void threads_step(Opened& opened, const std::string& id) {
  const FirstDevice first(opened, id);
  if (!first) return;
  struct Pieces {
    std::array<std::atomic<int>, 1000> seen{};
    std::atomic<int> largest{0}, count{0};
  } pieces;
  opened.at("parallel_for");
  check_status(first.device.table->parallel_for(first.device.device, 1000, 10, &pieces,
                                                [](void* user, int64_t begin, int64_t end) -> rgm_status {
                                                  auto& p = *static_cast<Pieces*>(user);
                                                  ++p.count;
                                                  for (int64_t i = begin; i < end; ++i) ++p.seen.at(size_t(i));
                                                  return RGM_OK;
                                                }));
  for (size_t i = 0; i < pieces.seen.size(); ++i)
    if (pieces.seen[i] != 1)
      return opened.failed("parallel_for visits {} {} times, once was expected", i, pieces.seen[i].load());
  opened.at("parallel_for of a body that fails");
  const rgm_status status = first.device.table->parallel_for(
      first.device.device, 100, 1, nullptr, [](void*, int64_t, int64_t) -> rgm_status { return RGM_CANCELLED; });
  if (status != RGM_CANCELLED)
    return opened.failed("parallel_for returns {} where its body failed with {}", status, int{RGM_CANCELLED});
  opened.ok("parallel_for visits each number once, and passes a failure on");
}

// Operations that there are not: RGM_UNSUPPORTED with a text, and nothing is written.
void nonsense_step(Opened& opened, const std::string& id) {
  const FirstDevice first(opened, id);
  if (!first) return;
  const rgm_backend& table = *first.device.table;
  const rgm_kernels& kernels = *table.kernels(first.device.device);
  rgm_queue* queue = nullptr;
  check_status(table.queue_new(first.device.device, &queue));
  std::array<void*, 3> blocks{};
  for (void*& block : blocks) check_status(table.alloc(first.device.device, 256, &block));
  const auto view = [&](size_t i, rgm_dtype dtype, int64_t n) { return rgm_view{blocks[i], dtype, 1, {n}, {1}}; };
  const rgm_view x = view(0, RGM_F32, 8), y = view(1, RGM_F32, 8), one = view(1, RGM_F32, 1), key = view(2, RGM_I32, 6);
  const std::vector<float> before(8, 7);
  for (size_t i = 0; i < 2; ++i) check_status(table.upload(queue, blocks[i], before.data(), 32));
  const std::vector<int32_t> words(6, 1);
  check_status(table.upload(queue, blocks[2], words.data(), 24));

  constexpr int32_t unknown = 9999;
  const std::pair<const char*, std::function<rgm_status()>> calls[] = {
      {"unary", [&] { return kernels.unary(queue, unknown, &x, &y); }},
      {"binary", [&] { return kernels.binary(queue, unknown, &x, &x, &y); }},
      {"reduce", [&] { return kernels.reduce(queue, unknown, 1, &x, &one); }},
      {"random", [&] { return kernels.random(queue, &key, unknown, &y); }}};
  Refusals seen;
  for (const auto& [name, make] : calls) {
    const auto& call = make;  // clang 14 captures no structured binding
    const std::string what = fmt::format("{} with an operation that does not exist", name);
    try_nonsense(opened, seen, what, [&](rgm_tensor**) {
      const rgm_status status = call();
      if (status != RGM_UNSUPPORTED)
        seen.wrong.push_back(
            fmt::format("{}: returned {}, {} was expected (RGM_UNSUPPORTED)", what, status, int{RGM_UNSUPPORTED}));
      return status;
    });
    std::vector<float> after(8);
    check_status(table.download(queue, after.data(), blocks[1], 32));
    check_status(table.wait(queue));
    if (after != before) seen.wrong.push_back(what + ": it wrote to the output");
  }
  for (void* block : blocks) table.free(first.device.device, block);
  table.queue_free(queue);
  tell(opened, seen);
}

void kernels_step(Opened& opened, const std::string& id) {
  const FirstDevice subject(opened, id);
  if (!subject) return;
  const std::vector<std::string> ids = opened.registry.ids(RGM_KIND_BACKEND);
  if (!std::count(ids.begin(), ids.end(), "reference"))
    return opened.skipped("the backend \"reference\", which they are compared with, is not installed");
  const FirstDevice reference(opened, "reference");
  conformance::Options how;
  how.cases_per_kernel = 8;
  how.last_error = [] { return std::string(last_failure()); };
  how.before = [&](const std::string& what) { opened.at(what); };
  const std::vector<conformance::Result> results = conformance::run(reference.device, subject.device, how);
  size_t composed = 0, failures = 0, new_failures = 0;
  std::string first_new;
  for (const conformance::Result& r : results) {
    composed += r.skipped;
    if (!r.passed && r.is_new && new_failures++ == 0) first_new = fmt::format("{} {}: {}", r.kernel, r.case_, r.reason);
    if (r.passed || r.is_new || ++failures > 5) continue;
    opened.failed("{} {}: {} (error {:.2g}, tolerance {:.2g})", r.kernel, r.case_, r.reason, r.error, r.tolerance);
  }
  if (failures > 5) opened.failed("and {} more; see all with `regimen bench --kernels --backend {}`", failures - 5, id);
  if (failures > 0) return;
  opened.ok("{} cases match the reference, {} are composed by the host", results.size() - composed - new_failures,
            composed);
  if (new_failures > 0)
    opened.ok("{} more differ in what the contract has said only recently, which no host relies on yet: {}",
              new_failures, first_new);
}

}  // namespace

std::vector<Step> backend_steps() {
  return {{"device", device_step}, {"threads", threads_step}, {"nonsense", nonsense_step}, {"kernels", kernels_step}};
}

}  // namespace rgm::inspect
