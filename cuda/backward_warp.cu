// backward_warp: out(n, c, y, x) = image(n, c) at (x + u, y + v), bilinear. Definition: vsvfi/ops/backward_warp.py.
// Bytes: flow read once, out written once, image read about once (neighbours find each other's taps in the cache).
#include "bilinear.cuh"

// The four taps of a cell: offsets from the image's first sample of this item, and shares; 0 where a tap lies outside.
template <typename I, bool border>
__device__ inline void taps(const Cell& cell, const int32 w, const int32 h, const I stride_y, const I stride_x,
                            I offset[4], float share[4]) {
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    const bool counts = border || (cell.inside && has(cell, k, w, h));
    offset[k] = counts ? I(cell.y(k)) * stride_y + I(cell.x(k)) * stride_x : I(0);
    share[k] = counts ? cell.share(k) : 0.0f;
  }
}

// One thread a pixel: its channels share the flow. Any strides.
template <typename T, typename F, typename I, bool border>
__global__ void __launch_bounds__(kThreads) backward_warp(
    const T* __restrict__ image,  // (N, C, H, W)
    const F* __restrict__ flow,   // (N, 2, H, W), pixels, u then v
    T* __restrict__ out,          // (N, C, H, W), every element is written
    const I n, const I c, const I h, const I w, STRIDES(image), STRIDES(flow), STRIDES(out)) {
  for (I i = first_index<I>(); i < n * h * w; i += index_step<I>()) {
    const I x = i % w, y = i / w % h, item = i / w / h;
    const F* const move = flow + item * flow_n + y * flow_y + x * flow_x;
    const Cell cell = cell_at<border>(float(x) + to_float(move[0]), float(y) + to_float(move[flow_c]), w, h);
    I offset[4];
    float share[4];
    taps<I, border>(cell, w, h, image_y, image_x, offset, share);
    const T* source = image + item * image_n;
    T* target = out + item * out_n + y * out_y + x * out_x;
#pragma unroll 4
    for (I k = 0; k < c; ++k, source += image_c, target += out_c) {
      float sum = share[0] * to_float(source[offset[0]]);
#pragma unroll
      for (int tap = 1; tap < 4; ++tap) sum += share[tap] * to_float(source[offset[tap]]);
      store(target, sum);
    }
  }
}

// One thread 16 bytes of a pixel's channels. For channels_last: strides along C are 1, all others, C and the pointers
// are multiples of a pack.
template <typename T, typename F, typename I, bool border>
__global__ void __launch_bounds__(kThreads) backward_warp_packed(
    const T* __restrict__ image, const F* __restrict__ flow, T* __restrict__ out, const I n, const I c, const I h,
    const I w, STRIDES(image), STRIDES(flow), STRIDES(out)) {
  constexpr int size = Pack<T>::kSize;
  const I packs = c / size;
  for (I i = first_index<I>(); i < n * h * w * packs; i += index_step<I>()) {
    const I pack = i % packs, x = i / packs % w, y = i / packs / w % h, item = i / packs / w / h;
    const F* const move = flow + item * flow_n + y * flow_y + x * flow_x;
    const Cell cell = cell_at<border>(float(x) + to_float(move[0]), float(y) + to_float(move[flow_c]), w, h);
    I offset[4];
    float share[4], sum[size] = {};
    taps<I, border>(cell, w, h, image_y, image_x, offset, share);
    const T* const source = image + item * image_n + pack * size;
#pragma unroll
    for (int tap = 0; tap < 4; ++tap) {
      const Pack<T> values = *reinterpret_cast<const Pack<T>*>(source + offset[tap]);
#pragma unroll
      for (int k = 0; k < size; ++k) sum[k] += share[tap] * to_float(values.v[k]);
    }
    Pack<T> made;
#pragma unroll
    for (int k = 0; k < size; ++k) store(&made.v[k], sum[k]);
    *reinterpret_cast<Pack<T>*>(out + item * out_n + y * out_y + x * out_x + pack * size) = made;
  }
}
