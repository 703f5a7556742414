// index.cpp - gather and scatter_add along one axis, by a list of indices (rank 1). An index outside of the axis is
// refused before anything is written.
#include "kernels.hpp"
#include "numbers.hpp"

namespace regimen::reference {
namespace {

std::vector<int64_t> indices(const rgm_view& index, int64_t size, const char* kernel) {
  require(index.rank == 1 && (index.dtype == RGM_I32 || index.dtype == RGM_I64),
          std::string(kernel) + ": the index is a list of I32");
  std::vector<int64_t> out(static_cast<size_t>(index.shape[0]));
  load(index, 0, index.shape[0], index.stride[0], out.data());
  for (int64_t i : out)
    require(i >= 0 && i < size,
            std::string(kernel) + ": index " + std::to_string(i) + " of an axis of " + std::to_string(size));
  return out;
}

// What gather and scatter_add ask of x and y: one shape, but for the axis, which is as long as the index in `listed`.
void require_fit(int32_t axis, rgm_view whole, const rgm_view& listed, const rgm_view& index, const char* kernel) {
  require_axis(axis, whole, kernel);
  whole.shape[axis] = index.shape[0];
  require(same_shape(whole, listed), std::string(kernel) + ": the shapes differ in more than the axis");
}

}  // namespace

rgm_status gather(rgm_queue*, int32_t axis, const rgm_view* x, const rgm_view* index, const rgm_view* y) {
  return guard([&] {
    require_axis(axis, *x, "gather");
    const std::vector<int64_t> list = indices(*index, x->shape[axis], "gather");
    require_fit(axis, *x, *y, *index, "gather");
    require(x->dtype == y->dtype, "gather: x and y have one dtype");
    const rgm_view from = without_axis(*x, axis), to = without_axis(*y, axis);
    const Rows<2> rows({&from, &to});
    with_type(y->dtype, [&](auto type) {
      using T = decltype(type);
      for (size_t i = 0; i < list.size(); ++i) {
        const T* in = data<const T>(*x) + list[i] * x->stride[axis];
        T* out = data<T>(*y) + static_cast<int64_t>(i) * y->stride[axis];
        rows.each([&](auto at, int64_t n, auto step) {
          for (int64_t j = 0; j < n; ++j) out[at[1] + j * step[1]] = in[at[0] + j * step[0]];
        });
      }
    });
  });
}

// y[index[i]] += x[i]; the sums are float64 and rounded once, so their order shows in no bit but the last of y's.
rgm_status scatter_add(rgm_queue*, int32_t axis, const rgm_view* index, const rgm_view* x, const rgm_view* y) {
  return guard([&] {
    require_axis(axis, *y, "scatter_add");
    const std::vector<int64_t> list = indices(*index, y->shape[axis], "scatter_add");
    require_fit(axis, *y, *x, *index, "scatter_add");
    rgm_view sums_view = *y;  // row-major float64, of y's shape
    for (int64_t i = y->rank, step = 1; i-- > 0; step *= y->shape[i]) sums_view.stride[i] = step;
    std::vector<double> sums(static_cast<size_t>(count(*y)));
    Rows<2>({y, &sums_view}).each([&](auto at, int64_t n, auto step) {
      for (int64_t j = 0; j < n; ++j) sums[static_cast<size_t>(at[1] + j * step[1])] = get(*y, at[0] + j * step[0]);
    });
    const rgm_view from = without_axis(*x, axis), to = without_axis(sums_view, axis);
    const Rows<2> rows({&from, &to});
    for (size_t i = 0; i < list.size(); ++i) {
      const int64_t in = static_cast<int64_t>(i) * x->stride[axis], out = list[i] * sums_view.stride[axis];
      rows.each([&](auto at, int64_t n, auto step) {
        for (int64_t j = 0; j < n; ++j)
          sums[static_cast<size_t>(out + at[1] + j * step[1])] += get(*x, in + at[0] + j * step[0]);
      });
    }
    Rows<2>({y, &sums_view}).each([&](auto at, int64_t n, auto step) {
      for (int64_t j = 0; j < n; ++j) put(*y, at[0] + j * step[0], sums[static_cast<size_t>(at[1] + j * step[1])]);
    });
  });
}

}  // namespace regimen::reference
