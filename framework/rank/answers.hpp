// answers.hpp - what the page and its few questions are answered, whatever carries them.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "rank/gate.hpp"
#include "rank/session.hpp"

namespace rgm::rank {

inline constexpr size_t largest_request = 100000;

struct Answer {
  unsigned status;  // of HTTP
  std::string type, body;
  std::string cookie = {}, location = {};  // to be set, to go to; empty: none
};

class Answers {
 public:
  // `rater`: empty where the page asks.
  Answers(Session& session, std::string rater, uint16_t port)
      : session_(session), rater_(std::move(rater)), gate_(port) {}
  const Gate& gate() const { return gate_; }

  Answer to(const Knock& knock, std::string_view body);
  // To a request of which the rest is not read.
  static Answer too_large();

 private:
  nlohmann::json called(std::string_view target, const nlohmann::json& asked);

  Session& session_;
  std::string rater_;
  Gate gate_;
};

}  // namespace rgm::rank
