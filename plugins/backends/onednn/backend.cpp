// backend.cpp - the backend's table and the entry of the plug-in.
#include <sys/sysinfo.h>

#include <atomic>
#include <cstdlib>
#include <mutex>

#include "kernels.hpp"
#include "processors.hpp"
#include "regimen/plugin.hpp"

namespace regimen::onednn {
struct CpuOptions {
  int64_t threads = 0;
  static constexpr auto list = options(
      option("threads", &CpuOptions::threads,
             "compute threads; 0: as many as the process may use, shared among those that run a pipeline together")
          .range(0, 1024));
};

static int available_threads() {
  std::ifstream groups("/proc/self/cgroup");
  const int64_t allowed = std::min<int64_t>(processors_left(groups, "/sys/fs/cgroup"), omp_get_thread_limit());
  const int64_t all = std::clamp<int64_t>(omp_get_num_procs(), 1, allowed);
  uint32_t number = 0, count = 1;
  if (RGM_HAS(host, process_here)) host->process_here(&number, &count);
  return static_cast<int>(std::max<int64_t>(all / count, 1));  // the same for each: so are the bits
}

// No team is larger than OpenMP's limit.
static int at_most_the_limit(int threads) {
  const int limit = omp_get_thread_limit();
  if (threads <= limit) return threads;
  const std::string most = std::to_string(limit);
  host->log(RGM_LOG_WARNING, str("onednn: threads is " + std::to_string(threads) + ", but OMP_THREAD_LIMIT is " + most +
                                 ": it continues with " + most + "; raise the limit for more"));
  return limit;
}

static const rgm_kernels kernel_table{sizeof(rgm_kernels),
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
                                      nullptr,
                                      nullptr,
                                      dequantize};

// The processor's own name, or the architecture's where it has none.
static const char* processor() {
  static char name[64] = "cpu";
#if defined __x86_64__
  static std::once_flag once;
  std::call_once(once, [] {
    uint32_t words[12];
    for (uint32_t leaf = 0; leaf < 3; ++leaf) {
      uint32_t* w = words + leaf * 4;
      __asm__("cpuid" : "=a"(w[0]), "=b"(w[1]), "=c"(w[2]), "=d"(w[3]) : "a"(0x80000002u + leaf), "c"(0));
    }
    std::memcpy(name, words, sizeof words);
    size_t length = strnlen(name, sizeof words);
    while (length > 0 && name[length - 1] == ' ') --length;
    std::snprintf(name + length, sizeof name - length, " %s", vector_kernels().name);
  });
#endif
  return name;
}

static rgm_status device_count(uint32_t* out) {
  *out = 1;
  return RGM_OK;
}

static rgm_status device_info(uint32_t index, rgm_device_info* out) {
  return guard([&] {
    require(index == 0, "onednn has one device, 0");
    struct sysinfo system {};
    sysinfo(&system);
    answer(out, {.struct_size = sizeof(rgm_device_info),
                 .score = 100,
                 .name = "CPU",
                 .arch = processor(),
                 .memory = uint64_t{system.totalram} * system.mem_unit,
                 .dtypes = 1u << RGM_F32 | 1u << RGM_F16 | 1u << RGM_BF16 | 1u << RGM_I32 | 1u << RGM_I64 |
                           1u << RGM_U8 | 1u << RGM_BOOL,
                 .threads = static_cast<uint32_t>(available_threads())});
  });
}

static rgm_status open(uint32_t index, const rgm_config* config, rgm_device** out) {
  return guard([&] {
    require(index == 0, "onednn has one device, 0");
    const CpuOptions wanted = OptionTable<CpuOptions>::read(config);
    auto device = std::make_unique<rgm_device>();
    device->threads = wanted.threads > 0 ? at_most_the_limit(static_cast<int>(wanted.threads)) : available_threads();
    device->vector = &vector_kernels();
    *out = device.release();
  });
}
static void close(rgm_device* device) {
  delete device;
  trim_memory();
}
static const rgm_kernels* kernels(rgm_device*) { return &kernel_table; }

static rgm_status alloc(rgm_device*, size_t bytes, void** out) {
  return guard([&] { *out = allocate(bytes); });
}
static void release(rgm_device*, void* memory) { deallocate(memory); }

static rgm_status parallel_for(rgm_device* device, int64_t n, int64_t grain, void* user,
                               rgm_status (*body)(void* user, int64_t begin, int64_t end)) {
  rgm_status status = RGM_OK;
  std::string text;
  const auto run = [&] {
    std::mutex mutex;
    const FlushDenormals flush;  // as kernels do: threads begin as the one that first asks for them, also oneDNN's
    parallel(device->threads, n, grain, [&](int64_t begin, int64_t end, int) {
      const rgm_status result = body(user, begin, end);
      if (result == RGM_OK) return;
      // The text belongs to the thread that failed: it is carried to the one that asked.
      const std::lock_guard lock(mutex);
      if (status != RGM_OK) return;
      status = result;
      text = view(host->last_error());
    });
  };
  if (const rgm_status failed = guard(run); failed != RGM_OK) return failed;
  return status == RGM_OK ? RGM_OK : host->fail(status, str(text));
}

static rgm_status queue_new(rgm_device* device, rgm_queue** out) {
  return guard([&] {
    auto q = std::make_unique<rgm_queue>();
    q->device = device;
    *out = q.release();
  });
}
static void queue_free(rgm_queue* q) { delete q; }

// Work is done when its call returns, so there is nothing to wait for.
static rgm_status move(rgm_queue* q, void* dst, const void* src, size_t bytes) {
  return kernel(q, [&] {
    parallel(threads(q), static_cast<int64_t>(bytes), 1 << 20, [&](int64_t begin, int64_t end, int) {
      std::memmove(static_cast<char*>(dst) + begin, static_cast<const char*>(src) + begin,
                   static_cast<size_t>(end - begin));
    });
  });
}
static rgm_status wait(rgm_queue*) { return RGM_OK; }
static uint64_t held(rgm_device*) { return held_memory(); }
static void trim(rgm_device*) { trim_memory(); }

static const char* origin(const char* kernel) {
  for (const char* product : {"matmul", "linear", "head_loss"})
    if (std::strcmp(kernel, product) == 0) return "own, and oneDNN for large products";
  return nullptr;
}

static constexpr rgm_backend table = [] {
  rgm_backend b{};
  b.struct_size = sizeof b;
  b.device_count = device_count;
  b.device_info = device_info;
  b.open = open;
  b.close = close;
  b.kernels = kernels;
  b.alloc = alloc;
  b.free = release;
  b.parallel_for = parallel_for;
  b.queue_new = queue_new;
  b.queue_free = queue_free;
  b.upload = move;
  b.download = move;
  b.wait = wait;
  b.held = held;
  b.trim = trim;
  b.origin = origin;
  return b;
}();
static constexpr rgm_component component =
    backend<CpuOptions>("onednn", "0.1.0", "the CPU, through oneDNN and vector kernels of its own", &table);

}  // namespace regimen::onednn

RGM_PLUGIN("onednn", "0.1.0", "regimen", &regimen::onednn::component);
