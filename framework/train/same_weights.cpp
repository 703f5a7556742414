// same_weights.cpp - a word for each parameter and buffer, compared. Nobody chooses the weights, so that a short hash
// is enough, which takes less time than a step.
#include "train/same_weights.hpp"

#include <cstring>

#include "base/error.hpp"
#include "model/outgoing.hpp"

namespace rgm {
namespace {

uint64_t word_of(const Tensor& x) {
  uint64_t sum = 0;
  outgoing("", x).data([&](std::span<const std::byte> piece) {
    for (size_t at = 0; at < piece.size(); at += sizeof(uint64_t)) {
      uint64_t word = 0;
      std::memcpy(&word, piece.data() + at, std::min(sizeof word, piece.size() - at));
      sum = (sum ^ word) * 0x9E3779B97F4A7C15;
      sum ^= sum >> 32;
    }
  });
  return sum;
}

}  // namespace

void require_same_weights(const TrainSetup& setup, int64_t step) {
  ProcessGroup& processes = *setup.train->processes;
  if (processes.size() == 1) return;
  std::vector<const std::string*> names;
  std::string words;
  for (const Parameters* store : setup.parameters)
    for (const Parameter& p : store->all()) {
      if (!p.trained && !p.buffer) continue;
      const uint64_t word = word_of(p.value);
      names.push_back(&p.name);
      words.append(reinterpret_cast<const char*>(&word), sizeof word);
    }
  const std::vector<std::string> all = processes.gather(words);
  for (size_t rank = 1; rank < all.size(); ++rank)
    for (size_t i = 0; i < names.size(); ++i)
      if (all[rank].compare(i * sizeof(uint64_t), sizeof(uint64_t), all[0], i * sizeof(uint64_t), sizeof(uint64_t)) !=
          0)
        failure(
            "{}: after step {} processes 0 and {} no longer hold the same weights: \"{}\" differs. Either their "
            "machines compute differently, by their processors or the versions of their libraries: run all processes "
            "on machines of one kind, with one installation. Or a plug-in keeps state of its own, or draws random "
            "numbers that the host does not key: its author has to correct it",
            setup.train->stage, step, rank, *names[i]);
}

}  // namespace rgm
