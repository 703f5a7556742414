// gate_test.cpp - who may come in: whoever has the token, once, and then the cookie; no other page.
#include "rank/gate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rgm::rank {
namespace {

using testing::HasSubstr;

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

}  // namespace
}  // namespace rgm::rank
