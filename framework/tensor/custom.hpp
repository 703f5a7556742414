// custom.hpp - a plug-in's operation as the tape keeps it.
#pragma once
#include <string>

#include "tensor/tensor.hpp"

namespace rgm {

struct Custom {
  rgm_custom_op op{};
  void* user = nullptr;
  std::string name;  // as messages have it, with the plug-in that it belongs to
  Custom(const rgm_custom_op& given, void* data);
  ~Custom();  // tells the plug-in that nobody needs `user` any more
  Custom(const Custom&) = delete;
  Custom& operator=(const Custom&) = delete;
};

}  // namespace rgm
