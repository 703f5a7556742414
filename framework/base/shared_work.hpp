// shared_work.hpp - work that the processes of a run share out. What fails in one of them fails in all, as nobody waits
// for an answer that will not come.
#pragma once
#include <functional>

#include "base/process_group.hpp"

namespace rgm {

ProcessGroup* alone();
inline bool is_first(const ProcessGroup& processes) { return processes.rank() == 0; }

// Process 0 works, and everyone has what it answers. What it throws, everyone throws.
std::string from_first(ProcessGroup& processes, const std::function<std::string()>& work);
// Each works, and everyone has all answers, by rank. Where one throws, everyone throws.
std::vector<std::string> from_each(ProcessGroup& processes, const std::function<std::string()>& work);
// Process 0 works, and what it leaves on the disk is there when the others do the same.
void first_then_others(ProcessGroup& processes, const std::function<void()>& work);
// Whether it is so in one of them.
bool any_of_them(ProcessGroup& processes, bool here);

}  // namespace rgm
