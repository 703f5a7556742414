// collective.cpp - a collective that two processes join: sums and bytes against values computed by hand, and what one
// sees of the other's abort and end. One whose processes a launcher starts is tried by this process alone.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <functional>

#include "inspect/opened.hpp"
#include "pipeline/processes.hpp"

namespace rgm::inspect {
namespace {

using Work = std::function<void(JoinedProcesses& group)>;

Choice collective_of(Opened& opened, const std::string& id) {
  Choice out;
  out.id = id;
  out.component = &opened.component(RGM_KIND_COLLECTIVE, id);
  out.config = config_of(*out.component->data, sample_options(*out.component->data));
  return out;
}

bool is_usable(Opened& opened, const Choice& collective) {
  opened.at("usable");
  if (collective.component->table<rgm_collective>().usable() == RGM_OK) return true;
  if (last_failure().empty()) {
    opened.failed("usable failed without a reason; say why with host->fail");
    return false;
  }
  opened.skipped("it cannot be used here: {}", last_failure());
  return false;
}

// `first` and `second` in two processes that have joined; what the second one failed with.
std::string in_two(const Choice& collective, const Work& first, const Work& second) {
  JoinedProcesses::Place place{0, 2, fmt::format("check-{}", ::getpid())};
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) failure("a pipe cannot be created");
  const pid_t other = ::fork();
  if (other < 0) failure("a second process cannot be created");
  if (other == 0) {
    ::alarm(60);
    std::string said;
    try {
      place.rank = 1;
      JoinedProcesses group(collective, place);
      second(group);
    } catch (const std::exception& e) {
      said = e.what();
    }
    static_cast<void>(!::write(ends[1], said.data(), said.size()));
    ::_exit(0);
  }
  ::close(ends[1]);
  std::exception_ptr thrown;
  try {
    JoinedProcesses group(collective, place);
    first(group);
  } catch (...) {
    thrown = std::current_exception();
    ::kill(other, SIGKILL);
  }
  std::string said;
  std::array<char, 1024> piece{};
  for (ssize_t n; (n = ::read(ends[0], piece.data(), piece.size())) > 0;) said.append(piece.data(), size_t(n));
  ::close(ends[0]);
  while (::waitpid(other, nullptr, 0) < 0 && errno == EINTR) {}
  if (thrown) std::rethrow_exception(thrown);
  return said;
}

void expect(bool right, const char* what) {
  if (!right) failure("{}", what);
}

// Rank r brings i % 100 + 1000 r: of `size` ranks, that is size (i % 100) + 1000 (0 + 1 + … ).
void use(JoinedProcesses& group) {
  const auto rank = static_cast<float>(group.rank()), size = static_cast<float>(group.size());
  for (const size_t n : {0, 1, 7, 1000, 3'000'001}) {
    std::vector<float> values(n);
    for (size_t i = 0; i < n; ++i) values[i] = static_cast<float>(i % 100) + 1000 * rank;
    group.sum(values);
    for (size_t i = 0; i < n; ++i)
      if (values[i] != size * static_cast<float>(i % 100) + 1000 * size * (size - 1) / 2)
        failure("sum: value {} of {} is {}, {} was expected", i, n, values[i],
                size * static_cast<float>(i % 100) + 1000 * size * (size - 1) / 2);
  }
  const std::vector<std::string> all =
      group.gather(std::string(size_t(group.rank()) * 5 + 1, char('a' + group.rank())));
  for (size_t r = 0; r < all.size(); ++r)
    expect(all[r] == std::string(r * 5 + 1, char('a' + r)),
           "gather: the bytes of the processes are not what they sent");
  group.wait();
}

// Sums that float32 rounds: still the same everywhere.
void use_in_order(JoinedProcesses& group) {
  std::vector<float> values{group.rank() == 0 ? 0x1p24F : 1.0F, group.rank() == 0 ? 0.1F : 0.7F};
  group.sum(values);
  expect(group.size() != 2 || (values[0] == 0x1p24F + 1.0F && values[1] == 0.1F + 0.7F), "sum: not the sum in float32");
  const std::vector<std::string> bits =
      group.gather({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
  expect(std::ranges::count(bits, bits[0]) == group.size(), "sum: the processes have different bits");
}

void group_step(Opened& opened, const std::string& id) {
  const Choice collective = collective_of(opened, id);
  if (!is_usable(opened, collective)) return;
  const auto everything = [&](JoinedProcesses& group) {
    use(group);
    use_in_order(group);
  };
  opened.at("join, sum, gather, wait, leave");
  if (is_started_by_launcher(collective)) {
    JoinedProcesses group(collective, {});
    everything(group);
    return opened.ok("{} process{}: sums and bytes are right; start this check by its launcher to try it with several",
                     group.size(), group.size() == 1 ? "" : "es");
  }
  const std::string said = in_two(collective, everything, everything);
  if (!said.empty()) return opened.failed("the second of two processes: {}", said);
  opened.ok("two processes: sums and bytes are right, and the same bits in both");
}

// The text that a wait fails with; it is ended by the check's limit if it does not.
std::string failure_of_wait(JoinedProcesses& group) {
  try {
    group.wait();
  } catch (const OtherProcessFailed& e) {
    return e.what();
  }
  failure("wait: it returned, though the other process never came");
}

void ends_step(Opened& opened, const std::string& id) {
  const Choice collective = collective_of(opened, id);
  if (is_started_by_launcher(collective)) return opened.skipped("its launcher sees to the end of its processes");
  if (!is_usable(opened, collective)) return;
  opened.at("abort");
  std::string seen;
  in_two(
      collective, [&](JoinedProcesses& group) { seen = failure_of_wait(group); },
      [](JoinedProcesses& group) { group.abort("as was tried"); });
  if (seen.find("as was tried") == seen.npos)
    return opened.failed("the other process aborted with \"as was tried\", and wait failed with \"{}\"", seen);
  opened.at("wait for a process that was killed");
  in_two(
      collective, [&](JoinedProcesses& group) { seen = failure_of_wait(group); },
      [](JoinedProcesses&) { ::raise(SIGKILL); });
  opened.ok("an abort and a process that is killed are noticed: {}", seen);
}

}  // namespace

std::vector<Step> collective_steps() { return {{"group", group_step}, {"ends", ends_step}}; }

}  // namespace rgm::inspect
