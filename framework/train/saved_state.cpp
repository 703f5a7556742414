// saved_state.cpp - between tensors on the device and a checkpoint's files.
#include "train/saved_state.hpp"

#include "model/outgoing.hpp"

namespace rgm {
namespace {

void visit_weights(const TrainSetup& setup, const auto& see) {
  for (size_t store = 0; store < setup.parameters.size(); ++store)
    for (const Parameter& p : setup.parameters[store]->all())
      if (p.trained || p.buffer) see(fmt::format("p{}.{}", store, p.name), p.value);
}

// Of the models that follow the policy, which are no part of its best weights.
void visit_followers(const TrainSetup& setup, const auto& see) {
  for (const auto& follower : setup.train->followers)
    follower.second.visit([&](size_t store, const Parameter&, const Parameter& own) {
      see(fmt::format("follower.{}.{}.{}", follower.first, store, own.name), own);
    });
}

void refresh_halves(const TrainSetup& setup) {
  for (const Parameters* store : setup.parameters)
    for (const Parameter& p : store->all())
      if (p.trained || p.buffer) p.refresh_half();
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
                const Optimizer& optimizer, const Average& average, const Feed& feed) {
  std::vector<OutgoingTensor> tensors;
  const auto add = [&](const std::string& name, const Tensor& value) { tensors.push_back(outgoing(name, value)); };
  visit_weights(setup, add);
  visit_followers(setup, [&](const std::string& name, const Parameter& p) { add(name, p.value); });
  optimizer.visit(add);
  average.visit(add);
  std::vector<SavedArray> arrays;
  nlohmann::json state = more;
  state["feed"] = feed.save(arrays);
  state["inputs"] = setup.training_sha256;
  state["made_of"] = setup.training_inputs;
  state["arrays"] = nlohmann::json::array();
  for (const SavedArray& array : arrays) {
    state["arrays"].push_back(array.name);
    tensors.push_back(
        outgoing(SavedTensor{"feed." + array.name, array.dtype, array.shape, std::as_bytes(std::span(array.bytes))}));
  }
  checkpoints.write(step, state, tensors);
}

void load_state(const Checkpoint& checkpoint, TrainSetup& setup, const Optimizer& optimizer, const Average& average,
                Feed& feed) {
  visit_weights(setup, [&](const std::string& name, const Tensor& value) { restore(checkpoint.tensors, name, value); });
  refresh_halves(setup);
  visit_followers(setup, [&](const std::string& name, const Parameter& p) {
    restore(checkpoint.tensors, name, p.value);
    p.refresh_half();
  });
  const auto put_back = [&](const std::string& name, const Tensor& value) { restore(checkpoint.tensors, name, value); };
  optimizer.visit(put_back);
  average.visit(put_back);
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
  std::vector<OutgoingTensor> tensors;
  visit_weights(setup, [&](const std::string& name, const Tensor& value) { tensors.push_back(outgoing(name, value)); });
  write_safetensors(file, tensors);
}

void load_weights(const fs::path& file, TrainSetup& setup) {
  const SafeTensors saved(file);
  visit_weights(setup, [&](const std::string& name, const Tensor& value) { restore(saved, name, value); });
  refresh_halves(setup);
}

}  // namespace rgm
