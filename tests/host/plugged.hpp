// plugged.hpp - fixture plug-ins loaded with the host's own table, a folder for files, and the text of failures.
#pragma once
#include <stdlib.h>

#include <string>

#include "host/adapters.hpp"
#include "host/host.hpp"
#include "model/small.hpp"
#include "plugins/options.hpp"
#include "plugins/registry.hpp"

namespace rgm::test {

class ScratchFolder {
 public:
  ScratchFolder() {
    char name[] = "/tmp/regimen-host-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~ScratchFolder() { fs::remove_all(path_); }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

template <class F>
std::string failure_of(F&& body) {
  try {
    body();
    return "";
  } catch (const std::exception& e) {
    return e.what();
  }
}

inline std::string kept_text() {
  const rgm_str text = host_table()->last_error();
  return {text.data, text.size};
}

// Loaded once: plug-ins keep the host's table for ever.
inline const Component& fixture(const std::string& id) {
  static Registry registry(host_table());
  static std::map<std::string, const Component*> loaded;
  if (!loaded.contains(id)) {
    registry.add(fs::path(REGIMEN_FIXTURES) / (id + ".so"));
    loaded[id] = &registry.find(RGM_KIND_ADAPTER, id);
  }
  return *loaded[id];
}

inline std::unique_ptr<rgm_config> options(const std::string& id, const std::string& yaml = "{}") {
  Problems problems("test");
  auto config = read_options(*fixture(id).data, YAML::Load(yaml), problems);
  problems.raise();
  return config;
}

// A small frozen model with one adapter.
struct Adapted {
  std::unique_ptr<rgm_config> config;
  std::shared_ptr<Model> model;
  std::unique_ptr<Adapters> adapters;

  Adapted(const std::string& id, const std::string& yaml = "{}", std::map<std::string, Tensor> saved = {},
          const char* family = "gpt2")
      : config(options(id, yaml)), model(small_model(family)) {
    for (Parameter& p : model->parameters().all()) model->parameters().set_trained(p, false);
    adapters = std::make_unique<Adapters>(model, 3);
    adapters->add(id, fixture(id).table<rgm_adapter>(), *config, std::move(saved));
  }
  Tensor logprobs() const {
    return model->forward(pass_over(tokens_of({some_tokens(9, 1), some_tokens(9, 2)})), RGM_LOGPROBS)[0];
  }
  // Every parameter away from where it starts.
  void disturb() const {
    const NoGradient no_gradient;
    uint32_t seed = 40;
    for (Parameter& p : adapters->parameters().all())
      assign(p.value, p.value + sample(p.value.shape(), ++seed, -0.5, 0.5));
  }
};

}  // namespace rgm::test
