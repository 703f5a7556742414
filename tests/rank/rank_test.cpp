// rank_test.cpp - orders with ties, agreement, samples, what is kept, and who may come in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "base/error.hpp"
#include "base/file.hpp"
#include "rank/agreement.hpp"
#include "rank/gate.hpp"
#include "rank/order.hpp"
#include "rank/session.hpp"

namespace rgm::rank {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

template <class F>
std::string failure_of(F&& body) {
  try {
    body();
    return "";
  } catch (const Error& e) {
    return e.what();
  }
}

TEST(Order, TiesShareARankAndTheNextIsOneMore) {
  EXPECT_THAT(parse_order("C > B = D > A", 4), ElementsAre(3, 2, 1, 2));
  EXPECT_THAT(parse_order("a=b", 2), ElementsAre(1, 1));
  EXPECT_EQ(format_order(std::vector<int>{3, 2, 1, 2}), "C > B = D > A");
  const std::vector<size_t> order{2, 1, 3, 0};
  EXPECT_THAT(ranks_of(order, {false, false, true, false}), ElementsAre(3, 2, 1, 2));
}

TEST(Order, WhatIsNoOrderIsTold) {
  EXPECT_THAT(failure_of([] { parse_order("A > B", 3); }), HasSubstr("C is left out"));
  EXPECT_THAT(failure_of([] { parse_order("A > A", 2); }), HasSubstr("A stands there twice"));
  EXPECT_THAT(failure_of([] { parse_order("A > D", 3); }), HasSubstr("there are A to C"));
  EXPECT_THAT(failure_of([] { parse_order("A < B", 2); }), HasSubstr("write > where the first is better"));
  EXPECT_THAT(failure_of([] { parse_order("A > B >", 2); }), HasSubstr("left out"));
  EXPECT_THAT(failure_of([] { check_ranks(std::vector<int>{1, 3}, 2); }), HasSubstr("no answer has the rank 2"));
  EXPECT_THAT(failure_of([] { check_ranks(std::vector<int>{1}, 2); }), HasSubstr("1 ranks for 2 answers"));
}

// Of the three pairs two are alike, and one is a tie in b: 2 / sqrt(3 x 2).
TEST(Agreement, CountsPairsThatAreOrderedAlike) {
  EXPECT_DOUBLE_EQ(*tau_b(std::vector<int>{1, 2, 3}, std::vector<int>{1, 2, 3}), 1);
  EXPECT_DOUBLE_EQ(*tau_b(std::vector<int>{1, 2, 3}, std::vector<int>{3, 2, 1}), -1);
  EXPECT_NEAR(*tau_b(std::vector<int>{1, 2, 3}, std::vector<int>{1, 2, 2}), 2 / std::sqrt(6.0), 1e-12);
  EXPECT_FALSE(tau_b(std::vector<int>{1, 1}, std::vector<int>{1, 2}).has_value());
}

class RankTest : public testing::Test {
 protected:
  RankTest() {
    char name[] = "/tmp/regimen-rank-XXXXXX";
    folder_ = ::mkdtemp(name);
    write("samples.jsonl",
          R"({"prompt": "p", "responses": ["one", "two", "three"], "sources": ["small", "large", "person"]})"
          "\n"
          R"({"prompt": "q", "responses": ["<b>bold</b>", "plain"]})"
          "\n");
  }
  ~RankTest() override { fs::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) const { write_file(folder_ / name, text); }
  SessionOptions options(bool blind = false) const {
    return {read_samples(folder_ / "samples.jsonl"), folder_ / "out.jsonl", blind, 1};
  }
  std::string out() const { return read_file(folder_ / "out.jsonl"); }
  fs::path folder_;
};

TEST_F(RankTest, RowsOfOnePromptBelongTogether) {
  write("rows.jsonl",
        "{\"prompt\": \"p\", \"text\": \"a\"}\n{\"prompt\": \"q\", \"text\": \"c\"}\n"
        "{\"prompt\": \"p\", \"text\": \"b\"}\n{\"prompt\": \"q\", \"text\": \"d\"}\n");
  const Samples samples = read_samples(folder_ / "rows.jsonl");
  ASSERT_EQ(samples.items.size(), 2U);
  EXPECT_EQ(samples.items[0].prompt, "p");
  EXPECT_THAT(samples.items[0].answers, ElementsAre("a", "b"));
  EXPECT_THAT(samples.items[1].answers, ElementsAre("c", "d"));
}

TEST_F(RankTest, SamplesThatCannotBeRankedAreToldWithTheirLine) {
  const auto told = [&](const std::string& rows) {
    write("rows.jsonl", rows);
    return failure_of([&] { read_samples(folder_ / "rows.jsonl"); });
  };
  EXPECT_THAT(told("{\"prompt\": \"p\", \"responses\": [\"a\", \"b\"]}\n{\"prompt\": \"q\", \"responses\": [\"a\"]}\n"),
              HasSubstr("rows.jsonl:2: its prompt has one answer"));
  EXPECT_THAT(told("{\"prompt\": \"p\", \"responses\": [\"a\", 3]}\n"), HasSubstr("has 3 in it"));
  EXPECT_THAT(told("{\"text\": \"a\"}\n"), HasSubstr("rows.jsonl:1: there is no text \"prompt\""));
  EXPECT_THAT(told("{\"prompt\": \n"), HasSubstr("rows.jsonl:1"));
}

TEST_F(RankTest, WhatIsSavedIsThereForWhoeverOpensItNext) {
  {
    Session session(options());
    session.save("ada", 0, {{2, 1, 2}, "close"});
    session.save("ada", 1, {{1, 2}, "", /*draft=*/true});
  }
  Session session(options());
  EXPECT_EQ(session.next("ada"), 1U) << "a draft does not count";
  EXPECT_THAT(session.judgement("ada", 1)->ranks, ElementsAre(1, 2)) << "but it is there";
  EXPECT_EQ(out(),
            "{\"prompt\":\"p\",\"responses\":[\"one\",\"two\",\"three\"],\"ranks\":[2,1,2],\"rater\":\"ada\",\"note\":"
            "\"close\"}\n");
  session.save("ada", 1, {{}, ""});
  EXPECT_FALSE(session.next("ada").has_value());
  EXPECT_EQ(session.state("ada")["skipped"], 1);
  EXPECT_EQ(std::ranges::count(out(), '\n'), 1) << "what was skipped is no ranking";
}

TEST_F(RankTest, UndoTakesTheLastStepBack) {
  Session session(options());
  session.save("ada", 0, {{1, 2, 3}, ""});
  session.save("ada", 0, {{3, 2, 1}, ""});
  EXPECT_EQ(session.undo("ada"), 0U);
  EXPECT_THAT(session.judgement("ada", 0)->ranks, ElementsAre(1, 2, 3));
  EXPECT_THAT(out(), HasSubstr("\"ranks\":[1,2,3]"));
  EXPECT_EQ(session.undo("ada"), 0U);
  EXPECT_EQ(out(), "");
  EXPECT_FALSE(session.undo("ada").has_value());
}

TEST_F(RankTest, RatersAreToldHowFarTheyAgree) {
  Session session(options());
  session.save("ada", 0, {{1, 2, 3}, ""});
  session.save("bo", 0, {{3, 2, 1}, ""});
  session.save("ada", 1, {{1, 2}, ""});
  session.save("bo", 1, {{1, 2}, ""});
  const auto state = session.state("ada");
  ASSERT_EQ(state["agreement"].size(), 1U);
  EXPECT_EQ(state["agreement"][0]["items"], 2);
  EXPECT_EQ(state["agreement"][0]["tau"], 0);  // -1 and 1
  EXPECT_EQ(std::ranges::count(out(), '\n'), 4);
}

TEST_F(RankTest, BlindRatersSeeAnOrderOfTheirOwnAndNoSources) {
  EXPECT_EQ(Session(options()).item("ada", 0)["answers"][0]["source"], "small");
  fs::remove(folder_ / "out.jsonl.sqlite");
  Session session(options(/*blind=*/true));
  std::set<std::vector<size_t>> orders;
  for (const char* rater : {"ada", "bo", "cy", "di", "ed", "flo"}) {
    orders.insert(session.shown(rater, 0));
    EXPECT_EQ(session.shown(rater, 0), session.shown(rater, 0));
    EXPECT_FALSE(session.item(rater, 0)["answers"][0].contains("source"));
  }
  EXPECT_GT(orders.size(), 1U);
}

TEST_F(RankTest, FilesOfOtherSamplesAreLeftAlone) {
  { Session session(options()); }
  write("samples.jsonl", "{\"prompt\": \"p\", \"responses\": [\"one\", \"other\"]}\n");
  EXPECT_THAT(failure_of([&] { Session session(options()); }), HasSubstr("holds rankings of other samples"));
  write("mine.jsonl", "precious\n");
  SessionOptions other = options();
  other.out = folder_ / "mine.jsonl";
  EXPECT_THAT(failure_of([&] { Session session(other); }), HasSubstr("was not made here"));
  EXPECT_EQ(read_file(folder_ / "mine.jsonl"), "precious\n");
}

TEST(GateTest, OpensOnceForTheTokenAndThenForTheCookie) {
  Gate gate(4711);
  const std::string address = gate.address(), target = address.substr(address.find("/?token="));
  const std::string host = "127.0.0.1:4711", origin = "http://127.0.0.1:4711";
  const std::string guess = "/?token=" + std::string(64, '0');
  EXPECT_FALSE(gate.exchange({"GET", guess, host, "", ""}).has_value());
  EXPECT_FALSE(gate.exchange({"GET", target, "evil.example:4711", "", ""}).has_value()) << "and it is still good";
  const Knock knock{"GET", target, host, "", ""};
  const auto cookie = gate.exchange(knock);
  ASSERT_TRUE(cookie.has_value());
  EXPECT_THAT(*cookie, testing::AllOf(HasSubstr("HttpOnly"), HasSubstr("SameSite=Strict")));
  EXPECT_FALSE(gate.exchange(knock).has_value()) << "the token is good once";
  const std::string pair = cookie->substr(0, cookie->find(';'));
  EXPECT_EQ(gate.refused({"GET", "/", host, "", "a=b; " + pair}), "");
  EXPECT_EQ(gate.refused({"POST", "/save", host, origin, pair}), "");
  EXPECT_THAT(gate.refused({"GET", "/", host, "", ""}), HasSubstr("good once"));
  EXPECT_THAT(gate.refused({"GET", "/", host, "", pair + "0"}), HasSubstr("good once"));
  EXPECT_THAT(gate.refused({"GET", "/", "evil.example:4711", "", pair}), HasSubstr("host"));
  EXPECT_THAT(gate.refused({"POST", "/save", host, "http://evil.example", pair}), HasSubstr("another page"));
  EXPECT_THAT(gate.refused({"POST", "/save", host, "", pair}), HasSubstr("another page"));
  EXPECT_THAT(gate.refused({"POST", "/save", host, "http://127.0.0.1:4712", pair}), HasSubstr("another page"));
}

}  // namespace
}  // namespace rgm::rank
