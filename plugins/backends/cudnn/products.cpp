// products.cpp - cuBLASLt behind a cache of prepared products. It counts columns first: our row-major y (M, N) is its
// y^T (N, M) = b^T a^T. The algorithm is its first answer for the shape, a pure function of that and of the GPU.
#include "products.hpp"

#include <map>

#include "kernels.hpp"

namespace regimen::cudnn {
namespace {

constexpr size_t workspace_size = size_t{64} << 20;

cudaDataType_t type_of(rgm_dtype d) { return d == RGM_BF16 ? CUDA_R_16BF : CUDA_R_32F; }

uint32_t alignment_of(const void* p) {
  const auto bits = reinterpret_cast<uintptr_t>(p);
  for (uint32_t n = 256; n > 1; n /= 2)
    if (bits % n == 0) return n;
  return 1;
}

// The heuristic looks at them all.
int64_t alignments_of(std::initializer_list<const void*> pointers) {
  int64_t out = 0;
  for (const void* p : pointers) out = out << 10 | alignment_of(p);
  return out;
}

struct Key {
  int64_t numbers[16];
  auto operator<=>(const Key&) const = default;  // NOLINT(modernize-use-nullptr): there is none
};

}  // namespace

class Products {
 public:
  explicit Products(const Lt& lt) : lt_(lt) {}
  ~Products() {
    for (auto& [key, p] : prepared_) {
      lt_.desc_destroy(p.desc);
      for (cublasLtMatrixLayout_t layout : {p.a, p.b, p.c, p.y}) lt_.layout_destroy(layout);
    }
  }
  Products(const Products&) = delete;
  Products& operator=(const Products&) = delete;

  bool run(rgm_queue* q, const Product& p) {
    Prepared& ready = prepared(p);
    if (!ready.served) return false;
    if (p.bias)
      check_cublas(lt_.desc_set(ready.desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &p.bias, sizeof p.bias), "matmul");
    if (p.aux)
      check_cublas(lt_.desc_set(ready.desc, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, &p.aux, sizeof p.aux), "matmul");
    void* const workspace = q->scratch.bytes(Scratch::kWorkspace, workspace_size);
    // Its a is our b: see above.
    check_cublas(lt_.matmul(lt_.handle, ready.desc, &p.alpha, p.b.data, ready.a, p.a.data, ready.b, &p.beta, p.c.data,
                            ready.c, p.y.data, ready.y, &ready.algorithm, workspace, workspace_size, q->stream),
                 "matmul");
    return true;
  }

 private:
  struct Prepared {
    cublasLtMatmulDesc_t desc = nullptr;
    cublasLtMatrixLayout_t a = nullptr, b = nullptr, c = nullptr, y = nullptr;
    cublasLtMatmulAlgo_t algorithm{};
    bool served = false;
  };

  cublasLtMatrixLayout_t layout(rgm_dtype dtype, int64_t rows, int64_t columns, int64_t line, const Product& p,
                                int64_t batch) {
    cublasLtMatrixLayout_t out = nullptr;
    check_cublas(
        lt_.layout_create(&out, type_of(dtype), static_cast<uint64_t>(rows), static_cast<uint64_t>(columns), line),
        "matmul: layout");
    if (p.batches > 1) {
      const auto n = static_cast<int32_t>(p.batches);
      check_cublas(lt_.layout_set(out, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &n, sizeof n), "matmul: batch");
      check_cublas(lt_.layout_set(out, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &batch, sizeof batch),
                   "matmul: batch");
    }
    return out;
  }
  // (I, J): as cuBLASLt has it (J, I), or transposed (I, J) where its columns lie in memory order.
  cublasLtMatrixLayout_t factor(const Matrix& m, int64_t I, int64_t J, const Product& p) {
    return m.column == 1 ? layout(m.dtype, J, I, std::max(m.row, J), p, m.batch)
                         : layout(m.dtype, I, J, std::max(m.column, I), p, m.batch);
  }

  Prepared& prepared(const Product& p) {
    const bool tb = p.b.column != 1, ta = p.a.column != 1;
    const Key key{{p.M, p.N, p.K, p.batches, tb ? p.b.column : p.b.row, ta ? p.a.column : p.a.row, p.c.row, p.y.row,
                   p.b.batch, p.a.batch, p.c.batch, p.y.batch,
                   int64_t{ta} | int64_t{tb} << 1 | int64_t{p.bias != nullptr} << 2 | int64_t{p.beta != 0} << 3 |
                       int64_t{p.gelu} << 4 | int64_t{p.aux != nullptr} << 5 | int64_t{p.gelu_grad} << 6,
                   p.a.dtype * 64 + p.b.dtype * 8 + p.y.dtype,
                   alignments_of({p.a.data, p.b.data, p.c.data, p.y.data, p.bias, p.aux})}};
    const auto [found, fresh] = prepared_.try_emplace(key);
    if (!fresh) return found->second;
    try {
      prepare(p, found->second);
    } catch (...) {
      prepared_.erase(found);
      throw;
    }
    return found->second;
  }

  void prepare(const Product& p, Prepared& out) {
    check_cublas(lt_.desc_create(&out.desc, CUBLAS_COMPUTE_32F, CUDA_R_32F), "matmul");
    const auto set = [&](cublasLtMatmulDescAttributes_t what, const auto& value) {
      check_cublas(lt_.desc_set(out.desc, what, &value, sizeof value), "matmul: attribute");
    };
    set(CUBLASLT_MATMUL_DESC_TRANSA, p.b.column == 1 ? CUBLAS_OP_N : CUBLAS_OP_T);
    set(CUBLASLT_MATMUL_DESC_TRANSB, p.a.column == 1 ? CUBLAS_OP_N : CUBLAS_OP_T);
    if (p.bias) {
      set(CUBLASLT_MATMUL_DESC_EPILOGUE, !p.gelu ? CUBLASLT_EPILOGUE_BIAS
                                         : p.aux ? CUBLASLT_EPILOGUE_GELU_AUX_BIAS
                                                 : CUBLASLT_EPILOGUE_GELU_BIAS);
      set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, static_cast<int32_t>(type_of(p.y.dtype)));
      set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);
    }
    if (p.gelu_grad) set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_DGELU);
    if (p.aux) {
      set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, p.aux);
      set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, std::max(p.y.row, p.N));
    }
    out.a = factor(p.b, p.K, p.N, p);
    out.b = factor(p.a, p.M, p.K, p);
    out.c = layout(p.c.dtype, p.N, p.M, std::max(p.c.row, p.N), p, p.c.batch);
    out.y = layout(p.y.dtype, p.N, p.M, std::max(p.y.row, p.N), p, p.y.batch);

    cublasLtMatmulPreference_t preference = nullptr;
    check_cublas(lt_.preference_create(&preference), "matmul");
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t what, const auto& value) {
      lt_.preference_set(preference, what, &value, sizeof value);
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace_size);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment_of(p.b.data));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment_of(p.a.data));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment_of(p.c.data));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment_of(p.y.data));
    // No sums in place: their order would depend on which block comes first. Nor any in the type of y, which may be
    // bfloat16.
    const uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, schemes);
    cublasLtMatmulHeuristicResult_t result{};
    int answers = 0;
    const cublasStatus_t status =
        lt_.heuristic(lt_.handle, out.desc, out.a, out.b, out.c, out.y, preference, 1, &result, &answers);
    lt_.preference_destroy(preference);
    out.served = status == CUBLAS_STATUS_SUCCESS && answers > 0;
    out.algorithm = result.algo;
  }

  const Lt& lt_;
  std::map<Key, Prepared> prepared_;
};

bool try_multiply(rgm_queue* q, const Product& product) {
  if (product.M == 0 || product.N == 0) return true;
  if (!q->products) q->products = std::make_shared<Products>(q->device->lt);
  Product p = product;
  if (!p.c.data) p.c = p.y;
  return q->products->run(q, p);
}
void multiply(rgm_queue* q, const Product& product) {
  require(try_multiply(q, product), "matmul: cuBLASLt has no algorithm for this shape");
}

bool has_rows(const rgm_view& v) {
  return (v.stride[v.rank - 1] == 1 || v.shape[v.rank - 1] == 1) &&
         (v.stride[v.rank - 2] >= std::max<int64_t>(v.shape[v.rank - 1], 1) || v.shape[v.rank - 2] == 1);
}
bool is_operand(const rgm_view& v) {
  const int64_t rows = v.shape[v.rank - 2], columns = v.shape[v.rank - 1], row = v.stride[v.rank - 2],
                column = v.stride[v.rank - 1];
  return has_rows(v) || ((row == 1 || rows == 1) && (column >= std::max<int64_t>(rows, 1) || columns == 1));
}
Matrix matrix_of(const rgm_view& v) {
  const int64_t rows = v.shape[v.rank - 2], columns = v.shape[v.rank - 1];
  if (has_rows(v)) return {v.data, v.dtype, rows == 1 ? columns : v.stride[v.rank - 2], 1, 0};
  return {v.data, v.dtype, 1, columns == 1 ? rows : v.stride[v.rank - 1], 0};
}

Matrix operand(rgm_queue* q, const rgm_view& v, Scratch::Slot slot) {
  if (is_operand(v)) return matrix_of(v);
  rgm_view dense = v;
  for (int64_t i = v.rank, step = 1; i-- > 0; step *= v.shape[i]) dense.stride[i] = step;
  dense.data = q->scratch.bytes(slot, static_cast<size_t>(count(v)) * size_of(v.dtype));
  check(copy(q, &v, &dense));
  return matrix_of(dense);
}

}  // namespace regimen::cudnn
