// lookup: what each place of frame 0 finds around its coordinates on one level of frame 1, correlated there and then: no
// volume of all pairs. Definition: vsvfi/ops/lookup.py.
// Two kernels: lookup_products correlates with the (2R + 2)^2 whole pixels around, lookup puts its window between them.
// Bytes: features read about once (the products of a place, and its neighbours', share them in the cache); the products,
// (2R + 2)^2 floats a place, are written and read once.
#include "common.cuh"

constexpr float kFar = 1e6f;  // pixels; beyond it a coordinate is as far outside as any

// The whole pixel below a coordinate on this level; NaN and what is far lie outside.
__device__ inline float below(const float coordinate, const float scale) {
  const float at = coordinate * scale;
  return fabsf(at) <= kFar ? floorf(at) : -kFar;  // false for NaN
}

// One thread a place and whole pixel. packed: channels beside each other, in whole aligned packs.
template <typename T, typename I, bool packed>
__global__ void __launch_bounds__(kThreads, 2) lookup_products(
    const T* __restrict__ features0,       // (N, C, H, W)
    const T* __restrict__ features1,       // (N, C, H1, W1), the level
    const float* __restrict__ coordinates,  // (N, 2, H, W), X then Y, pixels of level 0
    float* __restrict__ products,          // (N, H, W, span, span) contiguous, y then x; every element is written
    const I n, const I c, const I h, const I w, const I h1, const I w1, STRIDES(features0), STRIDES(features1),
    STRIDES(coordinates), const I radius, const float scale, const float gain) {
  const I span = 2 * radius + 2;
  for (I i = first_index<I>(); i < n * h * w * span * span; i += index_step<I>()) {
    const I right = i % span, down = i / span % span, place = i / span / span;
    const I x = place % w, y = place / w % h, item = place / w / h;
    const float* const at = coordinates + item * coordinates_n + y * coordinates_y + x * coordinates_x;
    const float column = below(at[0], scale) + float(right - radius);
    const float row = below(at[coordinates_c], scale) + float(down - radius);
    float sum = 0.0f;
    if (column >= 0.0f && column < float(w1) && row >= 0.0f && row < float(h1)) {
      const T* own = features0 + item * features0_n + y * features0_y + x * features0_x;
      const T* other = features1 + item * features1_n + I(row) * features1_y + I(column) * features1_x;
      if constexpr (packed) {
        for (I k = 0; k < c; k += Pack<T>::kSize) {
          const Pack<T> mine = *reinterpret_cast<const Pack<T>*>(own + k);
          const Pack<T> theirs = *reinterpret_cast<const Pack<T>*>(other + k);
#pragma unroll
          for (int j = 0; j < Pack<T>::kSize; ++j) sum += to_float(mine.v[j]) * to_float(theirs.v[j]);
        }
      } else {
        for (I k = 0; k < c; ++k) sum += to_float(own[k * features0_c]) * to_float(other[k * features1_c]);
      }
    }
    products[i] = sum * gain;
  }
}

// One thread a place and offset: channel i (2R + 1) + j lies at (X + i - R, Y + j - R), bilinear.
template <typename T, typename I>
__global__ void __launch_bounds__(kThreads) lookup(
    const float* __restrict__ products,     // (N, H, W, span, span) contiguous
    const float* __restrict__ coordinates,  // (N, 2, H, W)
    T* __restrict__ out,                    // (N, (2R + 1)^2, H, W), every element is written
    const I n, const I h, const I w, STRIDES(coordinates), STRIDES(out), const I radius, const float scale) {
  const I span = 2 * radius + 2, window = 2 * radius + 1;
  for (I i = first_index<I>(); i < n * window * window * h * w; i += index_step<I>()) {
    const I x = i % w, y = i / w % h, channel = i / w / h % (window * window), item = i / w / h / (window * window);
    const float* const at = coordinates + item * coordinates_n + y * coordinates_y + x * coordinates_x;
    const float at_x = at[0] * scale, at_y = at[coordinates_c] * scale;
    const float a = fabsf(at_x) <= kFar ? at_x - floorf(at_x) : 0.0f;
    const float b = fabsf(at_y) <= kFar ? at_y - floorf(at_y) : 0.0f;
    const float* const four = products + ((item * h + y) * w + x) * span * span + channel % window * span + channel / window;
    const float above = (1.0f - a) * four[0] + a * four[1], under = (1.0f - a) * four[span] + a * four[span + 1];
    store(out + item * out_n + channel * out_c + y * out_y + x * out_x, (1.0f - b) * above + b * under);
  }
}
