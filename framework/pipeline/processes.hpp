// processes.hpp - the processes that run one pipeline together, through the collective that the pipeline names or the
// best that works here.
#pragma once
#include <memory>

#include "base/error.hpp"
#include "base/process_group.hpp"
#include "pipeline/pipeline.hpp"

namespace rgm {

// Another process has failed, left or gone, which is nothing that this one could tell more about.
class OtherProcessFailed : public Error {
 public:
  using Error::Error;
};

// The place in a group that a collective's plug-in has joined.
class JoinedProcesses final : public ProcessGroup {
 public:
  // Where the host starts them: who this is of how many, and the name that they have in common.
  struct Place {
    uint32_t rank = 0, size = 0;
    std::string name = {};
  };
  // Waits for all the others. Tells process_here.
  JoinedProcesses(const Choice& collective, const Place& place);
  ~JoinedProcesses() override;  // leaves
  JoinedProcesses(const JoinedProcesses&) = delete;
  JoinedProcesses& operator=(const JoinedProcesses&) = delete;

  int rank() const override { return static_cast<int>(info_.rank); }
  int size() const override { return static_cast<int>(info_.size); }
  void sum(std::span<float> values) override;
  std::vector<std::string> gather(std::string_view bytes) override;
  void wait() override;
  // [any] All who wait, now or later, fail with this text.
  void abort(std::string_view text);

 private:
  template <class F>
  void call(std::string_view function, F&& body);

  Choice collective_;
  const rgm_collective& table_;
  std::string plugin_;  // for messages
  rgm_group* group_ = nullptr;
  rgm_group_info info_{};
};

// Does an outside program start the processes, or this one?
bool is_started_by_launcher(const Choice& collective);
// One by its id, with the defaults of its options.
Choice collective_by_id(const std::string& id, Registry& registry);
// The usable one with the highest score of those whose processes this program starts. RGM_INVALID with each one's
// reason when there is none.
Choice choose_collective(Registry& registry);
// Rank 0 says on what each of them computes.
void tell_devices(ProcessGroup& group, const Pipeline& pipeline, Registry& registry);

}  // namespace rgm
