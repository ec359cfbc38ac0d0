"""A job's events as they happen (server-sent events). A stream that breaks is taken up after the last event that was
seen, by `Last-Event-ID`, so that nothing is missed and nothing comes twice.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from .errors import Busy, ConnectionLost
from .operations import Operations
from .transport import pause

# streams in a row that bring nothing, before it is given up
MOST_BROKEN = 10
LAST = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True)
class Event:
    """What has happened to a job."""

    kind: str
    data: dict[str, Any]
    # progress has none, and is not repeated
    number: int | None = None


def follow(api: Operations, job: str, after: int = 0) -> Iterator[Event]:
    """Until the job has ended and all was told."""
    last, broken, was_there = after, 0, False
    while True:
        before = last
        try:
            with api.follow_job(job, last_event_id=last) as response:
                was_there = True
                if response.status_code == 204:
                    return
                for event in decoded(response.iter_raw()):
                    last = last if event.number is None else event.number
                    yield event
                    if event.kind in LAST:
                        return
        except (httpx.TransportError, ConnectionLost, Busy):
            # an address that never answered is a mistake, and no broken connection
            if not was_there:
                raise
        # a stream also ends in good order after a while
        broken = 1 if last > before else broken + 1
        if broken > MOST_BROKEN:
            raise ConnectionLost(f"the connection kept breaking; the job goes on: watch({job!r}) looks on again")
        time.sleep(pause(broken))


def decoded(chunks: Iterable[bytes]) -> Iterator[Event]:
    """Of bytes as they come, cut anywhere."""
    left = b""
    for chunk in chunks:
        *messages, left = (left + chunk).split(b"\n\n")
        for message in messages:
            event = read(message.decode("utf-8", "replace"))
            if event is not None:
                yield event


def read(message: str) -> Event | None:
    """None for a comment, or what has no kind."""
    fields: dict[str, str] = {}
    for line in message.split("\n"):
        name, colon, value = line.partition(":")
        if name and colon:
            fields.setdefault(name, value.strip())
    if "event" not in fields:
        return None
    number = fields.get("id")
    return Event(fields["event"], json.loads(fields.get("data") or "{}"), None if number is None else int(number))
