// gate.hpp - who may talk to the server. Another page in the same browser must not, nor a name that resolves to this
// machine (DNS rebinding), nor another user of it.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace rgm::rank {

struct Knock {  // what a request brings
  std::string_view method, target, host, origin, cookie;
};

class Gate {
 public:
  explicit Gate(uint16_t port);
  std::string address() const;  // with the token

  // Why it is turned away; empty: it may come in.
  std::string refused(const Knock& knock) const;
  // The secret for a cookie, where the target has the token and the host is this machine, once.
  std::optional<std::string> exchange(const Knock& knock);

 private:
  bool is_here(std::string_view host) const;
  std::string name_, port_, token_, secret_;
  bool used_ = false;
};

// 32 bytes from the system, as 64 digits.
std::string random_secret();

}  // namespace rgm::rank
