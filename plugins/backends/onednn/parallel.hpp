// parallel.hpp - the one OpenMP team that our kernels and oneDNN share: always whole, never nested, denormals flushed.
#pragma once
#include <omp.h>
#if defined __x86_64__
#include <xmmintrin.h>
#endif

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>

namespace regimen::onednn {
inline constexpr int64_t kGrain = 16384;  // elements below which a second thread costs more than it saves

// Denormals cost a hundred cycles each and mean nothing in training. Restored, because the thread is the host's.
class FlushDenormals {
 public:
#if defined __x86_64__
  FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }
  ~FlushDenormals() { _mm_setcsr(before_); }
#else
  FlushDenormals() : before_(0) {}
  ~FlushDenormals() { static_cast<void>(before_); }
#endif
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  unsigned before_;
};

// What a piece threw: an exception must not leave the team. Of several, that of the first piece to fail in time.
class Failure {
 public:
  template <class F>
  void watch(F&& body) noexcept {
    try {
      body();
    } catch (...) {
      if (!taken_.test_and_set()) thrown_ = std::current_exception();
    }
  }
  void rethrow() const {
    if (thrown_) std::rethrow_exception(thrown_);
  }

 private:
  std::atomic_flag taken_ = ATOMIC_FLAG_INIT;
  std::exception_ptr thrown_;
};

// body(begin, end, piece) over [0, n) in one piece a thread, of at least `grain`, whose borders depend on n, grain
// and threads alone. The team is never asked to shrink: libgomp would end the threads and start them again.
template <class F>
void parallel(int threads, int64_t n, int64_t grain, F&& body) {
  if (n <= 0) return;
  const int64_t pieces = std::min<int64_t>(threads, n / std::max<int64_t>(grain, 1));
  if (pieces <= 1 || omp_in_parallel()) return body(int64_t{0}, n, 0);
  Failure failure;
#pragma omp parallel num_threads(threads)
  {
    const FlushDenormals flush;
    // A smaller team than was asked for still does all pieces.
    for (int64_t i = omp_get_thread_num(); i < pieces; i += omp_get_num_threads()) {
      const int64_t begin = n * i / pieces, end = n * (i + 1) / pieces;
      if (begin < end) failure.watch([&] { body(begin, end, static_cast<int>(i)); });
    }
  }
  failure.rethrow();
}

// body(item, thread) for items of unequal work, handed out as threads get free: for bodies that share no sums.
template <class F>
void parallel_items(int threads, int64_t n, F&& body) {
  if (n <= 1 || threads <= 1 || omp_in_parallel()) {
    for (int64_t i = 0; i < n; ++i) body(i, 0);
    return;
  }
  Failure failure;
#pragma omp parallel num_threads(threads)
  {
    const FlushDenormals flush;
#pragma omp for schedule(dynamic, 1)
    for (int64_t i = 0; i < n; ++i) failure.watch([&] { body(i, omp_get_thread_num()); });
  }
  failure.rethrow();
}

}  // namespace regimen::onednn
