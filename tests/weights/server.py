"""A server on this machine that behaves badly in the ways that servers do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar


@dataclass
class Site:
    """What the server has, and what it was asked.

    Attributes:
        files: content by path.
        breaks: bytes after which each connection in turn is cut; when they are used up, none is.
        etags: whether contents have versions.
        ranges: whether a part can be asked for.
        moved: where a path leads instead.
        status: answered instead of content, in turn.
        lengths: whether the content's length is told.
        asked: (path, Range header) of each request.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    breaks: list[int] = field(default_factory=list)
    etags: bool = True
    ranges: bool = True
    moved: dict[str, str] = field(default_factory=dict)
    status: list[int] = field(default_factory=list)
    lengths: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    site: ClassVar[Site]

    def do_GET(self) -> None:
        site = self.site
        wanted = self.headers.get("Range")
        site.asked.append((self.path, wanted))
        if self.path in site.moved:
            self.send_response(302)
            self.send_header("Location", site.moved[self.path])
            self.end_headers()
            return
        if site.status or self.path not in site.files:
            self.send_error(site.status.pop(0) if site.status else 404)
            return
        self._send(site.files[self.path], wanted)

    def _send(self, content: bytes, wanted: str | None) -> None:
        etag = f'"{hash(content)}"'
        begin = 0
        if wanted and self.site.ranges and self.headers.get("If-Range", etag) == etag:
            begin = int(wanted.removeprefix("bytes=").rstrip("-"))
            if begin >= len(content):
                self.send_response(416)
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        if self.site.etags:
            self.send_header("ETag", etag)
        if self.site.lengths:
            self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        end = begin + self.site.breaks.pop(0) if self.site.breaks else len(content)
        self.wfile.write(content[begin:end])
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    """The site, at `site.url`, until the end of the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"site": site}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
