// named_kernels.cpp - a function before each kernel. A kernel is given no place for anything of ours, so the device
// that it belongs to is the current one, which alone is asked to compute.
#include "tensor/named_kernels.hpp"

#include "base/kernel_list.hpp"
#include "tensor/plugin_call.hpp"

namespace rgm {
namespace {

template <auto kernel>
const char* kernel_name = "";

template <auto kernel, class... A>
rgm_status named(A... arguments) {
  const Device& device = current_device();
  return answer_of_plugin(device.name(), kernel_name<kernel>,
                          [&] { return (device.own_kernels().*kernel)(arguments...); });
}

template <auto kernel, class... A>
void put(const char* name, rgm_status (*&place)(A...)) {
  kernel_name<kernel> = name;
  if (place) place = named<kernel, A...>;
}

}  // namespace

rgm_kernels named_kernels(const rgm_kernels& own) {
  rgm_kernels k = own;
#define RGM_NAME(kernel) put<&rgm_kernels::kernel>(#kernel, k.kernel);
  RGM_EACH_KERNEL(RGM_NAME)
#undef RGM_NAME
  return k;
}

}  // namespace rgm
