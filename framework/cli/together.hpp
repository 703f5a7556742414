// together.hpp - the processes of one run, from before the first step to the end of the last of them: started here or
// by a launcher, joined, and ended together.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cli/started_processes.hpp"

namespace rgm::cli {

// Of a mistake that every process of a launcher will find, rank 0 tells, and the others end here. The collective is the
// one that the command line names, if it does.
void keep_silent_in_others(const std::optional<std::string>& collective, Registry& registry);

class Together {
 public:
  // Alone where the pipeline asks for nothing else. Otherwise waits for the others, which it starts unless it is one of
  // them itself or a launcher has started them.
  Together(const Pipeline& pipeline, Registry& registry, const std::vector<std::string>& arguments,
           const std::optional<StartedAs>& self);
  ~Together();  // the others do not go on without this one
  Together(const Together&) = delete;
  Together& operator=(const Together&) = delete;

  ProcessGroup& group() { return group_ ? static_cast<ProcessGroup&>(*group_) : alone_; }
  void finish();  // everyone has done everything
  void stop();    // everyone was interrupted
  // Of an exception that ended the run here: the exit status where people know all about it, or throws what they
  // should.
  int fail(const std::exception_ptr& thrown);

 private:
  void start(const Pipeline& pipeline, Registry& registry, const std::vector<std::string>& arguments);
  bool is_whole() const { return group_ && group_->size() > 1; }

  Alone alone_;
  std::unique_ptr<StartedProcesses> others_;
  std::unique_ptr<JoinedProcesses> group_;
  bool launched_ = false;
};

}  // namespace rgm::cli
