"""Downloads arrive whole or not at all, go on where they broke off, and are refused where the hash is another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from vsvfi.errors import WeightsError
from vsvfi.weights import fetch
from vsvfi.weights.fetch import Wanted

from .server import Site, serving

CONTENT = bytes(range(256)) * 2000  # 512 kB: more than one chunk; connections break between two chunks of 16 kB
SHA256 = hashlib.sha256(CONTENT).hexdigest()
BLOB = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()
PATH = "/models/w.pth"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(fetch, "WAIT", 0.0)
    with serving(Site(files={PATH: CONTENT})) as running:
        yield running


def get(site: Site, folder: Path, path: str = PATH, **facts: object) -> Path:
    plain = {"url": site.url + path, "at_most": 1 << 20}
    return fetch.fetch(Wanted(**{**plain, **facts}), folder, lambda done, total: None)


def test_a_file_and_its_progress(site: Site, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    wanted = Wanted(url=site.url + PATH, at_most=1 << 20)
    file = fetch.fetch(wanted, tmp_path / "new", lambda *now: told.append(now))
    assert file.read_bytes() == CONTENT
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["w.pth"]
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_connection_that_breaks_is_taken_up_again(site: Site, tmp_path: Path) -> None:
    site.breaks = [294_912, 98_304]
    assert get(site, tmp_path).read_bytes() == CONTENT
    assert site.asked == [(PATH, None), (PATH, "bytes=294912-"), (PATH, "bytes=393216-")]


def test_a_later_command_goes_on_from_there(site: Site, tmp_path: Path) -> None:
    site.breaks = [294_912] + [0] * fetch.ATTEMPTS
    with pytest.raises(WeightsError, match="294912 bytes are kept, the same command goes on from there"):
        get(site, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["w.pth.part", "w.pth.part.json"]
    site.asked.clear()
    assert get(site, tmp_path).read_bytes() == CONTENT
    assert site.asked == [(PATH, "bytes=294912-")]
    assert [p.name for p in tmp_path.iterdir()] == ["w.pth"]


@pytest.mark.parametrize("sha256", [None, SHA256])
def test_a_server_that_cannot_resume_sends_all_again(site: Site, tmp_path: Path, sha256: str | None) -> None:
    site.breaks, site.ranges = [294_912], False
    assert get(site, tmp_path, sha256=sha256).read_bytes() == CONTENT


def test_without_version_and_hash_a_part_is_not_trusted(site: Site, tmp_path: Path) -> None:
    site.etags = False
    site.breaks = [294_912] + [0] * fetch.ATTEMPTS
    with pytest.raises(WeightsError) as caught:
        get(site, tmp_path)
    assert "are kept" not in str(caught.value)
    site.asked.clear()
    assert get(site, tmp_path).read_bytes() == CONTENT
    assert site.asked == [(PATH, None)]


def test_a_hash_makes_up_for_a_missing_version(site: Site, tmp_path: Path) -> None:
    site.etags, site.breaks = False, [294_912]
    assert get(site, tmp_path, sha256=SHA256).read_bytes() == CONTENT
    assert site.asked[1:] == [(PATH, "bytes=294912-")]


def test_a_file_that_changed_meanwhile_is_not_mixed(site: Site, tmp_path: Path) -> None:
    site.breaks = [294_912] + [0] * fetch.ATTEMPTS
    with pytest.raises(WeightsError):
        get(site, tmp_path)
    site.files[PATH] = CONTENT[::-1]
    assert get(site, tmp_path).read_bytes() == CONTENT[::-1]


def test_a_part_of_another_address_is_not_used(site: Site, tmp_path: Path) -> None:
    site.files["/other/w.pth"] = CONTENT[::-1]
    site.breaks = [294_912] + [0] * fetch.ATTEMPTS
    with pytest.raises(WeightsError):
        get(site, tmp_path)
    assert get(site, tmp_path, "/other/w.pth").read_bytes() == CONTENT[::-1]


def test_a_part_longer_than_the_file_begins_anew(site: Site, tmp_path: Path) -> None:
    (tmp_path / "w.pth.part").write_bytes(CONTENT + b"more")
    assert get(site, tmp_path, sha256=SHA256).read_bytes() == CONTENT


def test_without_a_length(site: Site, tmp_path: Path) -> None:
    site.lengths = False
    assert get(site, tmp_path).read_bytes() == CONTENT


def test_redirects_are_followed(site: Site, tmp_path: Path) -> None:
    site.moved = {"/a/w.pth": "/b", "/b": site.url + PATH}
    site.breaks = [294_912]
    assert get(site, tmp_path, "/a/w.pth").read_bytes() == CONTENT
    assert [path for path, _ in site.asked] == ["/a/w.pth", "/b", PATH] * 2
    assert site.asked[-1] == (PATH, "bytes=294912-")


def test_redirects_in_a_circle(site: Site, tmp_path: Path) -> None:
    site.moved = {"/a": "/b", "/b": "/a"}
    with pytest.raises(WeightsError, match="more than 10 redirects"):
        get(site, tmp_path, "/a")


@pytest.mark.parametrize("address", ["http://example.org/w.pth", "ftp://example.org/w.pth", "file:///etc/passwd", "w"])
def test_other_addresses_are_refused_and_not_led_to(site: Site, tmp_path: Path, address: str) -> None:
    with pytest.raises(WeightsError, match="only https is used"):
        fetch.fetch(Wanted(url=address, at_most=9), tmp_path, lambda *now: None)
    if "://" in address:
        site.moved = {"/a": address}
        with pytest.raises(WeightsError, match=r"leads there\): only https is used"):
            get(site, tmp_path, "/a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("facts", "says"),
    [({"sha256": "0" * 64}, "has not the content expected"), ({"git_blob": "0" * 40}, f"is git blob {BLOB}, not 0000")],
)
@pytest.mark.parametrize("breaks", [[], [294_912]])
def test_a_wrong_hash_leaves_nothing(
    site: Site, tmp_path: Path, facts: dict[str, str], says: str, breaks: list[int]
) -> None:
    site.breaks = breaks
    with pytest.raises(WeightsError, match=says):
        get(site, tmp_path, **facts)
    assert list(tmp_path.iterdir()) == []


def test_right_hashes(site: Site, tmp_path: Path) -> None:
    assert get(site, tmp_path, sha256=SHA256.upper(), git_blob=BLOB).read_bytes() == CONTENT


@pytest.mark.parametrize("lengths", [True, False])
def test_a_file_too_large_is_not_read_to_its_end(site: Site, tmp_path: Path, lengths: bool) -> None:
    site.lengths = lengths
    with pytest.raises(WeightsError, match="bytes or more, at most 400000 can be right"):
        get(site, tmp_path, at_most=400_000)
    assert list(tmp_path.iterdir()) == []


def test_no_room_on_the_disk(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        free = 1000

    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda path: Full)
    with pytest.raises(WeightsError, match="512000 bytes do not fit on the disk"):
        get(site, tmp_path)


def test_errors_of_the_server(site: Site, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="the server answered 404 Not Found"):
        get(site, tmp_path, "/none")
    assert len(site.asked) == 1
    site.status = [503, 429]
    assert get(site, tmp_path).read_bytes() == CONTENT


def test_no_server(site: Site, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no connection to the server"):
        get(Site(url="http://127.0.0.1:9"), tmp_path)


def test_a_file_of_that_name_is_replaced(site: Site, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"old")
    assert get(site, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://h/a/b.pth?dl=1#x", "b.pth"),
        ("https://h/a%2Fb/c%20d.pth", "c d.pth"),
        ("https://h/a/..%2F..%2Fb.pth", "b.pth"),
        ("https://h/.hidden", "hidden"),
        ("https://h/", "weights"),
        ("https://h/a/%2E%2E", "weights"),
    ],
)
def test_names(url: str, name: str) -> None:
    assert Wanted(url=url, at_most=1).name == name
