// opened.cpp - the plug-in under trial in its child process, and what a callback may do with nonsense.
#include "inspect/opened.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/text.hpp"
#include "host/guard.hpp"
#include "host/host.hpp"
#include "plugins/options.hpp"
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

bool Opened::open_reference() {
  const std::vector<std::string> ids = registry.ids(RGM_KIND_BACKEND);
  if (!std::count(ids.begin(), ids.end(), "reference")) {
    skipped("the backend \"reference\", on which it would be tried, is not installed");
    return false;
  }
  device_ = open_device(choose_backend("reference", registry), registry);
  return true;
}

void try_nonsense(const Opened& opened, Refusals& seen, const std::string& what,
                  const std::function<rgm_status(rgm_tensor** out)>& call) {
  opened.at(what);
  keep_failure(RGM_OK, "");
  rgm_tensor* out = nullptr;
  rgm_status status = RGM_OK;
  try {
    status = call(&out);
  } catch (...) {
    seen.wrong.push_back(what + ": it threw an exception, where only a status is allowed");
    return;
  }
  if (status == RGM_OK) {
    ++seen.answered;
    Tensor::adopt(out);
    return;
  }
  ++seen.refused;
  if (out) seen.wrong.push_back(what + ": failed, but wrote an output: outputs stay as they are on failure");
  if (last_failure().empty()) seen.wrong.push_back(what + ": failed without a reason; say why with host->fail");
}

void tell(const Opened& opened, const Refusals& seen) {
  for (const std::string& wrong : seen.wrong) opened.failed("{}", wrong);
  if (!seen.wrong.empty()) return;
  if (seen.refused + seen.answered == 0)
    opened.skipped("no callback takes a tensor");
  else
    opened.ok("{} calls with nonsense: {} refused with a reason, {} accepted", seen.refused + seen.answered,
              seen.refused, seen.answered);
}

namespace {

nlohmann::json required_options(const rgm_component& component) {
  nlohmann::json given = nlohmann::json::object();
  for (const rgm_option& o : options_of(component)) {
    if (!(o.flags & RGM_REQUIRED)) continue;
    const double low = std::isfinite(o.min) ? o.min : std::isfinite(o.max) ? o.max : 1;
    nlohmann::json one;
    switch (o.type) {
      case RGM_BOOLEAN: one = true; break;
      case RGM_INTEGER:
      case RGM_INTEGERS: one = static_cast<int64_t>(std::ceil(low)); break;
      case RGM_REAL:
      case RGM_REALS: one = low; break;
      case RGM_CHOICE: one = o.choices[0]; break;
      default: one = "sample"; break;
    }
    given[o.key] = o.type >= RGM_INTEGERS ? nlohmann::json::array({one}) : one;
  }
  return given;
}

// What it may be beside its default.
std::vector<nlohmann::json> other_values(const rgm_option& o) {
  const nlohmann::json initial = describe(o)["default"];
  std::vector<nlohmann::json> out;
  if (o.type == RGM_BOOLEAN) out.emplace_back(initial != true);
  if (o.type == RGM_CHOICE)
    for (const char* const* c = o.choices; *c; ++c)
      if (initial != *c) out.emplace_back(*c);
  return out;
}

}  // namespace

std::string sample_options(const rgm_component& component) { return required_options(component).dump(); }

namespace {

rgm_status plan_of(const rgm_strategy& table, void* self) {
  rgm_strategy_plan plan{};
  plan.struct_size = sizeof plan;
  return RGM_HAS(&table, plan) ? table.plan(self, &plan) : RGM_OK;
}
template <class Table>
rgm_status plan_of(const Table&, void*) {
  return RGM_OK;
}

// What an instance with these options, which is destroyed again, answers, and in which function.
struct Answer {
  const char* function;
  rgm_status status;
};
template <class Table>
Answer make(const rgm_component& component, const rgm_config& config) {
  const auto& table = *static_cast<const Table*>(component.table);
  void* self = nullptr;
  if (const rgm_status status = table.create(&config, &self); status != RGM_OK) return {"create", status};
  const rgm_status status = plan_of(table, self);
  table.destroy(self);
  return {"plan", status};
}

Answer make_once(const rgm_component& component, const std::string& options) {
  Problems problems(component.id);
  const auto config = read_options(component, YAML::Load(options), problems);
  problems.raise();
  switch (component.kind) {
    case RGM_KIND_ADAPTER: return make<rgm_adapter>(component, *config);
    case RGM_KIND_STRATEGY: return make<rgm_strategy>(component, *config);
    default: return make<rgm_reward>(component, *config);
  }
}

}  // namespace

void try_options(const Opened& opened, const rgm_component& component,
                 const std::function<void(const std::string& options)>& attempt) {
  size_t tried = 0;
  bool is_wrong = opened.first_choice > 0;  // as the one before that showed
  std::vector<std::string> refused;
  for (const rgm_option& o : options_of(component))
    for (const nlohmann::json& value : other_values(o)) {
      if (tried++ < opened.first_choice) continue;
      opened.pen.write({{"choice", tried - 1}});
      nlohmann::json options = required_options(component);
      options[o.key] = value;
      const std::string what =
          fmt::format("{}: {}", o.key, value.is_string() ? value.get<std::string>() : value.dump());
      try {
        opened.at("create with " + what);
        keep_failure(RGM_OK, "");
        const auto [function, status] = make_once(component, options.dump());
        if (status == RGM_INVALID || status == RGM_UNSUPPORTED) {
          refused.push_back(fmt::format("with {}: {}", what, last_failure()));
          continue;
        }
        if (status != RGM_OK) throw Error(status, fmt::format("{} failed: {}", function, last_failure()));
        opened.at("a trial with " + what);
        attempt(options.dump());
      } catch (const std::exception& e) {
        opened.failed("with {}: {}", what, e.what());
        is_wrong = true;
      }
    }
  if (is_wrong) return;
  if (tried == 0) return opened.skipped("no option is a choice");
  opened.ok("{} other choice{} of options tried{}{}", tried, tried == 1 ? "" : "s",
            refused.empty() ? "" : ", refused: ", fmt::join(refused, "; "));
}

}  // namespace rgm::inspect
