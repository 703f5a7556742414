// ending.cpp - every kind of exception, in words.
#include "cli/ending.hpp"

#include <cstdio>
#include <new>

#include "base/error.hpp"
#include "base/file_error.hpp"
#include "base/log.hpp"

namespace rgm::cli {

Ending ending_of(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& e) {
    return {e.what(), exit_status(e)};
  } catch (const fs::filesystem_error& e) {
    const Error told = as_error(e);
    return {told.what(), exit_status(told)};
  } catch (const std::bad_alloc&) {
    return {"out of memory: use a smaller batch, micro_batch or model", 1};
  } catch (const std::exception& e) {
    return {e.what(), 1};
  }
}

void complain(std::string_view text) {
  log::end_progress();
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fputc('\n', stderr);
}

}  // namespace rgm::cli
