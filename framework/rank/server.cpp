// server.cpp - HTTP for one page and its few questions: one thread, connections side by side.
#include "rank/server.hpp"

#include <boost/asio.hpp>
#include <boost/beast.hpp>
#include <chrono>
#include <memory>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "rank/gate.hpp"
#include "rank/order.hpp"
#include "rank/page.hpp"

namespace rgm::rank {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using Json = nlohmann::json;
using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

constexpr size_t largest_request = 100000;
constexpr auto patience = std::chrono::seconds(20);
// A browser opens six. Each takes a descriptor, of which the rankings need some as well.
constexpr int most_connections = 64;

std::string_view view(beast::string_view s) { return {s.data(), s.size()}; }

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

class Answers {
 public:
  Answers(Session& session, const ServerOptions& options, uint16_t port)
      : session_(session), rater_(options.rater), gate_(port) {}
  const Gate& gate() const { return gate_; }

  Response answer(const Request& request) {
    Response out = routed(request);
    out.version(request.version());
    out.keep_alive(request.keep_alive());
    return guarded(std::move(out));
  }
  // To a request of which the rest is not read.
  static Response too_large() {
    Response out = json({{"error", fmt::format("the note is too long: a request has at most {} bytes, a note 10,000",
                                               count_for_people(largest_request))}},
                        http::status::payload_too_large);
    out.keep_alive(false);
    return guarded(std::move(out));
  }

 private:
  static Response guarded(Response out) {
    // Nothing from elsewhere, no frame around it, no script but ours: a model's text is text.
    out.set("Content-Security-Policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action "
            "'none'; frame-ancestors 'none'");
    out.set(http::field::x_frame_options, "DENY");
    out.set("X-Content-Type-Options", "nosniff");
    out.set("Referrer-Policy", "no-referrer");
    out.set("Cross-Origin-Resource-Policy", "same-origin");
    out.set(http::field::cache_control, "no-store");
    out.prepare_payload();
    return out;
  }
  static Response with(http::status status, const char* type, std::string body) {
    Response out;
    out.result(status);
    out.set(http::field::content_type, type);
    out.body() = std::move(body);
    return out;
  }
  static Response text(http::status status, std::string body) {
    return with(status, "text/plain; charset=utf-8", std::move(body) + "\n");
  }
  static Response json(const Json& value, http::status status = http::status::ok) {
    return with(status, "application/json", value.dump(-1, ' ', false, Json::error_handler_t::replace));
  }

  Response routed(const Request& request) {
    const std::string_view target = view(request.target());
    const std::string origin(view(request[http::field::origin])), method(view(request.method_string()));
    const Knock knock{method, target, view(request[http::field::host]), origin, view(request[http::field::cookie])};
    if (request.method() == http::verb::get && target.starts_with("/?token=")) {
      Knock with_token = knock;
      with_token.cookie = {};
      if (const auto cookie = gate_.exchange(knock)) {
        Response out = text(http::status::see_other, "");
        out.set(http::field::set_cookie, *cookie);
        out.set(http::field::location, "/");
        return out;
      }
      if (gate_.refused(knock).empty()) {  // the same browser, with the address again
        Response out = text(http::status::see_other, "");
        out.set(http::field::location, "/");
        return out;
      }
    }
    if (const std::string why = gate_.refused(knock); !why.empty()) return text(http::status::forbidden, why);
    if (request.method() == http::verb::get && target == "/")
      return with(http::status::ok, "text/html; charset=utf-8", std::string(page_html));
    if (request.method() == http::verb::get && target == "/page.css")
      return with(http::status::ok, "text/css; charset=utf-8", std::string(page_css));
    if (request.method() == http::verb::get && target == "/page.js")
      return with(http::status::ok, "text/javascript; charset=utf-8", std::string(page_js));
    if (request.method() != http::verb::post) return text(http::status::not_found, "there is no such page");
    try {
      const Json asked = json_or_discarded(request.body());
      require(asked.is_object(), "the request is not JSON");
      return json(called(target, asked));
    } catch (const Error& e) {
      return json({{"error", e.what()}},
                  e.status() == RGM_INVALID ? http::status::bad_request : http::status::internal_server_error);
    } catch (const Json::exception& e) {
      return json({{"error", json_reason(e)}}, http::status::bad_request);
    }
  }

  Json called(std::string_view target, const Json& asked) {
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

  Session& session_;
  std::string rater_;
  Gate gate_;
};

// One connection: requests one behind the other, until either side has had enough.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // `ticket` is given back when it ends.
  Connection(tcp::socket socket, Answers& answers, std::shared_ptr<const void> ticket)
      : stream_(std::move(socket)), answers_(answers), ticket_(std::move(ticket)) {}

  void read() {
    parser_.emplace();
    parser_->body_limit(largest_request);
    stream_.expires_after(patience);
    http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](beast::error_code error, size_t) {
      if (error == http::error::body_limit) return self->write(Answers::too_large());
      if (error) return self->close();
      self->write(self->answers_.answer(self->parser_->get()));
    });
  }

 private:
  void write(Response response) {
    response_ = std::move(response);
    http::async_write(stream_, response_, [self = shared_from_this()](beast::error_code error, size_t) {
      if (error || self->response_.need_eof()) return self->close();
      self->read();
    });
  }
  void close() {
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    drop();
  }
  // What still comes, until the other side has closed, too: a socket closed over it would take the answer back.
  void drop() {
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(4096), [self = shared_from_this()](beast::error_code error, size_t) {
      if (!error) self->drop();
    });
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_{2 * largest_request};
  std::optional<http::request_parser<http::string_body>> parser_;
  Response response_;
  Answers& answers_;
  std::shared_ptr<const void> ticket_;
};

// One that is too many is closed at once. Without a descriptor for one it stays in the queue, so that asking again
// without a pause would take a whole core.
class Door {
 public:
  Door(tcp::acceptor& acceptor, Answers& answers)
      : acceptor_(acceptor), answers_(answers), pause_(acceptor.get_executor()) {}

  void open() {
    acceptor_.async_accept([this](beast::error_code error, tcp::socket socket) {
      if (!acceptor_.is_open()) return;
      if (!error) {
        if (ticket_.use_count() <= most_connections)
          std::make_shared<Connection>(std::move(socket), answers_, ticket_)->read();
        return open();
      }
      pause_.expires_after(std::chrono::milliseconds(100));
      pause_.async_wait([this](beast::error_code ended) {
        if (!ended) open();
      });
    });
  }

 private:
  tcp::acceptor& acceptor_;
  Answers& answers_;
  asio::steady_timer pause_;
  const std::shared_ptr<const void> ticket_ = std::make_shared<int>();  // one more has it than there are connections
};

}  // namespace

void serve(Session& session, const ServerOptions& options, const std::function<void(const std::string& address)>& ready,
           const std::function<bool()>& ended) {
  asio::io_context io(1);
  tcp::acceptor acceptor(io);
  beast::error_code error;
  const tcp::endpoint here(asio::ip::address_v4::loopback(), options.port);
  acceptor.open(here.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(here, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error)
    failure("rank: port {} of 127.0.0.1 is not available: {}; choose another with --port", options.port,
            error.message());
  Answers answers(session, options, acceptor.local_endpoint().port());
  Door door(acceptor, answers);
  door.open();
  ready(answers.gate().address());
  while (!ended()) io.run_for(std::chrono::milliseconds(100));
}

}  // namespace rgm::rank
