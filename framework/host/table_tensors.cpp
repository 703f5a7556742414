// table_tensors.cpp - rgm_tensor_api: the operations of ops.hpp as C functions. A failure leaves the outputs as they
// were and its text with the thread.
#include <limits>

#include "host/guard.hpp"
#include "host/tables.hpp"
#include "tensor/ops.hpp"
#include "tensor/plugin_call.hpp"

namespace rgm {
namespace {

void retain(rgm_tensor* t) { Tensor::share(t).release(); }
void release(rgm_tensor* t) { Tensor::drop(t); }

// Shape and dtype that a plug-in asks for, checked.
Shape shape_of(const rgm_view* like) {
  const rgm_view& v = given(like, "like");
  require(v.rank >= 0 && v.rank <= 8, "a tensor has 0 to 8 axes, {} were asked for", v.rank);
  bytes_of(v.dtype);  // throws at what is no data type
  const Shape shape(v);
  for (const int64_t size : shape) require(size >= 0, "{} is not a shape", shape.text());
  shape.count();  // throws where it is too large
  return shape;
}

rgm_status describe(const rgm_tensor* t, rgm_view* out) {
  return guard([&] {
    const rgm_view& v = given(t, "the tensor").view;
    given(out, "out") = dense_view(Shape(v), v.dtype);
  });
}

rgm_status read(const rgm_tensor* t, const rgm_view* dst) {
  return guard([&] {
    const Tensor x = share(const_cast<rgm_tensor*>(t), "the tensor");
    const Shape shape = shape_of(dst);
    require(shape == x.shape(), "read: a tensor of {} does not fit into {}", x.shape().text(), shape.text());
    Rehearsal::asks_for_values("read");
    Tensor plain = x;
    if (x.dtype() != dst->dtype || !is_contiguous(x.view())) {
      plain = empty(shape, dst->dtype);
      assign(plain, x);
    }
    const size_t size = static_cast<size_t>(shape.count()) * bytes_of(dst->dtype);
    if (size == 0) return;
    auto* const to = &given(static_cast<std::byte*>(dst->data), "data");
    if (is_contiguous(*dst)) return plain.device()->download(to, plain.view().data, size);
    std::vector<std::byte> bytes(size);
    plain.device()->download(bytes.data(), plain.view().data, size);
    scatter_bytes(bytes, *dst);
  });
}

rgm_status write(const rgm_view* src, rgm_tensor** out) {
  return give(out, [&] {
    const Shape shape = shape_of(src);
    if (shape.count() > 0) given(static_cast<std::byte*>(src->data), "data");
    if (is_contiguous(*src)) return from_host(src->data, shape, src->dtype);
    return from_host(gather_bytes(*src).data(), shape, src->dtype);
  });
}

rgm_status full(const rgm_view* like, double value, rgm_tensor** out) {
  return give(out, [&] { return ops::full(shape_of(like), value, like->dtype); });
}
rgm_status random(const rgm_view* like, int32_t distribution, rgm_tensor** out) {
  return give(out, [&] { return ops::random(shape_of(like), distribution, like->dtype); });
}

rgm_status unary(int32_t op, rgm_tensor* x, rgm_tensor** out) {
  return give(out, [&] { return ops::unary(op, share(x, "x")); });
}
rgm_status binary(int32_t op, rgm_tensor* a, rgm_tensor* b, rgm_tensor** out) {
  return give(out, [&] { return ops::binary(op, share(a, "a"), share(b, "b")); });
}
rgm_status affine(rgm_tensor* x, double scale, double shift, rgm_tensor** out) {
  return give(out, [&] { return ops::affine(share(x, "x"), scale, shift); });
}
rgm_status select(rgm_tensor* c, rgm_tensor* a, rgm_tensor* b, rgm_tensor** out) {
  return give(out, [&] { return ops::select(share(c, "c"), share(a, "a"), share(b, "b")); });
}
rgm_status cast(rgm_tensor* x, rgm_dtype dtype, rgm_tensor** out) {
  return give(out, [&] { return ops::cast(share(x, "x"), dtype); });
}
rgm_status dropout(rgm_tensor* x, double p, rgm_tensor** out) {
  return give(out, [&] { return ops::dropout(share(x, "x"), p); });
}

rgm_status matmul(rgm_tensor* a, int32_t ta, rgm_tensor* b, int32_t tb, double alpha, rgm_tensor* c, rgm_tensor** out) {
  Tensor added = Tensor::adopt(c);  // given: ours to drop also where something fails
  return give(out,
              [&] { return ops::matmul(share(a, "a"), ta != 0, share(b, "b"), tb != 0, alpha, std::move(added)); });
}
rgm_status reduce(int32_t op, uint32_t axes, int32_t keep, rgm_tensor* x, rgm_tensor** out) {
  return give(out, [&] { return ops::reduce(op, axes, share(x, "x"), keep != 0); });
}
rgm_status segment_sum(rgm_tensor* x, rgm_tensor* segments, int64_t n, rgm_tensor** out) {
  return give(out, [&] {
    require(n >= 0 && n < std::numeric_limits<int64_t>::max(), "segment_sum: there are no {} segments", n);
    return ops::segment_sum(share(x, "x"), share(segments, "segments"), n);
  });
}

rgm_status reshape(rgm_tensor* x, int32_t rank, const int64_t* shape, rgm_tensor** out) {
  return give(out, [&] {
    require(rank >= 0 && rank <= 8, "reshape: a tensor has 0 to 8 axes, {} were asked for", rank);
    if (rank) given(shape, "shape");
    return ops::reshape(share(x, "x"), Shape(std::span(shape, static_cast<size_t>(rank))));
  });
}
rgm_status permute(rgm_tensor* x, const int32_t* axes, rgm_tensor** out) {
  return give(out, [&] {
    const Tensor shared = share(x, "x");
    if (shared.rank()) given(axes, "axes");
    return ops::permute(shared, std::span(axes, static_cast<size_t>(shared.rank())));
  });
}
rgm_status slice(rgm_tensor* x, int32_t axis, int64_t begin, int64_t end, rgm_tensor** out) {
  return give(out, [&] { return ops::slice(share(x, "x"), axis, begin, end); });
}
rgm_status concat(rgm_tensor* const* xs, uint32_t n, int32_t axis, rgm_tensor** out) {
  return give(out, [&] {
    require(n > 0, "concat: there is nothing to join");
    return ops::concat(share(xs, n, "xs"), axis);
  });
}
rgm_status gather(rgm_tensor* x, int32_t axis, rgm_tensor* index, rgm_tensor** out) {
  return give(out, [&] { return ops::gather(share(x, "x"), axis, share(index, "index")); });
}
rgm_status detach(rgm_tensor* x, rgm_tensor** out) {
  return give(out, [&] { return ops::detach(share(x, "x")); });
}

rgm_status custom(const rgm_custom_op* op, void* user, rgm_tensor* const* in, uint32_t n_in, rgm_tensor** out,
                  uint32_t n_out) {
  bool taken = false;  // ops::custom drops `user`, whatever happens from there on
  const rgm_status status = guard([&] {
    given(op, "op");
    require(n_out > 0, "a custom operation has outputs");
    given(out, "out");
    const std::vector<Tensor> inputs = share(in, n_in, "in");
    std::vector<Tensor> results(n_out);
    taken = true;
    ops::custom(*op, user, inputs, results);
    for (uint32_t i = 0; i < n_out; ++i) out[i] = results[i].release();
  });
  if (!taken && op && RGM_HAS(op, drop)) op->drop(user);
  return status;
}

}  // namespace

const rgm_tensor_api* tensor_table() {
  static const rgm_tensor_api table{sizeof(rgm_tensor_api),
                                    0,
                                    retain,
                                    release,
                                    describe,
                                    read,
                                    write,
                                    full,
                                    random,
                                    unary,
                                    binary,
                                    affine,
                                    select,
                                    cast,
                                    dropout,
                                    matmul,
                                    reduce,
                                    segment_sum,
                                    reshape,
                                    permute,
                                    slice,
                                    concat,
                                    gather,
                                    detach,
                                    call_by_name,
                                    custom};
  return &table;
}

}  // namespace rgm
