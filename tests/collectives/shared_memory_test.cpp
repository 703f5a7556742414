// shared_memory_test.cpp - processes of one machine that share memory: sums, bytes, and what the others see of one that
// stops, leaves or is killed.
#include <chrono>
#include <cmath>
#include <csignal>
#include <thread>

#include "collectives/group.hpp"

namespace rgm::collectives {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

const rgm_collective& shared_memory() {
  static const rgm_collective& table = table_of("shared_memory");
  return table;
}

TEST(SharedMemory, EveryProcessHasTheSumOfAll) {
  EXPECT_THAT(in_processes(shared_memory(), 2,
                           [](const Member& member) {
                             std::vector<float> x =
                                 member.info().rank == 0 ? std::vector<float>{1, 2, 3} : std::vector<float>{10, 20, 30};
                             member.sum(x);
                             return text_of(x);
                           }),
              ElementsAre("11 22 33", "11 22 33"));
}

TEST(SharedMemory, AGroupKnowsItsRanks) {
  EXPECT_THAT(in_processes(shared_memory(), 3,
                           [](const Member& member) {
                             const rgm_group_info i = member.info();
                             return std::to_string(i.rank) + "/" + std::to_string(i.size) + " " +
                                    std::to_string(i.rank_here) + "/" + std::to_string(i.size_here);
                           }),
              ElementsAre("0/3 0/3", "1/3 1/3", "2/3 2/3"));
}

// 1 + 2^-24 is 1 in float32, and so is 1 + 2^-24 + 2^-24 from the left; 2^-24 + 2^-24 + 1 is more.
TEST(SharedMemory, SumsAreInTheOrderOfRanks) {
  const float little = std::ldexp(1.0F, -24);
  EXPECT_THAT(in_processes(shared_memory(), 3,
                           [&](const Member& member) {
                             const uint32_t rank = member.info().rank;
                             std::vector<float> x{rank == 0 ? 1.0F : little, rank == 2 ? 1.0F : little};
                             member.sum(x);
                             return std::to_string(x[0] == 1.0F) + std::to_string(x[1] > 1.0F);
                           }),
              Each("11"));
}

// Value i of rank r is i % 1000 + r, so that three ranks sum up to 3 (i % 1000) + 3. A piece is 262144 floats.
TEST(SharedMemory, SumsOfAnyLengthAreWhole) {
  EXPECT_THAT(in_processes(shared_memory(), 3,
                           [](const Member& member) {
                             for (const size_t n : {0, 1, 2, 17, 262144, 262145, 600001}) {
                               std::vector<float> x(n);
                               for (size_t i = 0; i < n; ++i)
                                 x[i] = static_cast<float>(i % 1000) + static_cast<float>(member.info().rank);
                               member.sum(x);
                               for (size_t i = 0; i < n; ++i)
                                 if (x[i] != 3 * static_cast<float>(i % 1000) + 3)
                                   return "wrong at " + std::to_string(i) + " of " + std::to_string(n);
                             }
                             return std::string("right");
                           }),
              Each("right"));
}

TEST(SharedMemory, BytesOfAllComeByRank) {
  EXPECT_THAT(in_processes(shared_memory(), 3,
                           [](const Member& member) {
                             const std::string mine(3, static_cast<char>('a' + member.info().rank));
                             return member.gather(mine) + member.gather("");
                           }),
              Each("aaabbbccc"));
}

TEST(SharedMemory, ManyBytesComeWhole) {
  EXPECT_THAT(in_processes(shared_memory(), 2,
                           [](const Member& member) {
                             const size_t n = 2'500'001;  // a piece is 1 MiB
                             const std::string mine(n, static_cast<char>('a' + member.info().rank));
                             return std::to_string(member.gather(mine) == std::string(n, 'a') + std::string(n, 'b'));
                           }),
              Each("1"));
}

TEST(SharedMemory, WhoIsAbortedSaysWhyToAllWhoWaitThenOrLater) {
  EXPECT_THAT(in_processes(shared_memory(), 3,
                           [](const Member& member) {
                             if (member.info().rank == 1) {
                               std::this_thread::sleep_for(std::chrono::milliseconds(20));
                               member.abort("rank 1 has had enough");
                             }
                             try {
                               member.wait();
                             } catch (const std::exception&) {}
                             std::vector<float> x(3);
                             member.sum(x);
                             return std::string("went on");
                           }),
              Each("failed: rank 1 has had enough"));
}

TEST(SharedMemory, OneThatIsKilledIsMissedSoon) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(in_processes(shared_memory(), 3,
                           [](const Member& member) {
                             if (member.info().rank == 2) ::raise(SIGKILL);
                             std::vector<float> x(3);
                             member.sum(x);
                             return std::string("went on");
                           }),
              ElementsAre("failed: process 2 of 3 is gone: it crashed or was killed",
                          "failed: process 2 of 3 is gone: it crashed or was killed", "signal 9"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
}

TEST(SharedMemory, OneThatLeavesIsNamed) {
  EXPECT_THAT(in_processes(shared_memory(), 2,
                           [](const Member& member) {
                             if (member.info().rank == 1) return std::string("left");
                             member.wait();
                             return std::string("went on");
                           }),
              ElementsAre("failed: process 1 of 2 has ended before the others", "left"));
}

TEST(SharedMemory, AGroupOfMoreProcessesThanThereIsRoomForIsRefused) {
  const rgm_join join{sizeof(rgm_join), 0, 0, 5000, {"x", 1}};
  rgm_group* out = nullptr;
  EXPECT_EQ(shared_memory().join(nullptr, &join, &out), RGM_INVALID);
  EXPECT_THAT(last_failure(), HasSubstr("at most 1024 processes"));
  EXPECT_EQ(out, nullptr);
}

}  // namespace
}  // namespace rgm::collectives
