// mpi.cpp - processes that a launcher of MPI started. MPI only moves bytes here: whether MPI_Allreduce adds in the same
// order everywhere and in every run, each MPI may decide for itself.
#include <regimen/plugin.hpp>

#include <cstdlib>
#include <vector>

#include "library.hpp"

namespace regimen::mpi {
namespace {

constexpr size_t most_floats = 1 << 20;  // of a piece: what a call moves stays far below the 2 GiB that an int counts

void check_mpi(int code, const char* what) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  library().error_string(code, text.data(), &length);
  throw Error(RGM_DEVICE_ERROR, std::string(what) + ": " + std::string(text.data(), static_cast<size_t>(length)));
}

// Each MPI's launcher starts processes that only this MPI can join: to another one, each of them is alone.
void require_own_launcher(uint32_t size) {
#if defined OPEN_MPI
  constexpr const char *foreign = "PMI_SIZE", *theirs = "MPICH", *ours = "Open MPI";
#else
  constexpr const char *foreign = "OMPI_COMM_WORLD_SIZE", *theirs = "Open MPI", *ours = "MPICH";
#endif
  const char* const started = std::getenv(foreign);
  if (size == 1 && started && std::atoi(started) > 1)
    throw Error(RGM_INVALID, std::string("the launcher is ") + theirs + "'s and started " + started +
                                 " processes, but this plug-in was built for " + ours +
                                 ": start them with that one's "
                                 "mpirun, or build Regimen where only the other one is installed");
}

class Mpi {
 public:
  using Options = NoOptions;
  static constexpr uint32_t flags = RGM_STARTED_BY_LAUNCHER;
  static constexpr int32_t score = 100;

  static void usable() { require_library(); }

  Mpi(const Options&, const Joining&) : mpi_(library()) {
    int started = 0, level = 0;
    check_mpi(mpi_.initialized(&started), "MPI_Initialized");
    require(!started, "MPI was started in this process before");
    check_mpi(mpi_.init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &level), "MPI_Init_thread");
    // One call at a time, though not always from one thread.
    if (level < MPI_THREAD_SERIALIZED)
      throw Error(RGM_UNSUPPORTED,
                  "this MPI may be used from the thread alone that started it "
                  "(MPI_THREAD_SERIALIZED is needed)");
    check_mpi(mpi_.comm_set_errhandler(mpi_.world, mpi_.errors_return), "MPI_Comm_set_errhandler");
    ranks_ = ranks_in(mpi_.world);
    MPI_Comm here;
    check_mpi(mpi_.comm_split_type(mpi_.world, MPI_COMM_TYPE_SHARED, 0, mpi_.no_info, &here), "MPI_Comm_split_type");
    const Ranks on_this_machine = ranks_in(here);
    mpi_.comm_free(&here);
    ranks_.rank_here = on_this_machine.rank;
    ranks_.size_here = on_this_machine.size;
    require_own_launcher(ranks_.size);
  }
  ~Mpi() {
    if (!failed_) mpi_.finalize();  // which waits for all; after a failure they would not come
  }
  Mpi(const Mpi&) = delete;
  Mpi& operator=(const Mpi&) = delete;

  Ranks info() const { return ranks_; }

  // Of each piece, every process adds up one slice.
  void sum(std::span<float> values) {
    const size_t slice = std::max<size_t>(most_floats / ranks_.size, 1), piece = slice * ranks_.size;
    while (!values.empty()) {
      const size_t n = std::min(piece, values.size());
      // The last piece: slices of one size, which may end with zeros.
      sum_piece(values.first(n), n == piece ? slice : (n + ranks_.size - 1) / ranks_.size);
      values = values.subspan(n);
    }
  }

  void gather(std::span<const std::byte> mine, std::byte* all) {
    const size_t most = std::max<size_t>((size_t{64} << 20) / ranks_.size, 1);
    std::vector<std::byte> came;
    for (size_t at = 0; at < mine.size(); at += most) {
      const size_t n = std::min(most, mine.size() - at);
      came.resize(n * ranks_.size);
      call("MPI_Allgather", mpi_.all_gather(mine.data() + at, static_cast<int>(n), mpi_.byte, came.data(),
                                            static_cast<int>(n), mpi_.byte, mpi_.world));
      for (uint32_t r = 0; r < ranks_.size; ++r) std::memcpy(all + r * mine.size() + at, came.data() + r * n, n);
    }
    if (mine.empty()) wait();
  }

  void wait() { call("MPI_Barrier", mpi_.barrier(mpi_.world)); }

  // Ends all processes, this one too: nothing else is sure to reach those who wait.
  void abort(std::string_view) {
    failed_ = true;
    mpi_.abort(mpi_.world, 1);
  }

 private:
  Ranks ranks_in(MPI_Comm comm) const {
    int rank = 0, size = 1;
    check_mpi(mpi_.comm_rank(comm, &rank), "MPI_Comm_rank");
    check_mpi(mpi_.comm_size(comm, &size), "MPI_Comm_size");
    return {static_cast<uint32_t>(rank), static_cast<uint32_t>(size), 0, 1};
  }

  void call(const char* what, int code) {
    failed_ = failed_ || code != MPI_SUCCESS;
    check_mpi(code, what);
  }

  void sum_piece(std::span<float> values, size_t slice) {
    const size_t all = slice * ranks_.size;
    float* data = values.data();
    if (values.size() < all) {
      padded_.assign(all, 0.0F);
      std::copy(values.begin(), values.end(), padded_.begin());
      data = padded_.data();
    }
    came_.resize(all);
    total_.resize(slice);
    const int bytes = static_cast<int>(slice * sizeof(float));
    call("MPI_Alltoall", mpi_.all_to_all(data, bytes, mpi_.byte, came_.data(), bytes, mpi_.byte, mpi_.world));
    std::copy(came_.begin(), came_.begin() + static_cast<ptrdiff_t>(slice), total_.begin());
    for (uint32_t r = 1; r < ranks_.size; ++r) {
      const float* const theirs = came_.data() + r * slice;
      for (size_t i = 0; i < slice; ++i) total_[i] += theirs[i];
    }
    call("MPI_Allgather", mpi_.all_gather(total_.data(), bytes, mpi_.byte, data, bytes, mpi_.byte, mpi_.world));
    if (data != values.data()) std::copy(data, data + values.size(), values.data());
  }

  const Library& mpi_;
  Ranks ranks_;
  bool failed_ = false;
  std::vector<float> came_, total_, padded_;
};

constexpr rgm_component component =
    collective<Mpi>("mpi", "0.1.0", "processes that mpirun, mpiexec or srun started, through MPI");

}  // namespace
}  // namespace regimen::mpi

RGM_PLUGIN("mpi", "0.1.0", "Regimen", &regimen::mpi::component);
