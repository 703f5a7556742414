// libraries.cpp - cuBLASLt in software, in the place of the backend's own libraries.cpp: products by their definition,
// with the epilogues that the backend asks for. As there, matrices count columns first.
#include "libraries.hpp"

#include <cuda_bf16.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <regimen/backend.hpp>
#include <vector>

#include "emulator.hpp"

namespace regimen::cudnn {
namespace {

struct Description {
  cublasOperation_t a = CUBLAS_OP_N, b = CUBLAS_OP_N;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  int32_t bias_type = CUDA_R_32F;
  const void* bias = nullptr;
  void* aux = nullptr;
  int64_t aux_line = 0;
};
struct Layout {
  cudaDataType_t type;
  int64_t rows, columns, line, batch = 0;
  int32_t batches = 1;
};

const Description& of(cublasLtMatmulDesc_t d) { return *reinterpret_cast<const Description*>(d); }
const Layout& of(cublasLtMatrixLayout_t l) { return *reinterpret_cast<const Layout*>(l); }

float read(const void* data, int32_t type, int64_t i) {
  return type == CUDA_R_16BF ? __bfloat162float(static_cast<const __nv_bfloat16*>(data)[i])
                             : static_cast<const float*>(data)[i];
}
void write(void* data, int32_t type, int64_t i, float x) {
  if (type == CUDA_R_16BF)
    static_cast<__nv_bfloat16*>(data)[i] = __float2bfloat16(x);
  else
    static_cast<float*>(data)[i] = x;
}

float gelu(float x) { return 0.5f * x * (1 + std::tanh(0.79788456f * (x + 0.044715f * x * x * x))); }
float gelu_slope(float x) {
  const float t = std::tanh(0.79788456f * (x + 0.044715f * x * x * x));
  return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * 0.79788456f * (1 + 3 * 0.044715f * x * x);
}

cublasStatus_t create(cublasLtHandle_t* out) {
  *out = nullptr;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t destroy(cublasLtHandle_t) { return CUBLAS_STATUS_SUCCESS; }

cublasStatus_t desc_create(cublasLtMatmulDesc_t* out, cublasComputeType_t compute, cudaDataType_t scale) {
  if (compute != CUBLAS_COMPUTE_32F || scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  *out = reinterpret_cast<cublasLtMatmulDesc_t>(new Description);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t desc_destroy(cublasLtMatmulDesc_t d) {
  delete reinterpret_cast<Description*>(d);
  return CUBLAS_STATUS_SUCCESS;
}
template <class T>
cublasStatus_t take(T& to, const void* from, size_t size) {
  if (size != sizeof(T)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&to, from, size);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t desc_set(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t what, const void* from, size_t size) {
  auto& d = *reinterpret_cast<Description*>(desc);
  switch (what) {
    case CUBLASLT_MATMUL_DESC_TRANSA: return take(d.a, from, size);
    case CUBLASLT_MATMUL_DESC_TRANSB: return take(d.b, from, size);
    case CUBLASLT_MATMUL_DESC_EPILOGUE: return take(d.epilogue, from, size);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE: return take(d.bias_type, from, size);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER: return take(d.bias, from, size);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER: return take(d.aux, from, size);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD: return take(d.aux_line, from, size);
    default: return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

cublasStatus_t layout_create(cublasLtMatrixLayout_t* out, cudaDataType_t type, uint64_t rows, uint64_t columns,
                             int64_t line) {
  if (line < static_cast<int64_t>(rows)) return CUBLAS_STATUS_INVALID_VALUE;
  auto* const made = new Layout{type, static_cast<int64_t>(rows), static_cast<int64_t>(columns), line};
  *out = reinterpret_cast<cublasLtMatrixLayout_t>(made);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t layout_destroy(cublasLtMatrixLayout_t l) {
  delete reinterpret_cast<Layout*>(l);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t layout_set(cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t what, const void* from,
                          size_t size) {
  auto& l = *reinterpret_cast<Layout*>(layout);
  switch (what) {
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT: return take(l.batches, from, size);
    case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET: return take(l.batch, from, size);
    default: return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

cublasStatus_t preference_create(cublasLtMatmulPreference_t* out) {
  *out = nullptr;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t preference_destroy(cublasLtMatmulPreference_t) { return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t preference_set(cublasLtMatmulPreference_t, cublasLtMatmulPreferenceAttributes_t, const void*, size_t) {
  return CUBLAS_STATUS_SUCCESS;
}

bool has_aux(const Description& d) {
  return d.epilogue == CUBLASLT_EPILOGUE_GELU_AUX_BIAS || d.epilogue == CUBLASLT_EPILOGUE_DGELU;
}

// Sizes that fit together; and, as the library has it, lines of whole 16 bytes where there is an aux.
cublasStatus_t heuristic(cublasLtHandle_t, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t la,
                         cublasLtMatrixLayout_t lb, cublasLtMatrixLayout_t lc, cublasLtMatrixLayout_t ly,
                         cublasLtMatmulPreference_t, int, cublasLtMatmulHeuristicResult_t*, int* answers) {
  const Description& d = of(desc);
  const Layout &a = of(la), &b = of(lb), &c = of(lc), &y = of(ly);
  const bool ta = d.a == CUBLAS_OP_T, tb = d.b == CUBLAS_OP_T;
  const bool fits = (ta ? a.columns : a.rows) == y.rows && (tb ? b.rows : b.columns) == y.columns &&
                    (ta ? a.rows : a.columns) == (tb ? b.columns : b.rows) && c.rows == y.rows &&
                    c.columns == y.columns && a.type == b.type && c.type == y.type;
  *answers = fits && (!has_aux(d) || (d.aux_line % 8 == 0 && y.type == CUDA_R_16BF));
  return *answers ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

struct Call {
  Description d;
  Layout la, lb, lc, ly;
  const void *a, *b, *c;
  void* y;
  float alpha, beta;

  // Columns of y one after another: sums over k in its order, of all rows at once.
  void run() const {
    const bool ta = d.a == CUBLAS_OP_T, tb = d.b == CUBLAS_OP_T;
    const int64_t K = ta ? la.rows : la.columns, M = ly.rows;
    std::vector<float> left(static_cast<size_t>(K * M)), sums(static_cast<size_t>(M));
    for (int64_t n = 0; n < ly.batches; ++n) {
      for (int64_t k = 0; k < K; ++k)
        for (int64_t i = 0; i < M; ++i)
          left[static_cast<size_t>(k * M + i)] =
              read(a, la.type, n * la.batch + (ta ? k + i * la.line : i + k * la.line));
      for (int64_t j = 0; j < ly.columns; ++j) {
        std::fill(sums.begin(), sums.end(), 0);
        for (int64_t k = 0; k < K; ++k) {
          const float right = read(b, lb.type, n * lb.batch + (tb ? j + k * lb.line : k + j * lb.line));
          const float* const line = left.data() + k * M;
          for (int64_t i = 0; i < M; ++i) sums[static_cast<size_t>(i)] += line[i] * right;
        }
        for (int64_t i = 0; i < M; ++i) finish(n, i, j, sums[static_cast<size_t>(i)]);
      }
    }
  }
  void finish(int64_t n, int64_t i, int64_t j, float sum) const {
    float x = alpha * sum;
    if (beta != 0) x += beta * read(c, lc.type, n * lc.batch + i + j * lc.line);
    const bool has_gelu = d.epilogue == CUBLASLT_EPILOGUE_GELU_BIAS || d.epilogue == CUBLASLT_EPILOGUE_GELU_AUX_BIAS;
    if (has_gelu || d.epilogue == CUBLASLT_EPILOGUE_BIAS) x += read(d.bias, d.bias_type, i);
    if (d.epilogue == CUBLASLT_EPILOGUE_GELU_AUX_BIAS) write(d.aux, ly.type, i + j * d.aux_line, x);
    if (has_gelu) x = gelu(x);
    if (d.epilogue == CUBLASLT_EPILOGUE_DGELU) x *= gelu_slope(read(d.aux, ly.type, i + j * d.aux_line));
    write(y, ly.type, n * ly.batch + i + j * ly.line, x);
  }
};

cublasStatus_t matmul(cublasLtHandle_t, cublasLtMatmulDesc_t desc, const void* alpha, const void* a,
                      cublasLtMatrixLayout_t la, const void* b, cublasLtMatrixLayout_t lb, const void* beta,
                      const void* c, cublasLtMatrixLayout_t lc, void* y, cublasLtMatrixLayout_t ly,
                      const cublasLtMatmulAlgo_t*, void*, size_t, cudaStream_t stream) {
  if (emulator::has_fallen_away()) return CUBLAS_STATUS_EXECUTION_FAILED;
  const Call call{of(desc),
                  of(la),
                  of(lb),
                  of(lc),
                  of(ly),
                  a,
                  b,
                  c,
                  y,
                  *static_cast<const float*>(alpha),
                  *static_cast<const float*>(beta)};
  emulator::enqueue(stream, [call] { call.run(); });
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace

void* open_cublas_lt() { return nullptr; }
void* open_cudnn() { return nullptr; }
void* open_cuda_runtime() { return nullptr; }
Lt load_cublas_lt() {
  return {nullptr,  create,        destroy,        matmul,     heuristic,         desc_create,        desc_destroy,
          desc_set, layout_create, layout_destroy, layout_set, preference_create, preference_destroy, preference_set};
}
void check_cublas(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw Error(RGM_INTERNAL, std::string(what) + ": status " + std::to_string(static_cast<int>(status)));
}

}  // namespace regimen::cudnn
