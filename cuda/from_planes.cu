// from_planes: a frame's planes, as they were uploaded, to RGB in [0, 1] in a network's precision, padded to its sides.
// Definition: vsvfi/color/from_planes.py.
// Bytes: planes read once (chroma about once: its taps meet in the cache), out written once.
#include "common.cuh"

constexpr int32 kYuv = 0, kRgb = 1;             // else gray
constexpr int32 kSymmetric = 1, kConstant = 2;  // else the nearest pixel of the frame
constexpr int kRun = 4;                          // pixels of a thread, side by side

// A coordinate outside [0, size) brought inside as the padding wants it.
__device__ inline int32 padded(const int32 at, const int32 size, const int32 rule) {
  if (at >= 0 && at < size) return at;
  if (rule == kSymmetric) {
    const int32 period = 2 * size, phase = ((at % period) + period) % period;
    return phase < size ? phase : period - 1 - phase;
  }
  return at < 0 ? 0 : size - 1;
}

// Chroma between its four samples around (x, y) of the luma plane; beyond its edge the nearest.
template <typename S>
__device__ inline float between(const S* const plane, const int64 stride, const int32 w, const int32 h, const float x,
                                const float y) {
  const float left = floorf(x), top = floorf(y);
  const float a = x - left, b = y - top;
  const int32 x0 = left < 0.0f ? 0 : int32(left), x1 = int32(left) + 1 < w ? int32(left) + 1 : w - 1;
  const int32 y0 = top < 0.0f ? 0 : int32(top), y1 = int32(top) + 1 < h ? int32(top) + 1 : h - 1;
  const S* const above = plane + y0 * stride;
  const S* const below = plane + y1 * stride;
  const float upper = (1.0f - b) * to_float(above[x0]) + b * to_float(below[x0]);
  const float lower = (1.0f - b) * to_float(above[x1]) + b * to_float(below[x1]);
  return (1.0f - a) * upper + a * lower;
}

// One thread `kRun` pixels of a row. S: samples, T: out.
template <typename S, typename T>
__global__ void __launch_bounds__(kThreads) from_planes(
    const S* __restrict__ plane0, const S* __restrict__ plane1, const S* __restrict__ plane2,  // null: not there
    T* __restrict__ out,                                            // (3, rows, columns), every element is written
    const int64 stride0, const int64 stride1, const int64 stride2,  // of the planes' rows, in samples
    const int64 out_c, const int64 out_y, const int64 out_x,        // out's strides, in elements
    const int32 width, const int32 height,                          // of plane 0
    const int32 chroma_width, const int32 chroma_height,            //
    const int32 rows, const int32 columns, const int32 top, const int32 left,  // of out; where the frame lies in it
    const int32 rule, const float constant,                                    // what lies around it
    const int32 family, const float step_x, const float step_y,                // chroma samples a luma sample
    const float start_x, const float start_y,                                  // where luma sample 0 lies in chroma
    const float gain, const float offset, const float chroma_gain, const float chroma_offset,  // (code - offset) gain
    const float ry, const float ru, const float rv, const float gy, const float gu, const float gv, const float by,
    const float bu, const float bv, const int32 wide) {  // wide: kRun values of out lie together, aligned
  const int32 runs = (columns + kRun - 1) / kRun;
  for (int32 i = first_index<int32>(); i < runs * rows; i += index_step<int32>()) {
    const int32 row = i / runs, first = i % runs * kRun;
    const int32 y = padded(row - top, height, rule);
    const bool beside = rule == kConstant && (row < top || row >= top + height);
    float red[kRun], green[kRun], blue[kRun];
#pragma unroll
    for (int k = 0; k < kRun; ++k) {
      const int32 x = padded(first + k - left, width, rule);
      if (beside || (rule == kConstant && (first + k < left || first + k >= left + width))) {
        red[k] = green[k] = blue[k] = constant;
        continue;
      }
      const float luma = (to_float(plane0[y * stride0 + x]) - offset) * gain;
      red[k] = green[k] = blue[k] = luma;
      if (family == kRgb) {
        green[k] = (to_float(plane1[y * stride1 + x]) - offset) * gain;
        blue[k] = (to_float(plane2[y * stride2 + x]) - offset) * gain;
      } else if (family == kYuv) {
        const float at_x = start_x + step_x * float(x), at_y = start_y + step_y * float(y);
        const float u = between(plane1, stride1, chroma_width, chroma_height, at_x, at_y);
        const float v = between(plane2, stride2, chroma_width, chroma_height, at_x, at_y);
        const float cb = (u - chroma_offset) * chroma_gain, cr = (v - chroma_offset) * chroma_gain;
        red[k] = ry * luma + ru * cb + rv * cr;
        green[k] = gy * luma + gu * cb + gv * cr;
        blue[k] = by * luma + bu * cb + bv * cr;
      }
    }
    T* const target = out + row * out_y + first * out_x;
    if (wide && first + kRun <= columns) {
      store_run(target, red);
      store_run(target + out_c, green);
      store_run(target + 2 * out_c, blue);
    } else {
#pragma unroll
      for (int k = 0; k < kRun; ++k) {
        if (first + k >= columns) break;
        store(target + k * out_x, red[k]);
        store(target + k * out_x + out_c, green[k]);
        store(target + k * out_x + 2 * out_c, blue[k]);
      }
    }
  }
}
