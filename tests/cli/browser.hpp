// browser.hpp - a headless Chromium and its DevTools protocol: goes to pages, runs scripts, moves the mouse, types.
#pragma once
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio.hpp>
#include <boost/beast.hpp>
#include <boost/beast/websocket.hpp>
#include <fstream>
#include <memory>
#include <optional>
#include <thread>

#include "base/file.hpp"
#include "base/json.hpp"

namespace rgm {

class Browser {
 public:
  using Json = nlohmann::json;

  static bool is_there() { return ::access(program, X_OK) == 0; }

  Browser() {
    char name[] = "/tmp/regimen-browser-XXXXXX";  // and nowhere deeper: the path of a socket in it is a short one
    folder_ = ::mkdtemp(name);
    child_ = ::fork();
    if (child_ == 0) {
      ::setpgid(0, 0);
      ::setenv("TMPDIR", folder_.c_str(), 1);  // what it leaves goes with the folder
      [[maybe_unused]] const auto* quiet = ::freopen("/dev/null", "w", stderr);
      const std::string profile = "--user-data-dir=" + folder_.string();
      ::execl(program, program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
              "--remote-debugging-port=0", "--window-size=900,1100", profile.c_str(), "about:blank", nullptr);
      ::_exit(99);
    }
    const std::string port = first_line(folder_ / "DevToolsActivePort");
    boost::asio::ip::tcp::socket http(io_);
    boost::asio::connect(http, boost::asio::ip::tcp::resolver(io_).resolve("127.0.0.1", port));
    namespace beast = boost::beast;
    beast::http::request<beast::http::empty_body> request(beast::http::verb::get, "/json/list", 11);
    request.set(beast::http::field::host, "127.0.0.1:" + port);
    beast::http::write(http, request);
    beast::flat_buffer buffer;
    beast::http::response<beast::http::string_body> response;
    beast::http::read(http, buffer, response);
    std::string address;
    for (const Json& page : parse_json(response.body()))
      if (page["type"] == "page") address = page["webSocketDebuggerUrl"];
    boost::asio::connect(socket_.next_layer(), boost::asio::ip::tcp::resolver(io_).resolve("127.0.0.1", port));
    socket_.handshake("127.0.0.1:" + port, address.substr(address.find('/', 5 + 2)));
    call("Page.enable");
    call("Runtime.enable");
  }
  ~Browser() {
    ::kill(-child_, SIGKILL);
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;

  Json call(const std::string& method, const Json& parameters = Json::object()) {
    const int id = ++last_;
    socket_.write(boost::asio::buffer(Json{{"id", id}, {"method", method}, {"params", parameters}}.dump()));
    for (;;) {
      boost::beast::flat_buffer buffer;
      socket_.read(buffer);
      const Json said = parse_json(boost::beast::buffers_to_string(buffer.data()));
      if (said.value("id", 0) == id) return said.contains("result") ? said["result"] : said;
    }
  }
  void go(const std::string& address) { call("Page.navigate", {{"url", address}}); }
  // The value of an expression in the page; a promise is waited for.
  Json evaluate(const std::string& script) {
    const Json said =
        call("Runtime.evaluate", {{"expression", script}, {"returnByValue", true}, {"awaitPromise", true}});
    return said.contains("result") ? said["result"].value("value", Json()) : said;
  }
  // Until the expression is true; false after ten seconds.
  bool wait_for(const std::string& script) {
    for (int i = 0; i < 1000; ++i) {
      if (evaluate("Boolean(" + script + ")") == true) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  void mouse(const char* type, double x, double y) {
    call("Input.dispatchMouseEvent",
         {{"type", type}, {"x", x}, {"y", y}, {"button", "left"}, {"buttons", 1}, {"clickCount", 1}});
  }
  // From the middle of one element to a place in another: `part` of its height from its top.
  void drag(const std::string& from, const std::string& to, double part) {
    const Json a = middle_of(from, 0.5), b = middle_of(to, part);
    mouse("mousePressed", a[0], a[1]);
    for (int i = 1; i <= 8; ++i)
      mouse("mouseMoved", a[0], a[1].get<double>() + (b[1].get<double>() - a[1].get<double>()) * i / 8);
    mouse("mouseReleased", a[0], b[1]);
  }
  // Held down until it has come so many times.
  void hold(const std::string& key, const std::string& text, int times) {
    for (int i = 0; i < times; ++i)
      call("Input.dispatchKeyEvent", {{"type", "keyDown"}, {"key", key}, {"text", text}, {"autoRepeat", i > 0}});
    call("Input.dispatchKeyEvent", {{"type", "keyUp"}, {"key", key}});
  }
  void key(const std::string& key, const std::string& text = "", int modifiers = 0) {
    Json down = {{"type", text.empty() ? "rawKeyDown" : "keyDown"}, {"key", key}, {"modifiers", modifiers}};
    if (!text.empty()) down["text"] = text;
    call("Input.dispatchKeyEvent", down);
    call("Input.dispatchKeyEvent", {{"type", "keyUp"}, {"key", key}, {"modifiers", modifiers}});
  }
  void type(const std::string& text) { call("Input.insertText", {{"text", text}}); }

  static constexpr int shift = 8;

 private:
  static constexpr const char* program = "/usr/bin/chromium";

  Json middle_of(const std::string& selector, double part) {
    return evaluate("(() => { const b = document.querySelector('" + selector +
                    "').getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height * " +
                    std::to_string(part) + "]; })()");
  }
  static std::string first_line(const fs::path& file) {
    for (int i = 0; i < 3000; ++i) {
      std::ifstream stream(file);
      if (std::string line; std::getline(stream, line) && !line.empty() && stream) return line;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    throw std::runtime_error("Chromium did not start");
  }

  fs::path folder_;
  pid_t child_ = -1;
  int last_ = 0;
  boost::asio::io_context io_;
  boost::beast::websocket::stream<boost::asio::ip::tcp::socket> socket_{io_};
};

}  // namespace rgm
