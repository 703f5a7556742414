// server.hpp - the page on which people rank, served to this machine alone: on 127.0.0.1, to a browser that came with
// the token of the address, which is good once.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "rank/session.hpp"

namespace rgm::rank {

struct ServerOptions {
  uint16_t port = 0;  // 0: a free one
  std::string rater;  // empty: the page asks
};

// Serves until `ended` says so, which is asked ten times a second. `ready` gets the address to open. Exit status 1
// where the port cannot be had.
void serve(Session& session, const ServerOptions& options, const std::function<void(const std::string& address)>& ready,
           const std::function<bool()>& ended);

}  // namespace rgm::rank
