// counting_host.cpp - the host's table for a plug-in under trial: it asks no people, and counts what is asked of it.
#include <numeric>

#include "host/guard.hpp"
#include "host/host.hpp"
#include "inspect/opened.hpp"
#include "tensor/plugin_call.hpp"

namespace rgm::inspect {
namespace {

int detaches = 0, draws = 0, reads = 0, refused_follows = 0;
std::string_view reader;

rgm_status counting_detach(rgm_tensor* x, rgm_tensor** out) {
  ++detaches;
  return host_table()->tensors->detach(x, out);
}
rgm_status counting_random(const rgm_view* like, int32_t distribution, rgm_tensor** out) {
  ++draws;
  return host_table()->tensors->random(like, distribution, out);
}
rgm_status counting_dropout(rgm_tensor* x, double p, rgm_tensor** out) {
  ++draws;
  return host_table()->tensors->dropout(x, p, out);
}

void note_read() {
  ++reads;
  reader = plugin_call_now.pure.empty() ? "operation" : plugin_call_now.pure;
}
rgm_status counting_read(const rgm_tensor* t, const rgm_view* dst) {
  note_read();
  return host_table()->tensors->read(t, dst);
}
rgm_status counting_detokenize(rgm_tokenizer* tokenizer, rgm_tensor* tokens, void* user,
                               void (*sink)(void* user, rgm_str text)) {
  note_read();
  return host_table()->models->detokenize(tokenizer, tokens, user, sink);
}

rgm_status counting_follow(rgm_train* train, const char* role, double rate) {
  const rgm_status status = host_table()->train->follow(train, role, rate);
  refused_follows += status != RGM_OK;
  return status;
}

// Nobody sits before a check: answers are ranked in the order that they have.
rgm_status rank_in_order(rgm_train*, rgm_batch* batch, rgm_tensor** ranks, rgm_str* rater) {
  return give(ranks, [&] {
    std::vector<int32_t> order(static_cast<size_t>(given(batch, "batch").examples));
    std::iota(order.begin(), order.end(), 1);
    given(rater, "rater") = {"nobody", 6};
    return from_host(std::span<const int32_t>(order), {static_cast<int64_t>(order.size())});
  });
}

}  // namespace

const rgm_host* Opened::counting_host() {
  static const rgm_tensor_api tensors = [] {
    rgm_tensor_api t = *host_table()->tensors;
    t.detach = counting_detach;
    t.random = counting_random;
    t.dropout = counting_dropout;
    t.read = counting_read;
    return t;
  }();
  static const rgm_model_api models = [] {
    rgm_model_api m = *host_table()->models;
    m.detokenize = counting_detokenize;
    return m;
  }();
  static const rgm_train_api train = [] {
    rgm_train_api t = *host_table()->train;
    t.ask_person = rank_in_order;
    t.follow = counting_follow;
    return t;
  }();
  static const rgm_host host = [] {
    rgm_host h = *host_table();
    h.tensors = &tensors;
    h.models = &models;
    h.train = &train;
    return h;
  }();
  return &host;
}

int Opened::detached() { return detaches; }
int Opened::drawn() { return draws; }
int Opened::read() { return reads; }
int Opened::follows_refused() { return refused_follows; }
std::string_view Opened::read_in() { return reader; }

}  // namespace rgm::inspect
