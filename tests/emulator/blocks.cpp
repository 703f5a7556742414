// blocks.cpp - the blocks of a launch, one after the other; a block's threads as fibers that take turns.
#include <algorithm>
#include <boost/context/fiber.hpp>
#include <boost/context/fixedsize_stack.hpp>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <vector>

#include "emulator.hpp"

#if defined(__SANITIZE_ADDRESS__)
#define REGIMEN_FIBERS_ARE_TOLD
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define REGIMEN_FIBERS_ARE_TOLD
#endif
#endif
#ifdef REGIMEN_FIBERS_ARE_TOLD
#include <sanitizer/common_interface_defs.h>
#endif

namespace emulator {

Place here;

namespace {

namespace context = boost::context;
constexpr size_t stack_size = size_t{128} << 10;
constexpr unsigned warp_size = 32;

// The address sanitizer is told which stack is in use. `kept`: of the one that is left.
struct Change {
  void* kept = nullptr;
  void begin([[maybe_unused]] const void* bottom, [[maybe_unused]] size_t size) {
#ifdef REGIMEN_FIBERS_ARE_TOLD
    __sanitizer_start_switch_fiber(&kept, bottom, size);
#endif
  }
  void end([[maybe_unused]] const void** bottom = nullptr, [[maybe_unused]] size_t* size = nullptr) const {
#ifdef REGIMEN_FIBERS_ARE_TOLD
    __sanitizer_finish_switch_fiber(kept, bottom, size);
#endif
  }
};

enum class State { kReady, kInBlock, kInWarp, kDone };

struct Warp {
  uint64_t words[2][warp_size];  // in turns: who reads the last ones may be passed by who writes the next
  unsigned arrived = 0, lanes = 0, turn = 0;
};

// What the block that runs has in common.
struct Block {
  std::vector<Warp> warps;
  unsigned threads = 0, done = 0, arrived = 0, yes = 0, answer = 0;
  const std::function<void()>* thread = nullptr;
} block;
std::vector<float> shared;

// Runs one thread after another, each from its beginning to its end; lives as long as the process.
class Fiber {
 public:
  explicit Fiber(unsigned number) : number_(number) {
    fiber_ = context::fiber(std::allocator_arg, Stack{this}, [this](context::fiber&& from) {
      from_ = std::move(from);
      Change().end(&outside_, &outside_size_);
      for (;;) {
        (*block.thread)();
        state = State::kDone;
        ++block.done;
        leave();
      }
      return std::move(from_);
    });
  }
  void enter() {
    here.number = number_;
    const dim3& n = here.block_size;
    here.thread = dim3(number_ % n.x, number_ / n.x % n.y, number_ / n.x / n.y);
    Change change;
    change.begin(bottom_, stack_size);
    fiber_ = std::move(fiber_).resume();
    change.end();
  }
  void leave() {
    Change change;
    change.begin(outside_, outside_size_);
    from_ = std::move(from_).resume();
    change.end(&outside_, &outside_size_);
  }
  State state = State::kReady;

 private:
  struct Stack {
    Fiber* fiber;
    context::fixedsize_stack memory{stack_size};
    context::stack_context allocate() {
      const context::stack_context made = memory.allocate();
      fiber->bottom_ = static_cast<char*>(made.sp) - made.size;
      return made;
    }
    void deallocate(context::stack_context& made) { memory.deallocate(made); }
  };
  unsigned number_;
  context::fiber fiber_, from_;
  const void *bottom_ = nullptr, *outside_ = nullptr;
  size_t outside_size_ = 0;
};

std::vector<std::unique_ptr<Fiber>>& fibers() {  // never ended: a fiber that waits has no end
  static auto* const all = new std::vector<std::unique_ptr<Fiber>>;
  return *all;
}

Fiber& current() { return *fibers()[here.number]; }

void release(State waiting, unsigned first, unsigned end) {
  for (unsigned i = first; i < end; ++i)
    if (fibers()[i]->state == waiting) fibers()[i]->state = State::kReady;
}

// Each of its threads that can, until it waits. False: none could.
bool run_warp(unsigned warp, bool backwards) {
  const unsigned first = warp * warp_size, lanes = block.warps[warp].lanes;
  bool moved = false;
  for (unsigned i = 0; i < lanes; ++i) {
    Fiber& fiber = *fibers()[first + (backwards ? lanes - 1 - i : i)];
    if (fiber.state != State::kReady) continue;
    fiber.enter();
    moved = true;
  }
  return moved;
}

void run_block(const std::function<void()>& thread, bool backwards) {
  block.thread = &thread;
  block.done = block.arrived = block.yes = 0;
  for (unsigned w = 0; w < block.warps.size(); ++w)
    block.warps[w] = {{}, 0, std::min(warp_size, block.threads - w * warp_size), 0};
  std::fill(shared.begin(), shared.end(), NAN);
  for (unsigned i = 0; i < block.threads; ++i) fibers()[i]->state = State::kReady;
  while (block.done < block.threads) {
    bool moved = false;
    for (unsigned w = 0; w < block.warps.size(); ++w) {
      const unsigned warp = backwards ? static_cast<unsigned>(block.warps.size()) - 1 - w : w;
      while (run_warp(warp, backwards)) moved = true;  // as far as it goes alone
    }
    if (!moved) fail("threads of a block wait for others that have left, or wait elsewhere");
  }
}

}  // namespace

void fail(const char* what) {
  std::fprintf(stderr, "emulated GPU: %s (block %u,%u,%u of %u,%u,%u; %u threads)\n", what, here.block.x, here.block.y,
               here.block.z, here.grid.x, here.grid.y, here.grid.z, block.threads);
  std::abort();
}

void wait_for_block() { count_in_block(false); }

unsigned count_in_block(bool yes) {
  block.yes += yes;
  if (++block.arrived == block.threads) {
    block.answer = std::exchange(block.yes, 0);
    block.arrived = 0;
    release(State::kInBlock, 0, block.threads);
  } else {
    current().state = State::kInBlock;
    current().leave();
  }
  return block.answer;
}

uint64_t exchange(uint64_t mine, unsigned from) {
  const unsigned number = here.number, first = number / warp_size * warp_size;
  Warp& warp = block.warps[number / warp_size];
  const unsigned turn = warp.turn;
  warp.words[turn][number - first] = mine;
  if (++warp.arrived == warp.lanes) {
    warp.arrived = 0;
    warp.turn = 1 - turn;
    release(State::kInWarp, first, first + warp.lanes);
  } else {
    current().state = State::kInWarp;
    current().leave();
  }
  if (from >= warp.lanes) fail("a lane is asked that the warp has not");
  return warp.words[turn][from];
}

void* dynamic_shared() { return shared.data(); }

void run(const Launch& launch, const void* kernel, const std::function<void()>& thread) {
  static std::map<const void*, unsigned> launches;
  // Of threads and of blocks, each in turn: four orders.
  const unsigned order = launches[kernel]++;
  here.grid = launch.grid, here.block_size = launch.block;
  block.threads = launch.block.x * launch.block.y * launch.block.z;
  block.warps.resize((block.threads + warp_size - 1) / warp_size);
  shared.assign((launch.shared + sizeof(float) - 1) / sizeof(float), NAN);
  while (fibers().size() < block.threads)
    fibers().push_back(std::make_unique<Fiber>(static_cast<unsigned>(fibers().size())));
  const uint64_t blocks = uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z;
  for (uint64_t i = 0; i < blocks; ++i) {
    const uint64_t b = order & 2 ? blocks - 1 - i : i;
    here.block =
        dim3(static_cast<unsigned>(b % launch.grid.x), static_cast<unsigned>(b / launch.grid.x % launch.grid.y),
             static_cast<unsigned>(b / launch.grid.x / launch.grid.y));
    run_block(thread, order & 1);
  }
}

}  // namespace emulator
