// kernel_trace.cpp - a table of kernels that note how they are called, before those of the device behind them.
#include "inspect/kernel_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

#include "base/error.hpp"
#include "base/kernel_list.hpp"
#include "tensor/shape.hpp"

namespace rgm::inspect {
namespace {

struct Running {
  rgm_kernels kernels{};
  std::vector<std::string> calls;
};
Running* running = nullptr;

void say(std::string&, const rgm_queue*) {}
void say(std::string& call, const rgm_view* v) { call += v ? fmt::format(" {}", Shape(*v).text()) : " -"; }
template <class T>
requires std::is_arithmetic_v<T>
void say(std::string& call, T number) { call += fmt::format(" {}", number); }
void say(std::string& call, const rgm_norm* a) { call += fmt::format(" {}", a->epsilon) + " " + Shape(*a->x).text(); }
void say(std::string& call, const rgm_attention* a) {
  call += fmt::format(" {} {} {} {} {}", a->features, a->scale, a->softcap, a->dropout, Shape(*a->q).text());
}
void say(std::string& call, const rgm_head_loss* a) {
  call += fmt::format(" {} {} {} {}", a->features, a->scale, a->softcap, Shape(*a->x).text());
}
void say(std::string& call, const rgm_linear* a) { call += " " + Shape(*a->x).text(); }
template <class T>
void say(std::string& call, const T*) {  // of the rest, that it was called
  call += " ...";
}

template <auto kernel>
const char* name_of = "";

template <auto kernel, class... A>
rgm_status noted(A... arguments) {
  std::string& call = running->calls.emplace_back(name_of<kernel>);
  (say(call, arguments), ...);
  return (running->kernels.*kernel)(arguments...);
}

template <auto kernel, class... A>
void put(rgm_kernels& table, rgm_status (*&place)(A...)) {
  if (table.*kernel) place = noted<kernel, A...>;
}

rgm_kernels noting_table(rgm_kernels k) {
#define RGM_NOTE(kernel) name_of<& rgm_kernels::kernel> = #kernel, put<&rgm_kernels::kernel>(k, k.kernel);
  RGM_EACH_KERNEL(RGM_NOTE)
#undef RGM_NOTE
  return k;
}

}  // namespace

KernelTrace::KernelTrace(Device& device) : device_(device), before_(device.kernels()) {
  require(running == nullptr, "kernels are being noted already");
  running = new Running{before_, {}};
  device.set_kernels(noting_table(before_));
}

KernelTrace::~KernelTrace() {
  device_.set_kernels(before_);
  delete std::exchange(running, nullptr);
}

std::vector<std::string> KernelTrace::take() { return std::exchange(running->calls, {}); }

std::optional<Change> first_change(const std::vector<std::string>& before, const std::vector<std::string>& now) {
  for (size_t i = 0; i < std::max(before.size(), now.size()); ++i) {
    const std::string was = i < before.size() ? before[i] : "nothing", is = i < now.size() ? now[i] : "nothing";
    if (was != is) return Change{i + 1, was, is};
  }
  return std::nullopt;
}

}  // namespace rgm::inspect
