// backend.cpp - the backend's table and the entry of the plug-in. Nothing of CUDA is opened before a device is asked
// for.
#include <regimen/plugin.hpp>

#include "kernels.hpp"

namespace regimen::cudnn {
namespace {

struct GpuOptions {
  static constexpr const char* dtypes[] = {"float32", "bfloat16", nullptr};

  bool capture = true, deterministic = true;
  std::string_view logits = "float32";
  static constexpr auto list = options(
      option("capture", &GpuOptions::capture, "steps whose shapes repeat are captured and enqueued as one piece"),
      option("deterministic", &GpuOptions::deterministic,
             "gives the same bits in every run; false: attention's gradient adds in any order, which is faster"),
      option("logits", &GpuOptions::logits,
             "type of the head's logits where its product is in bfloat16: float32, or rounded, which is faster, but "
             "log-probabilities keep only two or three digits")
          .choices(dtypes));
};

constexpr int least_capability = 80;  // bfloat16 on the matrix units

const rgm_kernels kernel_table{sizeof(rgm_kernels),
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
                               nullptr,
                               nullptr,
                               head_loss,
                               adamw,
                               sum_of_squares,
                               linear_grad,
                               sample,
                               dequantize};

cudaDeviceProp properties_of(int index) {
  cudaDeviceProp found{};
  check_cuda(cudaGetDeviceProperties(&found, index), "GPU");
  return found;
}

void require_usable(int index) {
  const cudaDeviceProp found = properties_of(index);
  if (found.major * 10 + found.minor < least_capability)
    unsupported("GPU " + std::to_string(index) + " (" + found.name + ") is sm_" + std::to_string(found.major) +
                std::to_string(found.minor) + ", needs sm_" + std::to_string(least_capability));
}

rgm_status device_count(uint32_t* out) {
  return guard([&] {
    int count = 0;
    if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess || count == 0) {
      cudaGetLastError();
      const bool no_driver = error == cudaErrorInsufficientDriver;
      int driver = 0;
      cudaDriverGetVersion(&driver);
      if (no_driver && driver == 0) unsupported("no NVIDIA driver");
      if (no_driver)
        unsupported("the NVIDIA driver supports CUDA " + std::to_string(driver / 1000) + "." +
                    std::to_string(driver % 1000 / 10) + ", this plug-in was built for " +
                    std::to_string(CUDART_VERSION / 1000) + "." + std::to_string(CUDART_VERSION % 1000 / 10));
      unsupported(error == cudaSuccess || error == cudaErrorNoDevice
                      ? "no NVIDIA GPU"
                      : std::string("CUDA: ") + cudaGetErrorString(error));
    }
    open_cublas_lt();
    open_cudnn();
#ifdef REGIMEN_CUDNN_FRONTEND
    open_cuda_runtime();
#endif
    require_usable(0);
    *out = static_cast<uint32_t>(count);
  });
}

rgm_status device_info(uint32_t index, rgm_device_info* out) {
  return guard([&] {
    static thread_local char name[64], arch[16];
    const cudaDeviceProp found = properties_of(static_cast<int>(index));
    std::snprintf(name, sizeof name, "%.63s", found.name);
    std::snprintf(arch, sizeof arch, "sm_%d%d", found.major, found.minor);
    answer(out, {.struct_size = sizeof(rgm_device_info),
                 .score = 200,
                 .name = name,
                 .arch = arch,
                 .memory = found.totalGlobalMem,
                 .dtypes = 1u << RGM_F32 | 1u << RGM_F16 | 1u << RGM_BF16 | 1u << RGM_I32 | 1u << RGM_I64 |
                           1u << RGM_U8 | 1u << RGM_BOOL,
                 .threads = 1});
  });
}

rgm_status open(uint32_t index, const rgm_config* config, rgm_device** out) {
  return guard([&] {
    const GpuOptions wanted = config ? OptionTable<GpuOptions>::read(config) : GpuOptions{};
    require_usable(static_cast<int>(index));
    auto device = std::make_unique<rgm_device>();
    const cudaDeviceProp found = properties_of(static_cast<int>(index));
    device->index = static_cast<int>(index);
    device->multiprocessors = found.multiProcessorCount;
    device->shared_memory = static_cast<int>(found.sharedMemPerBlockOptin);
    device->capability = found.major * 10 + found.minor;
    device->memory = found.totalGlobalMem;
    device->may_capture = wanted.capture;
    device->deterministic = wanted.deterministic;
    device->narrow_logits = wanted.logits == "bfloat16";
    check_cuda(cudaSetDevice(device->index), "GPU");
    device->lt = load_cublas_lt();
    check_cublas(device->lt.create(&device->lt.handle), "open");
    device->arena = std::make_unique<Arena>(device->index, device->memory, load_driver());
    *out = device.release();
  });
}
void close(rgm_device* device) {
  cudaSetDevice(device->index);
  device->lt.destroy(device->lt.handle);
  delete device;
}
const rgm_kernels* kernels(rgm_device*) { return &kernel_table; }

rgm_status alloc(rgm_device* device, size_t bytes, void** out) {
  return guard([&] { *out = device->arena->allocate(bytes); });
}
void release(rgm_device* device, void* memory) { device->arena->free(memory); }
uint64_t held(rgm_device* device) { return device->arena->held(); }
void trim(rgm_device* device) {
  {
    const std::lock_guard lock(device->queues_mutex);
    for (rgm_queue* q : device->queues) q->release_scratch();
  }
  device->arena->trim();
}

rgm_status parallel_for(rgm_device*, int64_t n, int64_t, void* user, rgm_status (*body)(void*, int64_t, int64_t)) {
  return n > 0 ? body(user, 0, n) : RGM_OK;
}

rgm_status queue_new(rgm_device* device, rgm_queue** out) {
  return guard([&] { *out = new rgm_queue(device); });
}
void queue_free(rgm_queue* q) { delete q; }

// After a wait: what a kernel could not report while it was only enqueued.
void wait_for(rgm_queue* q, const char* what) {
  check_cuda(cudaStreamSynchronize(q->stream), what);
  const int fault = std::exchange(*q->fault, int{kNoFault});
  require(fault != kIndexOutside, "an index is outside of the axis that it is for");
  require(fault != kTargetOutside, "head_loss: a target outside of w");
  require(fault != kPositionOutside, "rope: a position outside of the table");
}

// Work that is kept runs later, maybe many times: the host's memory would have gone by then.
void require_no_capture(const rgm_queue* q, const char* what) {
  require(!q->captures, std::string(what) + ": not while work is captured");
}

rgm_status upload(rgm_queue* q, void* dst, const void* src, size_t bytes) {
  return kernel(q, "upload", [&] {
    require_no_capture(q, "upload");
    if (bytes <= Staging::largest) return q->staging->upload(dst, src, bytes, q->stream);
    check_cuda(cudaMemcpyAsync(dst, src, bytes, cudaMemcpyHostToDevice, q->stream), "upload");
    check_cuda(cudaStreamSynchronize(q->stream), "upload");
  });
}
rgm_status download(rgm_queue* q, void* dst, const void* src, size_t bytes) {
  return kernel(q, "download", [&] {
    require_no_capture(q, "download");
    check_cuda(cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToHost, q->stream), "download");
    wait_for(q, "download");
  });
}
rgm_status wait(rgm_queue* q) {
  return kernel(q, "wait", [&] {
    require_no_capture(q, "wait");
    wait_for(q, "wait");
  });
}

// Captured as a graph of CUDA's, whose launch takes the place of one for every kernel. Allocating is allowed meanwhile.
rgm_status capture_begin(rgm_queue* q) {
  return kernel(q, "capture_begin", [&] {
    if (!q->device->may_capture) unsupported("capture_begin: the option `capture` is off");
    require_no_capture(q, "capture_begin");
    check_cuda(cudaStreamBeginCapture(q->stream, cudaStreamCaptureModeRelaxed), "capture_begin");
    q->captures = true;
    q->device->arena->set_capturing(true);
    q->outgrown = q->scratch.outgrown();
  });
}
rgm_status capture_end(rgm_queue* q, rgm_captured** out) {
  return kernel(q, "capture_end", [&] {
    require(q->captures, "capture_end: nothing is captured");
    q->captures = false;
    const auto outgrown = std::move(q->outgrown);
    auto used = std::exchange(q->used, {});
    cudaGraph_t made = nullptr;
    const cudaError_t error = cudaStreamEndCapture(q->stream, &made);
    q->device->arena->set_capturing(false);
    const std::unique_ptr<CUgraph_st, decltype(&cudaGraphDestroy)> graph(made, cudaGraphDestroy);
    cudaGetLastError();  // of work that could not be captured: told below, or not asked for
    if (!out) return check_cuda(cudaStreamSynchronize(q->stream), "capture_end");  // the GPU may have fallen away
    check_cuda(error, "capture_end");
    auto captured = std::make_unique<rgm_captured>();
    captured->outgrown = outgrown;
    captured->used = std::move(used);
    cudaError_t instantiated = cudaGraphInstantiate(&captured->graph, made, 0);
    if (instantiated == cudaErrorMemoryAllocation) {  // once more, with what lies idle
      q->device->arena->trim();
      instantiated = cudaGraphInstantiate(&captured->graph, made, 0);
    }
    cudaGetLastError();
    check_cuda(instantiated, "capture_end");
    *out = captured.release();
  });
}
rgm_status replay(rgm_queue* q, rgm_captured* captured) {
  return kernel(q, "replay", [&] {
    require_no_capture(q, "replay");
    check_cuda(cudaGraphLaunch(captured->graph, q->stream), "replay");
  });
}
void captured_free(rgm_device* device, rgm_captured* captured) {
  cudaSetDevice(device->index);
  cudaGraphExecDestroy(captured->graph);
  delete captured;
}

const char* origin(const char* kernel) {
  const auto is_one = [&](auto... names) { return ((std::strcmp(kernel, names) == 0) || ...); };
  if (is_one("matmul", "linear", "linear_grad")) return "cuBLASLt";
  if (is_one("head_loss")) return "cuBLASLt, and own for softmax and loss";
#ifdef REGIMEN_CUDNN_FRONTEND
  if (is_one("attention", "attention_grad")) return "cuDNN for rows in bfloat16, else own";
#endif
  return nullptr;
}

constexpr rgm_backend table = [] {
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
  b.upload = upload;
  b.download = download;
  b.wait = wait;
  b.held = held;
  b.trim = trim;
  b.origin = origin;
  b.capture_begin = capture_begin;
  b.capture_end = capture_end;
  b.replay = replay;
  b.captured_free = captured_free;
  return b;
}();
constexpr rgm_component component =
    backend<GpuOptions>("cudnn", "0.1.0", "an NVIDIA GPU, through cuDNN, cuBLASLt and kernels of its own", &table);

}  // namespace
}  // namespace regimen::cudnn

RGM_PLUGIN("cudnn", "0.1.0", "Regimen", &regimen::cudnn::component);
