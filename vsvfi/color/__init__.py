"""Planes of any format to RGB and back, on the device: matrix, range, chroma location, subsampling, dither."""
