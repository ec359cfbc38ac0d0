"""Files down: into a hidden file beside each first, which a later pull goes on from, and under its name once its
SHA-256 is the published one. `cupola models pull` leaves and takes up the same.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import httpx

from . import models
from .bars import Bar
from .errors import ApiError, ConnectionLost, CupolaError, Damaged
from .transport import Call, Transport, pause

CHUNK_BYTES = 1 << 16
MOST_TRIES = 5


def place(transport: Transport, file: models.ModelFile, folder: Path, bar: Bar) -> Path:
    target = folder / safe(file["name"])
    target.parent.mkdir(parents=True, exist_ok=True)
    if is_it(target, file["sha256"]):
        bar.by(target.stat().st_size)
        return target
    part = target.with_name(f".{target.name}.part")
    if part.exists():
        bar.by(part.stat().st_size)
    for tried in range(1, MOST_TRIES + 1):
        is_whole = fetch(transport, file, part, bar.by)
        if not is_whole:
            time.sleep(pause(tried))
            continue
        if is_it(part, file["sha256"]):
            part.replace(target)
            return target
        # the beginning was of something else: from the start once more
        bar.by(-part.stat().st_size)
        part.unlink()
    if part.exists():
        raise ConnectionLost(f"{file['name']} did not come whole; the same call goes on from there")
    raise Damaged(f"{file['name']} is not what was published: its SHA-256 is another")


def fetch(transport: Transport, file: models.ModelFile, part: Path, came: Callable[[int], None]) -> bool:
    """Whether it came to its end; one that breaks off is gone on with."""
    there = part.stat().st_size if part.exists() else 0
    if there and there == file.get("bytes"):
        return True
    ranged = {"Range": f"bytes={there}-", "If-Range": f'"{file["sha256"]}"'} if there else {}
    call = Call("GET", file["url"], headers=dict(ranged), may_repeat=True)
    try:
        with transport.stream(call) as response:
            goes_on = response.status_code == 206
            if there and not goes_on:
                came(-there)
            with part.open("ab" if goes_on else "wb") as to:
                for chunk in response.iter_raw(CHUNK_BYTES):
                    to.write(chunk)
                    came(len(chunk))
        return True
    except httpx.TransportError:
        return False
    except ApiError as refused:
        if refused.status != 416:
            raise
        came(-there)
        part.unlink()
        return False


def safe(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or any(part in ("..", ".") or "\\" in part for part in path.parts):
        raise CupolaError(f"the version names a file that has no place in a folder: {name!r}")
    return path


def is_it(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return False
