// plugin_call.hpp - a call of a plug-in's function: what goes wrong in it names the plug-in, its file and the function.
#pragma once
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "base/crash.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "tensor/device.hpp"

namespace rgm {

// strategy "dpo" (/usr/lib/regimen/dpo.so); without the file where none is known
inline std::string plugin_name(std::string_view kind, std::string_view id, const fs::path& file = {}) {
  return fmt::format("{} \"{}\"{}", kind, id, file.empty() ? "" : fmt::format(" ({})", file.string()));
}

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

// The status that the function answers. An exception should never come here, but an author may forget; it passes
// through C functions of any compiler, and is nothing to end the program for.
template <class F>
rgm_status answer_of_plugin(const std::string& name, std::string_view function, F&& call) {
  std::string text;
  try {
    const InPlugin in(name, function);
    return call();
  } catch (const std::exception& e) {
    text = e.what();
  } catch (...) {
    text = "an exception of a kind that is not known here";
  }
  failure("{}: {} threw \"{}\" across the border, where only a status may pass; its author has to correct it", name,
          function, text);
}

// RGM_CANCELLED is no failure, and keeps the text that the plug-in gave.
template <class F>
void call_plugin(const std::string& name, std::string_view function, F&& call) {
  const rgm_status status = answer_of_plugin(name, function, call);
  try {
    check_status(status);
  } catch (const Error& e) {
    if (status == RGM_CANCELLED) throw;
    // A hook inside a pass inside a loss, or a kernel in any of them: the innermost says what to do.
    const std::string_view text = e.what();
    const bool is_told = text.find(" failed: ") != text.npos || text.find(" threw \"") != text.npos;
    const bool is_bug = status == RGM_INTERNAL && !is_told;
    throw Error(status, fmt::format("{}: {} failed: {}{}", name, function, text,
                                    is_bug ? "; this is a mistake in the plug-in: update it, or leave it out" : ""));
  }
}

}  // namespace rgm
