// warp_blend: both frames sampled where their flows point, blended by a mask, a residual added, limited to [0, 1], in
// one pass. Definition: vsvfi/ops/warp_blend.py.
// Bytes: flows, mask, residual read once, out written once, images read about once each: no warped frame is stored.
#include "bilinear.cuh"

template <typename T, typename I>
__device__ inline float sampled(const T* const source, const Cell& cell, const I stride_y, const I stride_x) {
  const T* const above = source + I(cell.top) * stride_y;
  const T* const below = source + I(cell.bottom) * stride_y;
  const I left = I(cell.left) * stride_x, right = I(cell.right) * stride_x;
  return cell.share(0) * to_float(above[left]) + cell.share(1) * to_float(above[right]) +
         cell.share(2) * to_float(below[left]) + cell.share(3) * to_float(below[right]);
}

// One thread a pixel. T: images, residual and out; F: flows and mask.
template <typename T, typename F, typename I>
__global__ void __launch_bounds__(kThreads) warp_blend(
    const T* __restrict__ image0,    // (N, C, H, W)
    const T* __restrict__ image1,    // (N, C, H, W)
    const F* __restrict__ flow_t0,   // (N, 2, H, W), pixels, u then v
    const F* __restrict__ flow_t1,   // (N, 2, H, W)
    const F* __restrict__ mask,      // (N, 1, H, W), the share of image0, or its logit
    const T* __restrict__ residual,  // (N, C, H, W), or null
    T* __restrict__ out,             // (N, C, H, W), every element is written
    const I n, const I c, const I h, const I w, STRIDES(image0), STRIDES(image1), STRIDES(flow_t0), STRIDES(flow_t1),
    STRIDES(mask), STRIDES(residual), STRIDES(out), const int32 logits) {
  for (I i = first_index<I>(); i < n * h * w; i += index_step<I>()) {
    const I x = i % w, y = i / w % h, item = i / w / h;
    const F* const move0 = flow_t0 + item * flow_t0_n + y * flow_t0_y + x * flow_t0_x;
    const F* const move1 = flow_t1 + item * flow_t1_n + y * flow_t1_y + x * flow_t1_x;
    const Cell cell0 = cell_at<true>(float(x) + to_float(move0[0]), float(y) + to_float(move0[flow_t0_c]), w, h);
    const Cell cell1 = cell_at<true>(float(x) + to_float(move1[0]), float(y) + to_float(move1[flow_t1_c]), w, h);
    float share = to_float(mask[item * mask_n + y * mask_y + x * mask_x]);
    if (logits) share = 1.0f / (1.0f + expf(-share));
    const I rest = item * residual_n + y * residual_y + x * residual_x;
    T* const target = out + item * out_n + y * out_y + x * out_x;
    for (I k = 0; k < c; ++k) {
      const float late = sampled(image1 + item * image1_n + k * image1_c, cell1, image1_y, image1_x);
      float value = sampled(image0 + item * image0_n + k * image0_c, cell0, image0_y, image0_x);
      value = late + share * (value - late);
      if (residual != nullptr) value += to_float(residual[rest + k * residual_c]);
      store(target + k * out_c, value > 1.0f ? 1.0f : value < 0.0f ? 0.0f : value);  // NaN stays NaN
    }
  }
}
