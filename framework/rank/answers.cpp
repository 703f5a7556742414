// answers.cpp - the page's files for a browser, JSON for its script: begin, item, save, undo.
#include "rank/answers.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "rank/order.hpp"
#include "rank/page.hpp"

namespace rgm::rank {
namespace {

using Json = nlohmann::json;

Answer text(unsigned status, std::string body) { return {status, "text/plain; charset=utf-8", std::move(body) + "\n"}; }
Answer json(const Json& value, unsigned status = 200) {
  return {status, "application/json", value.dump(-1, ' ', false, Json::error_handler_t::replace)};
}
Answer to_the_page(std::string cookie) {
  Answer out = text(303, "");
  out.cookie = std::move(cookie);
  out.location = "/";
  return out;
}

// A number as large as 1e23, a fraction and a negative one are no places, whatever a conversion makes of them.
size_t place_of(const Json& value, const char* what) {
  require(value.is_number_unsigned(), "{} is {}, expected a whole number from 0", what, value.dump().substr(0, 40));
  return value.get<size_t>();
}
std::vector<size_t> order_of(const Json& list) {
  require(list.is_array() && !list.empty(), "the order names no answer: name every one, or send \"skip\": true");
  std::vector<size_t> out;
  for (const Json& one : list) out.push_back(place_of(one, "an answer in the order"));
  return out;
}

}  // namespace

Answer Answers::too_large() {
  return json({{"error", fmt::format("the note is too long: a request has at most {} bytes, a note 10,000",
                                     count_for_people(largest_request))}},
              413);
}

Answer Answers::to(const Knock& knock, std::string_view body) {
  const std::string_view target = knock.target;
  const bool gets = knock.method == "GET";
  if (gets && target.starts_with("/?token=")) {
    if (auto cookie = gate_.exchange(knock)) return to_the_page(*std::move(cookie));
    if (gate_.refused(knock).empty()) return to_the_page("");  // the same browser, with the address again
  }
  if (const std::string why = gate_.refused(knock); !why.empty()) return text(403, why);
  if (gets && target == "/") return {200, "text/html; charset=utf-8", std::string(page_html)};
  if (gets && target == "/page.css") return {200, "text/css; charset=utf-8", std::string(page_css)};
  if (gets && target == "/page.js") return {200, "text/javascript; charset=utf-8", std::string(page_js)};
  if (knock.method != "POST") return text(404, "there is no such page");
  try {
    const Json asked = json_or_discarded(body);
    require(asked.is_object(), "the request is not JSON");
    return json(called(target, asked));
  } catch (const Error& e) {
    return json({{"error", e.what()}}, e.status() == RGM_INVALID ? 400 : 500);
  } catch (const Json::exception& e) {
    return json({{"error", json_reason(e)}}, 400);
  }
}

Json Answers::called(std::string_view target, const Json& asked) {
  const std::string rater = rater_.empty() ? asked.value("rater", "") : rater_;
  if (target == "/begin") check_rater(rater);
  if (target == "/begin" || target == "/state") {
    Json out = session_.state(rater);
    out["rater"] = rater_;
    return out;
  }
  if (target == "/item") return session_.item(rater, place_of(asked.at("index"), "the index"));
  if (target == "/save") {
    const size_t index = place_of(asked.at("index"), "the index");
    Judgement said{{}, asked.value("note", ""), asked.value("draft", false)};
    if (!asked.value("skip", false))
      said.ranks = ranks_of(order_of(asked.at("order")), asked.at("ties").get<std::vector<bool>>());
    session_.save(rater, index, said);
    return session_.state(rater);
  }
  if (target == "/undo") {
    const auto index = session_.undo(rater);
    return {{"index", index ? Json(*index) : Json()}};
  }
  invalid("there is no such question");
}

}  // namespace rgm::rank
