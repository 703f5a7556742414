// together.cpp - who starts whom, and what becomes of the others when one ends.
#include "cli/together.hpp"

#include <unistd.h>

#include <chrono>
#include <random>
#include <thread>

#include "base/interrupt.hpp"
#include "base/log.hpp"

namespace rgm::cli {

Together::Together(const Pipeline& pipeline, Registry& registry, const std::vector<std::string>& arguments,
                   const std::optional<StartedAs>& self) {
  launched_ = pipeline.collective && is_started_by_launcher(*pipeline.collective);
  if (launched_) {
    group_ = std::make_unique<JoinedProcesses>(*pipeline.collective, JoinedProcesses::Place{});
    if (group_->rank() > 0) log::fall_silent();
    if (group_->size() == 1)
      log::info("collective {}: the launcher started one process, which runs alone; for several, as in mpirun -n 4",
                pipeline.collective->id);
  } else if (self) {
    const Choice collective = pipeline.collective ? *pipeline.collective : choose_collective(registry);
    group_ = std::make_unique<JoinedProcesses>(collective, self->place);
  } else if (pipeline.processes.value_or(1) > 1) {
    start(pipeline, registry, arguments);
  }
}

void Together::start(const Pipeline& pipeline, Registry& registry, const std::vector<std::string>& arguments) {
  const Choice collective = pipeline.collective ? *pipeline.collective : choose_collective(registry);
  std::random_device chance;
  const JoinedProcesses::Place own{0, static_cast<uint32_t>(*pipeline.processes),
                                   fmt::format("{}-{:08x}{:08x}", ::getpid(), chance(), chance())};
  others_ = std::make_unique<StartedProcesses>(own, arguments);
  group_ = std::make_unique<JoinedProcesses>(collective, own);
  others_->call_when_one_fails([this](const std::string& text) { group_->abort(text); });
  log::info("{} processes, joined by {}", own.size, collective.id);
}

void keep_silent_in_others(const std::optional<std::string>& collective, Registry& registry) try {
  if (!collective) return;
  const Choice choice = collective_by_id(*collective, registry);
  if (!is_started_by_launcher(choice)) return;
  if (JoinedProcesses(choice, {}).rank() > 0) ::_exit(2);
} catch (const Error&) {
  return;  // that it cannot be joined is not what is to be told
}

Together::~Together() {
  if (others_) {
    others_->expect_ends();
    if (group_) group_->abort("process 0 has ended");
  }
  group_ = nullptr;
  others_ = nullptr;
}

void Together::finish() {
  if (is_whole()) group_->wait();
  if (others_) others_->expect_ends();
  group_ = nullptr;
  if (others_) others_->await_ends(std::chrono::seconds(10));
}

void Together::stop() {
  if (!launched_ || !is_whole()) return;
  // A launcher's processes end together; whoever was not interrupted would not come.
  std::thread([] {
    std::this_thread::sleep_for(std::chrono::seconds(5));
    ::_exit(interrupt_status());
  }).detach();
  group_ = nullptr;
}

int Together::fail(const std::exception_ptr& thrown) {
  bool is_of_another = false;
  try {
    std::rethrow_exception(thrown);
  } catch (const OtherProcessFailed&) {
    is_of_another = true;
  } catch (...) {}
  if (others_ && is_of_another)
    if (const auto first = others_->first_end()) {
      if (first->status == interrupt_status()) {
        log::info("another process was interrupted; the same command continues from there");
        return interrupt_status();
      }
      throw Error(first->status == 2 ? RGM_INVALID : RGM_INTERNAL, first->text);
    }
  if (!launched_ || !is_whole()) std::rethrow_exception(thrown);
  const int rank = group_->rank();
  const Ending ending = ending_of(thrown);
  if (rank == 0) {
    complain(ending.text);
  } else if (!is_of_another) {
    // What everyone meets, such as a file that is missing, is said by rank 0, whose abort ends this one meanwhile.
    std::this_thread::sleep_for(std::chrono::seconds(1));
    complain(fmt::format("process {} of {}: {}", rank, group_->size(), ending.text));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // the launcher still has to pass that on
  group_->abort(ending.text);
  return ending.status;
}

}  // namespace rgm::cli
