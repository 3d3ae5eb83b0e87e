// to_planes: RGB from a network to the planes of a frame: matrix, range, chroma sited and reduced, dither, crop.
// Definition: vsvfi/color/to_planes.py.
// Bytes: the picture read about once (chroma's taps are the luma's neighbours), planes written once.
#include "common.cuh"

constexpr int32 kYuv = 0, kRgb = 1;  // else gray
constexpr int kRun = 4;              // luma samples of a thread, side by side; chroma is subsampled by at most 4

// Bayer's matrix of 8x8 in (-0.5, 0.5), as color/dither.py makes it.
__device__ inline float dithered(const int32 x, const int32 y) {
  int32 rank = 0;
#pragma unroll
  for (int bit = 0; bit < 3; ++bit) {
    const int32 i = y >> bit & 1, j = x >> bit & 1;
    rank = 4 * rank + 2 * (i ^ j) + i;
  }
  return (float(rank) + 0.5f) / 64.0f - 0.5f;
}

// Integers: the nearest code, NaN 0. Floats: the value as it is.
template <typename S>
__device__ inline void write(S* const to, const float value, const float gain, const float offset, const float peak,
                             const float shift) {
  if constexpr (S(0.5f) == S(0)) {
    *to = S(fminf(fmaxf(rintf(value * gain + offset + shift), 0.0f), peak));  // fmaxf drops NaN
  } else {
    store(to, value);
  }
}

__device__ inline void write(Half* const to, const float value, float, float, float, float) { store(to, value); }

// The taps of a triangle as wide as the ratio around where chroma sample `at` lies, mirrored at the edges.
struct Taps {
  int32 first, count;
  float centre, width;

  __device__ float weight(const int32 k) const { return fmaxf(0.0f, 1.0f - fabsf(float(first + k) - centre) / width); }
};

__device__ inline Taps taps_at(const int32 at, const int32 log2, const float site) {
  const float width = float(1 << log2), centre = site + width * float(at);
  const int32 first = int32(floorf(centre - width)) + 1;
  return Taps{first, log2 == 0 ? 1 : 2 * (1 << log2), centre, width};
}

__device__ inline int32 mirrored(const int32 at, const int32 size) {
  const int32 inside = at < 0 ? -1 - at : at >= size ? 2 * size - 1 - at : at;
  return inside < 0 ? 0 : inside >= size ? size - 1 : inside;
}

// One thread `kRun` luma samples of each of the rows that share a row of chroma, and their chroma. T: picture.
template <typename T, typename S>
__global__ void __launch_bounds__(kThreads, 2) to_planes(
    const T* __restrict__ picture,                                     // (3, height, width), any strides: a crop too
    S* __restrict__ plane0, S* __restrict__ plane1, S* __restrict__ plane2,  // null: not there
    const int64 picture_c, const int64 picture_y, const int64 picture_x,     // in elements
    const int64 stride0, const int64 stride1, const int64 stride2,           // of the planes' rows, in samples
    const int32 width, const int32 height, const int32 log2_x, const int32 log2_y,  // of plane 0; chroma's subsampling
    const int32 family, const float site_x, const float site_y,                     // where chroma sample 0 lies
    const float gain, const float offset, const float chroma_gain, const float chroma_offset, const float peak,
    const float yr, const float yg, const float yb, const float ur, const float ug, const float ub, const float vr,
    const float vg, const float vb, const int32 dither) {
  const int32 runs = (width + kRun - 1) / kRun, bands = height >> log2_y;
  for (int32 i = first_index<int32>(); i < runs * bands; i += index_step<int32>()) {
    const int32 band = i / runs, first = i % runs * kRun;
    const int32 last = first + kRun < width ? first + kRun : width;
    for (int32 y = band << log2_y; y < (band + 1) << log2_y; ++y) {
      for (int32 x = first; x < last; ++x) {
        const T* const from = picture + y * picture_y + x * picture_x;
        const float red = to_float(from[0]), green = to_float(from[picture_c]), blue = to_float(from[2 * picture_c]);
        const float shift = dither ? dithered(x, y) : 0.0f;
        const float luma = family == kRgb ? red : yr * red + yg * green + yb * blue;
        write(plane0 + y * stride0 + x, luma, gain, offset, peak, shift);
        if (family == kRgb) {
          write(plane1 + y * stride1 + x, green, gain, offset, peak, shift);
          write(plane2 + y * stride2 + x, blue, gain, offset, peak, shift);
        }
      }
    }
    if (family != kYuv) continue;
    const Taps down = taps_at(band, log2_y, site_y);
    for (int32 x = first >> log2_x; x < last >> log2_x; ++x) {
      const Taps right = taps_at(x, log2_x, site_x);
      float red = 0.0f, green = 0.0f, blue = 0.0f, total = 0.0f;
      for (int32 k = 0; k < down.count; ++k) {
        for (int32 j = 0; j < right.count; ++j) {
          const float weight = down.weight(k) * right.weight(j);
          if (weight == 0.0f) continue;
          const T* const from = picture + mirrored(down.first + k, height) * picture_y +
                                mirrored(right.first + j, width) * picture_x;
          red += weight * to_float(from[0]);
          green += weight * to_float(from[picture_c]);
          blue += weight * to_float(from[2 * picture_c]);
          total += weight;
        }
      }
      const float shift = dither ? dithered(x, band) : 0.0f;
      const float u = (ur * red + ug * green + ub * blue) / total, v = (vr * red + vg * green + vb * blue) / total;
      write(plane1 + band * stride1 + x, u, chroma_gain, chroma_offset, peak, shift);
      write(plane2 + band * stride2 + x, v, chroma_gain, chroma_offset, peak, shift);
    }
  }
}
