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
  bool backwards = false;
  const std::function<void()>* thread = nullptr;
} block;
std::vector<float> shared;

// Where the launch itself runs, while a fiber does.
struct Outside {
  context::fiber fiber;
  bool left = false;  // just now
  const void* bottom = nullptr;
  size_t size = 0;
} outside;

// Runs one thread after another, each from its beginning to its end; lives as long as the process.
class Fiber {
 public:
  explicit Fiber(unsigned number) : number_(number) {
    fiber_ = context::fiber(std::allocator_arg, Stack{this}, [this](context::fiber&& nobody) {
      arrive({});
      for (;;) {
        (*block.thread)();
        state = State::kDone;
        ++block.done;
        leave();
      }
      return std::move(nobody);
    });
  }
  // From the launch; comes back when this thread and those of its warp behind it have done what they can.
  void enter() {
    Change change;
    outside.left = true;
    go_to_me(change, outside.fiber);
    change.end();
  }
  // To the next of the warp that can go on: straight there, as half of the time goes into changes.
  void leave() {
    Change change;
    if (Fiber* const next = behind()) {
      next->go_to_me(change, fiber_);
    } else {
      change.begin(outside.bottom, outside.size);
      go(outside.fiber, fiber_);
    }
    arrive(change);
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
  static void go(context::fiber& there, context::fiber& from) {
    std::move(there).resume_with([&from](context::fiber&& left) {
      from = std::move(left);
      return context::fiber();
    });
  }
  void go_to_me(Change& change, context::fiber& from) {
    here.number = number_;
    const dim3& n = here.block_size;
    here.thread = dim3(number_ % n.x, number_ / n.x % n.y, number_ / n.x / n.y);
    change.begin(bottom_, stack_size);
    go(fiber_, from);
  }
  static void arrive(const Change& change) {
    const void* bottom = nullptr;
    size_t size = 0;
    change.end(&bottom, &size);
    if (std::exchange(outside.left, false)) outside.bottom = bottom, outside.size = size;
  }
  Fiber* behind() const;
  unsigned number_;
  context::fiber fiber_;
  const void* bottom_ = nullptr;
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

// The first one of its threads, from place `i` on in their order, that can go on; or NULL.
Fiber* ready_from(unsigned warp, unsigned i) {
  const unsigned first = warp * warp_size, lanes = block.warps[warp].lanes;
  for (; i < lanes; ++i)
    if (Fiber* const fiber = fibers()[first + (block.backwards ? lanes - 1 - i : i)].get();
        fiber->state == State::kReady)
      return fiber;
  return nullptr;
}

Fiber* Fiber::behind() const {
  const unsigned warp = number_ / warp_size, lane = number_ % warp_size;
  return ready_from(warp, (block.backwards ? block.warps[warp].lanes - 1 - lane : lane) + 1);
}

void run_block(const std::function<void()>& thread, bool backwards) {
  block.thread = &thread;
  block.backwards = backwards;
  block.done = block.arrived = block.yes = 0;
  for (unsigned w = 0; w < block.warps.size(); ++w)
    block.warps[w] = {{}, 0, std::min(warp_size, block.threads - w * warp_size), 0};
  std::fill(shared.begin(), shared.end(), NAN);
  for (unsigned i = 0; i < block.threads; ++i) fibers()[i]->state = State::kReady;
  while (block.done < block.threads) {
    bool moved = false;
    for (unsigned w = 0; w < block.warps.size(); ++w) {
      const unsigned warp = backwards ? static_cast<unsigned>(block.warps.size()) - 1 - w : w;
      while (Fiber* const fiber = ready_from(warp, 0)) fiber->enter(), moved = true;  // as far as it goes alone
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
