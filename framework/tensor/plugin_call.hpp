// plugin_call.hpp - a call of a plug-in's function: what goes wrong in it names the plug-in, its file and the function.
#pragma once
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "base/crash.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "tensor/device.hpp"

namespace rgm {

// strategy "dpo" (/usr/lib/regimen/dpo.so); without the file where none is known
inline std::string plugin_name(std::string_view kind, std::string_view id, const fs::path& file = {}) {
  return fmt::format("{} \"{}\"{}", kind, id, file.empty() ? "" : fmt::format(" ({})", file.string()));
}

// What went wrong in a plug-in's function, for those to whom it matters which one it was, or what it said itself.
class PluginError : public Error {
 public:
  PluginError(rgm_status status, std::string_view function, std::string said, const std::string& text)
      : Error(status, text), function_(function), said_(std::move(said)) {}
  const std::string& function() const { return function_; }
  const std::string& said() const { return said_; }

 private:
  std::string function_, said_;
};

// What runs while a stage begins, where little else than the options can be wrong.
constexpr bool is_beginning(std::string_view function) {
  constexpr std::string_view all[] = {"create", "plan", "open", "attach", "prepare"};
  return std::ranges::find(all, function) != std::end(all);
}

// While one lives, a stage only begins on this thread, and nothing is computed: the values that a plug-in reads are
// zeros, and what it says of them is no verdict.
class Rehearsal {
 public:
  Rehearsal() : before_(std::exchange(now, this)) {}
  ~Rehearsal() { now = before_; }
  Rehearsal(const Rehearsal&) = delete;
  Rehearsal& operator=(const Rehearsal&) = delete;

  void refuse_values() { refuses_ = true; }  // from now on with RGM_CANCELLED
  bool was_asked_for_values() const { return was_asked_; }
  static void asks_for_values(std::string_view what) {
    if (!now) return;
    now->was_asked_ = true;
    if (now->refuses_) throw Error(RGM_CANCELLED, fmt::format("{}: nothing is computed yet", what));
  }

 private:
  static inline thread_local Rehearsal* now = nullptr;
  Rehearsal* const before_;
  bool refuses_ = false, was_asked_ = false;
};

// What runs more or less often than the plug-in knows (abi.h, Purity).
constexpr bool is_pure(std::string_view function) {
  constexpr std::string_view all[] = {"loss", "scores", "begin", "input", "output", "key_values", "prompt", "backward"};
  return std::ranges::find(all, function) != std::end(all);
}

// The call that this thread is in, while it lasts.
struct PluginCall {
  const std::string* plugin = nullptr;
  std::string_view pure = {};  // the outermost function on the way here that is; empty: none
};
inline thread_local PluginCall plugin_call_now;

class InPlugin {
 public:
  InPlugin(const std::string& name, std::string_view function)
      : runs_(name, function), before_(std::exchange(plugin_call_now, {&name, plugin_call_now.pure})) {
    if (plugin_call_now.pure.empty() && is_pure(function)) plugin_call_now.pure = function;
  }
  ~InPlugin() { plugin_call_now = before_; }
  InPlugin(const InPlugin&) = delete;
  InPlugin& operator=(const InPlugin&) = delete;

 private:
  const PluginRuns runs_;
  const PluginCall before_;
};

// For what the contract tags [outside].
inline void require_outside(std::string_view what) {
  const std::string_view pure = plugin_call_now.pure;
  require(pure.empty(),
          "{} within {}, which may run more or less often than once a step: prepare, annotate, rollout and evaluate "
          "are the places for it",
          what, pure);
}

inline std::string with_site(std::string_view function, std::string_view site) {
  return fmt::format("{}{}{}", function, site.empty() ? "" : " at ", site);
}

// The status that the function answers. An exception should never come here, but an author may forget; it passes
// through C functions of any compiler, and is nothing to end the program for. `site` is the one where a hook acts.
template <class F>
rgm_status answer_of_plugin(const std::string& name, std::string_view function, F&& call, std::string_view site = {}) {
  std::string text;
  try {
    const InPlugin in(name, function);
    return call();
  } catch (const std::exception& e) {
    text = e.what();
  } catch (...) {
    text = "an exception of an unknown kind";
  }
  throw PluginError(
      RGM_INTERNAL, function, text,
      fmt::format("{}: {} threw \"{}\" across the border, where only a status is allowed; its author has to correct it",
                  name, with_site(function, site), text));
}

template <class F>
void call_plugin(const std::string& name, std::string_view function, F&& call, std::string_view site = {}) {
  const rgm_status status = answer_of_plugin(name, function, call, site);
  try {
    check_status(status);
  } catch (const Error& e) {
    // A hook inside a pass inside a loss, or a kernel in any of them: the innermost says what to do.
    const std::string_view text = e.what();
    const bool is_told = text.find(" failed: ") != text.npos || text.find(" threw \"") != text.npos;
    const bool is_bug = status == RGM_INTERNAL && !is_told;
    const char* const next =
        !is_bug ? ""
        : is_beginning(function)
            ? "; the plug-in did not accept its options: change them, or report this to its author if they are right"
            : "; this is a mistake in the plug-in: update it, or leave it out";
    throw PluginError(status, function, std::string(text),
                      fmt::format("{}: {} failed: {}{}", name, with_site(function, site), text, next));
  }
}

// For what destructors call, which nothing may be thrown out of: it is only told.
template <class F>
void call_quietly(const std::string& name, std::string_view function, F&& call) noexcept {
  try {
    answer_of_plugin(name, function, [&]() -> rgm_status { return call(), RGM_OK; });
  } catch (const Error& e) {
    log::warning("{}", e.what());
  }
}

}  // namespace rgm
