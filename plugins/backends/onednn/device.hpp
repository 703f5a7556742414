// device.hpp - what open() makes: the CPU with its thread count, vector kernels; and queues, which run work at
// once and own scratch memory and prepared products, so that two queues can work side by side.
#pragma once
#include <array>
#include <memory>

#include "parallel.hpp"
#include "regimen/backend.hpp"
#include "vector/table.hpp"

namespace regimen::onednn {
// Memory aligned to 256, or RGM_NO_MEMORY. Both are safe from any thread.
void* allocate(size_t bytes);
void deallocate(void* memory);
uint64_t held_memory();  // bytes taken from the system; what is freed stays, and serves again
void trim_memory();      // gives back what is idle

// Scratch, one slot a purpose, so that kernels can call others. Up to 1 MiB it only grows; what is larger is another's
// memory between two kernels.
class Scratch {
 public:
  enum Slot { kLibrary, kCopyA, kCopyB, kCopyY, kRows, kThreads, kPartials, kSingle, kWidened, kSlots };
  ~Scratch();
  float* floats(Slot slot, int64_t n) { return static_cast<float*>(bytes(slot, static_cast<size_t>(n) * 4)); }
  void* bytes(Slot slot, size_t n);
  void give_back_large();

 private:
  static constexpr size_t kLarge = size_t{1} << 20;
  struct Block {
    void* data = nullptr;
    size_t size = 0;
  };
  std::array<Block, kSlots> blocks_;
};

class Primitives;  // products that oneDNN has prepared, see products.hpp

}  // namespace regimen::onednn

struct RGM_PRIVATE rgm_device {
  int threads = 1;
  const regimen::onednn::VectorKernels* vector = nullptr;
};

struct RGM_PRIVATE rgm_queue {
  rgm_device* device = nullptr;
  regimen::onednn::Scratch scratch;
  int running = 0;  // kernels, one in another
  std::shared_ptr<regimen::onednn::Primitives> primitives;
};

namespace regimen::onednn {
inline const VectorKernels& vector(const rgm_queue* q) { return *q->device->vector; }
inline int threads(const rgm_queue* q) { return q->device->threads; }

// While a kernel runs; behind the outermost one large scratch is free.
struct Running {
  rgm_queue* const q;
  explicit Running(rgm_queue* queue) : q(queue) { ++q->running; }
  ~Running() {
    if (--q->running == 0) q->scratch.give_back_large();
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
};

// oneDNN shares its work out to as many threads as the calling thread's OpenMP settings promise, and what a smaller
// team leaves out is never computed. So the team comes whole, whatever the environment has; open() sees to
// OMP_THREAD_LIMIT.
inline void want_team(int threads) {
  omp_set_dynamic(0);
  if (omp_get_max_active_levels() < 1) omp_set_max_active_levels(1);
  omp_set_num_threads(threads);
}

// What every kernel runs in.
template <class F>
rgm_status kernel(rgm_queue* q, F&& body) noexcept {
  return guard([&] {
    want_team(threads(q));
    const FlushDenormals flush;
    const Running running(q);
    body();
  });
}

// body(offsets, length, step) for stretches of rows, spread over the threads by elements.
template <size_t N, class F>
void over(rgm_queue* q, const Rows<N>& rows, F&& body) {
  const int64_t length = std::max<int64_t>(rows.length(), 1);
  parallel(threads(q), rows.size() * length, kGrain, [&](int64_t begin, int64_t end, int) {
    int64_t first = begin / length * length;  // element number where the current row starts
    rows.each(begin / length, (end + length - 1) / length, [&](auto at, int64_t n, const auto& step) {
      const int64_t lo = std::max<int64_t>(begin - first, 0), hi = std::min(end - first, n);
      for (size_t k = 0; k < N; ++k) at[k] += lo * step[k];
      first += n;
      body(at, hi - lo, step);
    });
  });
}

// A view as (rows, columns): the leading axes merged, each row without gaps.
struct Matrix {
  void* data = nullptr;
  int64_t rows = 1, columns = 1, stride = 0;
  float* row(int64_t i) const { return static_cast<float*>(data) + i * stride; }
};
inline bool is_matrix(const rgm_view& v, Matrix& m) {
  if (v.rank < 1 || (v.stride[v.rank - 1] != 1 && v.shape[v.rank - 1] != 1)) return false;
  m = {v.data, 1, v.shape[v.rank - 1], v.shape[v.rank - 1]};
  bool first = true;
  for (int32_t i = v.rank - 1; i-- > 0;) {
    if (v.shape[i] == 1) continue;
    if (first) m.stride = v.stride[i];
    if (!first && v.stride[i] != m.stride * m.rows) return false;
    first = false;
    m.rows *= v.shape[i];
  }
  return true;
}
// For the optional kernels, which may refuse: float32 rows without gaps.
inline Matrix matrix(const rgm_view* v, const char* what) {
  Matrix m;
  if (v->dtype != RGM_F32 || !is_matrix(*v, m)) unsupported(std::string(what) + ": wanted float32 rows without gaps");
  return m;
}

}  // namespace regimen::onednn
