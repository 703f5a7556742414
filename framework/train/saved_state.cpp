// saved_state.cpp - between tensors on the device and a checkpoint's files.
#include "train/saved_state.hpp"

#include <deque>

namespace rgm {
namespace {

// Keeps the host's copies alive until they are written.
class Collector {
 public:
  void add(const std::string& name, const Tensor& x) {
    const bool integers = x.dtype() == RGM_I32;
    const Shape shape = x.shape();
    std::vector<char>& bytes = kept_.emplace_back();
    const auto keep = [&](const auto& values) {
      const char* begin = reinterpret_cast<const char*>(values.data());
      bytes.assign(begin, begin + values.size() * sizeof(values[0]));
    };
    if (integers)
      keep(to_host<int32_t>(x));
    else
      keep(to_host<float>(x));
    tensors_.push_back(
        {name, integers ? RGM_I32 : RGM_F32, {shape.begin(), shape.end()}, std::as_bytes(std::span(bytes))});
  }
  void add(const SavedArray& array) {
    tensors_.push_back({array.name, array.dtype, array.shape, std::as_bytes(std::span(array.bytes))});
  }
  std::span<const SavedTensor> tensors() const { return tensors_; }

 private:
  std::deque<std::vector<char>> kept_;
  std::vector<SavedTensor> tensors_;
};

void visit_weights(const TrainSetup& setup, const auto& see) {
  for (size_t store = 0; store < setup.parameters.size(); ++store)
    for (const Parameter& p : setup.parameters[store]->all())
      if (p.trained || p.buffer) see(fmt::format("p{}.{}", store, p.name), p.value);
}

void restore(const SafeTensors& file, const std::string& name, const Tensor& into) {
  const SavedTensor* found = file.find(name);
  require(found != nullptr, "the checkpoint has no tensor {}", name);
  const Shape shape(found->shape);
  require(shape == into.shape(), "the checkpoint's {} has the shape {}, {} was expected", name, shape.text(),
          into.shape().text());
  assign(into, from_host(found->data.data(), shape, found->dtype));
}

}  // namespace

void save_state(Checkpoints& checkpoints, int64_t step, const nlohmann::json& more, const TrainSetup& setup,
                const Optimizer& optimizer, const Feed& feed) {
  Collector collector;
  visit_weights(setup, [&](const std::string& name, const Tensor& value) { collector.add(name, value); });
  optimizer.visit([&](const std::string& name, const Tensor& value) { collector.add(name, value); });
  std::vector<SavedArray> arrays;
  nlohmann::json state = more;
  state["feed"] = feed.save(arrays);
  state["inputs"] = setup.training_sha256;
  state["arrays"] = nlohmann::json::array();
  for (SavedArray& array : arrays) {
    state["arrays"].push_back(array.name);
    array.name = "feed." + array.name;
    collector.add(array);
  }
  checkpoints.write(step, state, collector.tensors());
}

void load_state(const Checkpoint& checkpoint, TrainSetup& setup, const Optimizer& optimizer, Feed& feed) {
  visit_weights(setup, [&](const std::string& name, const Tensor& value) { restore(checkpoint.tensors, name, value); });
  optimizer.visit([&](const std::string& name, const Tensor& value) { restore(checkpoint.tensors, name, value); });
  std::vector<SavedArray> arrays;
  for (const auto& name : checkpoint.state.at("arrays")) {
    const SavedTensor* found = checkpoint.tensors.find("feed." + name.get<std::string>());
    require(found != nullptr, "the checkpoint has no array {}", name.get<std::string>());
    const auto* begin = reinterpret_cast<const char*>(found->data.data());
    arrays.push_back({name, found->dtype, found->shape, {begin, begin + found->data.size()}});
  }
  feed.load(checkpoint.state.at("feed"), arrays);
}

void save_weights(const fs::path& file, const TrainSetup& setup) {
  Collector collector;
  visit_weights(setup, [&](const std::string& name, const Tensor& value) { collector.add(name, value); });
  write_safetensors(file, collector.tensors());
}

void load_weights(const fs::path& file, TrainSetup& setup) {
  const SafeTensors saved(file);
  visit_weights(setup, [&](const std::string& name, const Tensor& value) { restore(saved, name, value); });
}

}  // namespace rgm
