// What the scene detector needs of planes that are on the card: a thumbnail of each, and how much two of them differ.
// Definition: vsvfi/scene.py; launched by vsvfi/ops/scene_score.py.
// Bytes: every sample the detector looks at once; out is a few thousand numbers.
#include "common.cuh"

constexpr int kRun = 64;  // samples of a thread of `difference`

// thumbnail(y, x) = the mean of the samples of a sparse grid that lie in its area, each by its share, rounded to a code
// where codes are whole, over the peak. One thread a pixel of the thumbnail.
template <typename S, bool whole>
__global__ void __launch_bounds__(kThreads) thumbnail(
    const S* __restrict__ plane,  // every step_y-th row, every step_x-th sample counts
    float* __restrict__ out,      // (rows, columns) contiguous, every element is written
    const int64 stride, const int32 height, const int32 width,  // of the sparse grid
    const int32 step_y, const int32 step_x, const int32 rows, const int32 columns, const float peak) {
  for (int32 i = first_index<int32>(); i < rows * columns; i += index_step<int32>()) {
    const int32 column = i % columns, row = i / columns;
    const float left = float(column) * float(width) / float(columns), right = float(column + 1) * float(width) / float(columns);
    const float top = float(row) * float(height) / float(rows), bottom = float(row + 1) * float(height) / float(rows);
    float sum = 0.0f, total = 0.0f;
    for (int32 y = int32(top); y < height && float(y) < bottom; ++y) {
      const float tall = fminf(float(y + 1), bottom) - fmaxf(float(y), top);
      for (int32 x = int32(left); x < width && float(x) < right; ++x) {
        const float share = tall * (fminf(float(x + 1), right) - fmaxf(float(x), left));
        sum += share * to_float(plane[int64(y) * step_y * stride + int64(x) * step_x]);
        total += share;
      }
    }
    const float mean = sum / total;
    out[i] = (whole ? rintf(mean) : mean) / peak;
  }
}

// *total += the sum of |a - b| in steps of 2^-16, rounded up: 0 only where the planes are equal. NaN beside anything but
// itself counts as 2^16. One thread `kRun` samples of a row; whole numbers, so every run gives the same sum.
template <typename S>
__global__ void __launch_bounds__(kThreads) difference(
    const S* __restrict__ a, const S* __restrict__ b,
    int64* __restrict__ total,  // 1
    const int64 stride_a, const int64 stride_b, const int32 height, const int32 width) {
  const int32 runs = (width + kRun - 1) / kRun;
  for (int32 i = first_index<int32>(); i < height * runs; i += index_step<int32>()) {
    const int32 y = i / runs, first = i % runs * kRun;
    int64 sum = 0;
    for (int32 x = first; x < first + kRun && x < width; ++x) {
      const float own = to_float(a[y * stride_a + x]), other = to_float(b[y * stride_b + x]);
      const float off = own == other ? 0.0f : fabsf(own - other);
      sum += off <= 65536.0f ? int64(ceilf(off * 65536.0f)) : own != own && other != other ? 0 : int64(1) << 32;
    }
    if (sum != 0) atomicAdd(reinterpret_cast<uint64*>(total), uint64(sum));
  }
}
