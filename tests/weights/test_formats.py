"""Every kind of file gives the tensors that went in; what is something else is refused, and called what it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vsvfi.errors import WeightsError, WeightsMissingError
from vsvfi.weights import formats

from .files import KINDS, SHAPES, fill, little_memory


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors", "weights"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_went_in_comes_out(tmp_path: Path, kind: str, name: str) -> None:
    weights = fill(SHAPES)
    KINDS[kind](weights, tmp_path / name)
    contents = formats.look(tmp_path / name)
    assert contents.shapes == SHAPES
    found = contents.read()
    assert {key: value.tolist() for key, value in found.items()} == {k: v.tolist() for k, v in weights.items()}


@pytest.mark.parametrize("kind", ["bare", "old pickle", "TorchScript", "safetensors"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions(tmp_path: Path, kind: str, dtype: torch.dtype) -> None:
    weights = {key: value.to(dtype) for key, value in fill(SHAPES).items()}
    KINDS[kind](weights, tmp_path / "file")
    for key, value in formats.read(tmp_path / "file").items():
        assert value.dtype == dtype
        assert torch.equal(value, weights[key])


@pytest.mark.parametrize("kind", ["bare", "old pickle"])
def test_views_and_empty_tensors(tmp_path: Path, kind: str) -> None:
    """Two keys that show one storage, a transposed view, a tensor of nothing."""
    base = torch.arange(24.0).reshape(4, 6)
    weights = {"all": base, "again": base, "turned": base.T, "part": base[1:3, 2:], "none": torch.zeros(0, 3)}
    KINDS[kind](weights, tmp_path / "file")
    found = formats.read(tmp_path / "file")
    assert all(torch.equal(found[key], value) for key, value in weights.items())


def test_a_scripted_module_within_modules_keeps_its_keys(tmp_path: Path) -> None:
    weights = fill({"a.0.weight": (2, 3), "a.1.weight": (2, 3), "a.0.inner.bias": (4,), "top": (1,)})
    KINDS["TorchScript"](weights, tmp_path / "file.pt")
    found = formats.read(tmp_path / "file.pt")
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[key], value) for key, value in weights.items())


def test_a_prefix_that_not_all_keys_have_stays(tmp_path: Path) -> None:
    weights = {"module.a": torch.ones(1), "b": torch.ones(1)}
    torch.save(weights, tmp_path / "file")
    assert formats.read(tmp_path / "file").keys() == weights.keys()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n", "is a pointer of git-lfs"),
        (b"\x1f\x8b\x08\x00more", "is compressed with gzip; unpack it"),
        (bytes(257) + b"ustar\x0000" + bytes(300), "is a tar archive; unpack it"),
        (b"", "is damaged"),
        (b"\x80\x02}q\x00.", "its pickle is not one of torch.save"),
        (b"\x00" * 64, "is damaged"),
    ],
)
def test_what_is_something_else_is_called_so(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "file.pth").write_bytes(content)
    with pytest.raises(WeightsError, match=says):
        formats.look(tmp_path / "file.pth")


def test_an_absent_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pth", tmp_path):
        with pytest.raises(WeightsMissingError, match="there is no file"):
            formats.look(path)


@pytest.mark.parametrize("kind", ["bare", "old pickle", "TorchScript", "safetensors"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path: Path, kind: str, share: float) -> None:
    KINDS[kind](fill({**SHAPES, "large": (64, 64)}), tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    (tmp_path / "part").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(WeightsError, match="is damaged"):
        formats.read(tmp_path / "part")


def test_a_changed_byte_is_noticed_where_the_format_has_a_checksum(tmp_path: Path) -> None:
    KINDS["TorchScript"](fill({"large": (64, 64)}), tmp_path / "file")
    content = bytearray((tmp_path / "file").read_bytes())
    at = content.index(fill({"large": (64, 64)})["large"].numpy().tobytes()[:64])
    content[at] ^= 1
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(WeightsError, match="is damaged"):
        formats.read(tmp_path / "file")


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (torch.zeros(1), "got Tensor"),
        ({"state": {"gain": torch.zeros(1)}}, "got dict at 'state'"),
        ({"gain": torch.zeros(1), "epoch": 3}, "got int at 'epoch'"),
        ({3: torch.zeros(1)}, "got Tensor at 3"),
        ([torch.zeros(1)], "got list"),
    ],
)
@pytest.mark.parametrize("kind", [{}, {"_use_new_zipfile_serialization": False}])
def test_what_is_no_state_dict(tmp_path: Path, found: object, says: str, kind: dict[str, bool]) -> None:
    torch.save(found, tmp_path / "file", **kind)
    with pytest.raises(WeightsError, match=says):
        formats.look(tmp_path / "file")


def test_looking_reads_no_numbers(tmp_path: Path) -> None:
    """The shapes are known before memory is taken: 400 MB are looked at in a process that may have little more."""
    size = 100_000_000
    file = tmp_path / "large"
    header = b'{"a":{"dtype":"F32","shape":[%d],"data_offsets":[0,%d]}}' % (size, 4 * size)
    with file.open("wb") as stream:
        stream.write(len(header).to_bytes(8, "little") + header)
        stream.truncate(8 + len(header) + 4 * size)  # a sparse file: it takes no disk either
    with little_memory():
        assert formats.look(file).shapes == {"a": (size,)}
