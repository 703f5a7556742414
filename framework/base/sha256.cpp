// sha256.cpp - SHA-256 through OpenSSL's libcrypto.
#include "base/sha256.hpp"

#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "base/error.hpp"

namespace rgm {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) { EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr); }
Sha256::~Sha256() = default;

Sha256& Sha256::update(const void* data, size_t bytes) {
  EVP_DigestUpdate(state_->context, data, bytes);
  return *this;
}

std::string Sha256::hex() {
  std::array<unsigned char, 32> digest{};
  EVP_DigestFinal_ex(state_->context, digest.data(), nullptr);
  std::string out;
  for (const unsigned char byte : digest) out += fmt::format("{:02x}", byte);
  return out;
}

std::string sha256(std::string_view data) { return Sha256().update(data).hex(); }

std::string sha256_of_descriptor(int fd) {
  Sha256 sum;
  std::string piece(1 << 16, '\0');
  if (::lseek(fd, 0, SEEK_SET) != 0) failure("a file cannot be hashed: {}", std::strerror(errno));
  for (;;) {
    const ssize_t n = ::read(fd, piece.data(), piece.size());
    if (n < 0) failure("a file cannot be hashed: {}", std::strerror(errno));
    if (n == 0) return sum.hex();
    sum.update(piece.data(), static_cast<size_t>(n));
  }
}

}  // namespace rgm
