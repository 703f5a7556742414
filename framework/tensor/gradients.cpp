// gradients.cpp - the table of gradients: a function an operation, in the order of ops.hpp. Rules run outside of any
// tape; `add` drops what nobody needs, and sums what was broadcast.
#include "tensor/gradients.hpp"

#include "tensor/attention.hpp"
#include "tensor/collect.hpp"
#include "tensor/composed.hpp"
#include "tensor/custom.hpp"
#include "tensor/head.hpp"
#include "tensor/norm.hpp"
#include "tensor/plugin_call.hpp"
#include "tensor/support.hpp"

namespace rgm::gradients {
namespace {

// The same for kernels that can only add.
template <class F>
void accumulate_on_zeros(Backward& b, size_t i, F&& write) {
  accumulate(b, i, false, [&](const rgm_view& g, double beta) {
    if (beta == 0) kernel::fill(0, g);
    write(g);
  });
}

Tensor constant(double value) { return ops::full({}, value); }
Tensor as_number(const Tensor& condition) { return ops::cast(condition, RGM_F32); }

// Gradients of a reduction: dy with the reduced axes back, repeated to the shape of x.
rgm_view spread(const Tensor& dy, const rgm_view& x, uint32_t axes) {
  Shape kept(x);
  for (int32_t i = 0; i < x.rank; ++i)
    if (axes >> i & 1) kept[i] = 1;
  const auto v = views::reshaped(dy.view(), kept);
  return broadcast_to(*v, Shape(x));
}

}  // namespace

void unary(Backward& b) { b.add(0, unary_gradient(static_cast<int32_t>(b.arguments().i[0]), b.saved(0), b.take_dy())); }
void scale(Backward& b) { b.add(0, scaled(b.take_dy(), b.arguments().f[0])); }
void add(Backward& b) {
  b.add(0, b.dy());
  b.add(1, b.take_dy());
}
void subtract(Backward& b) {
  b.add(0, b.dy());
  if (b.needs(1)) b.add(1, scaled(b.take_dy(), -1));
}
void multiply(Backward& b) {
  if (b.needs(0)) b.add(0, ops::multiply(b.dy(), b.saved(1)));
  if (b.needs(1)) b.add(1, ops::multiply(b.dy(), b.saved(0)));
}
// These are the widest tensors of a layer: each gradient takes the memory of what it is made of.
void gated(Backward& b) {
  if (b.needs(1)) {
    Tensor du = ops::unary(static_cast<int32_t>(b.arguments().i[0]), b.saved(0));
    kernel::binary(RGM_MUL, b.dy().view(), du.view(), du.view());
    b.add(1, std::move(du));
  }
  if (!b.needs(0)) return;
  const Tensor dy = b.take_dy();
  Tensor da = writable(dy) ? dy : empty(dy.shape());
  kernel::binary(RGM_MUL, dy.view(), b.saved(1).view(), da.view());
  b.add(0, std::move(da));
}
// d(a / b) = da / b - db (a / b) / b
void divide(Backward& b) {
  const Tensor da = b.dy() / b.saved(1);
  if (b.needs(1)) b.add(1, scaled(da * (b.saved(0) / b.saved(1)), -1));
  b.add(0, da);
}
// Equal ones share the gradient.
void extreme(Backward& b) {
  const Tensor half = 0.5 * as_number(ops::binary(RGM_EQUAL, b.saved(0), b.saved(1)));
  for (size_t i = 0; i < 2; ++i) {
    if (!b.needs(i)) continue;
    const bool smaller_wins = b.arguments().i[0] == RGM_MIN;
    const Tensor &mine = b.saved(i), &other = b.saved(1 - i);
    const Tensor wins = smaller_wins ? ops::binary(RGM_LESS, mine, other) : ops::binary(RGM_LESS, other, mine);
    b.add(i, b.dy() * (as_number(wins) + half));
  }
}
// By select and not by a product: a NaN or infinity on the other side stays there.
void select(Backward& b) {
  const Tensor zero = constant(0);
  if (b.needs(0)) b.add(0, ops::select(b.saved(0), b.dy(), zero));
  if (b.needs(1)) b.add(1, ops::select(b.saved(0), zero, b.dy()));
}
void cast(Backward& b) { b.add(0, b.take_dy()); }
void dropout(Backward& b) { b.add(0, scaled(ops::select(b.saved(0), b.dy(), constant(0)), b.arguments().f[0])); }

// y = alpha op(a) op(b) + c: d op(a) = alpha dy op(b)^T, d op(b) = alpha op(a)^T dy
void matmul(Backward& back) {
  const bool ta = back.arguments().i[0], tb = back.arguments().i[1];
  const double alpha = back.arguments().f[0];
  back.add(2, back.dy());
  if (!back.needs(0) && !back.needs(1)) return;
  const auto turned = [](const rgm_view& v, bool turn) { return turn ? views::transposed(v) : v; };
  const auto batch_of = [](const rgm_view& v) { return Shape(std::span(v.shape, static_cast<size_t>(v.rank - 2))); };
  const bool native = back.arguments().i[2];
  const Tensor dy = matching(back.take_dy(), native);
  // g (or a full-sized gradient that is summed afterwards) += alpha left right, `turn`: g is the transpose of that
  const auto write = [&](size_t i, const rgm_view& left, const rgm_view& right, bool turn) {
    if (batch_of(back.like(i)) == batch_of(dy.view()))
      return accumulate(back, i, native,
                        [&](const rgm_view& g, double beta) { product(alpha, left, right, beta, turned(g, turn)); });
    Shape shape(dy.view());
    const int32_t rows = shape.rank() - 2;
    shape[rows] = back.like(i).shape[back.like(i).rank - 2];
    shape[rows + 1] = back.like(i).shape[back.like(i).rank - 1];
    const Tensor full = empty(shape);
    product(alpha, left, right, 0, turned(full.view(), turn));
    back.add(i, full);
  };
  if (back.needs(0)) write(0, dy.view(), views::transposed(turned(back.saved(1).view(), tb)), ta);
  if (!back.needs(1)) return;
  const rgm_view a = turned(back.saved(0).view(), ta);
  if (back.like(1).rank == 2 && batch_of(a) == batch_of(dy.view())) {  // one matrix for all batches: one long product
    const auto a_rows = views::rows(a), dy_rows = views::rows(dy.view());
    if (a_rows && dy_rows)
      return accumulate(back, 1, native, [&](const rgm_view& g, double beta) {
        product(alpha, views::transposed(*a_rows), *dy_rows, beta, turned(g, tb));
      });
  }
  write(1, views::transposed(a), dy.view(), tb);
}

void sum(Backward& b) {
  const Tensor dy = dense_of(scaled(b.take_dy(), b.arguments().f[0]));
  b.add(0, alias(dy, spread(dy, b.like(0), static_cast<uint32_t>(b.arguments().i[0]))));
}
// Equal maxima share the gradient.
void maximum(Backward& b) {
  const auto axes = static_cast<uint32_t>(b.arguments().i[0]);
  const Tensor dy = dense_of(b.take_dy()), &x = b.saved(0), y = alias(b.saved(1), spread(b.saved(1), x.view(), axes));
  const Tensor largest = as_number(ops::binary(RGM_EQUAL, x, y));
  const Tensor share = alias(dy, spread(dy, x.view(), axes)) / ops::reduce(RGM_SUM, axes, largest, true);
  b.add(0, largest * share);
}
// dx = dy exp(x - y); of minus infinity alone, 0
void logsumexp(Backward& b) {
  const auto axes = static_cast<uint32_t>(b.arguments().i[0]);
  const Tensor &x = b.saved(0), &saved = b.saved(1), dy = dense_of(b.take_dy());
  const Tensor y = ops::select(ops::binary(RGM_EQUAL, saved, constant(-INFINITY)), constant(0), saved);
  b.add(0, ops::exp(x - alias(y, spread(y, x.view(), axes))) * alias(dy, spread(dy, x.view(), axes)));
}
void segment_sum(Backward& b) {
  const Tensor parts[] = {zeros({1}), b.take_dy()};
  b.add(0, ops::reshape(ops::gather(ops::concat(parts, 0), 0, b.saved(0)), Shape(b.like(0))));
}

void reshape(Backward& b) {
  Tensor dy = b.take_dy();
  auto v = views::reshaped(dy.view(), Shape(b.like(0)));
  if (!v) {
    dy = dense_of(dy);
    v = views::reshaped(dy.view(), Shape(b.like(0)));
  }
  b.add(0, seen_as(std::move(dy), *v));
}
void permute(Backward& b) {
  Tensor dy = b.take_dy();
  rgm_view v = dy.view();
  for (int32_t i = 0; i < v.rank; ++i) {
    const auto axis = b.arguments().i[0] >> (4 * i) & 15;
    v.shape[axis] = dy.view().shape[i];
    v.stride[axis] = dy.view().stride[i];
  }
  b.add(0, seen_as(std::move(dy), v));
}
// The slices of one tensor write into one gradient of it.
void slice(Backward& b) {
  const auto* i = b.arguments().i;
  accumulate(b, 0, true, [&](const rgm_view& g, double beta) {
    const rgm_view part = views::sliced(g, static_cast<int32_t>(i[0]), i[1], i[2]);
    if (beta != 0) return kernel::binary(RGM_ADD, part, ops::cast(b.dy(), g.dtype).view(), part);
    kernel::fill(0, g);
    kernel::copy(b.dy().view(), part);
  });
}
// The gradients of a split's parts lie side by side in one tensor, as the parts do.
static bool lie_together(Backward& b, int32_t axis, std::span<const int64_t> sizes) {
  if (b.outputs() != sizes.size() || !b.dy()) return false;
  const Tensor& first = b.dy();
  auto* at = static_cast<std::byte*>(first.view().data);
  for (size_t i = 0; i < sizes.size(); ++i) {
    const Tensor& dy = b.dy(i);
    if (!dy || dy.get()->storage != first.get()->storage || dy.dtype() != first.dtype() || dy.view().data != at ||
        dy.rank() != first.rank() || dy.size(axis) != sizes[i])
      return false;
    if (!std::equal(dy.view().stride, dy.view().stride + dy.rank(), first.view().stride)) return false;
    at += sizes[i] * first.view().stride[axis] * static_cast<int64_t>(bytes_of(first.dtype()));
  }
  return true;
}
void split(Backward& b) {
  const auto axis = static_cast<int32_t>(b.arguments().i[0]);
  const auto& sizes = *static_cast<const std::vector<int64_t>*>(b.arguments().more.get());
  if (lie_together(b, axis, sizes)) {
    for (size_t i = 1; i < sizes.size(); ++i) b.take_dy(i);
    Tensor whole = b.take_dy();
    rgm_view v = whole.view();
    v.shape[axis] = b.like(0).shape[axis];
    return b.add(0, seen_as(std::move(whole), v));
  }
  accumulate(b, 0, true, [&](const rgm_view& g, double beta) {
    int64_t begin = 0;
    for (size_t i = 0; i < b.outputs(); ++i) {
      const Tensor& dy = b.dy(i);
      const int64_t size = sizes[i];
      const rgm_view part = views::sliced(g, axis, begin, begin + size);
      begin += size;
      if (dy && beta != 0)
        kernel::binary(RGM_ADD, part, ops::cast(dy, g.dtype).view(), part);
      else if (dy)
        kernel::copy(dy.view(), part);
      else if (beta == 0)
        kernel::fill(0, part);
    }
  });
}
void concat(Backward& b) {
  const auto axis = static_cast<int32_t>(b.arguments().i[0]);
  for (size_t i = 0, begin = 0; i < b.inputs(); ++i) {
    const auto from = static_cast<int64_t>(begin), size = b.like(i).shape[axis];
    b.add(i, alias(b.dy(), views::sliced(b.dy().view(), axis, from, from + size)));
    begin += static_cast<size_t>(size);
  }
}
void gather(Backward& b) {
  accumulate_on_zeros(b, 0, [&](const rgm_view& g) {
    kernel::scatter_add(static_cast<int32_t>(b.arguments().i[0]), b.saved(0).view(), as_float(b.dy()).view(), g);
  });
}
void broadcast(Backward& b) { b.add(0, b.take_dy()); }

void softmax(Backward& b) {
  const auto axis = static_cast<int32_t>(b.arguments().i[0]);
  const Tensor &y = b.saved(0), &dy = b.dy();
  Tensor dx = empty(y.shape());
  const rgm_kernels& k = kernel::table();
  if (!RGM_HAS(&k, softmax_grad) ||
      !kernel::ran(k.softmax_grad(kernel::queue(), axis, &y.view(), &dy.view(), &dx.view())))
    dx = composed::softmax_gradient(axis, y, dy);
  b.add(0, std::move(dx));
}
// The sum of all dy from here on: a sum from the other end.
void cumsum(Backward& b) {
  const auto axis = static_cast<int32_t>(b.arguments().i[0]);
  const int64_t n = b.like(0).shape[axis];
  const Tensor falling = ops::cast(ops::affine(ops::iota(n), -1, static_cast<double>(n - 1)), RGM_I32);
  b.add(0, ops::gather(ops::cumsum(ops::gather(b.dy(), axis, falling), axis), axis, falling));
}
void pick(Backward& b) {
  const Tensor dy = dense_of(b.take_dy());
  Tensor flat = zeros({count_of(b.like(0))});
  kernel::scatter_add(0, b.saved(0).view(), dense_view({dy.count()}, RGM_F32, dy.view().data), flat.view());
  const rgm_view dx = dense_view(Shape(b.like(0)), RGM_F32, flat.view().data);
  b.add(0, seen_as(std::move(flat), dx));
}

void norm(Backward& b) {
  const Tensor &x = b.saved(0), &w = b.saved(1), &bias = b.saved(2), &mean = b.saved(3), &rstd = b.saved(4);
  const double epsilon = b.arguments().f[0];
  const rgm_kernels& k = kernel::table();
  const Tensor dy = rows_of(b.dy()), rows = rows_of(x);
  // Added to what x has collected so far, where that may be written over.
  Tensor so_far = b.take(0), dw, db;
  const bool adds = so_far && writable(so_far) && is_contiguous(so_far.view());
  const auto collector = [&](size_t i) {
    Tensor g = b.take(i);
    if (g && writable(g)) return g;
    Tensor own = g ? empty_like(b.like(i), RGM_F32) : zeros_like(b.like(i));
    if (g) kernel::copy(g.view(), own.view());
    return own;
  };
  if (b.needs(1)) dw = collector(1);
  if (b.needs(2)) db = collector(2);
  const auto run = [&](const Tensor& dx, uint32_t feature) {
    rgm_norm args = norm_arguments(rows.view(), w, bias, mean, rstd, epsilon);
    const rgm_view dy_view = dy.view(), dx_rows = *views::rows(dx.view());
    args.features |= feature;
    args.dy = &dy_view;
    args.dx = &dx_rows;
    args.dw = dw ? &dw.view() : nullptr;
    args.db = db ? &db.view() : nullptr;
    return kernel::ran_with(k.norm_grad, args, {&rgm_norm::dy}, {});
  };
  const bool added = adds && RGM_HAS(&k, norm_grad) && run(so_far, RGM_NORM_ADD);
  if (so_far) b.put(0, std::move(so_far));
  Tensor dx = added ? Tensor() : empty(x.shape());
  const bool fused = added || (RGM_HAS(&k, norm_grad) && run(dx, 0));
  if (dw) b.put(1, std::move(dw));
  if (db) b.put(2, std::move(db));
  if (added) return;
  if (fused) return b.add(0, std::move(dx));
  const Tensor inputs[] = {x, w, bias};
  replay(b, inputs, [&](auto in) { return composed::norm(in[0], in[1], in[2], epsilon, bool(mean)); });
}

// A turn by the angle is undone by the turn by minus the angle.
void rope(Backward& b) { b.add(0, ops::rope(b.take_dy(), b.saved(0), b.saved(1), -b.saved(2))); }

void attention(Backward& b) {
  const Tensor &q = b.saved(0), &k = b.saved(1), &v = b.saved(2), &key = b.saved(5);
  const auto& options = *static_cast<const ops::AttentionOptions*>(b.arguments().more.get());
  const Tensor inputs[] = {q, k, v};
  if (auto gradients = attention_gradients(q, k, v, b.saved(3), b.saved(4), key, b.dy(), options))
    for (size_t i = 0; i < 3; ++i) b.add(i, std::move((*gradients)[i]));
  else
    replay(b, inputs, [&](auto in) { return composed::attention(in[0], in[1], in[2], options, key); });
}

void head_logprobs(Backward& b) {
  HeadLoss task{.x = b.saved(0), .w = b.saved(1), .targets = b.saved(2)};
  task.options = {b.arguments().f[0], b.arguments().f[1]};
  task.weights = b.dy(0) ? scaled(b.dy(0), -1) : zeros({task.x.size(0)});
  if (b.outputs() > 1) task.entropy_weights = b.dy(1);
  const auto run = [&](const Tensor& dw) {
    task.dw = dw;
    if (b.needs(0)) task.dx = empty(task.x.shape(), task.dx_dtype());
    head_loss(task);
  };
  if (b.needs(1)) {
    Tensor dw = b.take(1);
    if (!dw || !writable(dw)) {
      const Tensor own = dw ? empty_like(b.like(1), RGM_F32) : zeros_like(b.like(1));
      if (dw) kernel::copy(dw.view(), own.view());
      dw = own;
    }
    run(dw);
    task.dw = {};
    b.put(1, std::move(dw));
  } else {
    run({});
  }
  b.add(0, std::move(task.dx));
}
// The gradients were taken in the forward pass, for dy = 1.
void head_sum(Backward& b) {
  const bool as_they_are = b.starts_here();
  if (b.needs(2)) b.add(2, b.dy() * b.saved(2));
  for (size_t i = 0; i < 2; ++i) {
    if (!b.needs(i)) continue;
    Tensor g = b.take_saved(i);
    if (!as_they_are && g.dtype() != RGM_F32)
      g = g * b.dy();
    else if (!as_they_are)
      kernel::binary(RGM_MUL, g.view(), broadcast_to(b.dy().view(), g.shape()), g.view());
    b.add(i, std::move(g));
  }
}

void custom(Backward& b) {
  const auto n_in = static_cast<size_t>(b.arguments().i[0]), n_out = static_cast<size_t>(b.arguments().i[1]);
  const auto& call = *static_cast<const Custom*>(b.arguments().more.get());
  std::vector<Tensor> dout(n_out);
  std::vector<rgm_tensor*> in, out, dout_handles, din(n_in);
  for (size_t i = 0; i < n_in; ++i) in.push_back(b.saved(i).get());
  for (size_t i = 0; i < n_out; ++i) {
    out.push_back(b.saved(n_in + i).get());
    dout[i] = b.dy(i) ? as_float(b.dy(i)) : zeros(b.saved(n_in + i).shape());
    dout_handles.push_back(dout[i].get());
  }
  call_plugin(call.name, "backward",
              [&] { return call.op.backward(call.user, in.data(), out.data(), dout_handles.data(), din.data()); });
  std::vector<Tensor> results;
  results.reserve(din.size());
  for (rgm_tensor* t : din) results.push_back(Tensor::adopt(t));
  for (size_t i = 0; i < n_in; ++i) {
    if (!b.needs(i) || !results[i]) continue;
    require(results[i].shape() == Shape(b.like(i)),
            "{}: the gradient of input {} has shape {}, expected {}; its author has to correct it", call.name, i,
            results[i].shape().text(), Shape(b.like(i)).text());
    b.add(i, std::move(results[i]));
  }
}

void replay(Backward& b, std::span<const Tensor> inputs,
            const std::function<Tensor(std::span<const Tensor>)>& composed) {
  std::vector<Tensor> leaves;
  for (size_t i = 0; i < inputs.size(); ++i) {
    leaves.push_back(inputs[i] ? alias(inputs[i], inputs[i].view()) : Tensor());
    if (b.needs(i)) leaves[i].set_trained(true);
  }
  Tensor y;
  {
    const WithGradient scope;
    y = composed(leaves);
  }
  backward_from(y, as_float(b.dy()));
  for (size_t i = 0; i < inputs.size(); ++i)
    if (b.needs(i)) b.add(i, leaves[i].take_gradient());
}

}  // namespace rgm::gradients
