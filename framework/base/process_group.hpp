// process_group.hpp - the processes that run one pipeline together, each with a copy of the model. What one of them
// calls here all of them call, in the same order; each call returns when everyone has made it.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rgm {

class ProcessGroup {
 public:
  virtual ~ProcessGroup() = default;
  virtual int rank() const = 0;  // from 0: that one writes files and talks to people
  virtual int size() const = 0;
  // Each value becomes its sum over all processes, in the order of their ranks: everyone has the same bits. `values`
  // are as many everywhere. As all below, throws RGM_FAILED where a process is gone.
  virtual void sum(std::span<float> values) = 0;
  // The bytes of every process, by rank; they may differ in length.
  virtual std::vector<std::string> gather(std::string_view bytes) = 0;
  virtual void wait() = 0;  // until everyone is here
};

// A run of one process: nothing waits, nothing is copied.
class Alone final : public ProcessGroup {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void sum(std::span<float>) override {}
  std::vector<std::string> gather(std::string_view bytes) override { return {std::string(bytes)}; }
  void wait() override {}
};

}  // namespace rgm
