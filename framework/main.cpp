// main.cpp - the program `regimen`; everything it does is in cli/.
#include <csignal>
#include <cstdlib>

#include "cli/command.hpp"

int main(int argc, char** argv) {
  // Threads that sleep between kernels wake too late for kernels of a few microseconds: a small model's step takes a
  // quarter longer. Threads that spin on while another program has one of the cores lose up to ten times their speed.
  // So they spin for some 50 us and then sleep. Read by GNU OpenMP when a plug-in brings it in; what is set holds.
  if (!getenv("OMP_WAIT_POLICY")) setenv("GOMP_SPINCOUNT", "1000", 0);
  signal(SIGXFSZ, SIG_IGN);  // a limit on the size of files is told as what it is, by the write that fails
  return rgm::cli::main(argc, argv);
}
