// attention.cpp - attention by one kernel, forward and backward; the composed form where there is none.
#include "tensor/attention.hpp"

#include <cmath>

#include "tensor/composed.hpp"
#include "tensor/gradients.hpp"
#include "tensor/support.hpp"

namespace rgm {
namespace {

rgm_attention arguments_of(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& lse, const Tensor& key,
                           const ops::AttentionOptions& o) {
  rgm_attention args{};
  args.struct_size = sizeof args;
  const auto feature = [&](bool on, uint32_t bit) { args.features |= on ? bit : 0; };
  feature(o.causal, RGM_ATTENTION_CAUSAL);
  feature(o.softcap > 0, RGM_ATTENTION_SOFTCAP);
  feature(bool(key), RGM_ATTENTION_DROPOUT);
  feature(o.window > 0, RGM_ATTENTION_WINDOW);
  feature(o.prefix > 0, RGM_ATTENTION_PREFIX);
  feature(bool(o.q_segments), RGM_ATTENTION_SEGMENTS);
  feature(bool(o.k_lengths), RGM_ATTENTION_LENGTHS);
  args.scale = o.scale;
  args.softcap = o.softcap;
  args.dropout = key ? o.dropout : 0;
  args.window = o.window;
  args.prefix = o.prefix;
  const auto view = [](const Tensor& t) { return t ? &t.view() : nullptr; };
  args.q = view(q), args.k = view(k), args.v = view(v), args.lse = view(lse);
  args.q_segments = view(o.q_segments), args.k_segments = view(o.k_segments);
  args.k_lengths = view(o.k_lengths), args.key = view(key);
  return args;
}

void require_heads(const Tensor& q, const Tensor& k, const Tensor& v) {
  require(q.rank() == 4 && k.rank() == 4 && v.rank() == 4, "attention: shapes {}, {}, {}, expected (B, T, H, D) each",
          q.shape().text(), k.shape().text(), v.shape().text());
  require(k.size(0) == q.size(0) && k.size(3) == q.size(3) && v.size(0) == k.size(0) && v.size(1) == k.size(1) &&
              v.size(2) == k.size(2) && k.size(2) > 0 && q.size(2) % k.size(2) == 0,
          "attention: q {}, k {} and v {} do not fit", q.shape().text(), k.shape().text(), v.shape().text());
}

ops::AttentionOptions checked(ops::AttentionOptions o, const Tensor& q, const Tensor& k) {
  const Shape queries{q.size(0), q.size(1)}, keys{k.size(0), k.size(1)};
  require(bool(o.q_segments) == bool(o.k_segments), "attention: segments of q and k come together");
  require(!o.q_segments || (o.q_segments.shape() == queries && o.k_segments.shape() == keys),
          "attention: segments have shapes {} and {}, expected {} and {}",
          o.q_segments ? o.q_segments.shape().text() : "", o.k_segments ? o.k_segments.shape().text() : "",
          queries.text(), keys.text());
  require(!o.k_lengths || o.k_lengths.shape() == Shape({q.size(0)}),
          "attention: k_lengths have shape {}, expected ({})", o.k_lengths ? o.k_lengths.shape().text() : "",
          q.size(0));
  require(o.dropout >= 0 && o.dropout < 1, "attention: a dropout of {} is not in [0, 1)", o.dropout);
  if (o.scale == 0) o.scale = 1 / std::sqrt(static_cast<double>(q.size(3)));
  return o;
}

// Places for the gradients of q, k and v. Where these are the parts of one tensor, so are the places: then nobody has
// to put them together.
std::array<Tensor, 3> places_for(const Tensor& q, const Tensor& k, const Tensor& v) {
  const Tensor* parts[] = {&q, &k, &v};
  int64_t line = 0;
  auto* at = static_cast<std::byte*>(q.view().data);
  bool together = true;
  for (const Tensor* x : parts) {
    const rgm_view& here = x->view();
    together = together && here.data == at && x->get()->storage == q.get()->storage && x->dtype() == q.dtype() &&
               x->size(1) == q.size(1) && here.stride[3] == 1 && here.stride[2] == x->size(3);
    line += x->size(2) * x->size(3);
    at += x->size(2) * x->size(3) * static_cast<int64_t>(bytes_of(x->dtype()));
  }
  for (const Tensor* x : parts)
    together = together && x->view().stride[1] == line && x->view().stride[0] == line * x->size(1);
  if (!together) return {empty(q.shape(), q.dtype()), empty(k.shape(), k.dtype()), empty(v.shape(), v.dtype())};
  const Tensor whole = empty({q.size(0), q.size(1), line}, q.dtype());
  auto* const to = static_cast<std::byte*>(whole.view().data);
  std::array<Tensor, 3> out;
  for (size_t i = 0; i < 3; ++i) {
    rgm_view place = parts[i]->view();
    place.data = to + (static_cast<std::byte*>(place.data) - static_cast<std::byte*>(q.view().data));
    out[i] = alias(whole, place);
  }
  return out;
}

}  // namespace

std::optional<std::array<Tensor, 3>> attention_gradients(const Tensor& q, const Tensor& k, const Tensor& v,
                                                         const Tensor& y, const Tensor& lse, const Tensor& key,
                                                         const Tensor& dy, const ops::AttentionOptions& options) {
  const rgm_kernels& table = kernel::table();
  if (!RGM_HAS(&table, attention_grad)) return std::nullopt;
  std::array<Tensor, 3> out = places_for(q, k, v);
  const Tensor dense = dense_of(dy);
  rgm_attention args = arguments_of(q, k, v, lse, key, options);
  args.y = &y.view();
  args.dy = &dense.view();
  args.dq = &out[0].view(), args.dk = &out[1].view(), args.dv = &out[2].view();
  using A = rgm_attention;
  if (!kernel::ran_with(table.attention_grad, args, {&A::q, &A::k, &A::v, &A::y, &A::dy}, {&A::dq, &A::dk, &A::dv}))
    return std::nullopt;
  return out;
}

namespace ops {

Tensor attention(const Tensor& query, const Tensor& keys, const Tensor& values, const AttentionOptions& options) {
  require_heads(query, keys, values);
  const bool native = native_bf16(query, keys) && values.dtype() == RGM_BF16;
  const Tensor q = native ? query : as_float(query), k = native ? keys : as_float(keys),
               v = native ? values : as_float(values);
  const AttentionOptions o = checked(options, q, k);
  const bool records = would_record({&q, &k, &v});
  const Tensor key = o.dropout > 0 && recording() ? random_key() : Tensor();
  const rgm_kernels& table = kernel::table();
  const auto composed = [&] { return cast(composed::attention(q, k, v, o, key), q.dtype()); };
  if (!RGM_HAS(&table, attention) || (records && !RGM_HAS(&table, attention_grad))) return composed();

  Tensor y = empty({q.size(0), q.size(1), q.size(2), v.size(3)}, q.dtype());
  const Tensor lse = empty({q.size(0), q.size(2), q.size(1)});
  rgm_attention args = arguments_of(q, k, v, lse, key, o);
  args.y = &y.view();
  if (!kernel::ran_with(table.attention, args, {&rgm_attention::q, &rgm_attention::k, &rgm_attention::v},
                        {&rgm_attention::y}))
    return composed();
  if (records)
    record("attention", gradients::attention, {&q, &k, &v}, {&y}, {q, k, v, alias(y, y.view()), lse, key},
           {.more = std::make_shared<AttentionOptions>(o)});
  return y;
}

}  // namespace ops
}  // namespace rgm
