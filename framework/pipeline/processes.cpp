// processes.cpp - a collective's plug-in as a ProcessGroup, and which one it is.
#include "pipeline/processes.hpp"

#include <unistd.h>

#include <array>
#include <set>

#include "base/log.hpp"
#include "base/process_here.hpp"
#include "base/text.hpp"
#include "pipeline/device.hpp"
#include "plugins/options.hpp"
#include "tensor/plugin_call.hpp"

namespace rgm {

JoinedProcesses::JoinedProcesses(const Choice& collective, const Place& place)
    : collective_(collective),
      table_(collective_.component->table<rgm_collective>()),
      plugin_(plugin_name("collective", collective_.id)) {
  const rgm_join join{sizeof(rgm_join), 0, place.rank, place.size, {place.name.data(), place.name.size()}};
  call_plugin(plugin_, "join", [&] { return table_.join(collective_.config.get(), &join, &group_); });
  info_.struct_size = sizeof info_;
  try {
    call_plugin(plugin_, "info", [&] { return table_.info(group_, &info_); });
    if (info_.rank >= info_.size || info_.rank_here >= info_.size_here || (place.size && info_.size != place.size))
      failure("{}: info says that this is process {} of {}, and {} of {} on this machine; its author has to correct it",
              plugin_, info_.rank, info_.size, info_.rank_here, info_.size_here);
  } catch (...) {
    call_quietly(plugin_, "leave", [&] { table_.leave(group_); });
    throw;
  }
  set_process_here({info_.rank_here, info_.size_here});
}

JoinedProcesses::~JoinedProcesses() {
  call_quietly(plugin_, "leave", [&] { table_.leave(group_); });
}

// The text is about another process, or says which connection has failed: no function of the plug-in needs a name.
template <class F>
void JoinedProcesses::call(std::string_view function, F&& body) {
  if (answer_of_plugin(plugin_, function, body) == RGM_OK) return;
  throw OtherProcessFailed(RGM_INTERNAL, std::string(last_failure()));
}

void JoinedProcesses::sum(std::span<float> values) {
  call("sum", [&] { return table_.sum(group_, values.data(), values.size()); });
}

std::vector<std::string> JoinedProcesses::gather(std::string_view bytes) {
  std::vector<uint64_t> sizes(info_.size);
  const uint64_t mine = bytes.size();
  call("gather", [&] { return table_.gather(group_, &mine, sizeof mine, sizes.data()); });
  const uint64_t most = *std::max_element(sizes.begin(), sizes.end());
  std::string padded(bytes), all(most * info_.size, '\0');
  padded.resize(most);
  if (most > 0) call("gather", [&] { return table_.gather(group_, padded.data(), most, all.data()); });
  std::vector<std::string> out;
  for (size_t r = 0; r < sizes.size(); ++r) out.push_back(all.substr(r * most, sizes[r]));
  return out;
}

void JoinedProcesses::wait() {
  call("wait", [&] { return table_.wait(group_); });
}

void JoinedProcesses::abort(std::string_view text) { table_.abort(group_, {text.data(), text.size()}); }

bool is_started_by_launcher(const Choice& collective) {
  return collective.component->table<rgm_collective>().flags & RGM_STARTED_BY_LAUNCHER;
}

Choice collective_by_id(const std::string& id, Registry& registry) {
  Choice choice;
  choice.id = id;
  choice.component = &registry.find(RGM_KIND_COLLECTIVE, id);
  Problems problems(fmt::format("collective {}", id));
  choice.config = read_options(*choice.component->data, YAML::Node(), problems);
  problems.raise();
  return choice;
}

Choice choose_collective(Registry& registry) {
  std::optional<Choice> found;
  std::string reasons;
  for (const std::string& id : registry.ids(RGM_KIND_COLLECTIVE)) {
    try {
      Choice choice = collective_by_id(id, registry);
      const auto& table = choice.component->table<rgm_collective>();
      if (is_started_by_launcher(choice)) continue;
      if (found && table.score <= found->component->table<rgm_collective>().score) continue;
      check_status(answer_of_plugin(plugin_name("collective", id), "usable", [&] { return table.usable(); }));
      found = std::move(choice);
    } catch (const Error& e) {
      reasons += fmt::format("\n  {}: {}", id, e.what());
    }
  }
  if (!found)
    invalid(
        "no collective that joins processes of one machine can be used (looked in {}){}; without \"processes\" one "
        "process runs alone",
        registry.places(), reasons.empty() ? ": none is installed" : reasons);
  return *found;
}

void tell_devices(ProcessGroup& group, const Pipeline& pipeline, Registry& registry) {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  const std::vector<std::string> devices = group.gather(device_here(pipeline.backend, registry));
  const std::vector<std::string> machines = group.gather(name.data());
  if (group.rank() != 0) return;
  const bool one_machine = std::set(machines.begin(), machines.end()).size() == 1;
  if (one_machine && std::set(devices.begin(), devices.end()).size() == 1)
    return log::info("{} processes: each has {}", group.size(), devices[0]);
  for (size_t r = 0; r < devices.size(); ++r)
    log::info("process {} of {}: {}{}", r, group.size(), devices[r], one_machine ? "" : " of " + machines[r]);
}

}  // namespace rgm
