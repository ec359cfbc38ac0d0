"""A network between a client and the platform that breaks where it is told to: what goes through is real on both
sides, and then is cut.
"""

from __future__ import annotations

import select
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass
class Break:
    """The next request that begins so: how many bytes of it and of its answer go through before the line is cut."""

    request: bytes
    sent: int | None = None
    answered: int | None = None


class Relay(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, platform: str) -> None:
        super().__init__(("127.0.0.1", 0), Line)
        self.platform = urlsplit(platform).netloc.rsplit(":", 1)
        self.breaks: list[Break] = []
        # the first lines of all requests
        self.seen: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def count(self, request: str) -> int:
        return sum(line.startswith(request) for line in self.seen)


class Line(socketserver.BaseRequestHandler):
    server: Relay

    def handle(self) -> None:
        host, port = self.server.platform
        with socket.create_connection((host, int(port))) as platform:
            self.carry(platform)

    def carry(self, platform: socket.socket) -> None:
        now: Break | None = None
        while True:
            for ready in select.select([self.request, platform], [], [])[0]:
                data = ready.recv(1 << 16)
                if not data:
                    return
                if ready is self.request:
                    if data.split(b" ", 1)[0] in (b"GET", b"POST", b"PUT", b"PATCH", b"DELETE"):
                        self.server.seen.append(data.split(b"\r\n", 1)[0].decode())
                        now = next((one for one in self.server.breaks if data.startswith(one.request)), None)
                        if now is not None:
                            self.server.breaks.remove(now)
                    left = None if now is None else now.sent
                else:
                    left = None if now is None else now.answered
                through = data if left is None else data[:left]
                (platform if ready is self.request else self.request).sendall(through)
                if left is not None and now is not None:
                    if len(data) >= left:
                        return
                    if ready is self.request:
                        now.sent = left - len(data)
                    else:
                        now.answered = left - len(data)


@contextmanager
def relay(platform: str) -> Iterator[Relay]:
    with Relay(platform) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
