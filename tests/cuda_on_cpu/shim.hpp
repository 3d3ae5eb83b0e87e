// The words that CUDA adds to C++, so that cuda/*.cu runs on a CPU: a launch is two loops, an atomic a plain operation.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#define VSVFI_ON_CPU 1
#define __global__
#define __device__
#define __forceinline__ inline
#define __restrict__ __restrict
#define __launch_bounds__(...)

struct Dim3 {
  unsigned int x = 1, y = 1, z = 1;
};

inline thread_local Dim3 blockIdx, blockDim, threadIdx, gridDim;

inline unsigned int __float_as_uint(const float value) {
  unsigned int bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

inline float __uint_as_float(const unsigned int bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

// As cvt.rni.s64.f32: NaN gives the lowest value, what is too large the nearest there is.
inline long long __float2ll_rn(const float value) {
  if (!(value > -9.2233720e18f)) return INT64_MIN;
  if (value >= 9.2233720e18f) return INT64_MAX;
  return std::llrint(value);
}

template <typename T>
T atomicAdd(T* to, const T value) {
  const T old = *to;
  *to = old + value;
  return old;
}

template <typename T>
T atomicMax(T* to, const T value) {
  const T old = *to;
  if (value > old) *to = value;
  return old;
}

// IEEE binary16, to nearest, ties to even.
inline float half_to_float(const unsigned short bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  float value = exponent == 31 ? (fraction ? NAN : INFINITY)
                : exponent ? std::ldexp(1024.0f + float(fraction), exponent - 25)
                           : std::ldexp(float(fraction), -24);
  return bits & 0x8000 ? -value : value;
}

inline unsigned short float_to_half(const float value) {
  const unsigned short sign = std::signbit(value) ? 0x8000 : 0;
  const float size = std::fabs(value);
  if (std::isnan(value)) return sign | 0x7e00;
  if (size >= 65520.0f) return sign | 0x7c00;
  int exponent;
  std::frexp(size, &exponent);
  const int step = exponent - 11 < -24 ? -24 : exponent - 11;  // of the last bit
  const int units = int(std::nearbyint(std::ldexp(size, -step)));
  return static_cast<unsigned short>(sign | (units >= 1024 ? ((step + 24) << 10) + units : units));
}

namespace shim {

template <typename... A, std::size_t... K>
void call(void (*kernel)(A...), void** arguments, std::index_sequence<K...>) {
  kernel(*static_cast<std::remove_const_t<A>*>(arguments[K])...);
}

// Every thread of every block, one after the other.
template <typename... A>
void launch(void (*kernel)(A...), const unsigned int blocks, const unsigned int threads, void** arguments) {
  gridDim.x = blocks;
  blockDim.x = threads;
  for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x)
    for (threadIdx.x = 0; threadIdx.x < threads; ++threadIdx.x)
      call(kernel, arguments, std::index_sequence_for<A...>{});
}

}  // namespace shim
