// shared_memory.cpp - the processes of one machine: each puts a piece of its values where all can read it, adds up a
// slice of everybody's piece, and takes the other slices from those who added them up.
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <regimen/plugin.hpp>

#include <atomic>
#include <cerrno>

#include "meeting.hpp"

namespace regimen::shared_memory {
namespace {

constexpr uint32_t most_processes = 1024;

// At the beginning of the memory, all zeros at first.
struct Board {
  std::atomic<uint32_t> arrived, turn;  // of those who wait for each other; turn counts how often all have met
  std::atomic<uint32_t> aborting, aborted;
  uint32_t text_size;
  std::array<char, 1004> text;
  enum State : uint32_t { absent, joined, left };
  std::array<std::atomic<uint32_t>, most_processes> state;
};
static_assert(std::atomic<uint32_t>::is_always_lock_free && sizeof(Board) % 64 == 0);

// Whatever is summed, the memory stays within 64 MiB for up to 512 processes.
constexpr size_t piece_of(uint32_t size) {
  return std::clamp<size_t>((size_t{64} << 20) / (2 * size), size_t{64} << 10, size_t{1} << 20) / 64 * 64;
}

class SharedMemory {
 public:
  using Options = NoOptions;
  static constexpr uint32_t flags = RGM_STARTED_BY_HOST;
  static constexpr int32_t score = 100;

  static void usable() { make_memory(sizeof(Board)); }

  SharedMemory(const Options&, const Joining& joining)
      : rank_(joining.rank), size_(joining.size), piece_(piece_of(std::max(size_, 1U))) {
    require(size_ > 0 && size_ <= most_processes && rank_ < size_,
            "a group of shared memory has at most " + std::to_string(most_processes) + " processes");
    bytes_ = sizeof(Board) + 2 * size_ * piece_;
    memory_ = meet(joining, bytes_);
    void* const at = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, memory_.get(), 0);
    if (at == MAP_FAILED) fail_with_errno("the shared memory cannot be mapped");
    board_ = static_cast<Board*>(at);
    // The system takes the lock back when this process is gone, however it ended; so the others notice.
    struct flock lock = byte_of(rank_);
    if (::fcntl(memory_.get(), F_SETLK, &lock) != 0) {
      ::munmap(board_, bytes_);
      fail_with_errno("the shared memory cannot be locked");
    }
    board_->state[rank_] = Board::joined;
    try {
      wait();
    } catch (...) {
      take_leave();
      throw;
    }
  }
  ~SharedMemory() { take_leave(); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  Ranks info() const { return {rank_, size_, rank_, size_}; }

  void sum(std::span<float> values) {
    const size_t most = piece_ / sizeof(float);
    for (size_t at = 0; at < values.size(); at += most)
      sum_piece(values.subspan(at, std::min(most, values.size() - at)));
  }

  void gather(std::span<const std::byte> mine, std::byte* all) {
    for (size_t at = 0; at < mine.size(); at += piece_) {
      const size_t n = std::min(piece_, mine.size() - at);
      side_ = !side_;
      std::memcpy(place_of(rank_), mine.data() + at, n);
      wait();
      for (uint32_t r = 0; r < size_; ++r) std::memcpy(all + r * mine.size() + at, place_of(r), n);
    }
    if (mine.empty()) wait();
  }

  void wait() {
    stop_if_aborted();
    const uint32_t turn = board_->turn.load(std::memory_order_acquire);
    if (board_->arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == size_) {
      board_->arrived.store(0, std::memory_order_relaxed);
      board_->turn.fetch_add(1, std::memory_order_release);
      futex(FUTEX_WAKE, INT32_MAX, nullptr);
      return;
    }
    const auto is_over = [&] { return board_->turn.load(std::memory_order_acquire) != turn; };
    for (int spins = 0; spins < 2000; ++spins) {  // some 50 us: the others mostly come at the same time
      if (is_over()) return;
#if defined __x86_64__
      __builtin_ia32_pause();
#endif
    }
    constexpr timespec look_up{0, 50'000'000};
    while (!is_over()) {
      futex(FUTEX_WAIT, static_cast<int>(turn), &look_up);
      if (is_over()) return;
      stop_if_aborted();
      const std::string lost = who_is_lost();
      if (is_over()) return;  // who came last may have left since
      if (!lost.empty()) {
        abort(lost);
        stop_if_aborted();
      }
    }
  }

  void abort(std::string_view text) {
    if (board_->aborting.exchange(1) != 0) return;  // the first one says why
    board_->text_size = static_cast<uint32_t>(std::min(text.size(), board_->text.size()));
    std::memcpy(board_->text.data(), text.data(), board_->text_size);
    board_->aborted.store(1, std::memory_order_release);
    futex(FUTEX_WAKE, INT32_MAX, nullptr);
  }

 private:
  static struct flock byte_of(uint32_t rank) {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = rank;
    lock.l_len = 1;
    return lock;
  }

  void futex(int operation, int value, const timespec* limit) {
    ::syscall(SYS_futex, reinterpret_cast<uint32_t*>(&board_->turn), operation, value, limit, nullptr, 0);
  }

  void stop_if_aborted() {
    if (board_->aborted.load(std::memory_order_acquire) == 1)
      throw Error(RGM_DEVICE_ERROR, std::string(board_->text.data(), board_->text_size));
  }

  std::string who_is_lost() {
    for (uint32_t r = 0; r < size_; ++r) {
      if (r == rank_ || board_->state[r] == Board::absent) continue;
      const std::string who = "process " + std::to_string(r) + " of " + std::to_string(size_);
      if (board_->state[r] == Board::left) return who + " has ended before the others";
      struct flock lock = byte_of(r);
      if (::fcntl(memory_.get(), F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK && board_->state[r] != Board::left)
        return who + " is gone: it crashed or was killed";
    }
    return "";
  }

  void take_leave() {
    board_->state[rank_] = Board::left;
    ::munmap(board_, bytes_);
  }

  // Of the two sides, the one in use: who comes to the next piece first leaves the last one to those who still read it.
  std::byte* place_of(uint32_t rank) {
    return reinterpret_cast<std::byte*>(board_) + sizeof(Board) + ((side_ ? size_ : 0) + rank) * piece_;
  }

  void sum_piece(std::span<float> values) {
    side_ = !side_;
    constexpr size_t line = 16;  // of a cache, in floats
    const size_t n = values.size(), slice = (n + size_ * line - 1) / (size_ * line) * line;
    const auto begin = [&](uint32_t r) { return std::min(n, r * slice); };
    const auto place = [&](uint32_t r) { return reinterpret_cast<float*>(place_of(r)); };
    const size_t b = begin(rank_), e = begin(rank_ + 1);
    std::copy(values.begin(), values.begin() + static_cast<ptrdiff_t>(b), place(rank_));
    std::copy(values.begin() + static_cast<ptrdiff_t>(e), values.end(), place(rank_) + e);
    wait();
    add_up(values.data(), b, e);
    wait();
    for (uint32_t r = 0; r < size_; ++r)
      if (r != rank_) std::copy(place(r) + begin(r), place(r) + begin(r + 1), values.data() + begin(r));
  }

  // values[b, e) of all, in order of rank, for this process and for the others.
  void add_up(float* mine, size_t b, size_t e) {
    constexpr size_t most = 2048;
    std::array<float, most> total;
    for (size_t at = b; at < e; at += most) {
      const size_t n = std::min(most, e - at);
      for (uint32_t r = 0; r < size_; ++r) {
        const float* const theirs = (r == rank_ ? mine : reinterpret_cast<const float*>(place_of(r))) + at;
        if (r == 0)
          std::copy(theirs, theirs + n, total.data());
        else
          for (size_t i = 0; i < n; ++i) total[i] += theirs[i];
      }
      std::copy(total.data(), total.data() + n, mine + at);
      std::copy(total.data(), total.data() + n, reinterpret_cast<float*>(place_of(rank_)) + at);
    }
  }

  uint32_t rank_, size_;
  size_t piece_, bytes_ = 0;  // of a process on each side; of all
  Descriptor memory_;
  Board* board_ = nullptr;
  bool side_ = false;
};

constexpr rgm_component component = collective<SharedMemory>(
    "shared_memory", "0.1.0", "processes of one machine, which the program starts itself, through shared memory");

}  // namespace
}  // namespace regimen::shared_memory

RGM_PLUGIN("shared_memory", "0.1.0", "Regimen", &regimen::shared_memory::component);
