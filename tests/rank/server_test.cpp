// server_test.cpp - what is answered over HTTP, and what is refused there with a reason.
#include "rank/server.hpp"

#include <atomic>
#include <boost/asio.hpp>
#include <boost/beast.hpp>
#include <future>
#include <thread>

#include "base/json.hpp"
#include "rank/rankings.hpp"

namespace rgm::rank {
namespace {

using testing::HasSubstr;

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
