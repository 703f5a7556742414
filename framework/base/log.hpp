// log.hpp - messages for people, on stderr, one line each. Results go to stdout and do not pass here.
#pragma once
#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace rgm::log {

enum class Level { debug = 1, info, warning, nothing };  // as RGM_LOG_* in the ABI; nothing is written at the last

// Messages below these are dropped: `work` is for what is told of work whose result is kept, which happens once,
// wherever that falls.
struct Levels {
  Level all = Level::info, work = Level::info;
};
Levels set_levels(Levels levels);  // answers those until now
Levels levels();
// [any] Writes one line; a progress line that is on the terminal is cleared first.
void write(Level level, std::string_view text);

template <class... A>
void debug(fmt::format_string<A...> text, A&&... args) {
  write(Level::debug, fmt::format(text, std::forward<A>(args)...));
}
template <class... A>
void info(fmt::format_string<A...> text, A&&... args) {
  write(Level::info, fmt::format(text, std::forward<A>(args)...));
}
template <class... A>
void warning(fmt::format_string<A...> text, A&&... args) {
  write(Level::warning, fmt::format(text, std::forward<A>(args)...));
}

// From now on this process writes nothing, whatever the levels: another one runs the same and does.
void fall_silent();
bool is_silent();

// Within its life, messages are of work whose result is kept.
class OfWork {
 public:
  OfWork();
  ~OfWork();
  OfWork(const OfWork&) = delete;
  OfWork& operator=(const OfWork&) = delete;

 private:
  Levels before_;
};

// Within its life, a line that was written is not written again.
class EachOnce {
 public:
  EachOnce();
  ~EachOnce();
  EachOnce(const EachOnce&) = delete;
  EachOnce& operator=(const EachOnce&) = delete;
};

// A line that is rewritten in place on a terminal; elsewhere every call is a line of its own. Of level info.
void progress(std::string_view text);
void end_progress();
bool is_terminal();

}  // namespace rgm::log
