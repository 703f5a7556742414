// gate.cpp - Host, Origin and cookie of a request, and the one exchange of the token.
#include "rank/gate.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sys/random.h>

#include "base/error.hpp"

namespace rgm::rank {
namespace {

// In a time that does not depend on where they differ.
bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view cookie_of(std::string_view all, std::string_view name) {
  while (!all.empty()) {
    const size_t end = all.find(';');
    std::string_view one = all.substr(0, end);
    while (one.starts_with(' ')) one.remove_prefix(1);
    if (one.starts_with(name) && one.substr(name.size()).starts_with('=')) return one.substr(name.size() + 1);
    all = end == all.npos ? std::string_view() : all.substr(end + 1);
  }
  return {};
}

}  // namespace

std::string random_secret() {
  unsigned char bytes[32];
  if (::getrandom(bytes, sizeof bytes, 0) != ssize_t{sizeof bytes}) failure("rank: the system gives no random numbers");
  std::string out;
  for (const unsigned char b : bytes) out += fmt::format("{:02x}", b);
  return out;
}

// Cookies know no ports: the name tells this server's from another's.
Gate::Gate(uint16_t port)
    : name_(fmt::format("regimen-rank-{}", port)),
      port_(std::to_string(port)),
      token_(random_secret()),
      secret_(random_secret()) {}

std::string Gate::address() const { return fmt::format("http://127.0.0.1:{}/?token={}", port_, token_); }

bool Gate::is_here(std::string_view host) const { return host == "127.0.0.1:" + port_ || host == "localhost:" + port_; }

std::optional<std::string> Gate::exchange(const Knock& knock) {
  constexpr std::string_view begin = "/?token=";
  if (used_ || !is_here(knock.host) || !knock.target.starts_with(begin)) return std::nullopt;
  if (!same(knock.target.substr(begin.size()), token_)) return std::nullopt;
  used_ = true;
  return fmt::format("{}={}; Path=/; HttpOnly; SameSite=Strict", name_, secret_);
}

std::string Gate::refused(const Knock& knock) const {
  if (!is_here(knock.host)) return "the host of the request is not this machine's";
  constexpr std::string_view scheme = "http://";
  const bool from_here = knock.origin.starts_with(scheme) && is_here(knock.origin.substr(scheme.size()));
  // Only a browser's own navigation comes without an origin; what changes something always says where it comes from.
  if (!from_here && (!knock.origin.empty() || knock.method != "GET")) return "the request comes from another page";
  if (!same(cookie_of(knock.cookie, name_), secret_))
    return "the address that `regimen rank` printed works only once, in one browser: for a new one, end the program "
           "and start it again; no rankings are lost";
  return "";
}

}  // namespace rgm::rank
