// server.cpp - HTTP for the page and its questions: one thread, connections side by side.
#include "rank/server.hpp"

#include <boost/asio.hpp>
#include <boost/beast.hpp>
#include <chrono>
#include <memory>

#include "base/error.hpp"
#include "rank/answers.hpp"

namespace rgm::rank {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

constexpr auto patience = std::chrono::seconds(20);
// A browser opens six. Each takes a descriptor, of which the rankings need some as well.
constexpr int most_connections = 64;

std::string_view view(beast::string_view s) { return {s.data(), s.size()}; }

Knock knock_of(const Request& request) {
  return {view(request.method_string()), view(request.target()), view(request[http::field::host]),
          view(request[http::field::origin]), view(request[http::field::cookie])};
}

// The answer as HTTP has it, and what keeps the page to itself.
Response response_of(Answer answer, unsigned version, bool keeps_alive) {
  Response out;
  out.result(answer.status);
  out.set(http::field::content_type, answer.type);
  out.body() = std::move(answer.body);
  if (!answer.cookie.empty()) out.set(http::field::set_cookie, answer.cookie);
  if (!answer.location.empty()) out.set(http::field::location, answer.location);
  out.version(version);
  out.keep_alive(keeps_alive);
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
      if (error == http::error::body_limit) return self->write(response_of(Answers::too_large(), 11, false));
      if (error) return self->close();
      const Request& request = self->parser_->get();
      Answer answer = self->answers_.to(knock_of(request), request.body());
      self->write(response_of(std::move(answer), request.version(), request.keep_alive()));
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
  Answers answers(session, options.rater, acceptor.local_endpoint().port());
  Door door(acceptor, answers);
  door.open();
  ready(answers.gate().address());
  while (!ended()) io.run_for(std::chrono::milliseconds(100));
}

}  // namespace rgm::rank
