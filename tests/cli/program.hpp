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

// `arguments` as they stand in a shell.
inline Said regimen(const std::string& arguments, const std::string& before = "") {
  char name[] = "/tmp/regimen-cli-XXXXXX";
  const fs::path folder = ::mkdtemp(name);
  const std::string command = before + " " + REGIMEN_PROGRAM + " " + arguments + " >" + (folder / "out").string() +
                              " 2>" + (folder / "err").string();
  const int status = ::system(command.c_str());
  Said said{WIFEXITED(status) ? WEXITSTATUS(status) : 128, read_file(folder / "out"), read_file(folder / "err")};
  fs::remove_all(folder);
  return said;
}

}  // namespace rgm
