// products.cpp - the choice between oneDNN's sgemm, its matmul primitive and our own products. The choice is a pure
// function of shape, instruction set and threads: they differ in the last bits.
#include "products.hpp"

#include <omp.h>

#include <algorithm>
#include <cassert>
#include <map>

#include "compat.hpp"

namespace regimen::onednn {
class Primitives {
 public:
  using Key = std::array<int64_t, 10>;
  struct Prepared {
    dnnl::matmul primitive;
    dnnl::memory a, b, c, scratchpad;
    size_t scratch = 0;
    std::unordered_map<int, dnnl::memory> arguments;
  };

  void run(rgm_queue* q, const Operands& g) {
    const Key key{g.M, g.N, g.K, g.lda, g.ldb, g.ldc, g.ta, g.tb, g.beta != 0, g.bf16};
    auto found = prepared_.find(key);
    if (found == prepared_.end() && prepared_.size() >= most) prepared_.clear();
    if (found == prepared_.end()) found = prepared_.emplace(key, prepare(g)).first;
    Prepared& p = found->second;
    p.a.set_data_handle(const_cast<void*>(g.a));
    p.b.set_data_handle(const_cast<void*>(g.b));
    p.c.set_data_handle(g.c);
    if (p.scratch > 0) p.scratchpad.set_data_handle(q->scratch.bytes(Scratch::kLibrary, p.scratch));
    p.primitive.execute(stream_, p.arguments);
  }

 private:
  Prepared prepare(const Operands& g) {
    using dnnl::memory;
    const auto type = g.bf16 ? memory::data_type::bf16 : memory::data_type::f32;
    const auto strides = [](bool t, int64_t ld) { return t ? memory::dims{1, ld} : memory::dims{ld, 1}; };
    const memory::desc a({g.M, g.K}, type, strides(g.ta, g.lda)), b({g.K, g.N}, type, strides(g.tb, g.ldb)),
        c({g.M, g.N}, memory::data_type::f32, strides(false, g.ldc));
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (g.beta != 0) {
      dnnl::post_ops sum;
      sum.append_sum(1.0f);
      attributes.set_post_ops(sum);
    }
    const auto description = describe_matmul(engine_, a, b, c, attributes);
    Prepared p;
    p.primitive = dnnl::matmul(description);
    p.a = memory(a, engine_, nullptr);
    p.b = memory(b, engine_, nullptr);
    p.c = memory(c, engine_, nullptr);
    p.scratch = description.scratchpad_desc().get_size();
    p.arguments = {{DNNL_ARG_SRC, p.a}, {DNNL_ARG_WEIGHTS, p.b}, {DNNL_ARG_DST, p.c}};
    if (p.scratch > 0) {
      p.scratchpad = memory(description.scratchpad_desc(), engine_, nullptr);
      p.arguments.emplace(DNNL_ARG_SCRATCHPAD, p.scratchpad);
    }
    return p;
  }

  // A primitive takes some 50 kB. A training has a few dozen shapes; texts of every length have no end of them.
  static constexpr size_t most = 256;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  std::map<Key, Prepared> prepared_;
};

namespace {

[[noreturn]] void failed(const Operands& g, dnnl_status_t status, const std::string& what) {
  throw Error(status == dnnl_out_of_memory ? RGM_NO_MEMORY : RGM_DEVICE_ERROR,
              "oneDNN: " + what + ", for the product of (" + std::to_string(g.M) + ", " + std::to_string(g.K) +
                  ") and (" + std::to_string(g.K) + ", " + std::to_string(g.N) + ')');
}

void by_primitive(rgm_queue* q, const Operands& g) {
  assert(!omp_in_parallel());
  if (!q->primitives) q->primitives = std::make_shared<Primitives>();
  try {
    q->primitives->run(q, g);
  } catch (const dnnl::error& e) {
    failed(g, e.status, e.what());
  }
}

void by_sgemm(const Operands& g) {
  const auto status =
      dnnl_sgemm(g.ta ? 'T' : 'N', g.tb ? 'T' : 'N', g.M, g.N, g.K, g.alpha, static_cast<const float*>(g.a), g.lda,
                 static_cast<const float*>(g.b), g.ldb, g.beta, g.c, g.ldc);
  if (status != dnnl_success) failed(g, status, status == dnnl_out_of_memory ? "no memory" : "sgemm failed");
}

// Measured on two AVX-512 machines: sgemm is within a few percent of the best, except where b is transposed (a forward
// pass) and where c is narrow: there the primitive is up to a fifth faster. For single rows it is slower.
bool suits_primitive(const Operands& g) {
  return !g.ta && g.alpha == 1 && g.beta == 0 && ((g.tb && g.M > 1) || (g.N <= 128 && g.M >= 64));
}

// Reading b is all the work, whichever way it lies: rows of it are shared out, and where they are added up, each thread
// has a sum of its own.
void single_row(rgm_queue* q, const Operands& g) {
  const float *a = static_cast<const float*>(g.a), *b = static_cast<const float*>(g.b);
  if (g.tb)
    return parallel(threads(q), g.N, std::max<int64_t>(4, kGrain / g.K), [&](int64_t begin, int64_t end, int) {
      vector(q).dot_rows(a, b + begin * g.ldb, g.ldb, end - begin, g.K, g.c + begin);
    });
  const int64_t pieces = std::clamp<int64_t>(g.K * g.N / kGrain, 1, threads(q));
  float* sums = q->scratch.floats(Scratch::kSingle, pieces * g.N);
  parallel(threads(q), pieces, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = g.K * i / pieces, rows = g.K * (i + 1) / pieces - first;
      std::fill_n(sums + i * g.N, g.N, 0.0f);
      vector(q).weighted_rows(a + first, b + first * g.ldb, g.ldb, rows, g.N, sums + i * g.N);
    }
  });
  std::copy_n(sums, g.N, g.c);
  if (pieces > 1) vector(q).weighted_rows(nullptr, sums + g.N, g.N, pieces - 1, g.N, g.c);
}

// Columns are shared out in whole pairs of vectors, which all instruction sets have in 32. Where rows of b are rows of
// the product's sum, those of a go side by side: otherwise they may lie a page apart, and fall into one set of a cache.
void few_rows(rgm_queue* q, const Operands& g) {
  const auto* a = static_cast<const float*>(g.a);
  int64_t a_row = g.lda, a_column = 1;
  if (!g.tb && g.M > 1) {
    const int64_t side = (g.M + 15) / 16 * 16;
    float* const turned = q->scratch.floats(Scratch::kSingle, side * g.K);
    vector(q).turn(a, g.lda, g.M, g.K, turned, side);
    a = turned, a_row = 1, a_column = side;
  }
  parallel(threads(q), (g.N + 31) / 32, std::max<int64_t>(1, kGrain / (32 * g.K)),
           [&](int64_t begin, int64_t end, int) {
             const int64_t first = begin * 32, columns = std::min(end * 32, g.N) - first;
             const void* b = static_cast<const char*>(g.b) + first * (g.tb ? g.ldb : 1) * (g.narrow ? 2 : 4);
             vector(q).few_rows({g.M, columns, g.K, a, a_row, a_column, b, g.ldb, g.tb, g.narrow, g.c + first, g.ldc});
           });
}

// Beyond these, the library is as fast or faster; a narrow b it would have to be given as float32.
bool suits_few_rows(const Operands& g) {
  if (g.ta || g.alpha != 1 || g.beta != 0) return false;
  return g.narrow ? g.M <= 32 : g.M > 1 && g.M <= (g.tb ? 16 : 48) && g.K * g.N > 32768;
}

// Some rows at a time of a bfloat16 matrix become float32 where they stay in a cache: columns of the result, or terms
// of its sums, which are added up.
void by_parts(rgm_queue* q, const Operands& g) {
  constexpr int64_t kPart = int64_t{1} << 20;
  const int64_t all = g.tb ? g.N : g.K, length = g.tb ? g.K : g.N, most = std::max<int64_t>(64, kPart / length);
  const int64_t parts = (all + most - 1) / most;
  float* part = q->scratch.floats(Scratch::kWidened, (all + parts - 1) / parts * length);
  const auto* from = static_cast<const uint16_t*>(g.b);
  for (int64_t i = 0; i < parts; ++i) {
    const int64_t first = all * i / parts, rows = all * (i + 1) / parts - first;
    parallel(threads(q), rows, std::max<int64_t>(1, kGrain / length), [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) vector(q).widen(from + (first + r) * g.ldb, part + r * length, length);
    });
    Operands each = g;
    each.narrow = false, each.b = part, each.ldb = length;
    if (g.tb)
      each.N = rows, each.c = g.c + first;
    else
      each.K = rows, each.a = static_cast<const float*>(g.a) + first * (g.ta ? g.lda : 1),
      each.beta = i > 0 ? 1 : g.beta;
    gemm(q, each);
  }
}

bool suits_single_row(const Operands& g) {
  return g.M == 1 && g.alpha == 1 && g.beta == 0 && (!g.ta || g.lda == 1) && g.K * g.N > 32768;
}

}  // namespace

bool gemm_takes_bf16() { return library_has(dnnl_cpu_isa_avx512_core_bf16); }

void gemm_alone(rgm_queue* q, const Operands& g) {
  // Not the primitives: what they are prepared with belongs to the queue, and several threads come here at once.
  if (g.tb) return by_sgemm(g);
  vector(q).product({g.M, g.N, g.K, static_cast<const float*>(g.a), g.ta ? 1 : g.lda, g.ta ? g.lda : 1,
                     static_cast<const float*>(g.b), g.ldb, g.c, g.ldc, g.alpha, g.beta != 0});
}

void gemm(rgm_queue* q, const Operands& g) {
  if (g.M == 0 || g.N == 0) return;
  if (g.bf16) return by_primitive(q, g);
  if (suits_few_rows(g)) return few_rows(q, g);
  if (g.narrow) return by_parts(q, g);
  // Below this a team costs more than it gives.
  if (!g.tb && g.M * g.N * g.K <= 32768) return gemm_alone(q, g);
  if (suits_single_row(g)) return single_row(q, g);
  if (suits_primitive(g)) return by_primitive(q, g);
  by_sgemm(g);
}

}  // namespace regimen::onednn
