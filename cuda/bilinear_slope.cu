// bilinear_slope: the gradient by the flow of whatever samples or splats bilinearly:
// slope(n, :, y, x) = sum over c of outer(n, c, y, x) * d B(inner(n, c), x + u, y + v) / d (u, v).
// Backward warping: outer is the gradient, inner the image. Splatting: outer is the image, inner the gradient.
// Definition: vsvfi/ops/bilinear_slope.py. Bytes: outer and flow read once, slope written once, inner read about once.
#include "bilinear.cuh"

template <typename I, bool border>
__global__ void __launch_bounds__(kThreads) bilinear_slope(
    const float* __restrict__ outer,  // (N, C, H, W)
    const float* __restrict__ inner,  // (N, C, H, W)
    const float* __restrict__ flow,   // (N, 2, H, W), pixels, u then v
    float* __restrict__ slope,        // (N, 2, H, W), every element is written
    const I n, const I c, const I h, const I w, STRIDES(outer), STRIDES(inner), STRIDES(flow), STRIDES(slope)) {
  for (I i = first_index<I>(); i < n * h * w; i += index_step<I>()) {
    const I x = i % w, y = i / w % h, item = i / w / h;
    const float* const move = flow + item * flow_n + y * flow_y + x * flow_x;
    const float at_x = float(x) + move[0], at_y = float(y) + move[flow_c];
    const Cell cell = cell_at<border>(at_x, at_y, w, h);
    float along_x = 0.0f, along_y = 0.0f;
    for (I k = 0; k < c && cell.inside; ++k) {
      const float* const source = inner + item * inner_n + k * inner_c;
      float tap[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const bool counts = border || has(cell, j, w, h);
        tap[j] = counts ? source[I(cell.y(j)) * inner_y + I(cell.x(j)) * inner_x] : 0.0f;
      }
      const float by = outer[item * outer_n + k * outer_c + y * outer_y + x * outer_x];
      along_x += by * ((1.0f - cell.b) * (tap[1] - tap[0]) + cell.b * (tap[3] - tap[2]));
      along_y += by * ((1.0f - cell.a) * (tap[2] - tap[0]) + cell.a * (tap[3] - tap[1]));
    }
    // Where the position is clamped it does not move; NaN is no position.
    if (border && !(at_x >= 0.0f && at_x <= float(w - 1))) along_x = 0.0f;
    if (border && !(at_y >= 0.0f && at_y <= float(h - 1))) along_y = 0.0f;
    float* const target = slope + item * slope_n + y * slope_y + x * slope_x;
    target[0] = along_x;
    target[slope_c] = along_y;
  }
}
