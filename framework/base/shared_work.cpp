// shared_work.cpp - an answer, or what was thrown instead, in one message: its first character says which.
#include "base/shared_work.hpp"

#include <exception>

#include "base/error.hpp"
#include "base/interrupt.hpp"

namespace rgm {
namespace {

constexpr char answer = 'a', error = 'e', interruption = 'i';

std::string message_of(const std::function<std::string()>& work, std::exception_ptr& thrown) {
  try {
    return answer + work();
  } catch (const Interrupted& e) {
    thrown = std::current_exception();
    return interruption + std::string(e.what());
  } catch (const Error& e) {
    thrown = std::current_exception();
    return fmt::format("{}{} {}", error, static_cast<int>(e.status()), e.what());
  } catch (const std::exception& e) {
    thrown = std::current_exception();
    return fmt::format("{}{} {}", error, static_cast<int>(RGM_INTERNAL), e.what());
  }
}

void throw_if_failed(const std::string& message, size_t rank) {
  require(!message.empty(), "process {} said nothing, where an answer was expected", rank);
  if (message[0] == interruption) throw Interrupted(message.substr(1));
  if (message[0] != error) return;
  const size_t space = message.find(' ');
  throw Error(static_cast<rgm_status>(std::stoi(message.substr(1, space - 1))),
              fmt::format("process {}: {}", rank, message.substr(space + 1)));
}

}  // namespace

ProcessGroup* alone() {
  static Alone one;
  return &one;
}

std::string from_first(ProcessGroup& processes, const std::function<std::string()>& work) {
  if (processes.size() == 1) return work();
  std::exception_ptr thrown;
  const std::string own = is_first(processes) ? message_of(work, thrown) : "";
  std::string first = std::move(processes.gather(own).front());
  if (thrown) std::rethrow_exception(thrown);
  throw_if_failed(first, 0);
  return first.substr(1);
}

std::vector<std::string> from_each(ProcessGroup& processes, const std::function<std::string()>& work) {
  if (processes.size() == 1) return {work()};
  std::exception_ptr thrown;
  std::vector<std::string> all = processes.gather(message_of(work, thrown));
  if (thrown) std::rethrow_exception(thrown);
  for (size_t rank = 0; rank < all.size(); ++rank) throw_if_failed(all[rank], rank);
  for (std::string& one : all) one.erase(0, 1);
  return all;
}

void first_then_others(ProcessGroup& processes, const std::function<void()>& work) {
  const auto done = [&] { return work(), std::string(); };
  from_first(processes, done);
  if (processes.size() > 1) from_each(processes, [&] { return is_first(processes) ? std::string() : done(); });
}

bool any_of_them(ProcessGroup& processes, bool here) {
  if (processes.size() == 1) return here;
  float count = here ? 1.0F : 0.0F;
  processes.sum({&count, 1});
  return count > 0;
}

}  // namespace rgm
