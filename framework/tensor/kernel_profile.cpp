// kernel_profile.cpp - a table of kernels that time those of the device behind them.
#include "tensor/kernel_profile.hpp"

#include <fmt/format.h>

#include <chrono>
#include <optional>

#include "base/error.hpp"
#include "base/kernel_list.hpp"

namespace rgm {
namespace {

struct Running {
  Device* device = nullptr;
  rgm_kernels kernels{};
  std::map<std::string, KernelTime> times;
};
std::optional<Running> running;

void file(const std::string& name, double seconds, double operations = 0) {
  KernelTime& t = running->times[name];
  ++t.calls;
  t.seconds += seconds;
  t.operations += operations;
}

template <class Call>
double timed(rgm_status& status, const Call& call) {
  const auto start = std::chrono::steady_clock::now();
  status = call();
  if (status == RGM_OK) running->device->wait();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

template <auto kernel>
const char* kernel_name = "";

// A kernel of the table that is filed under its name alone.
template <auto kernel, class... A>
rgm_status plain(A... arguments) {
  rgm_status status = RGM_OK;
  const double seconds = timed(status, [&] { return (running->kernels.*kernel)(arguments...); });
  if (status == RGM_OK) file(kernel_name<kernel>, seconds);
  return status;
}

int64_t batches(const rgm_view& v) {
  int64_t n = 1;
  for (int32_t i = 0; i + 2 < v.rank; ++i) n *= v.shape[i];
  return n;
}

rgm_status matmul(rgm_queue* q, double alpha, const rgm_view* a, const rgm_view* b, double beta, const rgm_view* y) {
  rgm_status status = RGM_OK;
  const double seconds = timed(status, [&] { return running->kernels.matmul(q, alpha, a, b, beta, y); });
  if (status != RGM_OK) return status;
  const int64_t M = y->shape[y->rank - 2], N = y->shape[y->rank - 1], K = a->shape[a->rank - 1], n = batches(*y);
  const std::string many = n > 1 ? fmt::format("{} of ", n) : "";
  file(fmt::format("matmul {}{}x{}x{}", many, M, K, N), seconds, 2 * double(n) * double(M) * double(K) * double(N));
  return status;
}

rgm_status linear(rgm_queue* q, const rgm_linear* a) {
  rgm_status status = RGM_OK;
  const double seconds = timed(status, [&] { return running->kernels.linear(q, a); });
  if (status != RGM_OK) return status;
  const int64_t M = a->x->shape[0], K = a->x->shape[1], N = a->y->shape[a->y->rank - 1];
  file(fmt::format("linear {}x{}x{}", M, K, N), seconds, 2 * double(M) * double(K) * double(N));
  return status;
}

rgm_status linear_grad(rgm_queue* q, const rgm_linear_grad* a) {
  rgm_status status = RGM_OK;
  const double seconds = timed(status, [&] { return running->kernels.linear_grad(q, a); });
  if (status != RGM_OK) return status;
  const rgm_view& of_in = a->dw ? *a->x : a->dx ? *a->dx : *a->dy;
  const int64_t M = a->dy->shape[0], out = a->dy->shape[1], in = of_in.shape[1];
  file(fmt::format("linear_grad {}x{}x{}", M, out, in), seconds,
       2 * double((a->dw ? 1 : 0) + (a->dx ? 1 : 0)) * double(M) * double(out) * double(in));
  return status;
}

// Of the pairs that a causal mask leaves: two products forward, five backward, where the scores are made again.
template <auto kernel>
rgm_status attention(rgm_queue* q, const rgm_attention* a) {
  constexpr bool grad = kernel == &rgm_kernels::attention_grad;
  rgm_status status = RGM_OK;
  const double seconds = timed(status, [&] { return (running->kernels.*kernel)(q, a); });
  if (status != RGM_OK) return status;
  const auto Tq = double(a->q->shape[1]), Tk = double(a->k->shape[1]);
  const double pairs = a->features & RGM_ATTENTION_CAUSAL ? Tq * (Tk - (Tq - 1) / 2) : Tq * Tk;
  const double heads = double(a->q->shape[0]) * double(a->q->shape[2]) * double(a->q->shape[3]);
  file(grad ? "attention_grad" : "attention", seconds, (grad ? 10 : 4) * pairs * heads);
  return status;
}

rgm_status head_loss(rgm_queue* q, const rgm_head_loss* a) {
  rgm_status status = RGM_OK;
  const double seconds = timed(status, [&] { return running->kernels.head_loss(q, a); });
  if (status != RGM_OK) return status;
  const bool grad = a->features & RGM_HEAD_GRAD;
  const double products = 1 + (grad && a->dx && a->dx->data ? 1 : 0) + (grad && a->dw && a->dw->data ? 1 : 0);
  const int64_t M = a->x->shape[0], C = a->x->shape[1], V = a->w->shape[0];
  file(fmt::format("head_loss {}x{}x{}", M, C, V), seconds, 2 * products * double(M) * double(C) * double(V));
  return status;
}

template <auto kernel, class... A>
void put(rgm_kernels& table, rgm_status (*&place)(A...)) {
  if (table.*kernel) place = plain<kernel, A...>;
}
rgm_kernels timed_table(const rgm_kernels& real) {
  rgm_kernels k = real;
#define RGM_TIME(kernel) kernel_name<& rgm_kernels::kernel> = #kernel, put<&rgm_kernels::kernel>(k, k.kernel);
  RGM_EACH_KERNEL(RGM_TIME)
#undef RGM_TIME
  // Those whose arithmetic is known, by their shapes.
  k.matmul = matmul;
  if (k.linear) k.linear = linear;
  if (k.linear_grad) k.linear_grad = linear_grad;
  if (k.attention) k.attention = attention<&rgm_kernels::attention>;
  if (k.attention_grad) k.attention_grad = attention<&rgm_kernels::attention_grad>;
  if (k.head_loss) k.head_loss = head_loss;
  return k;
}

}  // namespace

KernelProfile::KernelProfile(Device& device)
    : device_(device), before_(device.kernels()), captured_before_(device.may_capture()) {
  require(!running, "kernels are being timed already");
  running = Running{&device, before_, {}};
  device.set_kernels(timed_table(before_));
  device.set_may_capture(false);
}

KernelProfile::~KernelProfile() {
  device_.set_kernels(before_);
  device_.set_may_capture(captured_before_);
  running.reset();
}

void KernelProfile::clear() { running->times.clear(); }
const std::map<std::string, KernelTime>& KernelProfile::times() const { return running->times; }

}  // namespace rgm
