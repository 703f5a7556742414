// dry_device.cpp - a backend's tables over a device that is only counted.
#include "tensor/dry_device.hpp"

#include <algorithm>
#include <cstring>

#include "base/error.hpp"
#include "base/kernel_list.hpp"
#include "tensor/captured.hpp"

namespace rgm {
namespace {

// Addresses that no process has (on x86-64 and arm64): whoever reads there stops at once. Nothing is reserved for them,
// so that there are enough for any model.
constexpr uintptr_t first_address = uintptr_t{1} << 55;
constexpr size_t address_space = size_t{1} << 54;

// What is behind the opaque rgm_device.
struct Dry {
  const Device* real = nullptr;
  rgm_kernels kernels{};
  size_t next = 0, held = 0, peak = 0;
  std::mutex mutex;
  std::map<void*, size_t> blocks;
};

Dry& of(rgm_device* device) { return *reinterpret_cast<Dry*>(device); }

template <class... A>
rgm_status nothing(A...) {
  return RGM_OK;
}
// Keeps an optional kernel's place only where the real device fills it.
template <class... A>
void imitate(rgm_status (*&kernel)(A...)) {
  if (kernel) kernel = nothing<A...>;
}

rgm_status pack_nothing(rgm_queue*, const rgm_view*, const rgm_view*, int32_t, rgm_packed** out) {
  static char place;
  *out = reinterpret_cast<rgm_packed*>(&place);
  return RGM_OK;
}
void unpack_nothing(rgm_packed*) {}

// Which products the real one reads a quantized weight for is not known: the values are counted for each.
rgm_status linear_nothing(rgm_queue*, const rgm_linear* args) {
  return args->features & RGM_LINEAR_QUANTIZED ? RGM_UNSUPPORTED : RGM_OK;
}

rgm_kernels imitation(const rgm_kernels& real) {
  rgm_kernels k{};
  std::memcpy(&k, &real, std::min<size_t>(sizeof k, real.struct_size));
  k.struct_size = sizeof k;
#define RGM_IMITATE(kernel) imitate(k.kernel);
  RGM_EACH_KERNEL(RGM_IMITATE)
#undef RGM_IMITATE
  if (k.pack) k.pack = pack_nothing;
  if (k.unpack) k.unpack = unpack_nothing;
  if (k.linear) k.linear = linear_nothing;
  return k;
}

thread_local const Device* imitated = nullptr;  // while one is made: open() gets no place for it

rgm_status count(uint32_t* out) {
  *out = 1;
  return RGM_OK;
}
rgm_status info(uint32_t, rgm_device_info* out) {
  const uint32_t size = std::min<uint32_t>(out->struct_size, sizeof(rgm_device_info));
  std::memcpy(out, &imitated->info(), size);
  out->struct_size = size;
  return RGM_OK;
}
rgm_status open(uint32_t, const rgm_config*, rgm_device** out) {
  auto* const dry = new Dry;
  dry->real = imitated;
  dry->kernels = imitation(imitated->kernels());
  *out = reinterpret_cast<rgm_device*>(dry);
  return RGM_OK;
}
void close(rgm_device* device) { delete &of(device); }
const rgm_kernels* kernels(rgm_device* device) { return &of(device).kernels; }

rgm_status alloc(rgm_device* device, size_t bytes, void** out) {
  Dry& dry = of(device);
  const std::lock_guard lock(dry.mutex);
  if (bytes > address_space - 256 - dry.next) return RGM_NO_MEMORY;
  const size_t size = (bytes + 255) / 256 * 256;
  *out = reinterpret_cast<void*>(first_address + dry.next);  // NOLINT(performance-no-int-to-ptr): nothing lies there
  dry.next += size;
  dry.blocks[*out] = size;
  dry.held += size;
  dry.peak = std::max(dry.peak, dry.held);
  return RGM_OK;
}
void release(rgm_device* device, void* block) {
  Dry& dry = of(device);
  const std::lock_guard lock(dry.mutex);
  const auto found = dry.blocks.find(block);
  if (found == dry.blocks.end()) return;
  dry.held -= found->second;
  dry.blocks.erase(found);
}
uint64_t held(rgm_device* device) { return of(device).peak; }
void trim(rgm_device*) {}
rgm_status parallel_for(rgm_device* device, int64_t n, int64_t grain, void* user,
                        rgm_status (*body)(void* user, int64_t begin, int64_t end)) {
  const Device& real = *of(device).real;
  return real.backend().parallel_for(real.handle(), n, grain, user, body);
}
rgm_status queue_new(rgm_device* device, rgm_queue** out) {
  *out = reinterpret_cast<rgm_queue*>(device);
  return RGM_OK;
}
void queue_free(rgm_queue*) {}
rgm_status download(rgm_queue*, void* to, const void*, size_t bytes) {
  std::memset(to, 0, bytes);
  return RGM_OK;
}

// It has nothing to keep, and offers it all the same: what depends on that, as rows' lengths, is as on the real one.
rgm_status no_capture(rgm_queue*) { return keep_failure(RGM_UNSUPPORTED, "nothing is computed here"); }

rgm_backend table() {
  rgm_backend b{};
  b.struct_size = sizeof b;
  b.device_count = count;
  b.device_info = info;
  b.open = open;
  b.close = close;
  b.kernels = kernels;
  b.alloc = alloc;
  b.free = release;
  b.parallel_for = parallel_for;
  b.queue_new = queue_new;
  b.queue_free = queue_free;
  b.upload = nothing<rgm_queue*, void*, const void*, size_t>;
  b.download = download;
  b.wait = nothing<rgm_queue*>;
  return b;
}
// As the real one keeps freed memory or leaves that to the host.
rgm_backend table_that_keeps() {
  rgm_backend b = table();
  b.held = held;
  b.trim = trim;
  return b;
}
rgm_backend table_that_captures(rgm_backend b) {
  b.capture_begin = no_capture;
  b.capture_end = [](rgm_queue* q, rgm_captured**) { return no_capture(q); };
  b.replay = [](rgm_queue* q, rgm_captured*) { return no_capture(q); };
  b.captured_free = [](rgm_device*, rgm_captured*) {};
  return b;
}
const rgm_backend plain = table(), keeps = table_that_keeps(), plain_captures = table_that_captures(plain),
                  keeps_captures = table_that_captures(keeps);

}  // namespace

std::shared_ptr<Device> make_dry_device(const Device& real) {
  imitated = &real;
  const bool captures = knows_capture(real.backend());
  const rgm_backend& like = real.keeps_freed() ? captures ? keeps_captures : keeps : captures ? plain_captures : plain;
  return std::make_shared<Device>(like, 0, nullptr, real.id());
}

bool is_dry(const Device& device) { return device.backend().upload == plain.upload; }
size_t dry_peak_bytes(const Device& dry) { return of(dry.handle()).peak; }

}  // namespace rgm
