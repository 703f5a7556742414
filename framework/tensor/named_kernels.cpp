// named_kernels.cpp - a function before each kernel. A kernel is given no place for anything of ours, so the device
// that it belongs to is the current one, which alone is asked to compute.
#include "tensor/named_kernels.hpp"

#include "tensor/plugin_call.hpp"

namespace rgm {
namespace {

template <auto kernel>
const char* name_of = "";

template <auto kernel, class... A>
rgm_status named(A... arguments) {
  const Device& device = current_device();
  return answer_of_plugin(device.name(), name_of<kernel>, [&] { return (device.own_kernels().*kernel)(arguments...); });
}

template <auto kernel, class... A>
void put(const char* name, rgm_status (*&place)(A...)) {
  name_of<kernel> = name;
  if (place) place = named<kernel, A...>;
}

}  // namespace

rgm_kernels named_kernels(const rgm_kernels& own) {
  rgm_kernels k = own;
#define RGM_NAME(kernel) put<&rgm_kernels::kernel>(#kernel, k.kernel)
  RGM_NAME(fill), RGM_NAME(copy), RGM_NAME(unary), RGM_NAME(binary), RGM_NAME(select), RGM_NAME(reduce);
  RGM_NAME(matmul), RGM_NAME(gather), RGM_NAME(scatter_add), RGM_NAME(random), RGM_NAME(unary_grad);
  RGM_NAME(softmax), RGM_NAME(softmax_grad), RGM_NAME(cumsum), RGM_NAME(top_k), RGM_NAME(norm), RGM_NAME(norm_grad);
  RGM_NAME(rope), RGM_NAME(attention), RGM_NAME(attention_grad), RGM_NAME(linear), RGM_NAME(pack), RGM_NAME(head_loss);
  RGM_NAME(adamw), RGM_NAME(sum_of_squares), RGM_NAME(linear_grad), RGM_NAME(sample);
#undef RGM_NAME
  return k;
}

}  // namespace rgm
