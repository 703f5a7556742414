// sha256.cpp - SHA-256 of OpenSSL's libcrypto, by the functions that bring nothing else of it along.
#include "base/sha256.hpp"

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "base/error.hpp"

namespace rgm {

struct Sha256::State {
  SHA256_CTX context{};
};

Sha256::Sha256() : state_(std::make_unique<State>()) { SHA256_Init(&state_->context); }
Sha256::~Sha256() = default;

Sha256& Sha256::update(const void* data, size_t bytes) {
  SHA256_Update(&state_->context, data, bytes);
  return *this;
}

std::string Sha256::hex() {
  std::array<unsigned char, 32> digest{};
  SHA256_Final(digest.data(), &state_->context);
  std::string out;
  for (const unsigned char byte : digest) out += fmt::format("{:02x}", byte);
  return out;
}

std::string sha256(std::string_view data) { return Sha256().update(data).hex(); }

std::string sha256_of_descriptor(int fd, const std::function<void()>& between) {
  Sha256 sum;
  std::string piece(1 << 16, '\0');
  if (::lseek(fd, 0, SEEK_SET) != 0) failure("a file cannot be hashed: {}", std::strerror(errno));
  for (;;) {
    if (between) between();
    const ssize_t n = ::read(fd, piece.data(), piece.size());
    if (n < 0) failure("a file cannot be hashed: {}", std::strerror(errno));
    if (n == 0) return sum.hex();
    sum.update(piece.data(), static_cast<size_t>(n));
  }
}

}  // namespace rgm
