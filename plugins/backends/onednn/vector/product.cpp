// product.cpp - small products: as many rows at once as fit the registers, then the rest.
#include "product.hpp"

#include "kernels.hpp"

namespace regimen::onednn::ONEDNN_ISA {

void product(const Product& p) {
  int64_t i = 0;
  for (; i + kBlock <= p.M; i += kBlock) product_rows<kBlock>(p, i);
  if constexpr (kBlock > 8)
    for (; i + 8 <= p.M; i += 8) product_rows<8>(p, i);
  if constexpr (kBlock > 4)
    for (; i + 4 <= p.M; i += 4) product_rows<4>(p, i);
  for (; i < p.M; ++i) product_rows<1>(p, i);
}

}  // namespace regimen::onednn::ONEDNN_ISA
