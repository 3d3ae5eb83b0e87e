// The four pixels around a position and their shares, for whatever samples (gathers) or splats (scatters).
#pragma once

#include "common.cuh"

// Pixel (top, left) and the one below and to the right of it; shares by the distances a (along x) and b (along y).
struct Cell {
  int32 left, top, right, bottom;
  float a, b;
  bool inside;  // false: nothing of it lies in the frame, and the rest means nothing

  __device__ float share(const int k) const { return ((k & 1) ? a : 1.0f - a) * ((k & 2) ? b : 1.0f - b); }
  __device__ int32 x(const int k) const { return (k & 1) ? right : left; }
  __device__ int32 y(const int k) const { return (k & 2) ? bottom : top; }
};

// border: the position is clamped to the frame, NaN counts as 0. Otherwise pixels outside the frame are to be left out
// (`has`), and a position that is not finite, or a pixel or more outside, has none.
template <bool border>
__device__ inline Cell cell_at(float x, float y, const int32 w, const int32 h) {
  Cell cell;
  if (border) {
    x = fminf(fmaxf(x, 0.0f), float(w - 1));  // fmaxf drops NaN
    y = fminf(fmaxf(y, 0.0f), float(h - 1));
    cell.inside = true;
  } else {
    // False for NaN, which is so never cast. At -1 all shares are 0, but their slope is not.
    cell.inside = x >= -1.0f && x < float(w) && y >= -1.0f && y < float(h);
    if (!cell.inside) x = y = 0.0f;
  }
  const float left = floorf(x), top = floorf(y);
  cell.a = x - left;
  cell.b = y - top;
  cell.left = int32(left);
  cell.top = int32(top);
  cell.right = cell.left + 1;
  cell.bottom = cell.top + 1;
  if (border) {  // beyond the last pixel the share is 0, but it is read
    if (cell.right > w - 1) cell.right = w - 1;
    if (cell.bottom > h - 1) cell.bottom = h - 1;
  }
  return cell;
}

// Whether tap k of a cell made without border lies in the frame.
__device__ inline bool has(const Cell& cell, const int k, const int32 w, const int32 h) {
  return cell.x(k) >= 0 && cell.x(k) < w && cell.y(k) >= 0 && cell.y(k) < h;
}
