// file_error.cpp - the mistakes with paths that users make, and what helps.
#include "base/file_error.hpp"

#include <array>

namespace rgm {
namespace {

struct Mistake {
  std::errc code;
  std::string_view said;
};

constexpr std::array mistakes = {
    Mistake{std::errc::filename_too_long, "the name is too long; choose a shorter one"},
    Mistake{std::errc::too_many_symbolic_link_levels, "its links lead in a circle; correct one of them"},
    Mistake{std::errc::permission_denied, "permission denied; allow it with chmod, or choose another place"},
    Mistake{std::errc::operation_not_permitted, "not permitted; choose another place"},
    Mistake{std::errc::read_only_file_system, "the file system is read-only; choose another place"},
    Mistake{std::errc::not_a_directory,
            "there is a file where a folder was expected; move it away, or choose another place"},
    Mistake{std::errc::file_exists, "something else with that name is there; move it away, or choose another place"},
    Mistake{std::errc::is_a_directory, "is a folder, a file was expected"},
    Mistake{std::errc::no_such_file_or_directory, "does not exist; correct the path"},
};

}  // namespace

Error as_error(const fs::filesystem_error& e) {
  const fs::path& path = e.path1().empty() ? e.path2() : e.path1();
  const std::string name = path.empty() ? "" : path.string() + ": ";
  for (const Mistake& mistake : mistakes)
    if (e.code() == mistake.code) return {RGM_INVALID, fmt::format("{}{}", name, mistake.said)};
  return {RGM_INTERNAL, name + e.code().message()};
}

}  // namespace rgm
