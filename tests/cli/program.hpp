// program.hpp - runs the program as a user does and keeps what it said.
#pragma once
#include <stdio.h>
#include <sys/wait.h>

#include <string>

#include "base/file.hpp"

namespace rgm {

struct Said {
  int status = -1;
  std::string out, err;
};

// A path as one word of a shell, whatever it is made of.
inline std::string quoted(const fs::path& path) {
  std::string out = "'";
  for (const char c : path.string()) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

// `arguments` as they stand in a shell.
inline Said regimen(const std::string& arguments, const std::string& before = "") {
  std::string pattern = (fs::temp_directory_path() / "regimen-cli-XXXXXX").string();
  const fs::path folder = ::mkdtemp(pattern.data());
  const std::string command =
      before + " " + REGIMEN_PROGRAM + " " + arguments + " >" + quoted(folder / "out") + " 2>" + quoted(folder / "err");
  const int status = ::system(command.c_str());
  Said said{WIFEXITED(status) ? WEXITSTATUS(status) : 128, read_file(folder / "out"), read_file(folder / "err")};
  fs::remove_all(folder);
  return said;
}

}  // namespace rgm
