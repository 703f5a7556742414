// gguf_reader.hpp - reads a GGUF file as the format's description says, and shares nothing with what writes one.
#pragma once
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace rgm::test {

struct ReadGguf {
  struct Tensor {
    std::vector<uint64_t> sizes;  // the innermost first
    uint32_t type = 0;
    std::vector<float> values;
  };
  std::map<std::string, std::vector<double>> numbers;  // by key; one, or those of a list
  std::map<std::string, std::vector<std::string>> texts;
  std::map<std::string, Tensor> tensors;

  explicit ReadGguf(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
    if (take<uint32_t>() != 0x46554747 || take<uint32_t>() != 3) throw std::runtime_error("not GGUF 3");
    const auto count = take<uint64_t>(), keys = take<uint64_t>();
    for (uint64_t i = 0; i < keys; ++i) {
      const std::string key = text();
      const auto type = take<uint32_t>(), of = type == 9 ? take<uint32_t>() : type;
      if (of == 8) texts[key];
      if (of != 8) numbers[key];
      for (uint64_t n = type == 9 ? take<uint64_t>() : 1; n > 0; --n)
        of == 8 ? texts[key].push_back(text()) : numbers[key].push_back(number(of));
    }
    std::map<std::string, uint64_t> places;
    for (uint64_t i = 0; i < count; ++i) {
      const std::string name = text();
      Tensor& tensor = tensors[name];
      for (auto n = take<uint32_t>(); n > 0; --n) tensor.sizes.push_back(take<uint64_t>());
      tensor.type = take<uint32_t>(), places[name] = take<uint64_t>();
    }
    const size_t data = (at_ + 31) / 32 * 32;
    for (auto& [name, tensor] : tensors) {
      at_ = data + places[name];
      uint64_t left = 1;
      for (const uint64_t size : tensor.sizes) left *= size;
      while (left > 0) left -= read_some(tensor);
    }
  }

 private:
  template <class T>
  T take() {
    T out{};
    if (at_ + sizeof out > bytes_.size()) throw std::runtime_error("the file ends too soon");
    std::memcpy(&out, bytes_.data() + at_, sizeof out);
    at_ += sizeof out;
    return out;
  }
  std::string text() {
    std::string out(take<uint64_t>(), ' ');
    for (char& c : out) c = take<char>();
    return out;
  }
  double number(uint32_t type) {
    if (type == 4) return take<uint32_t>();
    if (type == 5) return take<int32_t>();
    if (type == 6) return take<float>();
    if (type == 7) return take<uint8_t>();
    throw std::runtime_error("a type that is not expected: " + std::to_string(type));
  }
  float half() {
    const auto bits = take<uint16_t>();
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const double value = exponent ? std::ldexp(1024 + fraction, exponent - 25) : std::ldexp(fraction, -24);
    return static_cast<float>(bits & 0x8000 ? -value : value);
  }
  uint64_t read_some(Tensor& to) {
    if (to.type == 0) return to.values.push_back(take<float>()), 1;
    if (to.type == 1) return to.values.push_back(half()), 1;
    if (to.type == 30) {
      const uint32_t bits = uint32_t{take<uint16_t>()} << 16;
      float value = 0;
      std::memcpy(&value, &bits, 4);
      return to.values.push_back(value), 1;
    }
    const float scale = half();
    for (int i = 0; i < 32; ++i) to.values.push_back(scale * static_cast<float>(take<int8_t>()));
    return 32;
  }

  std::string bytes_;
  size_t at_ = 0;
};

}  // namespace rgm::test
