"""Host frames are viewed where they are: no copy, padded rows, every sample type; views keep their frame alive."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
import vapoursynth as vs

from vsvfi.frames import host
from vsvfi.frames.planes import ColorInfo
from vsvfi.frames.transfer import HostTransfer

FORMATS = [vs.YUV420P8, vs.YUV422P10, vs.YUV444P16, vs.YUV410P8, vs.RGB24, vs.RGBH, vs.RGBS, vs.GRAY8, vs.GRAYS]
ANY = ColorInfo(1, False, 0)


def frame_of(format: int, width: int = 68, height: int = 36) -> tuple[vs.VideoFrame, vs.VideoNode]:
    clip = vs.core.std.BlankClip(format=format, width=width, height=height, length=1)

    def fill(n, f):
        frame = f.copy()
        for p in range(frame.format.num_planes):
            plane = np.asarray(frame[p])
            plane[...] = (np.arange(plane.size) % 250).reshape(plane.shape)
        return frame

    clip = clip.std.ModifyFrame(clip, fill)
    return clip.get_frame(0), clip


@pytest.mark.parametrize("format", FORMATS, ids=lambda f: f.name)
def test_a_view_has_the_samples_where_they_are(format) -> None:
    frame, clip = frame_of(format)
    planes = host.view(frame, host.plane_format(clip), ANY)
    assert len(planes.data) == frame.format.num_planes
    for p, plane in enumerate(planes.data):
        assert plane.dtype == planes.format.dtype
        assert plane.shape == planes.format.plane_size(p) == np.asarray(frame[p]).shape
        assert plane.data_ptr() == frame.get_read_ptr(p).value
        assert plane.stride(0) * plane.element_size() == frame.get_stride(p)
        assert (plane.numpy() == np.asarray(frame[p])).all()


def test_a_view_outlives_its_frame() -> None:
    frame, clip = frame_of(vs.YUV420P8)
    expected = np.array(np.asarray(frame[1]))
    plane = host.view(frame, host.plane_format(clip), ANY).data[1]
    del frame, clip
    gc.collect()
    vs.core.std.BlankClip(width=68, height=36, format=vs.YUV420P8, color=[1, 2, 3]).get_frame(0)
    assert (plane.numpy() == expected).all()


@pytest.mark.parametrize("format", FORMATS, ids=lambda f: f.name)
def test_written_planes_are_the_frame(format) -> None:
    frame, clip = frame_of(format)
    data = [np.array(np.asarray(frame[p])) for p in range(frame.format.num_planes)]
    fresh = vs.core.create_video_frame(clip.format, clip.width, clip.height)
    host.write(fresh, data)
    for p, plane in enumerate(data):
        assert (np.asarray(fresh[p]) == plane).all()


def test_writing_never_converts() -> None:
    fresh = vs.core.create_video_frame(vs.core.get_video_format(vs.GRAY8), 16, 16)
    with pytest.raises(TypeError):
        host.write(fresh, [np.zeros((16, 16), np.float32)])


def test_nothing_moves_on_the_host() -> None:
    frame, clip = frame_of(vs.YUV420P8)
    planes = host.view(frame, host.plane_format(clip), ANY)
    transfer = HostTransfer(tensors=True)
    assert transfer.upload(planes) is planes
    assert transfer.download(planes).wait() is planes


@pytest.mark.gpu
@pytest.mark.parametrize("format", FORMATS, ids=lambda f: f.name)
def test_there_and_back_through_the_device(format) -> None:
    from vsvfi.frames.cuda import Cuda, CudaTransfer

    frame, clip = frame_of(format)
    planes = host.view(frame, host.plane_format(clip), ANY)
    transfer = CudaTransfer(Cuda(torch.device("cuda")), planes.format)
    for _ in range(8):
        with transfer.computing():
            ready = transfer.download(transfer.upload(planes))
        for mine, theirs in zip(ready.wait().arrays, planes.arrays, strict=True):
            assert (mine == theirs).all()
        ready.release()


@pytest.mark.gpu
def test_pinned_buffers_are_reused() -> None:
    from vsvfi.frames.cuda import Cuda, CudaTransfer

    frame, clip = frame_of(vs.YUV420P8, 640, 360)
    planes = host.view(frame, host.plane_format(clip), ANY)
    transfer = CudaTransfer(Cuda(torch.device("cuda")), planes.format)
    seen = set()
    for _ in range(50):
        with transfer.computing():
            ready = transfer.download(transfer.upload(planes))
        seen.add(ready.wait().data[0].data_ptr())
        ready.release()
    assert len(seen) <= 4
    assert transfer.allocated == 16
