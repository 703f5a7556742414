// library.cpp - opens the MPI that the plug-in was built for.
#include "library.hpp"

#include <dlfcn.h>

namespace regimen::mpi {
namespace {

[[noreturn]] void refuse() {
  const char* const said = dlerror();
  throw Error(RGM_UNSUPPORTED, std::string("no MPI: ") + (said ? said : REGIMEN_MPI_LIBRARY " cannot be opened"));
}

void* symbol(void* handle, const char* name) {
  void* const found = dlsym(handle, name);
  if (!found) throw Error(RGM_UNSUPPORTED, std::string(REGIMEN_MPI_LIBRARY " has no ") + name);
  return found;
}

template <class F>
void take(void* handle, const char* name, F& out) {
  out = reinterpret_cast<F>(symbol(handle, name));
}

Library open() {
  // For all to see: some MPIs open parts of theirs later, which look for its functions in the whole process.
  void* const handle = dlopen(REGIMEN_MPI_LIBRARY, RTLD_NOW | RTLD_GLOBAL);
  if (!handle) refuse();
  Library m{};
  take(handle, "MPI_Initialized", m.initialized);
  take(handle, "MPI_Init_thread", m.init_thread);
  take(handle, "MPI_Finalize", m.finalize);
  take(handle, "MPI_Abort", m.abort);
  take(handle, "MPI_Comm_rank", m.comm_rank);
  take(handle, "MPI_Comm_size", m.comm_size);
  take(handle, "MPI_Comm_split_type", m.comm_split_type);
  take(handle, "MPI_Comm_free", m.comm_free);
  take(handle, "MPI_Comm_set_errhandler", m.comm_set_errhandler);
  take(handle, "MPI_Error_string", m.error_string);
  take(handle, "MPI_Alltoall", m.all_to_all);
  take(handle, "MPI_Allgather", m.all_gather);
  take(handle, "MPI_Barrier", m.barrier);
#if defined OPEN_MPI
  m.world = static_cast<MPI_Comm>(symbol(handle, "ompi_mpi_comm_world"));
  m.byte = static_cast<MPI_Datatype>(symbol(handle, "ompi_mpi_byte"));
  m.errors_return = static_cast<MPI_Errhandler>(symbol(handle, "ompi_mpi_errors_return"));
  m.no_info = static_cast<MPI_Info>(symbol(handle, "ompi_mpi_info_null"));
#else  // MPICH and those that are made of it: numbers
  m.world = MPI_COMM_WORLD;
  m.byte = MPI_BYTE;
  m.errors_return = MPI_ERRORS_RETURN;
  m.no_info = MPI_INFO_NULL;
#endif
  return m;
}

}  // namespace

const Library& library() {
  static const Library opened = open();
  return opened;
}

void require_library() {
  void* const handle = dlopen(REGIMEN_MPI_LIBRARY, RTLD_LAZY | RTLD_LOCAL);
  if (!handle) refuse();
  dlclose(handle);
}

}  // namespace regimen::mpi
