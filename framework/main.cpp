// main.cpp - the program `regimen`; everything it does is in cli/.
#include <cstdlib>

#include "cli/command.hpp"

int main(int argc, char** argv) {
  // A team of threads that spins while another program has one of its cores loses up to ten times its speed; one that
  // sleeps loses a factor of two. Read by GNU OpenMP when a plug-in brings it in; what the user has set holds.
  setenv("GOMP_SPINCOUNT", "0", 0);
  return rgm::cli::main(argc, argv);
}
