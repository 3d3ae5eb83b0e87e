"""Warping operators: the one place that samples, splats and correlates. A file an operator; kernels lie in cuda/."""
