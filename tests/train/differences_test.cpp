// differences_test.cpp - what two descriptions of a stage say otherwise is named, with values where they are short.
#include "train/differences.hpp"

#include <gtest/gtest.h>

namespace rgm {
namespace {

using Json = nlohmann::json;

TEST(Differences, OfTheSameAreNone) { EXPECT_EQ(differences_for_people({{"seed", 3}}, {{"seed", 3}}), ""); }

TEST(Differences, AreNamedByTheKeysOnTheWayAndBothValues) {
  const Json before = {{"configuration", {{"micro_batch", 4}, {"optimizer", {{"adamw", {{"learning_rate", 0.001}}}}}}},
                       {"threads", 2}};
  const Json now = {{"configuration", {{"micro_batch", 6}, {"optimizer", {{"adamw", {{"learning_rate", 0.0005}}}}}}},
                    {"threads", 1}};
  EXPECT_EQ(differences_for_people(before, now),
            "micro_batch (4, now 6), optimizer.adamw.learning_rate (0.001, now 0.0005), threads (2, now 1)");
}

TEST(Differences, OfContentHaveNoHashes) {
  const auto with = [](char digit) {
    Json out;
    out["hashes"]["data.train"] = std::string(64, digit);
    return out;
  };
  EXPECT_EQ(differences_for_people(with('a'), with('b')), "data.train");
}

TEST(Differences, NameWhatIsNewOrGone) {
  EXPECT_EQ(differences_for_people({{"clip", 1}}, {{"ensemble", 2}}), "clip (1, now none), ensemble (none, now 2)");
}

TEST(Differences, GoIntoListsOfOneLength) {
  const auto with = [](int rank) {
    Json out;
    out["adapter"][0]["lora"]["rank"] = rank;
    return out;
  };
  EXPECT_EQ(differences_for_people(with(2), with(4)), "adapter.0.lora.rank (2, now 4)");
}

TEST(Differences, OfManySixAreNamed) {
  Json before, now;
  for (const char* key : {"a", "b", "c", "d", "e", "f", "g", "h"}) before[key] = 1, now[key] = 2;
  EXPECT_TRUE(differences_for_people(before, now).ends_with("f (1, now 2) and 2 more"))
      << differences_for_people(before, now);
}

// As a file may be that somebody has changed.
TEST(Differences, OfAnotherKindAreToldToo) {
  EXPECT_EQ(differences_for_people({{"threads", 2}}, {{"threads", {{"all", 2}}}}), "threads (2, now {\"all\":2})");
}

}  // namespace
}  // namespace rgm
