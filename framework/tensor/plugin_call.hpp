// plugin_call.hpp - a call of a plug-in's function: what goes wrong in it names the plug-in, its file and the function.
#pragma once
#include <string>
#include <string_view>

#include "base/crash.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "tensor/device.hpp"

namespace rgm {

// strategy "dpo" (/usr/lib/regimen/dpo.so); without the file where none is known
inline std::string plugin_name(std::string_view kind, std::string_view id, const fs::path& file = {}) {
  return fmt::format("{} \"{}\"{}", kind, id, file.empty() ? "" : fmt::format(" ({})", file.string()));
}

// RGM_CANCELLED is no failure, and keeps the text that the plug-in gave. An exception should never come here, but an
// author may forget; it passes through C functions of any compiler, and is nothing to end the program for.
template <class F>
void call_plugin(const std::string& name, std::string_view function, F&& call) {
  rgm_status status = RGM_OK;
  const auto threw = [&](std::string_view text) {
    failure("{}: {} threw \"{}\" across the border, where only a status may pass; its author has to correct it", name,
            function, text);
  };
  try {
    const PluginRuns runs(name, function);
    status = call();
  } catch (const std::exception& e) {
    threw(e.what());
  } catch (...) {
    threw("an exception of a kind that is not known here");
  }
  try {
    check_status(status);
  } catch (const Error& e) {
    if (status == RGM_CANCELLED) throw;
    // A hook inside a pass inside a loss: the innermost says what to do.
    const bool is_told = std::string_view(e.what()).find(" failed: ") != std::string_view::npos;
    const bool is_bug = status == RGM_INTERNAL && !is_told;
    throw Error(status, fmt::format("{}: {} failed: {}{}", name, function, e.what(),
                                    is_bug ? "; this is a mistake in the plug-in: update it, or leave it out" : ""));
  }
}

}  // namespace rgm
