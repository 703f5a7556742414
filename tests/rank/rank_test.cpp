// rank_test.cpp - orders with ties, agreement, samples, what is kept, who may come in, and what is answered over HTTP.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <boost/asio.hpp>
#include <boost/beast.hpp>
#include <future>
#include <thread>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "rank/agreement.hpp"
#include "rank/gate.hpp"
#include "rank/order.hpp"
#include "rank/server.hpp"
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
  EXPECT_THAT(failure_of([] { parse_order("A > A", 2); }), HasSubstr("A is given twice"));
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
              HasSubstr("rows.jsonl:2: its prompt has only one answer"));
  EXPECT_THAT(told("{\"prompt\": \"p\", \"responses\": [\"a\", 3]}\n"), HasSubstr("has 3 in it"));
  EXPECT_THAT(told("{\"text\": \"a\"}\n"), HasSubstr("rows.jsonl:1: \"prompt\" is missing, or is not text"));
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
  EXPECT_FALSE(session.judgement("ada", 1).has_value());
  EXPECT_EQ(session.item("ada", 1)["judged"], false);
  EXPECT_THAT(session.item("ada", 1)["order"], ElementsAre(0, 1)) << "but it is there";
  EXPECT_EQ(out(),
            "{\"prompt\":\"p\",\"responses\":[\"one\",\"two\",\"three\"],\"ranks\":[2,1,2],\"rater\":\"ada\",\"note\":"
            "\"close\"}\n");
  session.save("ada", 1, {{}, ""});
  EXPECT_FALSE(session.next("ada").has_value());
  EXPECT_EQ(session.state("ada")["skipped"], 1);
  EXPECT_EQ(std::ranges::count(out(), '\n'), 1) << "what was skipped is no ranking";
}

// A step that comes late, behind the judgement of what it was a step to.
TEST_F(RankTest, ADraftDoesNotTakeAJudgementsPlace) {
  Session session(options());
  session.save("ada", 1, {{1, 2}, ""});
  session.save("ada", 1, {{2, 1}, "", /*draft=*/true});
  EXPECT_THAT(session.judgement("ada", 1)->ranks, ElementsAre(1, 2));
  EXPECT_EQ(session.item("ada", 1)["judged"], true);
  EXPECT_THAT(session.item("ada", 1)["order"], ElementsAre(1, 0)) << "the page goes on with the step";
  session.save("ada", 0, {{1, 2, 3}, ""});
  EXPECT_THAT(out(), HasSubstr("\"ranks\":[1,2],"));
  EXPECT_FALSE(session.next("ada").has_value());
}

TEST_F(RankTest, TheFileIsWhatWasSaidFromTheStart) {
  Session session(options());
  EXPECT_EQ(out(), "") << "nothing was said yet";
  session.save("ada", 0, {{1, 2, 3}, ""});
  const std::string whole = out();
  write("out.jsonl", "");  // as a program leaves it that is killed between saving and writing
  Session again(options());
  EXPECT_EQ(out(), whole);
}

// Each with a program, and so a connection, of its own: whoever writes last has read what all others saved.
TEST_F(RankTest, RatersWhoSaveAtOnceLoseNothing) {
  std::string samples;
  for (int i = 0; i < 8; ++i)
    samples += R"({"prompt": ")" + std::to_string(i) +
               R"(", "responses": ["a", "b"]})"
               "\n";
  write("samples.jsonl", samples);
  std::vector<std::unique_ptr<Session>> sessions;
  for (int i = 0; i < 4; ++i) sessions.push_back(std::make_unique<Session>(options()));
  std::vector<std::thread> raters;
  for (size_t i = 0; i < sessions.size(); ++i)
    raters.emplace_back([&, i] {
      for (size_t item = 0; item < 8; ++item) {
        sessions[i]->save("rater " + std::to_string(i), item, {{1, 2}, ""});
        const std::string all = out();
        size_t own = 0;
        for (size_t at = 0; (at = all.find("rater " + std::to_string(i), at)) != all.npos; ++at) ++own;
        EXPECT_EQ(own, item + 1) << "what was saved is in the file at once";
      }
    });
  for (std::thread& rater : raters) rater.join();
  EXPECT_EQ(std::ranges::count(out(), '\n'), 4 * 8);
}

TEST_F(RankTest, ARaterHasAName) {
  EXPECT_THAT(failure_of([] { check_rater(" \t"); }), HasSubstr("name is blank"));
  EXPECT_EQ(failure_of([] { check_rater(std::string(100, 'a')); }), "");
  std::string long_name;
  for (int i = 0; i < 40; ++i) long_name += "\u6c34";  // three bytes each
  EXPECT_THAT(failure_of([&] { check_rater(long_name); }), HasSubstr("it has 120 bytes of at most 100"));
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
  fs::remove(folder_ / "out.jsonl");
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
  EXPECT_THAT(failure_of([&] { Session session(other); }), HasSubstr("was not made by `regimen rank`"));
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
  EXPECT_FALSE(gate.exchange(knock).has_value()) << "the token works only once";
  const std::string pair = cookie->substr(0, cookie->find(';'));
  EXPECT_EQ(gate.refused({"GET", "/", host, "", "a=b; " + pair}), "");
  EXPECT_EQ(gate.refused({"POST", "/save", host, origin, pair}), "");
  EXPECT_THAT(gate.refused({"GET", "/", host, "", ""}), HasSubstr("works only once"));
  EXPECT_THAT(gate.refused({"GET", "/", host, "", pair + "0"}), HasSubstr("works only once"));
  EXPECT_THAT(gate.refused({"GET", "/", "evil.example:4711", "", pair}), HasSubstr("host"));
  EXPECT_THAT(gate.refused({"POST", "/save", host, "http://evil.example", pair}), HasSubstr("another page"));
  EXPECT_THAT(gate.refused({"POST", "/save", host, "", pair}), HasSubstr("another page"));
  EXPECT_THAT(gate.refused({"POST", "/save", host, "http://127.0.0.1:4712", pair}), HasSubstr("another page"));
}

namespace http = boost::beast::http;

// The page's program, asked by a browser that came with the token.
class ServedTest : public RankTest {
 protected:
  using Json = nlohmann::json;
  using Request = http::request<http::string_body>;
  struct Answer {
    int status;
    Json body;
  };

  void SetUp() override {
    std::promise<std::string> told;
    thread_ = std::thread([this, &told] {
      Session session(options());
      serve(
          session, {}, [&](const std::string& address) { told.set_value(address); }, [this] { return ended_.load(); });
    });
    const std::string address = told.get_future().get();  // http://127.0.0.1:4711/?token=...
    const size_t slash = address.find('/', std::string_view("http://").size());
    origin_ = address.substr(0, slash);
    const auto came = answer_to(Request(http::verb::get, address.substr(slash), 11));
    ASSERT_EQ(came.result_int(), 303U);
    const auto cookie = came[http::field::set_cookie];
    cookie_ = std::string(cookie.data(), cookie.find(';'));
  }
  void TearDown() override {
    ended_ = true;
    thread_.join();
  }

  Answer post(const std::string& target, const std::string& body) const {
    Request request(http::verb::post, target, 11, body);
    request.set(http::field::origin, origin_);
    request.set(http::field::cookie, cookie_);
    const auto response = answer_to(std::move(request));
    return {static_cast<int>(response.result_int()), parse_json(response.body())};
  }
  void expect_refused(const std::string& target, const std::string& body, const std::string& why) const {
    const Answer answer = post(target, body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_THAT(answer.body.value("error", ""), HasSubstr(why));
  }

  boost::asio::ip::tcp::endpoint endpoint() const {
    return {boost::asio::ip::address_v4::loopback(),
            static_cast<uint16_t>(std::stoi(origin_.substr(origin_.rfind(':') + 1)))};
  }

 private:
  http::response<http::string_body> answer_to(Request request) const {
    const std::string host = origin_.substr(std::string_view("http://").size());
    request.set(http::field::host, host);
    request.prepare_payload();
    boost::asio::io_context io;
    boost::asio::ip::tcp::socket socket(io);
    socket.connect(endpoint());
    http::write(socket, request);
    boost::beast::flat_buffer buffer;
    http::response<http::string_body> response;
    http::read(socket, buffer, response);
    return response;
  }
  std::thread thread_;
  std::atomic<bool> ended_{false};
  std::string origin_, cookie_;
};

TEST_F(ServedTest, WhatIsNoJudgementIsRefusedWithAReason) {
  ASSERT_EQ(post("/save", R"({"rater": "ada", "index": 0, "order": [2, 1, 0], "ties": [false, true, false]})").status,
            200);
  const std::string saved = out();
  EXPECT_THAT(saved, HasSubstr("\"ranks\":[2,1,1]"));
  const auto save = [](const std::string& rest) { return R"({"rater": "ada", )" + rest + "}"; };
  expect_refused("/save", save(R"("index": 0, "order": [], "ties": [])"), "the order names no answer");
  expect_refused("/save", save(R"("index": 0, "order": 0, "ties": [])"), "the order names no answer");
  expect_refused("/save", save(R"("index": 1e23, "order": [0, 1, 2], "ties": [false, false, false])"),
                 "the index is 9.999999999999999e+22, expected a whole number from 0");
  expect_refused("/save", save(R"("index": -1, "order": [0, 1, 2], "ties": [false, false, false])"),
                 "the index is -1, expected");
  expect_refused("/save", save(R"("index": 2, "skip": true)"), "there is no item 2 of 2");
  expect_refused("/save", save(R"("index": 0, "order": [0, 1e23, 2], "ties": [false, false, false])"),
                 "an answer in the order is 9.999999999999999e+22");
  expect_refused("/save", save(R"("index": 0, "order": [0, 1], "ties": [false, false])"), "2 ranks for 3 answers");
  expect_refused("/item", save(R"("index": 0.5)"), "the index is 0.5, expected");
  EXPECT_EQ(out(), saved) << "nothing of it was taken";
  EXPECT_EQ(post("/save", save(R"("index": 1, "skip": true)")).body["skipped"], 1);
}

TEST_F(ServedTest, ANameThatCannotBeKeptIsRefusedBeforeTheFirstStep) {
  expect_refused("/begin", R"({"rater": ""})", "name is blank");
  expect_refused("/begin", R"({"rater": ")" + std::string(101, 'a') + "\"}", "101 bytes of at most 100");
  const Answer begun = post("/begin", R"({"rater": "ada"})");
  EXPECT_EQ(begun.status, 200);
  EXPECT_EQ(begun.body["total"], 2);
  EXPECT_EQ(begun.body["next"], 0);
}

// 64 who say nothing are all that are let in; with them gone it answers again.
TEST_F(ServedTest, ConnectionsThatAreTooManyAreClosed) {
  boost::asio::io_context io;
  std::vector<boost::asio::ip::tcp::socket> idle;
  for (int i = 0; i < 70; ++i) idle.emplace_back(io).connect(endpoint());
  char byte = 0;
  boost::system::error_code error;
  idle.back().read_some(boost::asio::buffer(&byte, 1), error);
  EXPECT_EQ(error, boost::asio::error::eof);
  idle.clear();
  int status = 0;
  for (int tries = 0; tries < 1000 && status != 200; ++tries) try {
      status = post("/begin", R"({"rater": "ada"})").status;
    } catch (const boost::system::system_error&) {
      std::this_thread::yield();  // it has not yet seen all of them go
    }
  EXPECT_EQ(status, 200);
}

TEST_F(ServedTest, ANoteThatIsTooLongIsToldSo) {
  const auto with_note = [](size_t bytes) {
    return R"({"rater": "ada", "index": 1, "skip": true, "note": ")" + std::string(bytes, 'n') + "\"}";
  };
  EXPECT_EQ(post("/save", with_note(10000)).status, 200);
  expect_refused("/save", with_note(10001), "the note is too long: it has 10001 bytes of at most 10,000");
  const Answer refused = post("/save", with_note(150000));
  EXPECT_EQ(refused.status, 413);
  EXPECT_THAT(refused.body.value("error", ""), HasSubstr("the note is too long: a request has at most 100,000 bytes"));
  EXPECT_EQ(post("/state", R"({"rater": "ada"})").body["skipped"], 1) << "and it answers on";
}

}  // namespace
}  // namespace rgm::rank
