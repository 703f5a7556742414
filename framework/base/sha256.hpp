// sha256.hpp - SHA-256 of bytes, as 64 hexadecimal digits.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace rgm {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256& update(const void* data, size_t bytes);
  Sha256& update(std::string_view text) { return update(text.data(), text.size()); }
  std::string hex();  // ends the sum

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256(std::string_view data);
// From its beginning; the offset is left at the end. `between` is called before each piece, and may throw.
std::string sha256_of_descriptor(int fd, const std::function<void()>& between = {});

}  // namespace rgm
