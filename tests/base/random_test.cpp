// random_test.cpp - known answers of Philox4x32-10 and SHA-256.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/philox.hpp"
#include "base/sha256.hpp"

namespace rgm {
namespace {

using testing::ElementsAre;

// Random123's kat_vectors
TEST(Philox, GivesTheKnownAnswers) {
  EXPECT_THAT(Philox{}({0, 0, 0, 0}), ElementsAre(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  const uint32_t f = 0xffffffff;
  EXPECT_THAT((Philox{{f, f}}({f, f, f, f})), ElementsAre(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  EXPECT_THAT((Philox{{0xa4093822, 0x299f31d0}}({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344})),
              ElementsAre(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
}

TEST(Philox, MixDependsOnEveryArgument) {
  EXPECT_EQ(mix(1, 2, 3, 4), mix(1, 2, 3, 4));
  EXPECT_NE(mix(1, 2, 3, 4), mix(1ULL << 32, 2, 3, 4));
  EXPECT_NE(mix(1, 2, 3, 4), mix(1, 2ULL << 32, 3, 4));
  EXPECT_NE(mix(1, 2, 3, 4), mix(1, 2, 4, 3));
  EXPECT_EQ(unit(0), 0.0);
  EXPECT_LT(unit(~uint64_t{0}), 1.0);
}

TEST(Sha256, GivesTheKnownAnswers) {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256().update("a").update("bc").hex(), sha256("abc"));
}

}  // namespace
}  // namespace rgm
