// splat: every pixel is added to the four pixels around (x + u, y + v), by its share in each, and the sums divided by
// the weight that arrived. Definition: vsvfi/ops/splat.py.
// Four kernels, in this order: splat_bound (how large the terms get), splat_top (softmax only: the largest metric that
// reaches a pixel), splat (the sums), splat_finish (divides). Sums are integers: adding them commutes, so every run gives
// the same bits, and with `bound` known they use all of 64 bits and cannot overflow.
// Bytes, besides reading the image and writing out: 8 (C + 1) a pixel cleared, added to four times, read.
#include "bilinear.cuh"

constexpr int32 kPlain = 0, kLinear = 1, kSoftmax = 2;  // what a pixel's weight is: 1, metric, e^metric
constexpr int32 kSum = 0, kAddEps = 1, kZeroEps = 2;    // what the sums are divided by; else clipeps
constexpr float kEps = 1e-7f;

__device__ inline float finite(const float value) {
  return fabsf(value) <= 3.402823466e38f ? value : 0.0f;  // false for NaN
}

// Floats as integers in the same order, so that atomicMax takes them; 0 comes before them all.
__device__ inline uint32 ordered(const float value) {
  const uint32 bits = __float_as_uint(value);
  return (bits & 0x80000000u) ? ~bits : bits | 0x80000000u;
}

__device__ inline float disordered(const uint32 code) {
  return __uint_as_float((code & 0x80000000u) ? code & 0x7fffffffu : ~code);
}

// 2^exponent, within what a float holds.
__device__ inline float power_of_two(const int32 exponent) {
  const int32 clamped = exponent < -126 ? -126 : exponent > 127 ? 127 : exponent;
  return __uint_as_float(uint32(clamped + 127) << 23);
}

// The step of the sums is 2^-fraction: h w terms of at most `bound` stay below 2^62.
__device__ inline int32 fraction(const uint32 bound, const int32 log2_pixels) {
  const int32 exponent = int32(bound >> 23) - 126;  // bound <= 2^exponent
  const int32 bits = 62 - log2_pixels - exponent;
  return bits > 126 ? 126 : bits < -126 ? -126 : bits;
}

// bound = bits of the largest |weight| and |weight image| (softmax: of 1 and |image|, its weights are made at most 1).
template <typename T, typename I>
__global__ void __launch_bounds__(kThreads) splat_bound(
    const T* __restrict__ image,       // (N, C, H, W)
    const float* __restrict__ metric,  // (N, 1, H, W), or null
    uint32* __restrict__ bound,        // 1, holds the bits of 1.0f or, for linear, 0
    const I n, const I c, const I h, const I w, STRIDES(image), STRIDES(metric), const int32 weighing) {
  float largest = 0.0f;
  for (I i = first_index<I>(); i < n * h * w; i += index_step<I>()) {
    const I x = i % w, y = i / w % h, item = i / w / h;
    const float weight =
        weighing == kLinear ? finite(metric[item * metric_n + y * metric_y + x * metric_x]) : 1.0f;
    float most = 1.0f;
    for (I k = 0; k < c; ++k)
      most = fmaxf(most, fabsf(finite(to_float(image[item * image_n + k * image_c + y * image_y + x * image_x]))));
    largest = fmaxf(largest, finite(most * fabsf(weight)));
  }
  // Bits of floats from 0 up are in their order.
  if (__float_as_uint(largest) > *bound) atomicMax(bound, __float_as_uint(largest));
}

// top(n, y, x) = the largest metric that reaches a pixel with any share, as `ordered`.
template <typename I>
__global__ void __launch_bounds__(kThreads) splat_top(
    const float* __restrict__ flow,    // (N, 2, H, W)
    const float* __restrict__ metric,  // (N, 1, H, W)
    uint32* __restrict__ top,          // (N, H, W) contiguous, holds 0
    const I n, const I h, const I w, STRIDES(flow), STRIDES(metric)) {
  for (I i = first_index<I>(); i < n * h * w; i += index_step<I>()) {
    const I x = i % w, y = i / w % h, item = i / w / h;
    const float* const move = flow + item * flow_n + y * flow_y + x * flow_x;
    const Cell cell = cell_at<false>(float(x) + move[0], float(y) + move[flow_c], w, h);
    const float value = metric[item * metric_n + y * metric_y + x * metric_x];
    for (int k = 0; k < 4 && cell.inside && fabsf(value) <= 3.402823466e38f; ++k)
      if (has(cell, k, w, h) && cell.share(k) != 0.0f)
        atomicMax(top + (item * h + I(cell.y(k))) * w + I(cell.x(k)), ordered(value));
  }
}

__device__ inline void add(int64* to, const float value, const float scale) {
  atomicAdd(reinterpret_cast<uint64*>(to), uint64(__float2ll_rn(value * scale)));
}

__device__ inline void add(float* to, const float value, float) { atomicAdd(to, value); }

// One thread a sample, the channels of a pixel beside each other, as they lie in `sums`: its atomics meet in one sector.
// Channel C, where there is one, is the weight alone. A value or weight that is not finite counts as 0.
// A: int64, or float for sums whose last bits differ from run to run. border: targets are clamped to the frame.
template <typename T, typename I, typename A, bool border>
__global__ void __launch_bounds__(kThreads) splat(
    const T* __restrict__ image,       // (N, C, H, W)
    const float* __restrict__ flow,    // (N, 2, H, W), pixels, u then v
    const float* __restrict__ metric,  // (N, 1, H, W), or null
    const uint32* __restrict__ bound,  // 1, from splat_bound
    const uint32* __restrict__ top,    // (N, H, W) from splat_top, or null
    A* __restrict__ sums,              // (N, H, W, channels) contiguous, holds 0
    const I n, const I c, const I h, const I w, STRIDES(image), STRIDES(flow), STRIDES(metric), const I channels,
    const int32 weighing, const int32 log2_pixels) {
  const float scale = power_of_two(fraction(*bound, log2_pixels));
  for (I i = first_index<I>(); i < n * h * w * channels; i += index_step<I>()) {
    const I k = i % channels, x = i / channels % w, y = i / channels / w % h, item = i / channels / w / h;
    const float* const move = flow + item * flow_n + y * flow_y + x * flow_x;
    const float at_x = float(x) + move[0], at_y = float(y) + move[flow_c];
    const Cell cell = cell_at<border>(at_x, at_y, w, h);
    if (!cell.inside) continue;
    const float own = weighing == kPlain ? 1.0f : metric[item * metric_n + y * metric_y + x * metric_x];
    const float value = k < c ? to_float(image[item * image_n + k * image_c + y * image_y + x * image_x]) : 1.0f;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const float share = cell.share(j);
      if (share == 0.0f || !(border || has(cell, j, w, h))) continue;
      const I target = (item * h + I(cell.y(j))) * w + I(cell.x(j));
      const float weight = weighing == kSoftmax ? expf(own - disordered(top[target])) : own;
      add(sums + target * channels + k, finite(share * weight * finite(value)), scale);
    }
  }
}

// out = sums / weight. One thread a sample: in the order of planes, or (last) of channels_last.
template <typename T, typename I, typename A>
__global__ void __launch_bounds__(kThreads) splat_finish(
    const A* __restrict__ sums,        // (N, H, W, channels) contiguous
    const uint32* __restrict__ bound,  // 1
    const uint32* __restrict__ top,    // (N, H, W), or null
    T* __restrict__ out,               // (N, C, H, W), every element is written
    const I n, const I c, const I h, const I w, STRIDES(out), const I channels, const int32 rule,
    const int32 log2_pixels, const int32 last) {
  const float step = sizeof(A) == 8 ? power_of_two(-fraction(*bound, log2_pixels)) : 1.0f;
  for (I i = first_index<I>(); i < n * c * h * w; i += index_step<I>()) {
    const I k = last ? i % c : i / w / h % c, pixel = last ? i / c : i % (h * w), x = pixel % w;
    const I item = last ? i / c / w / h : i / w / h / c, y = pixel / w % h;
    const I place = (item * h + y) * w + x;
    float value = float(sums[place * channels + k]) * step;
    if (rule != kSum) {
      const float weight = float(sums[place * channels + c]) * step;
      // A softmax's weights were divided by e^top: so is what is added to them.
      const float eps = top == nullptr || top[place] == 0 ? kEps : kEps * expf(-disordered(top[place]));
      const float divisor = rule == kZeroEps ? weight : rule == kAddEps ? weight + eps : fmaxf(weight, eps);
      value /= divisor == 0.0f ? 1.0f : divisor;
    }
    store(out + item * out_n + k * out_c + y * out_y + x * out_x, value);
  }
}
