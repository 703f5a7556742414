// call_by_name.cpp - the larger operations that plug-ins call by name, with named attributes. What is unknown here may
// be known to a later host, so it is RGM_UNSUPPORTED and not a mistake.
#include <array>
#include <cmath>

#include "base/text.hpp"
#include "host/guard.hpp"
#include "host/tables.hpp"
#include "tensor/ops.hpp"

namespace rgm {
namespace {

class Attributes {
 public:
  Attributes(const char* op, std::span<const rgm_attr> all) : op_(op), all_(all) {}

  const char* operation() const { return op_; }
  double real(const char* key, double otherwise) const {
    const rgm_value* v = find(key);
    if (!v) return otherwise;
    if (v->type == RGM_REAL) return v->as.f;
    require(v->type == RGM_INTEGER || v->type == RGM_BOOLEAN, "{}: attribute \"{}\" should be a number", op_, key);
    return static_cast<double>(v->as.i);
  }
  int64_t integer(const char* key, int64_t otherwise) const {
    const rgm_value* v = find(key);
    if (!v) return otherwise;
    require(v->type == RGM_INTEGER || v->type == RGM_BOOLEAN, "{}: attribute \"{}\" should be an integer", op_, key);
    return v->as.i;
  }

 private:
  const rgm_value* find(std::string_view key) const {
    for (const rgm_attr& a : all_)
      if (key == a.key) return &a.value;
    return nullptr;
  }
  const char* op_;
  std::span<const rgm_attr> all_;
};

using In = std::span<const Tensor>;
using Results = std::array<Tensor, 2>;

// The last one where none is given; negative ones count from the end.
int32_t axis_in(const Tensor& x, const Attributes& a) {
  const int64_t axis = a.integer("axis", -1);
  require(axis >= -x.rank() && axis < x.rank(), "{}: axis {} of a tensor with {} axes", a.operation(), axis, x.rank());
  return static_cast<int32_t>(axis < 0 ? axis + x.rank() : axis);
}

Results softmax(In in, const Attributes& a) { return {ops::softmax(in[0], axis_in(in[0], a))}; }
Results log_softmax(In in, const Attributes& a) { return {ops::log_softmax(in[0], axis_in(in[0], a))}; }
Results cumsum(In in, const Attributes& a) { return {ops::cumsum(in[0], axis_in(in[0], a))}; }
Results top_k(In in, const Attributes& a) {
  auto [values, indices] = ops::top_k(in[0], a.integer("k", 1));
  return {std::move(values), std::move(indices)};
}
Results pick(In in, const Attributes&) { return {ops::pick(in[0], in[1])}; }
Results layer_norm(In in, const Attributes& a) {
  return {ops::layer_norm(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), a.real("epsilon", 1e-5))};
}
Results rms_norm(In in, const Attributes& a) { return {ops::rms_norm(in[0], in[1], a.real("epsilon", 1e-5))}; }
Results attention(In in, const Attributes& a) {
  return {ops::attention(in[0], in[1], in[2], {.causal = a.integer("causal", 1) != 0, .scale = a.real("scale", 0)})};
}

struct Named {
  std::string_view name;
  uint32_t least, most, outputs;  // inputs from least to most
  std::array<std::string_view, 2> attributes;
  Results (*run)(In, const Attributes&);
};
constexpr Named operations[] = {
    {"softmax", 1, 1, 1, {"axis"}, softmax},
    {"log_softmax", 1, 1, 1, {"axis"}, log_softmax},
    {"cumsum", 1, 1, 1, {"axis"}, cumsum},
    {"top_k", 1, 1, 2, {"k"}, top_k},
    {"pick", 2, 2, 1, {}, pick},
    {"layer_norm", 2, 3, 1, {"epsilon"}, layer_norm},
    {"rms_norm", 2, 2, 1, {"epsilon"}, rms_norm},
    {"attention", 3, 3, 1, {"causal", "scale"}, attention},
};

const Named& operation(std::string_view name) {
  std::vector<std::string> known;
  for (const Named& o : operations) {
    if (o.name == name) return o;
    known.emplace_back(o.name);
  }
  unsupported("there is no operation \"{}\"{}", name, did_you_mean(name, known));
}

}  // namespace

rgm_status call_by_name(const char* op, rgm_tensor* const* in, uint32_t n_in, const rgm_attr* attrs, uint32_t n_attrs,
                        rgm_tensor** out, uint32_t n_out) {
  return guard([&] {
    const Named& o = operation(&given(op, "op"));
    if (n_attrs) given(attrs, "attrs");
    const std::span all(attrs, n_attrs);
    for (const rgm_attr& a : all)
      if (std::ranges::find(o.attributes, std::string_view(&given(a.key, "key"))) == o.attributes.end())
        unsupported("{}: there is no attribute \"{}\"", op, a.key);
    require(n_in >= o.least && n_in <= o.most, "{}: {} inputs, expected {}", op, n_in, o.most);
    require(n_out == o.outputs, "{}: {} outputs, expected {}", op, n_out, o.outputs);
    given(out, "out");
    Results results = o.run(share(in, n_in, "in"), Attributes(op, all));
    for (uint32_t i = 0; i < n_out; ++i) out[i] = results[i].release();
  });
}

}  // namespace rgm
