// host.cpp - the table that every plug-in gets: failures, the log, options, the compute threads, and the way to the
// three large tables.
#include "host/host.hpp"

#include <mutex>
#include <optional>
#include <string>

#include "base/log.hpp"
#include "base/process_here.hpp"
#include "host/guard.hpp"
#include "host/tables.hpp"
#include "plugins/minimal_host.hpp"
#include "plugins/options.hpp"

namespace rgm {
namespace {

const void* extension(const char*) { return nullptr; }

// Whoever fails has not succeeded, whatever the code that is given.
rgm_status fail(rgm_status given_code, rgm_str text) {
  const rgm_status code = given_code == RGM_OK ? rgm_status{RGM_INTERNAL} : given_code;
  const rgm_status kept = guard([&] { keep_failure(code, text_of(text)); });
  return kept == RGM_OK ? code : kept;
}
rgm_str last_error() {
  const std::string_view text = last_failure();
  return {text.data(), text.size()};
}

void log_line(int32_t level, rgm_str text) {
  guard([&] {
    const auto known = std::clamp<int32_t>(level, RGM_LOG_DEBUG, RGM_LOG_WARNING);
    log::write(static_cast<log::Level>(known), text_of(text));
  });
}

rgm_status get(const rgm_config* config, const char* key, rgm_value* out) {
  return guard([&] {
    given(config, "config");
    given(out, "out");
    require(config_get(config, &given(key, "key"), out) == RGM_OK, "there is no option \"{}\"", key);
  });
}

// What the pieces of one parallel_for share. The text of a failure stays with the thread that failed, and is carried
// over to the one that waits.
struct Pieces {
  void* user;
  rgm_status (*body)(void*, int64_t, int64_t);
  std::mutex mutex;
  std::optional<int64_t> failed_at;
  rgm_status status = RGM_OK;
  std::string text;
};

rgm_status piece(void* data, int64_t begin, int64_t end) {
  auto& pieces = *static_cast<Pieces*>(data);
  const rgm_status status = pieces.body(pieces.user, begin, end);
  if (status == RGM_OK) return RGM_OK;
  const rgm_status kept = guard([&] {
    const std::lock_guard lock(pieces.mutex);
    if (!pieces.failed_at || begin < *pieces.failed_at) {
      pieces.failed_at = begin;
      pieces.status = status;
      try {
        check_status(status);
      } catch (const Error& e) {
        pieces.text = e.what();
      }
    }
  });
  return kept == RGM_OK ? status : kept;
}

rgm_status parallel_for(int64_t n, int64_t grain, void* user,
                        rgm_status (*body)(void* user, int64_t begin, int64_t end)) {
  return guard([&] {
    require(body != nullptr, "body is NULL");
    if (n <= 0) return;
    Pieces pieces{user, body, {}, {}, RGM_OK, {}};
    // None is before a run has opened one, as when plug-ins are created to be checked.
    const std::shared_ptr<Device> device = has_current_device() ? share_current_device() : nullptr;
    rgm_status status = RGM_OK;
    if (device && RGM_HAS(&device->backend(), parallel_for))
      status = device->backend().parallel_for(device->handle(), n, std::max<int64_t>(grain, 1), &pieces, piece);
    else
      status = piece(&pieces, 0, n);
    if (pieces.failed_at) throw Error(pieces.status, pieces.text);
    check_status(status);
  });
}

}  // namespace

const rgm_host* host_table() {
  static const rgm_host host{
      sizeof(rgm_host), RGM_ABI_MINOR, minimal_host().version, extension,      fail,          last_error,
      log_line,         get,           parallel_for,           tensor_table(), model_table(), train_table(),
      tell_process_here};
  return &host;
}

}  // namespace rgm
