// peft_test.cpp - adapters that PEFT saved give PEFT's logits and loss here (tests/parity/record_peft.py).
#include <cmath>

#include "artefact/safetensors.hpp"
#include "base/json.hpp"
#include "host/plugged.hpp"

namespace rgm::test {
namespace {

const fs::path parity = fs::path(REGIMEN_SOURCE_DIRECTORY) / "tests/parity";

Tensor tensor_of(const SafeTensors& file, const std::string& name) {
  const SavedTensor* saved = file.find(name);
  require(saved != nullptr, "no {}", name);
  return from_host(saved->data.data(), Shape(std::span<const int64_t>(saved->shape)), saved->dtype);
}

std::shared_ptr<Model> recorded_model() {
  const auto json = parse_json(read_file(parity / "gpt2/config.json"));
  auto model = Model::create(from_hugging_face(json, "config.json"), nullptr, 1);
  const SafeTensors file{parity / "gpt2/recorded.safetensors"};
  const NoGradient no_gradient;
  for (const ParameterSlot& slot : parameter_slots(model->config())) {
    const Tensor& x = model->parameters().find(slot.ours)->value;
    assign(slot.transposed ? ops::transpose(x) : x, tensor_of(file, slot.theirs));
  }
  return model;
}

struct Recorded {
  const char *name, *id, *peft_type;
  int64_t virtual_tokens;
};
void PrintTo(const Recorded& r, std::ostream* out) { *out << r.name; }

class Peft : public testing::TestWithParam<Recorded> {
 protected:
  Peft() {
    const Recorded& r = GetParam();
    for (Parameter& p : model->parameters().all()) model->parameters().set_trained(p, false);
    const rgm_adapter& table = fixture(r.id).table<rgm_adapter>();
    saved = open_adapter(parity / "peft" / r.name, table, *model);
    config = options(r.id, saved.options.dump());
    adapters = std::make_unique<Adapters>(model, 3);
    adapters->add(r.id, table, *config, saved.tensors);
    const int64_t T = 16 - r.virtual_tokens;  // the context is 16
    tokens =
        ops::contiguous(ops::slice(tensor_of(SafeTensors{parity / "gpt2/recorded.safetensors"}, "tokens"), 1, 0, T));
    predicted = 3 * static_cast<double>(T - (r.name == std::string("prompt") ? 0 : 1));  // a prompt predicts the first
  }
  OnDevice device{Offer::everything};
  std::shared_ptr<Model> model = recorded_model();
  const SafeTensors expected{parity / "peft/logits.safetensors"};
  SavedAdapter saved;
  std::unique_ptr<rgm_config> config;
  std::unique_ptr<Adapters> adapters;
  Tensor tokens;
  double predicted = 0;
};
INSTANTIATE_TEST_SUITE_P(All, Peft,
                         testing::Values(Recorded{"lora", "lora", "LORA", 0}, Recorded{"rslora", "lora", "LORA", 0},
                                         Recorded{"dora", "lora", "LORA", 0}, Recorded{"embedding", "lora", "LORA", 0},
                                         Recorded{"ia3", "ia3", "IA3", 0},
                                         Recorded{"prompt", "soft_prompt", "PROMPT_TUNING", 3},
                                         Recorded{"prefix", "prefix", "PREFIX_TUNING", 2}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(Peft, HasTheSameLogitsAndLoss) {
  const Recorded& r = GetParam();
  EXPECT_EQ(saved.id, "");
  EXPECT_EQ(saved.peft_type, r.peft_type);
  EXPECT_EQ(model->virtual_tokens(), r.virtual_tokens);
  const NoGradient no_gradient;
  const auto outputs = model->forward(pass_over(tokens), RGM_LOGITS | RGM_LOGPROBS);
  const bool logits_first = outputs[0].rank() == 3;
  expect_near(outputs[logits_first ? 0 : 1], tensor_of(expected, r.name), 2e-4);
  EXPECT_NEAR(-item(ops::sum(outputs[logits_first ? 1 : 0])) / predicted,
              item(tensor_of(expected, std::string(r.name) + ".loss")), 2e-5);
}

TEST_P(Peft, HasTheSameGradients) {
  const std::string name = GetParam().name, prefix = name + ".gradient.";
  backward(model->cross_entropy(pass_over(tokens), ops::full({3, tokens.size(1)}, 1 / predicted)));
  // Gradients under the keys of an adapter's file are read as one, which splits fused modules as it does their values.
  const ScratchFolder folder;
  fs::copy_file(parity / "peft" / name / "adapter_config.json", folder.path() / "adapter_config.json");
  std::vector<SavedTensor> list;
  for (SavedTensor t : expected.tensors())
    if (t.name.starts_with(prefix)) {
      t.name.erase(0, prefix.size());
      list.push_back(t);
    }
  ASSERT_FALSE(list.empty());
  write_safetensors(folder.path() / "adapter_model.safetensors", list);
  const SavedAdapter wanted = open_adapter(folder.path(), fixture(GetParam().id).table<rgm_adapter>(), *model);
  const auto gradient = [&](const std::string& parameter) {  // those of the whole model need no site in their names
    for (const Parameter& p : adapters->parameters().all())
      if (p.name == std::string(GetParam().id) + "." + parameter || p.name.ends_with("." + parameter))
        return p.value.gradient();
    return Tensor();
  };
  EXPECT_EQ(wanted.tensors.size(), adapters->parameters().all().size());
  for (const auto& [parameter, value] : wanted.tensors) {
    SCOPED_TRACE(parameter);
    Tensor ours = gradient(parameter);
    ASSERT_TRUE(ours);
    // PEFT's one A of a fused module is ours three times.
    if (const size_t at = parameter.find(".query.a"); at != parameter.npos)
      for (const char* other : {".key.a", ".value.a"}) ours = ours + gradient(parameter.substr(0, at) + other);
    else if (parameter.ends_with(".key.a") || parameter.ends_with(".value.a"))
      continue;
    expect_near(ours, value, 2e-5);
  }
}

}  // namespace
}  // namespace rgm::test
