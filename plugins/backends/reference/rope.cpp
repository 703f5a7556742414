// rope.cpp - rotary positions (Su et al. 2021): turns the pairs (i, i + R/2) of each head by the angle of the token's
// position, whose cosine and sine are in a table. What is behind R is copied.
#include "kernels.hpp"
#include "numbers.hpp"

namespace regimen::reference {

rgm_status rope(rgm_queue*, const rgm_rope* args) {
  return guard([&] {
    const rgm_view &x = *args->x, &y = *args->y, &positions = *args->positions, &cos = *args->cos, &sin = *args->sin;
    accept_features(args->features, 0, "rope");
    require(x.rank == 4 && same_shape(x, y), "rope: x and y are (B, T, H, D)");
    const int64_t B = x.shape[0], T = x.shape[1], H = x.shape[2], D = x.shape[3];
    require_shape(positions, {B, T}, "rope: positions are (B, T)");
    require(cos.rank == 2 && same_shape(cos, sin) && cos.shape[1] * 2 <= D, "rope: cos and sin are (context, R/2)");
    const int64_t context = cos.shape[0], half = cos.shape[1];
    for (int64_t i = 0; i < B * T; ++i) {
      const auto position =
          static_cast<int64_t>(get(positions, i / T * positions.stride[0] + i % T * positions.stride[1]));
      require(position >= 0 && position < context,
              "rope: position " + std::to_string(position) + " of a table of " + std::to_string(context));
    }
    std::vector<double> head(static_cast<size_t>(D)), c(static_cast<size_t>(half)), s(c);
    for (int64_t b = 0; b < B; ++b)
      for (int64_t t = 0; t < T; ++t) {
        const auto position = static_cast<int64_t>(get(positions, b * positions.stride[0] + t * positions.stride[1]));
        load(cos, position * cos.stride[0], half, cos.stride[1], c.data());
        load(sin, position * sin.stride[0], half, sin.stride[1], s.data());
        for (int64_t h = 0; h < H; ++h) {
          load(x, b * x.stride[0] + t * x.stride[1] + h * x.stride[2], D, x.stride[3], head.data());
          for (size_t i = 0; i < c.size(); ++i) {
            const double first = head[i], second = head[i + c.size()];
            head[i] = first * c[i] - second * s[i];
            head[i + c.size()] = second * c[i] + first * s[i];
          }
          store(y, b * y.stride[0] + t * y.stride[1] + h * y.stride[2], D, y.stride[3], head.data());
        }
      }
  });
}

}  // namespace regimen::reference
