// device.cpp - the reference backend: one device, the calling thread, ordinary memory. Every kernel is here in its
// obvious form and is what the others are tested against.
#include <unistd.h>

#include <cstdlib>

#include <regimen/plugin.hpp>

#include "kernels.hpp"

struct rgm_device {};
struct rgm_queue {};

namespace regimen::reference {
namespace {

#if defined __x86_64__
constexpr const char* arch = "x86-64";
#elif defined __aarch64__
constexpr const char* arch = "aarch64";
#else
constexpr const char* arch = "generic";
#endif

constexpr rgm_kernels kernels = {sizeof(rgm_kernels),
                                 0,
                                 fill,
                                 copy,
                                 unary,
                                 binary,
                                 select,
                                 reduce,
                                 matmul,
                                 gather,
                                 scatter_add,
                                 random,
                                 unary_grad,
                                 softmax,
                                 softmax_grad,
                                 cumsum,
                                 top_k,
                                 norm,
                                 norm_grad,
                                 rope,
                                 attention,
                                 attention_grad,
                                 linear,
                                 pack,
                                 unpack,
                                 head_loss,
                                 adamw,
                                 sum_of_squares,
                                 linear_grad,
                                 sample,
                                 dequantize};

rgm_status device_count(uint32_t* out) {
  *out = 1;
  return RGM_OK;
}

rgm_status device_info(uint32_t index, rgm_device_info* out) {
  return guard([&] {
    require(index == 0, "the reference backend has one device, number 0");
    const auto memory = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    constexpr uint32_t dtypes =
        1u << RGM_F32 | 1u << RGM_F16 | 1u << RGM_BF16 | 1u << RGM_I32 | 1u << RGM_I64 | 1u << RGM_U8 | 1u << RGM_BOOL;
    answer(out, {sizeof(rgm_device_info), 1, "reference", arch, memory, dtypes, 1});
  });
}

rgm_status open(uint32_t index, const rgm_config*, rgm_device** out) {
  return guard([&] {
    require(index == 0, "the reference backend has one device, number 0");
    *out = new rgm_device;
  });
}
void close(rgm_device* device) { delete device; }
const rgm_kernels* kernels_of(rgm_device*) { return &kernels; }

rgm_status alloc(rgm_device*, size_t bytes, void** out) {
  return guard([&] {
    if (bytes > SIZE_MAX - 256) throw std::bad_alloc();
    void* memory = std::aligned_alloc(256, std::max<size_t>((bytes + 255) / 256 * 256, 256));
    if (!memory) throw Error(RGM_NO_MEMORY, "no memory for " + std::to_string(bytes) + " bytes");
    *out = memory;
  });
}
void free_memory(rgm_device*, void* memory) { std::free(memory); }

rgm_status parallel_for(rgm_device*, int64_t n, int64_t, void* user, rgm_status (*body)(void*, int64_t, int64_t)) {
  return n > 0 ? body(user, 0, n) : RGM_OK;
}

rgm_status queue_new(rgm_device*, rgm_queue** out) {
  return guard([&] { *out = new rgm_queue; });
}
void queue_free(rgm_queue* q) { delete q; }
rgm_status move(rgm_queue*, void* dst, const void* src, size_t bytes) {
  if (bytes > 0) std::memcpy(dst, src, bytes);
  return RGM_OK;
}
rgm_status wait(rgm_queue*) { return RGM_OK; }

constexpr rgm_backend table = [] {
  rgm_backend b{};
  b.struct_size = sizeof b;
  b.device_count = device_count;
  b.device_info = device_info;
  b.open = open;
  b.close = close;
  b.kernels = kernels_of;
  b.alloc = alloc;
  b.free = free_memory;
  b.parallel_for = parallel_for;
  b.queue_new = queue_new;
  b.queue_free = queue_free;
  b.upload = move;
  b.download = move;
  b.wait = wait;
  return b;
}();
constexpr rgm_component component =
    backend("reference", "1.0.0", "the specification of every kernel: float64, one thread, slow", &table);

}  // namespace
}  // namespace regimen::reference

RGM_PLUGIN("reference", "1.0.0", "Regimen", &regimen::reference::component);
