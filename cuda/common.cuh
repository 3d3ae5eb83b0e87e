// What all kernels share: number types, indices, strides. `ops/kernels.py` pastes it where a .cu file includes it.
// The same source is compiled as C++ by tests/cuda_on_cpu, which defines VSVFI_ON_CPU and the words CUDA adds.
#pragma once

using int32 = int;
using int64 = long long;
using uint32 = unsigned int;
using uint64 = unsigned long long;

constexpr int kThreads = 256;  // a block's, in every launch

struct Half {
  unsigned short bits;
};

struct BFloat16 {
  unsigned short bits;
};

// Up to 16 bytes that move at once. `v` is only ever indexed by unrolled loops.
template <typename T>
struct alignas(16) Pack {
  static constexpr int kSize = 16 / sizeof(T);
  T v[kSize];
};

__device__ inline float to_float(const float value) { return value; }

__device__ inline float to_float(const unsigned char value) { return float(value); }

__device__ inline float to_float(const unsigned short value) { return float(value); }

__device__ inline float to_float(const BFloat16 value) { return __uint_as_float(uint32(value.bits) << 16); }

__device__ inline float to_float(const Half value) {
#ifdef VSVFI_ON_CPU
  return half_to_float(value.bits);
#else
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));
  return result;
#endif
}

__device__ inline void store(float* to, const float value) { *to = value; }

__device__ inline void store(BFloat16* to, const float value) {
  const uint32 bits = __float_as_uint(value);
  const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;  // rounding could carry a NaN over into an infinity
  to->bits = nan ? 0x7fc0 : (unsigned short)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);  // to nearest, ties to even
}

__device__ inline void store(Half* to, const float value) {
#ifdef VSVFI_ON_CPU
  to->bits = float_to_half(value);
#else
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(to->bits) : "f"(value));
#endif
}

// Four values that lie together, aligned to all of them, in one store.
template <typename T>
__device__ inline void store_run(T* const to, const float (&values)[4]) {
  struct alignas(4 * sizeof(T)) Run {
    T v[4];
  } run;
#pragma unroll
  for (int k = 0; k < 4; ++k) store(&run.v[k], values[k]);
  *reinterpret_cast<Run*>(to) = run;
}

// A grid-stride loop: `for (I i = first_index<I>(); i < count; i += index_step<I>())`; I is int32 only where `count` and
// every offset, and one step beyond, fit (ops/kernels.py decides).
template <typename I>
__device__ inline I first_index() {
  return I(blockIdx.x) * I(blockDim.x) + I(threadIdx.x);
}

template <typename I>
__device__ inline I index_step() {
  return I(gridDim.x) * I(blockDim.x);
}

// The strides of an (N, C, H, W) tensor in elements, as four arguments of a kernel: any crop, any memory format.
#define STRIDES(name) const I name##_n, const I name##_c, const I name##_y, const I name##_x
