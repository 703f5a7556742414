// table_train.cpp - rgm_train_api: the running stage behind C functions. What a stage does is in train/session.hpp.
#include <algorithm>
#include <array>

#include "base/json.hpp"
#include "host/guard.hpp"
#include "host/person.hpp"
#include "host/tables.hpp"
#include "tensor/ops.hpp"
#include "tensor/plugin_call.hpp"
#include "train/session.hpp"

namespace rgm {
namespace {

// The batch that an adapter stores its file into has no examples to count: its columns are tensors of any shape, by
// the file's keys, and stay on the device.
bool is_file(const Batch& batch) { return batch.examples < 0; }

Tensor scalar(rgm_tensor* t, const char* name) {
  Tensor x = share(t, name);
  require(x.count() == 1, "{} has shape {}, expected ()", name, x.shape().text());
  return ops::detach(x);
}

rgm_status get(rgm_batch* batch, const char* name, rgm_tensor** out) {
  return give(out, [&] {
    Batch& b = given(batch, "batch");
    Tensor x = column(b, &given(name, "column"));
    if (!x)
      unsupported("the {} has no column \"{}\" of numbers{}", is_file(b) ? "file" : "batch", name,
                  is_file(b) ? "" : other_columns(b, name));
    return x;
  });
}

rgm_status set(rgm_batch* batch, const char* name, rgm_tensor* value) {
  return guard([&] {
    require_outside("set");
    Batch& b = given(batch, "batch");
    const Tensor x = ops::detach(share(value, "value"));
    if (is_file(b))
      b.uploaded.insert_or_assign(std::string(&given(name, "column")), x);
    else
      set_column(b, &given(name, "column"), x);
  });
}

rgm_status get_text(rgm_batch* batch, const char* name, int64_t example, rgm_str* out) {
  return guard([&] {
    given(out, "out");
    const Batch& b = given(batch, "batch");
    const auto found = b.columns.find(std::string_view(&given(name, "column")));
    if (found == b.columns.end())
      unsupported("the batch has no column \"{}\" of texts{}", name, other_columns(b, name, /*texts=*/true));
    const std::string& text = text_of(b, name, example);
    *out = {text.data(), text.size()};
  });
}

rgm_status set_example_text(rgm_batch* batch, const char* name, int64_t example, rgm_str text) {
  return guard([&] {
    require_outside("set_text");
    Batch& b = given(batch, "batch");
    require(!is_file(b), "an adapter's file holds no texts");
    set_text(b, &given(name, "column"), example, text_of(text));
  });
}

rgm_status batch_new(rgm_train* train, rgm_batch** out) {
  return guard([&] {
    given(out, "out");
    *out = given(train, "train").batches.emplace_back(std::make_unique<Batch>()).get();
  });
}

rgm_status model(rgm_train* train, const char* name, rgm_model** out) {
  return guard([&] {
    given(out, "out");
    rgm_model* m = role(given(train, "train"), &given(name, "role"));
    if (!m) unsupported("no model is configured as \"{}\"{}", name, other_roles(*train, name));
    *out = m;
  });
}

rgm_status scope_of(rgm_train* train, const char* role, const char* name, rgm_scope** out) {
  return guard([&] {
    require_outside("scope");
    given(out, "out") = scope(given(train, "train"), &given(role, "role"), &given(name, "name"));
  });
}

rgm_status total_of(rgm_train* train, const char* column, rgm_tensor** out) {
  return give(out, [&] { return total_on_device(given(train, "train"), &given(column, "column")); });
}

rgm_status progress_of(rgm_train* train, rgm_tensor** out) {
  return give(out, [&] { return progress_on_device(given(train, "train")); });
}

rgm_status metric(rgm_train* train, const char* name, rgm_tensor* sum, rgm_tensor* count) {
  return guard([&] {
    constexpr std::array own = {"step", "loss", "tokens", "tokens_per_second", "learning_rate", "gradient_norm"};
    const std::string called = &given(name, "name");
    require(std::ranges::find(own, called) == own.end(),
            "metric: \"{}\" is a name that the host itself writes for each step; call it something else", called);
    const auto number = [&](rgm_tensor* t, const char* what) {
      return scalar(t, fmt::format("metric \"{}\": its {}", called, what).c_str());
    };
    add_metric(given(train, "train"), called, number(sum, "sum"), count ? number(count, "count") : ops::full({}, 1));
  });
}

rgm_status report(rgm_train* train, const char* key, rgm_str json) {
  return guard([&] {
    constexpr std::array own = {"steps",
                                "tokens",
                                "seconds",
                                "trained_parameters",
                                "loss",
                                "best_step",
                                "rows",
                                "sha256",
                                "base_unchanged",
                                "adapter_unchanged",
                                "peak_memory_bytes",
                                "processes",
                                "weights_sha256_before",
                                "weights_sha256_after"};
    const std::string called = &given(key, "key");
    require(std::ranges::find(own, called) == own.end(),
            "report: \"{}\" is a name that the host itself writes into a result; call it something else", called);
    given(train, "train").report[called] = parse_json(text_of(json), fmt::format("report \"{}\"", called));
  });
}

rgm_status generate(rgm_train* train, rgm_model* model, rgm_batch* prompts, const rgm_attr* sampling,
                    uint32_t n_sampling, rgm_batch** out) {
  return guard([&] {
    require_outside("generate");
    Rehearsal::asks_for_values("generate");
    given(out, "out");
    if (n_sampling) given(sampling, "sampling");
    *out =
        generate_batch(given(train, "train"), given(model, "model"), given(prompts, "prompts"), {sampling, n_sampling});
  });
}

rgm_status score_all(rgm_train* train, rgm_batch* completions, rgm_tensor** out) {
  return give(out, [&] {
    require_outside("score");
    Rehearsal::asks_for_values("score");
    return score(given(train, "train"), given(completions, "completions"));
  });
}
rgm_status score_by(rgm_train* train, rgm_batch* completions, const char* reward, rgm_tensor** out) {
  return give(out, [&] {
    if (completions) {
      require_outside("score_by");
      Rehearsal::asks_for_values("score_by");
    }
    Tensor x = score_of(given(train, "train"), completions, &given(reward, "reward"));
    if (!x) unsupported("the stage has no reward \"{}\"", reward);
    return x;
  });
}
rgm_status loss_of_reward(rgm_train* train, rgm_batch* batch, rgm_tensor** out) {
  return give(out, [&] { return reward_loss(given(train, "train"), given(batch, "batch")); });
}

rgm_status draw_examples(rgm_train* train, const char* source, int64_t count, rgm_batch** out) {
  return guard([&] {
    require_outside("draw");
    given(out, "out");
    rgm_train& t = given(train, "train");
    auto batch = draw(t, &given(source, "source"), count);
    if (!batch) unsupported("the stage has no data `{}`", source);
    *out = t.batches.emplace_back(std::move(batch)).get();
  });
}

rgm_status set_text_tokens(rgm_train* train, rgm_batch* batch, const char* column, uint32_t n, const rgm_str* prompts,
                           const rgm_str* answers) {
  return guard([&] {
    require_outside("set_tokens");
    given(prompts, "prompts");
    set_tokens(given(train, "train"), given(batch, "batch"), &given(column, "column"), {prompts, n},
               answers ? std::span(answers, n) : std::span<const rgm_str>());
  });
}

rgm_status follow_policy(rgm_train* train, const char* role, double rate) {
  return guard([&] {
    require_outside("follow");
    follow(given(train, "train"), &given(role, "role"), rate);
  });
}

rgm_status examples(rgm_batch* batch, int64_t* out) {
  return guard([&] { given(out, "out") = given(batch, "batch").examples; });
}

rgm_status ask(rgm_train* train, rgm_batch* batch, rgm_tensor** ranks, rgm_str* rater) {
  return give(ranks, [&] {
    require_outside("ask_person");
    Rehearsal::asks_for_values("ask_person");
    given(rater, "rater");
    const PersonsRanks said = ask_person(given(train, "train"), given(batch, "batch"));
    *rater = {said.rater->data(), said.rater->size()};
    return from_host(std::span<const int32_t>(said.ranks), {static_cast<int64_t>(said.ranks.size())});
  });
}

}  // namespace

const rgm_train_api* train_table() {
  static const rgm_train_api table{sizeof(rgm_train_api),
                                   0,
                                   get,
                                   set,
                                   get_text,
                                   set_example_text,
                                   batch_new,
                                   model,
                                   scope_of,
                                   total_of,
                                   metric,
                                   report,
                                   generate,
                                   score_all,
                                   loss_of_reward,
                                   score_by,
                                   draw_examples,
                                   set_text_tokens,
                                   examples,
                                   ask,
                                   progress_of,
                                   follow_policy};
  return &table;
}

}  // namespace rgm
