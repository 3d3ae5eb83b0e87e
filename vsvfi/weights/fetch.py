"""Downloads a file whole or not at all: with progress, going on where an earlier attempt broke off, hash checked.

pooch keeps what it downloads out of its place until the hash is right. What it has no way to do, resuming, is a
downloader of ours that it calls.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from ..errors import WeightsError

type Progress = Callable[[int, int | None], None]
"""Is told how many bytes are there, and of how many; None: the server does not say."""

ATTEMPTS = 4
"""In a row that bring nothing, before a download is given up."""

WAIT = 1.0
"""Seconds before the second attempt; twice as long before each further one."""

TIMEOUT = 30.0
"""Seconds without an answer that end an attempt."""

_CHUNK = 1 << 14  # what is lost of a connection that breaks
_REDIRECTS = 10
_LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be downloaded.

    Attributes:
        url: https; http only to this machine, or where a hash is known.
        sha256: of the content, in hexadecimal; None: not known.
        git_blob: the name git gives that content; None: not known.
        at_most: bytes; a larger file is refused before it is read.
    """

    url: str
    sha256: str | None = None
    git_blob: str | None = None
    at_most: int

    @property
    def name(self) -> str:
        """Of the file, by its address."""
        return PurePosixPath(unquote(urlsplit(self.url).path)).name.lstrip(".") or "weights"


def fetch(wanted: Wanted, folder: Path, progress: Progress) -> Path:
    """Download a file into a folder.

    Args:
        wanted: what.
        folder: is made if need be. What an attempt left behind there is gone on from.
        progress: is called with every chunk.

    Returns:
        The file; the caller deletes it when it is done.

    Raises:
        WeightsError: the address is not allowed, the server does not have it, the connection broke, or the hash is
            wrong; then nothing is kept of it.
    """
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    _check_address(wanted.url, wanted)
    known = f"sha256:{wanted.sha256.lower()}" if wanted.sha256 else None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / wanted.name).unlink(missing_ok=True)  # without a hash pooch would take it for what is wanted
        got = pooch.retrieve(wanted.url, known, wanted.name, folder, downloader=_Resuming(wanted, folder, progress))
    except WeightsError:
        raise
    except ValueError as error:
        raise WeightsError(f"{wanted.url} has not the content expected: {error}") from error
    except OSError as error:
        raise WeightsError(f"cannot write to {folder}: {error.strerror or error}") from error
    return Path(got)


class _AttemptError(Exception):
    """One attempt ended early; `final`: another would end alike."""

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


class _Resuming:
    """Called by pooch as downloader(url, file, pooch); gathers the content in `<name>.part`."""

    def __init__(self, wanted: Wanted, folder: Path, progress: Progress) -> None:
        self._wanted = wanted
        self._progress = progress
        self._part = folder / f"{wanted.name}.part"
        self._note = folder / f"{wanted.name}.part.json"  # which version of the content the part is of

    def __call__(self, url: str, file: str, pooch: object) -> None:
        fruitless, had = 0, self._have()
        while True:
            try:
                self._attempt()
                break
            except _AttemptError as error:
                fruitless = 0 if self._have() > had else fruitless + 1
                had = self._have()
                if error.final or fruitless >= ATTEMPTS:
                    kept = f"; {had} bytes are kept, the same command goes on from there" if self._begin()[0] else ""
                    raise WeightsError(f"cannot download {url}: {error}{kept}") from error
                time.sleep(WAIT * 2**fruitless / 2)
        self._check_git()
        os.replace(self._part, file)
        self._note.unlink(missing_ok=True)

    def _have(self) -> int:
        return self._part.stat().st_size if self._part.is_file() else 0

    def _attempt(self) -> None:
        import requests

        begin, version = self._begin()
        headers = {"Accept-Encoding": "identity", "User-Agent": "vsvfi"}
        if begin:
            headers["Range"] = f"bytes={begin}-"
            if version:
                headers["If-Range"] = version
        try:
            with requests.Session() as session, self._opened(session, headers) as response:
                self._receive(response, begin)
        except requests.RequestException as error:
            raise _AttemptError(_plainly(error)) from error

    def _begin(self) -> tuple[int, str | None]:
        """Where to go on, and the version that the part is of; (0, None) where it may be of anything."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            version = note["version"] if note["url"] == self._wanted.url else None
        except (OSError, ValueError, KeyError, TypeError):
            version = None
        sure = version is not None or self._wanted.sha256 is not None
        return (self._have(), version) if sure else (0, None)

    def _opened(self, session: Any, headers: Mapping[str, str]) -> Any:
        """The response at the end of all redirects, each of which is an address to be checked."""
        url = self._wanted.url
        for _ in range(_REDIRECTS):
            _check_address(url, self._wanted)
            response = session.get(url, headers=headers, stream=True, timeout=TIMEOUT, allow_redirects=False)
            if not response.is_redirect:
                return response
            url = urljoin(url, response.headers["location"])
            response.close()
        raise _AttemptError(f"more than {_REDIRECTS} redirects", final=True)

    def _receive(self, response: Any, begin: int) -> None:
        status = response.status_code
        if status == 416:  # the part is longer than the content, or as long
            self._forget()
            raise _AttemptError("the server's file has changed")
        if status not in (200, 206):
            raise _AttemptError(
                f"the server answered {status} {response.reason}", final=400 <= status < 500 and status != 429
            )
        if status == 200:
            begin = 0  # it sends everything, because it cannot resume or has another version now
        elif not response.headers.get("content-range", "").startswith(f"bytes {begin}-"):
            self._forget()
            raise _AttemptError("the server sent another part than was asked for")
        length = response.headers.get("content-length")
        total = begin + int(length) if length and length.isdigit() else None
        self._check_room(total, begin)
        self._write_note(response)
        with self._part.open("r+b" if begin else "wb") as stream:
            stream.seek(begin)
            for chunk in response.iter_content(_CHUNK):
                stream.write(chunk)
                self._check_room(stream.tell(), stream.tell())
                self._progress(stream.tell(), total)
            stream.truncate()
        if total is not None and self._have() != total:
            raise _AttemptError(f"the connection broke after {self._have()} of {total} bytes")

    def _check_room(self, total: int | None, begin: int) -> None:
        if total is not None and total > self._wanted.at_most:
            self._forget()
            raise _AttemptError(
                f"it has {total} bytes or more, at most {self._wanted.at_most} can be right", final=True
            )
        if total is not None and total > begin and total - begin > shutil.disk_usage(self._part.parent).free:
            raise _AttemptError(f"{total - begin} bytes do not fit on the disk of {self._part.parent}", final=True)

    def _write_note(self, response: Any) -> None:
        tag = response.headers.get("etag", "W/")
        version = response.headers.get("last-modified") if tag.startswith("W/") else tag  # bytes may change under a W/
        if version:
            self._note.write_text(json.dumps({"url": self._wanted.url, "version": version}), encoding="utf-8")
        else:
            self._note.unlink(missing_ok=True)

    def _check_git(self) -> None:
        if self._wanted.git_blob is None:
            return
        digest = hashlib.sha1(f"blob {self._have()}\0".encode(), usedforsecurity=False)
        with self._part.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
        if digest.hexdigest() != self._wanted.git_blob:
            self._forget()
            expected = self._wanted.git_blob
            raise WeightsError(f"{self._wanted.url} is git blob {digest.hexdigest()}, not {expected}; nothing was kept")

    def _forget(self) -> None:
        self._part.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)


def _check_address(url: str, wanted: Wanted) -> None:
    parts = urlsplit(url)
    hashed = wanted.sha256 is not None
    if parts.scheme == "https" or (parts.scheme == "http" and (hashed or parts.hostname in _LOCAL)):
        return
    led = "" if url == wanted.url else f" ({wanted.url} leads there)"
    raise WeightsError(f"{url}{led}: only https is used, or http where the SHA-256 of the file is known")


def _plainly(error: Exception) -> str:
    """A requests error without the objects in its text."""
    kind = type(error).__name__
    return {
        "ConnectionError": "no connection to the server, or it broke", "ConnectTimeout": "the server does not answer",
        "ReadTimeout": "the server fell silent", "ChunkedEncodingError": "the connection broke",
        "SSLError": "the server's certificate is not valid",
    }.get(kind, f"{kind}: {error}")  # fmt: skip
