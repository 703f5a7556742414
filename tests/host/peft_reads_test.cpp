// peft_reads_test.cpp - what is saved of an adapter is what PEFT read when it computed the logits that are kept beside
// it (tests/parity/record_peft.py --record), and those are ours.
#include <unistd.h>

#include <cmath>
#include <cstdlib>

#include "artefact/safetensors.hpp"
#include "base/json.hpp"
#include "host/plugged.hpp"

namespace rgm::test {
namespace {

const fs::path recorded_here = fs::path(REGIMEN_SOURCE_DIRECTORY) / "tests/parity";

struct Saved {
  const char *name, *family, *id, *options;
};
void PrintTo(const Saved& s, std::ostream* out) { *out << s.name; }

constexpr Saved cases[] = {
    {"gpt2_lora", "gpt2", "lora",
     "{rank: 3, alpha: 4, sites: [\"*.attention.query\", \"*.attention.value\", mlp.c_proj]}"},
    {"gpt2_lora_layers", "gpt2", "lora",
     "{rank: 2, alpha: 3, sites: [\"layers.0.attention.key\", \"layers.1.attention.*\"]}"},
    {"gpt2_rslora", "gpt2", "lora", "{rank: 2, alpha: 3, rslora: true, sites: [\"*.attention.*\"]}"},
    {"gpt2_dora", "gpt2", "lora",
     "{rank: 2, alpha: 3, dora: true, sites: [\"*.attention.key\", \"*.attention.value\"]}"},
    {"gpt2_ia3", "gpt2", "ia3", "{}"},
    {"gpt_neox_lora", "gpt_neox", "lora", "{rank: 3, alpha: 4, sites: [\"*.attention.query\", \"*.attention.value\"]}"},
    {"gpt_neox_rslora", "gpt_neox", "lora",
     "{rank: 2, alpha: 3, rslora: true, sites: [\"*.attention.*\", \"*.mlp.*\"]}"},
    {"gpt_neox_dora", "gpt_neox", "lora", "{rank: 2, alpha: 3, dora: true, sites: \"*.attention.key\"}"},
    {"gpt_neox_ia3", "gpt_neox", "ia3", "{}"},
    {"olmo2_ia3", "olmo2", "ia3", "{}"},
    {"phi3_lora", "phi3", "lora",
     "{rank: 2, alpha: 3, sites: [\"*.attention.query\", \"*.attention.value\", \"*.mlp.gate\", \"*.mlp.up\"]}"},
    {"granite_prompt", "granite", "soft_prompt", "{length: 3}"},
    {"phi3_dora", "phi3", "lora", "{rank: 2, alpha: 3, dora: true, sites: [\"*.attention.key\", \"*.mlp.up\"]}"},
};

// The script that records reads them there.
fs::path folder_for_saved() {
  if (const char* kept = std::getenv("REGIMEN_SAVED_ADAPTERS")) return kept;
  return fs::temp_directory_path() / ("regimen-adapters-" + std::to_string(getpid()));
}

class PeftReads : public testing::TestWithParam<Saved> {
 protected:
  PeftReads() {
    fs::create_directories(saved);
    const fs::path opened = saved / "base";
    fs::create_directories(opened);
    for (const auto& file : fs::directory_iterator(recorded_here / "families" / GetParam().family))
      fs::copy(file.path(), opened);
    std::vector<char32_t> letters;
    for (char32_t c = 'A'; letters.size() < 40; ++c) letters.push_back(c);
    save_tokenizer(*character_tokenizer(letters), opened);
    model = Model::open(opened);
    fs::remove_all(opened);
    for (Parameter& p : model->parameters().all()) model->parameters().set_trained(p, false);
  }
  ~PeftReads() override {
    if (!std::getenv("REGIMEN_SAVED_ADAPTERS")) fs::remove_all(folder_for_saved());
  }
  const rgm_adapter& table() const { return fixture(GetParam().id).table<rgm_adapter>(); }
  std::vector<float> logits() const {
    const SafeTensors record{recorded_here / "families" / GetParam().family / "recorded.safetensors"};
    const auto* ids = reinterpret_cast<const int64_t*>(record.find("tokens")->data.data());
    std::vector<int32_t> rows[2];
    for (int i = 0; i < 28; ++i) rows[i / 14].push_back(static_cast<int32_t>(ids[i / 14 * 15 + i % 14]));
    const NoGradient no_gradient;
    return to_host(model->forward(pass_over(tokens_of({rows[0], rows[1]})), RGM_LOGITS)[0]);
  }
  // As it is after training, but for who trained it.
  std::unique_ptr<Adapters> trained() const {
    auto out = std::make_unique<Adapters>(model, 3);
    out->add(GetParam().id, table(), *options(GetParam().id, GetParam().options));
    const NoGradient no_gradient;
    uint32_t seed = 40;
    for (Parameter& p : out->parameters().all()) assign(p.value, p.value + sample(p.value.shape(), ++seed, -0.5, 0.5));
    return out;
  }
  std::unique_ptr<Adapters> opened(const fs::path& folder) const {
    const SavedAdapter read = open_adapter(folder, table(), *model);
    auto out = std::make_unique<Adapters>(model, 4);
    out->add(GetParam().id, table(), *options(GetParam().id, read.options.dump()), read.tensors);
    return out;
  }
  OnDevice device{Offer::everything};
  const fs::path saved = folder_for_saved() / GetParam().name, kept = recorded_here / "peft_reads" / GetParam().name;
  std::shared_ptr<Model> model;
};
INSTANTIATE_TEST_SUITE_P(All, PeftReads, testing::ValuesIn(cases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(PeftReads, WhatIsSaved) {
  const auto adapters = trained();
  adapters->save(saved, "base");
  if (std::getenv("REGIMEN_SAVED_ADAPTERS")) GTEST_SKIP() << "saved to be recorded";
  const auto json = [](const fs::path& folder) { return parse_json(read_file(folder / "adapter_config.json")); };
  EXPECT_EQ(json(saved), json(kept));
  const SafeTensors ours{saved / "adapter_model.safetensors"}, theirs{kept / "adapter_model.safetensors"};
  ASSERT_EQ(ours.tensors().size(), theirs.tensors().size());
  for (const SavedTensor& t : theirs.tensors()) {
    SCOPED_TRACE(t.name);
    ASSERT_NE(ours.find(t.name), nullptr);
    ASSERT_EQ(ours.find(t.name)->shape, t.shape);
    const auto values = [&](const SavedTensor& of) {
      const auto* first = reinterpret_cast<const float*>(of.data.data());
      return std::vector<float>(first, first + of.data.size() / sizeof(float));
    };
    expect_near(values(*ours.find(t.name)), values(t), 1e-5);
  }
}

TEST_P(PeftReads, WithOurLogits) {
  const fs::path own = kept / "logits.safetensors";  // of cases that were recorded alone
  const SafeTensors record{fs::exists(own) ? own : kept.parent_path() / "logits.safetensors"};
  const SavedTensor* const theirs = record.find(GetParam().name);
  ASSERT_NE(theirs, nullptr);
  const auto adapters = trained();
  const auto* first = reinterpret_cast<const float*>(theirs->data.data());
  expect_near(logits(), std::vector<float>(first, first + theirs->data.size() / sizeof(float)), 1e-4);
}

// What was stacked and laid out in blocks is taken apart to the same bits.
TEST_P(PeftReads, AndOpensAgainAsItWas) {
  std::vector<float> before;
  {
    const auto adapters = trained();
    before = logits();
    adapters->save(saved, "base");
  }
  const auto again = opened(saved);
  EXPECT_EQ(logits(), before);
}

}  // namespace
}  // namespace rgm::test
