// local_cost: out(n, k, y, x) = mean over c of f0(n, c, s y, s x) f1(n, c, s (y + dy), s (x + dx)), k = (dy + R)(2R + 1) + dx + R;
// 0 outside frame 1. Definition: vsvfi/ops/correlation.py.
// Bytes: features read about once (the 2R + 1 threads of a place, and its neighbours, share them in the cache), out once.
#include "common.cuh"

// `size` channels of a place at once, where they lie beside each other; else one.
template <typename T, int size>
__device__ inline void read(const T* const from, float (&values)[size]) {
  if constexpr (size == 1) {
    values[0] = to_float(*from);
  } else {
    const Pack<T> pack = *reinterpret_cast<const Pack<T>*>(from);
#pragma unroll
    for (int k = 0; k < size; ++k) values[k] = to_float(pack.v[k]);
  }
}

// One thread a place and dy: its 2R + 1 sums stay in registers, and what it reads of frame 0 serves them all.
template <typename T, typename I, int R, bool packed>
__global__ void __launch_bounds__(kThreads, 2) local_cost(
    const T* __restrict__ features0,  // (N, C, H, W); packed: channels beside each other, in whole aligned packs
    const T* __restrict__ features1,  // (N, C, H, W)
    T* __restrict__ out,              // (N, (2R + 1)^2, ceil(H / s), ceil(W / s)), every element is written
    const I n, const I c, const I h, const I w, STRIDES(features0), STRIDES(features1), STRIDES(out), const I rows,
    const I columns, const I step) {
  constexpr int span = 2 * R + 1, size = packed ? Pack<T>::kSize : 1;
  for (I i = first_index<I>(); i < n * rows * span * columns; i += index_step<I>()) {
    const I x = i % columns, down = i / columns % span, y = i / columns / span % rows, item = i / columns / span / rows;
    const I row = (y + down - R) * step, first = (x - R) * step;
    float sum[span] = {};
    if (row >= 0 && row < h) {
      const T* own = features0 + item * features0_n + y * step * features0_y + x * step * features0_x;
      const T* other = features1 + item * features1_n + row * features1_y;
      for (I k = 0; k < c; k += size, own += size * features0_c, other += size * features1_c) {
        float mine[size];
        read<T, size>(own, mine);
#pragma unroll
        for (int right = 0; right < span; ++right) {
          const I column = first + right * step;
          if (column < 0 || column >= w) continue;
          float theirs[size];
          read<T, size>(other + column * features1_x, theirs);
#pragma unroll
          for (int j = 0; j < size; ++j) sum[right] += mine[j] * theirs[j];
        }
      }
    }
    T* const target = out + item * out_n + down * span * out_c + y * out_y + x * out_x;
#pragma unroll
    for (int right = 0; right < span; ++right) store(target + right * out_c, sum[right] / float(c));
  }
}
