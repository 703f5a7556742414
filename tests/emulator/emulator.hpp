// emulator.hpp - a GPU in software: what a kernel in CUDA says, for the host's compiler. A block's threads are fibers
// of one thread of the host, which change where threads wait for each other. Their order is another one at every
// launch of a kernel, so that one that lacks a wait gives other bits when it is called again.
#pragma once
#include <cuda_runtime_api.h>
#include <math.h>
#include <string.h>
#include <vector_types.h>

#include <bit>
#include <cstdint>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

#undef __global__
#undef __device__
#undef __host__
#undef __shared__
#undef __launch_bounds__
#define __global__
#define __device__
#define __host__
#define __shared__ static  // one block runs at a time
#define __launch_bounds__(...)

namespace emulator {

struct Place {  // of the thread that runs
  dim3 thread, block, block_size, grid;
  unsigned number = 0;  // within its block
};
extern Place here;

void wait_for_block();                            // until every thread of the block is here
unsigned count_in_block(bool yes);                // and how many say yes
uint64_t exchange(uint64_t mine, unsigned from);  // of the warp's lane `from`, once all of its lanes are here
void* dynamic_shared();                           // what the launch asked for; NaN at first
void enqueue(cudaStream_t stream, std::function<void()> work);
extern size_t memory, memory_taken;  // of the device, in bytes
bool has_fallen_away();
void fail(const char* what);  // says so and ends the process: the kernel is wrong

struct Launch {
  dim3 grid, block;
  size_t shared;
  cudaStream_t stream;
  Launch(dim3 g, dim3 b, size_t s = 0, cudaStream_t q = nullptr) : grid(g), block(b), shared(s), stream(q) {}

  template <class... A>
  struct Call;
  template <class... A>
  Call<std::decay_t<A>...> operator()(A&&... a) const {
    return {*this, {std::forward<A>(a)...}};
  }
};
template <class... A>
struct Launch::Call {
  Launch launch;
  std::tuple<A...> arguments;
};

bool accepts(const Launch& launch, const void* kernel);  // else the error is the runtime's last one
void run(const Launch& launch, const void* kernel, const std::function<void()>& thread);

// kernel<<<grid, block, shared, stream>>>(arguments) is translated to this: see translate.cmake.
template <class... P, class... A>
void operator->*(void (*kernel)(P...), Launch::Call<A...> call) {
  if (!accepts(call.launch, reinterpret_cast<const void*>(kernel))) return;
  enqueue(call.launch.stream, [kernel, launch = call.launch, arguments = std::tuple<P...>(std::move(call.arguments))] {
    run(launch, reinterpret_cast<const void*>(kernel), [&] { std::apply(kernel, arguments); });
  });
}

template <class T>
T shuffled(T x, unsigned from) {
  static_assert(sizeof(T) <= sizeof(uint64_t));
  uint64_t bits = 0;
  memcpy(&bits, &x, sizeof x);
  bits = exchange(bits, from);
  memcpy(&x, &bits, sizeof x);
  return x;
}

}  // namespace emulator

#define threadIdx (::emulator::here.thread)
#define blockIdx (::emulator::here.block)
#define blockDim (::emulator::here.block_size)
#define gridDim (::emulator::here.grid)

inline void __syncthreads() { emulator::wait_for_block(); }
inline int __syncthreads_and(int yes) {
  const dim3& n = emulator::here.block_size;
  return emulator::count_in_block(yes != 0) == n.x * n.y * n.z;
}
inline int __syncthreads_or(int yes) { return emulator::count_in_block(yes != 0) > 0; }
inline void __syncwarp(unsigned = 0xFFFFFFFF) { emulator::exchange(0, 0); }
template <class T>
T __shfl_xor_sync(unsigned, T x, int lanes) {
  return emulator::shuffled(x, (emulator::here.number ^ static_cast<unsigned>(lanes)) % 32);
}
template <class T>
T __shfl_sync(unsigned, T x, int lane) {
  return emulator::shuffled(x, static_cast<unsigned>(lane) % 32);
}
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline uint64_t __umul64hi(uint64_t a, uint64_t b) {
  return static_cast<uint64_t>(static_cast<unsigned __int128>(a) * b >> 64);
}
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float rsqrtf(float x) { return 1 / sqrtf(x); }
inline void sincospif(float x, float* sine, float* cosine) { sincosf(x * 3.14159265f, sine, cosine); }
template <class T>
T min(T a, T b) {
  return b < a ? b : a;
}
template <class T>
T max(T a, T b) {
  return a < b ? b : a;
}
template <class F>
cudaError_t cudaFuncSetAttribute(F* kernel, cudaFuncAttribute what, int value) {
  return cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), what, value);
}
