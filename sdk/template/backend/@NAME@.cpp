// @NAME@.cpp - a backend in ordinary memory with the ten required kernels and no others: the host composes the rest, so
// it trains from the first day. Make it fast one optional kernel at a time, and compare with the reference after each:
//   regimen bench --kernels --backend @NAME@
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numbers>
#include <regimen/regimen.hpp>
using namespace regimen;

struct rgm_device {};
struct rgm_queue {};

namespace {

// One element of any type, as a double. Integers beyond 2^53 would need a path of their own.
double get(const rgm_view& v, int64_t i) {
  switch (v.dtype) {
    case RGM_F32: return data<float>(v)[i];
    case RGM_F16: return float(data<Float16>(v)[i]);
    case RGM_BF16: return float(data<BFloat16>(v)[i]);
    case RGM_I32: return data<int32_t>(v)[i];
    case RGM_I64: return double(data<int64_t>(v)[i]);
    default: return data<uint8_t>(v)[i];
  }
}
template <class T>
T integer(double x) {  // truncates, saturates at the ends of the range, and makes NaN 0, as kernels.h asks
  if (x != x) return 0;
  if (x >= double(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
  return x <= double(std::numeric_limits<T>::min()) ? std::numeric_limits<T>::min() : T(x);
}
void put(const rgm_view& v, int64_t i, double x) {
  switch (v.dtype) {
    case RGM_F32: data<float>(v)[i] = float(x); break;
    case RGM_F16: data<Float16>(v)[i] = Float16(float(x)); break;
    case RGM_BF16: data<BFloat16>(v)[i] = BFloat16(float(x)); break;
    case RGM_I32: data<int32_t>(v)[i] = integer<int32_t>(x); break;
    case RGM_I64: data<int64_t>(v)[i] = integer<int64_t>(x); break;
    case RGM_BOOL: data<uint8_t>(v)[i] = x != 0; break;
    default: data<uint8_t>(v)[i] = integer<uint8_t>(x);
  }
}

// body(offset in each view) for each element, in row-major order
template <size_t N, class F>
void each(const std::array<const rgm_view*, N>& views, F&& body) {
  Rows<N>(views).each([&](auto at, int64_t n, auto step) {
    for (int64_t i = 0; i < n; ++i) {
      body(at);
      for (size_t k = 0; k < N; ++k) at[k] += step[k];
    }
  });
}
rgm_view without(rgm_view v, int32_t axis) {
  v.shape[axis] = 1;
  return v;
}

double function(int32_t op, double x) {
  const auto sigmoid = [](double z) { return 1 / (1 + std::exp(-z)); };
  switch (op) {
    case RGM_NEG: return -x;
    case RGM_ABS: return std::abs(x);
    case RGM_SQUARE: return x * x;
    case RGM_SQRT: return std::sqrt(x);
    case RGM_RSQRT: return 1 / std::sqrt(x);
    case RGM_EXP: return std::exp(x);
    case RGM_EXPM1: return std::expm1(x);
    case RGM_LOG: return std::log(x);
    case RGM_LOG1P: return std::log1p(x);
    case RGM_TANH: return std::tanh(x);
    case RGM_SIGMOID: return sigmoid(x);
    case RGM_SOFTPLUS: return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
    case RGM_RELU: return x < 0 ? 0 : x;
    case RGM_SILU: return x * sigmoid(x);
    case RGM_GELU_TANH: return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    case RGM_GELU_ERF: return 0.5 * x * std::erfc(-x / std::numbers::sqrt2);
  }
  unsupported("unary: operation " + std::to_string(op));
}
double function(int32_t op, double a, double b) {
  switch (op) {
    case RGM_ADD: return a + b;
    case RGM_SUB: return a - b;
    case RGM_MUL: return a * b;
    case RGM_DIV: return a / b;
    case RGM_MIN: return b < a || b != b ? b : a;
    case RGM_MAX: return a < b || b != b ? b : a;
    case RGM_LESS: return a < b;
    case RGM_LESS_EQUAL: return a <= b;
    case RGM_EQUAL: return a == b;
  }
  unsupported("binary: operation " + std::to_string(op));
}

rgm_status fill(rgm_queue*, double value, const rgm_view* y) {
  return guard([&] { each<1>({y}, [&](auto at) { put(*y, at[0], value); }); });
}
rgm_status copy(rgm_queue*, const rgm_view* x, const rgm_view* y) {
  return guard([&] { each<2>({x, y}, [&](auto at) { put(*y, at[1], get(*x, at[0])); }); });
}
rgm_status unary(rgm_queue*, int32_t op, const rgm_view* x, const rgm_view* y) {
  return guard([&] { each<2>({x, y}, [&](auto at) { put(*y, at[1], function(op, get(*x, at[0]))); }); });
}
rgm_status binary(rgm_queue*, int32_t op, const rgm_view* a, const rgm_view* b, const rgm_view* y) {
  return guard([&] {
    each<3>({a, b, y}, [&](auto at) { put(*y, at[2], function(op, get(*a, at[0]), get(*b, at[1]))); });
  });
}
rgm_status choose(rgm_queue*, const rgm_view* c, const rgm_view* a, const rgm_view* b, const rgm_view* y) {
  return guard([&] {
    each<4>({c, a, b, y}, [&](auto at) { put(*y, at[3], get(*c, at[0]) != 0 ? get(*a, at[1]) : get(*b, at[2])); });
  });
}

rgm_status reduce(rgm_queue*, int32_t op, uint32_t axes, const rgm_view* x, const rgm_view* y) {
  return guard([&] {
    if (op != RGM_SUM && op != RGM_MAXIMUM) unsupported("reduce: operation " + std::to_string(op));
    rgm_view kept = *x, folded = *x;  // x without the axes that are reduced, and with only those
    for (int32_t i = 0; i < x->rank; ++i) (axes >> i & 1 ? kept : folded).shape[i] = 1;
    each<2>({&kept, y}, [&](auto at) {
      double result = op == RGM_SUM ? 0 : -INFINITY;
      each<1>({&folded}, [&](auto inner) {
        const double v = get(*x, at[0] + inner[0]);
        if (op == RGM_SUM) result += v;
        else if (v > result || v != v) result = v;
      });
      put(*y, at[1], result);
    });
  });
}

rgm_status matmul(rgm_queue*, double alpha, const rgm_view* a, const rgm_view* b, double beta, const rgm_view* y) {
  return guard([&] {
    const int32_t row = y->rank - 2, column = y->rank - 1;
    const int64_t K = a->shape[column];
    const rgm_view outer_a = without(without(*a, row), column), outer_b = without(without(*b, row), column),
                   outer_y = without(without(*y, row), column);
    each<3>({&outer_a, &outer_b, &outer_y}, [&](auto at) {
      for (int64_t m = 0; m < y->shape[row]; ++m)
        for (int64_t n = 0; n < y->shape[column]; ++n) {
          double sum = 0;
          for (int64_t k = 0; k < K; ++k)
            sum += get(*a, at[0] + m * a->stride[row] + k * a->stride[column]) *
                   get(*b, at[1] + k * b->stride[row] + n * b->stride[column]);
          const int64_t to = at[2] + m * y->stride[row] + n * y->stride[column];
          put(*y, to, alpha * sum + (beta == 0 ? 0 : beta * get(*y, to)));
        }
    });
  });
}

// `whole` has the axis that the indices point into, `listed` has one place for each index. All indices are checked
// before the first write.
template <class F>
void each_indexed(int32_t axis, const rgm_view& index, const rgm_view& whole, const rgm_view& listed, F&& body) {
  for (int64_t i = 0; i < index.shape[0]; ++i) {
    const auto place = int64_t(get(index, i * index.stride[0]));
    require(place >= 0 && place < whole.shape[axis], "index " + std::to_string(place) + " is outside of the axis");
  }
  const rgm_view a = without(whole, axis), b = without(listed, axis);
  for (int64_t i = 0; i < index.shape[0]; ++i) {
    const auto place = int64_t(get(index, i * index.stride[0]));
    each<2>({&a, &b}, [&](auto at) { body(at[0] + place * whole.stride[axis], at[1] + i * listed.stride[axis]); });
  }
}
rgm_status gather(rgm_queue*, int32_t axis, const rgm_view* x, const rgm_view* index, const rgm_view* y) {
  return guard([&] {
    each_indexed(axis, *index, *x, *y, [&](int64_t from, int64_t to) { put(*y, to, get(*x, from)); });
  });
}
rgm_status scatter_add(rgm_queue*, int32_t axis, const rgm_view* index, const rgm_view* x, const rgm_view* y) {
  return guard([&] {
    each_indexed(axis, *index, *y, *x,
                 [&](int64_t to, int64_t from) { put(*y, to, get(*y, to) + get(*x, from)); });
  });
}

// Word i of Philox4x32-10 (Salmon et al., SC 2011); kernels.h says what the key holds and what becomes of the words.
uint32_t word(const rgm_view& key, uint64_t i) {
  uint32_t k[6];
  for (int64_t j = 0; j < 6; ++j) k[j] = data<uint32_t>(key)[j * key.stride[0]];
  const uint64_t low = (uint64_t{k[3]} << 32 | k[2]) + i / 4, carry = low < i / 4;
  const uint64_t high = (uint64_t{k[5]} << 32 | k[4]) + carry;
  uint32_t c[4] = {uint32_t(low), uint32_t(low >> 32), uint32_t(high), uint32_t(high >> 32)};
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * c[0], b = uint64_t{0xCD9E8D57} * c[2];
    const uint32_t next[4] = {uint32_t(b >> 32) ^ c[1] ^ k[0], uint32_t(b), uint32_t(a >> 32) ^ c[3] ^ k[1],
                              uint32_t(a)};
    std::copy(next, next + 4, c);
    k[0] += 0x9E3779B9;
    k[1] += 0xBB67AE85;
  }
  return c[i % 4];
}
rgm_status random(rgm_queue*, const rgm_view* key, int32_t distribution, const rgm_view* y) {
  return guard([&] {
    uint64_t i = 0;
    each<1>({y}, [&](auto at) {
      const uint64_t even = i & ~uint64_t{1};
      if (distribution == RGM_BITS)
        data<uint32_t>(*y)[at[0]] = word(*key, i);
      else if (distribution == RGM_UNIFORM)
        put(*y, at[0], (word(*key, i) >> 8) * 0x1p-24);
      else if (distribution == RGM_NORMAL) {
        const double r = std::sqrt(-2 * std::log(((word(*key, even) >> 8) + 1) * 0x1p-24));
        const double a = 2 * std::numbers::pi * (word(*key, even + 1) >> 8) * 0x1p-24;
        put(*y, at[0], r * (i == even ? std::cos(a) : std::sin(a)));
      } else {
        unsupported("random: distribution " + std::to_string(distribution));
      }
      ++i;
    });
  });
}

constexpr rgm_kernels kernels = [] {
  rgm_kernels k{};
  k.struct_size = sizeof k;
  k.fill = fill;
  k.copy = copy;
  k.unary = unary;
  k.binary = binary;
  k.select = choose;
  k.reduce = reduce;
  k.matmul = matmul;
  k.gather = gather;
  k.scatter_add = scatter_add;
  k.random = random;
  return k;
}();

// A backend for real hardware tries its library here, not earlier, and says why if that fails: return host->fail(...)
rgm_status device_count(uint32_t* out) {
  *out = 1;
  return RGM_OK;
}
rgm_status device_info(uint32_t, rgm_device_info* out) {
  constexpr uint32_t dtypes =
      1u << RGM_F32 | 1u << RGM_F16 | 1u << RGM_BF16 | 1u << RGM_I32 | 1u << RGM_I64 | 1u << RGM_U8 | 1u << RGM_BOOL;
  answer(out, {sizeof(rgm_device_info), 0, "@NAME@", "generic", 0, dtypes, 1});
  return RGM_OK;
}
rgm_status open(uint32_t, const rgm_config*, rgm_device** out) {
  return guard([&] { *out = new rgm_device; });
}
void close(rgm_device* device) { delete device; }
const rgm_kernels* kernels_of(rgm_device*) { return &kernels; }
rgm_status alloc(rgm_device*, size_t bytes, void** out) {
  return guard([&] {
    void* const memory = std::aligned_alloc(256, std::max<size_t>(bytes / 256 * 256 + 256, 256));
    if (!memory) throw std::bad_alloc();
    *out = memory;
  });
}
void release(rgm_device*, void* memory) { std::free(memory); }
rgm_status parallel_for(rgm_device*, int64_t n, int64_t, void* user, rgm_status (*body)(void*, int64_t, int64_t)) {
  return n > 0 ? body(user, 0, n) : RGM_OK;
}
rgm_status queue_new(rgm_device*, rgm_queue** out) {
  return guard([&] { *out = new rgm_queue; });
}
void queue_free(rgm_queue* q) { delete q; }
rgm_status move(rgm_queue*, void* to, const void* from, size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
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
  b.free = release;
  b.parallel_for = parallel_for;
  b.queue_new = queue_new;
  b.queue_free = queue_free;
  b.upload = move;
  b.download = move;
  b.wait = wait;
  return b;
}();
constexpr rgm_component component = backend("@NAME@", "0.1.0", "The required kernels in plain C++", &table);

}  // namespace

RGM_PLUGIN("@NAME@", "0.1.0", "", &component);
