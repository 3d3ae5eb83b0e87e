"""Files made to do harm: nothing in them is run, and no memory is taken that the file itself does not account for."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vsvfi.errors import WeightsError
from vsvfi.weights import formats

from .files import KINDS, OLD, SHAPES, fill, little_memory, module


class Runs:
    """Makes a folder when it is unpickled by whoever does not look."""

    def __init__(self, function=os.mkdir, *arguments: object) -> None:
        self.calls = function, arguments or ("was-run",)

    def __reduce__(self):
        return self.calls


@pytest.fixture(autouse=True)
def nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / "was-run").exists()


@pytest.fixture(autouse=True)
def whatever_it_claims() -> Iterator[None]:
    """A few megabytes are enough to see through a file."""
    with little_memory():
        yield


def refused(says: str, name: str = "bad.pth") -> None:
    with pytest.raises(WeightsError, match=says):
        formats.read(Path(name))


HOSTILE = {
    "mkdir": (Runs(), r"it wants (posix|nt)\.mkdir"),
    "eval": (Runs(eval, "__import__('os').mkdir('was-run')"), r"it wants (builtins|__builtin__)\.eval"),
    "torch's own loader": (Runs(torch.load, "other.pth"), r"it wants torch\.serialization\.load"),
}


@pytest.mark.parametrize("place", ["value", "beside", "key"])
@pytest.mark.parametrize("how", [{}, OLD], ids=["zip", "old"])
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_pickle_is_not_run(what: str, how: dict[str, bool], place: str) -> None:
    runs, says = HOSTILE[what]
    places: dict[str, dict[Any, Any]] = {
        "value": {"w": runs},
        "beside": {"state_dict": fill(SHAPES), "trainer": runs},
        "key": {runs: torch.ones(1)},
    }
    torch.save(places[place], "bad.pth", **how)
    refused(f"holds more than tensors: {says}; nothing of it was run")


def test_a_whole_model_is_not_unpickled() -> None:
    """torch.save(model) in place of its state_dict: to read it, its code would have to run."""
    torch.save(module(fill(SHAPES)), "bad.pth")
    refused(r"it wants torch\.nn\.modules\.module\.Module; nothing of it was run; its state_dict alone would do")


def test_a_bare_pickle_is_not_run() -> None:
    Path("bad.pth").write_bytes(pickle.dumps(Runs(), 2))
    refused(r"it wants (posix|nt)\.mkdir")


def repickled(source: str, target: str, content: bytes) -> None:
    """The same archive with another data.pkl."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for part in old.infolist():
            new.writestr(part, content if part.filename.endswith("/data.pkl") else old.read(part))


def test_a_hostile_torchscript_is_not_run() -> None:
    """torch.jit.load runs code in constructors and __setstate__; here the code is not even read."""
    KINDS["TorchScript"](fill(SHAPES), Path("good.pt"))
    repickled("good.pt", "bad.pth", pickle.dumps({"w": Runs()}, 2))
    refused(r"it wants (posix|nt)\.mkdir")
    repickled("good.pt", "bad.pth", pickle.dumps(fill(SHAPES), 4))
    refused("it uses the pickle instruction FRAME")


@pytest.mark.parametrize(
    "state",
    [
        b"ccollections\nOrderedDict\n}X\x05\x00\x00\x00itemsK\x01sb.",  # sets an attribute of a class
        b"ctorch._utils\n_rebuild_tensor_v2\n}X\x08\x00\x00\x00__call__K\x01sb.",
        b"ctorch\nSize\n(N}X\x05\x00\x00\x00_callK\x01stb.",
        b"ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"ctorch\nFloatStorage\n)\x81.",
        b"X\x01\x00\x00\x00aQ.",
    ],
)
def test_nothing_is_changed_by_a_pickle(state: bytes) -> None:
    torch.save(fill(SHAPES), "good.pth")
    repickled("good.pth", "bad.pth", b"\x80\x02" + state)
    refused("is damaged|holds more")
    assert formats.read(Path("good.pth")).keys() == SHAPES.keys()


class Claims:
    """Pickles as a tensor of any shape on any storage."""

    def __init__(self, shape: tuple[int, ...], strides: tuple[int, ...], numel: int, offset: int = 0) -> None:
        self.told = shape, strides, numel, offset

    def __reduce__(self):
        shape, strides, numel, offset = self.told
        storage = Stored(numel)
        return torch._utils._rebuild_tensor_v2, (storage, offset, shape, strides, False, OrderedDict())


class Stored:
    def __init__(self, numel: int) -> None:
        self.numel = numel


class Pickler(pickle.Pickler):
    def __init__(self, stream: io.BytesIO, *more: object) -> None:
        super().__init__(stream, 2)
        self.more = more  # what the older format has besides

    def persistent_id(self, item: object) -> object:
        return ("storage", torch.FloatStorage, "0", "cpu", item.numel, *self.more) if isinstance(item, Stored) else None


def claiming(how: str, *tensors: Claims, has: int = 4) -> None:
    """bad.pth: a file of torch.save with `has` numbers, and tensors that claim more."""
    stream = io.BytesIO()
    Pickler(stream, *([None] if how == "old" else [])).dump({f"w{i}": tensor for i, tensor in enumerate(tensors)})
    torch.save({"w": torch.zeros(has)}, "good.pth", **(OLD if how == "old" else {}))
    if how == "old":
        head = b"".join(pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
        tail = pickle.dumps(["0"], 2) + struct.pack("<q", has) + bytes(4 * has)
        Path("bad.pth").write_bytes(head + stream.getvalue() + tail)
    elif how == "script":
        KINDS["TorchScript"]({"w": torch.zeros(1, has)}, Path("good.pth"))
        repickled("good.pth", "bad.pth", stream.getvalue())
    else:
        repickled("good.pth", "bad.pth", stream.getvalue())


@pytest.mark.parametrize("how", ["zip", "old", "script"])
@pytest.mark.parametrize(
    "tensor",
    [
        Claims((1 << 36,), (1,), 4),
        Claims((1 << 20, 1 << 20), (0, 0), 4),  # a stride of 0: one number shown a million million times
        Claims((1 << 36,), (1,), 1 << 36),
        Claims((2,), (1,), 4, offset=3),
        Claims((2, 2), (1 << 40, 1), 4),
        Claims((2,), (-1,), 4),
        Claims((-2,), (1,), 4),
        Claims((True,), (1,), 4),
    ],
    ids=["long", "stride 0", "storage", "offset", "stride", "negative stride", "negative size", "no number"],
)
def test_a_tensor_larger_than_what_is_behind_it(how: str, tensor: Claims) -> None:
    claiming(how, tensor)
    refused("is damaged or made up")


def test_tensors_that_fit_are_read_in_this_way_too() -> None:
    """The files above are refused for what they claim, not for how they are made."""
    for how in ("zip", "old"):
        claiming(how, Claims((2, 2), (2, 1), 4), Claims((3,), (1,), 4, offset=1))
        assert {key: tuple(value.shape) for key, value in formats.read(Path("bad.pth")).items()} == {
            "w0": (2, 2),
            "w1": (3,),
        }


def test_many_tensors_that_show_one_storage() -> None:
    claiming("zip", *(Claims((4096,), (1,), 4096) for _ in range(64)), has=4096)
    refused("claims 1048576 bytes of tensors")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_bomb(method: int) -> None:
    with zipfile.ZipFile("bad.pth", "w", method) as bomb:
        bomb.writestr("bad/data.pkl", pickle.dumps({}, 2))
        with bomb.open("bad/data/0", "w") as part:
            for _ in range(100):
                part.write(bytes(1 << 20))
    assert os.path.getsize("bad.pth") < 1 << 20
    refused("it has [0-9]+ bytes and would unpack to 10485[0-9]+")


def test_a_zip_bomb_in_the_pickle() -> None:
    with zipfile.ZipFile("bad.pth", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("bad/data.pkl", b"\x80\x02" + b"N0" * (1 << 23) + b"N.")
    refused("holds more than tensors: it uses the pickle instruction POP")


def test_a_pickle_without_end() -> None:
    torch.save(fill(SHAPES), "good.pth")
    repickled("good.pth", "bad.pth", b"\x80\x02]" + b"Na" * 1_100_000 + b".")
    refused("more than 2000000 instructions")


def test_parts_that_overlap() -> None:
    """A zip whose directory lists one large part many times."""
    with zipfile.ZipFile("bad.pth", "w") as bomb:
        bomb.writestr("bad/data.pkl", pickle.dumps({}, 2))
        bomb.writestr("bad/data/0", bytes(1 << 20))
        part = bomb.getinfo("bad/data/0")
        for number in range(1, 50):
            copy = zipfile.ZipInfo(f"bad/data/{number}")
            copy.file_size, copy.compress_size, copy.CRC = part.file_size, part.compress_size, part.CRC
            copy.header_offset = part.header_offset
            bomb.filelist.append(copy)
        bomb._didModify = True
    refused("would unpack to 5[0-9]+")


def test_memory_for_numbered_parts_is_not_taken() -> None:
    torch.save(fill(SHAPES), "good.pth")
    repickled("good.pth", "bad.pth", b"\x80\x02}r\xf0\xff\xff\x7f.")
    refused("it numbers its parts wrongly")


def test_a_safetensors_header_that_claims_more_than_the_file() -> None:
    for shape, end in (([1 << 36], 1 << 38), ([4], 1 << 38), ([1 << 36], 16), ([4], 8)):
        header = f'{{"w":{{"dtype":"F32","shape":{shape},"data_offsets":[0,{end}]}}}}'.encode()
        Path("bad.pth").write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))
        refused("is damaged")
    Path("bad.pth").write_bytes(struct.pack("<Q", 1 << 60) + b"{" + bytes(64))
    refused("is damaged")


def test_modules_within_themselves() -> None:
    """A TorchScript module that is its own child, twice."""
    KINDS["TorchScript"](fill(SHAPES), Path("good.pt"))
    looped = b"\x80\x02c__torch__\nM\nq\x00)\x81q\x01}(X\x01\x00\x00\x00ah\x01X\x01\x00\x00\x00bh\x01ub."
    repickled("good.pt", "bad.pth", looped)
    refused("nested without end")


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x80\x02", b"PK\x03\x04", b"\x10\0\0\0\0\0\0\0{"]))
def test_any_bytes_end_in_a_weights_error(content: bytes, begin: bytes) -> None:
    Path("bad.pth").write_bytes(begin + content)
    refused("bad.pth (is|holds) ")


@cache
def whole(kind: str) -> bytes:
    """Made once: TorchScript counts the modules of its process, so that no two archives are alike."""
    KINDS[kind](fill(SHAPES), Path("good"))
    return Path("good").read_bytes()


@pytest.mark.filterwarnings("ignore")  # torch and pickletools wonder aloud at damaged pickles
@given(st.data())
def test_any_damage_ends_in_a_weights_error_or_in_tensors_of_the_files_size(data: st.DataObject) -> None:
    content = bytearray(whole(data.draw(st.sampled_from(["bare", "old pickle", "TorchScript", "safetensors"]))))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    Path("bad").write_bytes(content)
    try:
        found = formats.read(Path("bad"))
    except WeightsError:
        return
    assert sum(value.nbytes for value in found.values()) <= 4 * len(content)


def test_this_file_tells_hostile_from_harmless(tmp_path: Path) -> None:
    """What must not run here does run where nobody looks."""
    pickle.loads(pickle.dumps(Runs(os.mkdir, str(tmp_path / "ran"))))
    assert (tmp_path / "ran").is_dir()
