// minimal_host.cpp - what `regimen plugins` hands to a plug-in, so that a backend can say why it is not usable.
#include "plugins/minimal_host.hpp"

#include <exception>
#include <string>

#include "base/log.hpp"
#include "base/process_here.hpp"
#include "plugins/options.hpp"

namespace rgm {
namespace {

thread_local std::string failure_text;

// Nothing may be thrown into a plug-in, not even for lack of memory.
rgm_status fail(rgm_status code, rgm_str text) {
  try {
    failure_text.assign(text.data, text.size);
    return code == RGM_OK ? rgm_status{RGM_INTERNAL} : code;
  } catch (const std::exception&) {
    return RGM_NO_MEMORY;
  }
}
rgm_str last_error() { return {failure_text.data(), failure_text.size()}; }
void log_line(int32_t level, rgm_str text) {
  try {
    log::write(static_cast<log::Level>(level), std::string_view(text.data, text.size));
  } catch (const std::exception&) {
    return;  // a message is lost, the plug-in goes on
  }
}
const void* extension(const char*) { return nullptr; }
rgm_status get(const rgm_config* config, const char* key, rgm_value* out) {
  const rgm_status status = config_get(config, key, out);
  return status == RGM_OK ? status : fail(status, {"there is no such option", 23});
}
rgm_status parallel_for(int64_t n, int64_t, void* user, rgm_status (*body)(void*, int64_t, int64_t)) {
  return n > 0 ? body(user, 0, n) : RGM_OK;
}

}  // namespace

const rgm_host& minimal_host() {
  static const rgm_host host{sizeof(rgm_host), RGM_ABI_MINOR, REGIMEN_VERSION, extension, fail,    last_error,
                             log_line,         get,           parallel_for,    nullptr,   nullptr, nullptr,
                             tell_process_here};
  return host;
}

}  // namespace rgm
