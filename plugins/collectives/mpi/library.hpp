// library.hpp - the functions of MPI that are used, from a library that is opened when somebody joins.
#pragma once
#include <mpi.h>
#include <regimen/collective.hpp>

namespace regimen::mpi {

struct Library {
  decltype(&MPI_Initialized) initialized;
  decltype(&MPI_Init_thread) init_thread;
  decltype(&MPI_Finalize) finalize;
  decltype(&MPI_Abort) abort;
  decltype(&MPI_Comm_rank) comm_rank;
  decltype(&MPI_Comm_size) comm_size;
  decltype(&MPI_Comm_split_type) comm_split_type;
  decltype(&MPI_Comm_free) comm_free;
  decltype(&MPI_Comm_set_errhandler) comm_set_errhandler;
  decltype(&MPI_Error_string) error_string;
  decltype(&MPI_Alltoall) all_to_all;
  decltype(&MPI_Allgather) all_gather;
  decltype(&MPI_Barrier) barrier;
  // Handles that some libraries keep as objects of their own, which a header can only name if it is linked to them.
  MPI_Comm world;
  MPI_Datatype byte;
  MPI_Errhandler errors_return;
  MPI_Info no_info;
};

// Opened once, and never closed: an MPI can be started only once in a process.
const Library& library();
void require_library();  // throws the reason if it cannot be opened; leaves it closed

}  // namespace regimen::mpi
