"""One request after the other: the key, problems as exceptions, and another try where that cannot do harm.

A request is sent again if it never reached the platform, if the platform says that it is busy, or if the answer was
lost and the request may be repeated: reading, setting, or a submission under its `Idempotency-Key`.
"""

from __future__ import annotations

import email.utils
import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import quote

import httpx

from .errors import BY_STATUS, ApiError, ConnectionLost


@dataclass(frozen=True)
class Stream:
    """What is sent bit by bit, and once more from its beginning if need be."""

    begin: Callable[[], Iterable[bytes]]
    # what is announced, so that what is too large is refused before it is sent
    length: int | None = None


Content: TypeAlias = bytes | Stream
Streamed: TypeAlias = AbstractContextManager[httpx.Response]

CONNECT_SECONDS = 10.0
# a stream that lives is pinged every 15 s
QUIET_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 30.0
MOST_SHOWN_CHARS = 300
PASSING = {408, 429, 502, 503, 504}
# nothing was done: asked for later, not half answered
NOTHING_WAS_DONE = {408, 429}


@dataclass(frozen=True)
class Call:
    """A request to be made."""

    method: str
    path: str
    parts: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str | int | None] = field(default_factory=dict)
    body: Any = None
    content: Content | None = None
    content_type: str | None = None
    may_repeat: bool = False


class Transport:
    """Of one platform, with one key. Threads may share it."""

    def __init__(self, url: str, key: str, *, tries: int = 5, through: httpx.BaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        self._tries = max(1, tries)
        timeout = httpx.Timeout(QUIET_SECONDS, connect=CONNECT_SECONDS)
        host = httpx.URL(self.url).host
        is_here = host in ("localhost", "::1") or host.startswith("127.")
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}", "User-Agent": "cupola-python/0.1.0"},
            timeout=timeout,
            trust_env=not is_here,
            transport=through,
        )

    def close(self) -> None:
        self._http.close()

    def json(self, call: Call) -> Any:
        return self._whole(call).json()

    def text(self, call: Call) -> str:
        return self._whole(call).text

    def nothing(self, call: Call) -> None:
        self._whole(call)

    @contextmanager
    def stream(self, call: Call) -> Iterator[httpx.Response]:
        response = self._answered(call, stream=True)
        try:
            yield response
        finally:
            response.close()

    def _whole(self, call: Call) -> httpx.Response:
        return self._answered(call, stream=False)

    def _answered(self, call: Call, *, stream: bool) -> httpx.Response:
        headers = {name: str(value) for name, value in call.headers.items() if value is not None}
        if stream:
            # a file's own bytes
            headers["Accept-Encoding"] = "identity"
        if "Idempotency-Key" in call.headers:
            # the same at every try
            headers.setdefault("Idempotency-Key", uuid.uuid4().hex)
        for tried in range(1, self._tries + 1):
            is_last = tried == self._tries
            try:
                response = self._http.send(self._request(call, headers), stream=stream)
            except httpx.TransportError as lost:
                never_sent = isinstance(lost, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout))
                if is_last or not (never_sent or call.may_repeat):
                    raise ConnectionLost(f"{self.url} did not answer: {lost or type(lost).__name__}") from lost
                time.sleep(pause(tried))
                continue
            if response.is_success:
                return response
            problem = self._problem(response)
            may_repeat = call.may_repeat or problem.status in NOTHING_WAS_DONE
            wait = pause(tried) if problem.retry_after is None else problem.retry_after
            if is_last or problem.status not in PASSING or not may_repeat or wait > LONGEST_PAUSE_SECONDS:
                raise problem
            time.sleep(wait)
        raise AssertionError("the last try ends in an answer or an error")

    def _request(self, call: Call, headers: dict[str, str]) -> httpx.Request:
        path = call.path
        for name, value in call.parts.items():
            # a file's name may have folders
            path = path.replace(f"{{{name}}}", quote(str(value), safe="/" if name == "file" else ""))
        query = {name: value for name, value in call.query.items() if value is not None}
        if call.content is None:
            return self._http.build_request(call.method, path, params=query, headers=headers, json=call.body)
        headers = {**headers, "Content-Type": call.content_type or "application/octet-stream"}
        if isinstance(call.content, Stream) and call.content.length is not None:
            headers["Content-Length"] = str(call.content.length)
        content = call.content.begin() if isinstance(call.content, Stream) else call.content
        return self._http.build_request(call.method, path, params=query, headers=headers, content=content)

    def _problem(self, response: httpx.Response) -> ApiError:
        try:
            response.read()
            said = response.json()
            detail, code, errors = said["detail"], said["code"], said.get("errors") or []
        except (httpx.TransportError, ValueError, KeyError, TypeError):
            # something in between has answered
            body = response.text if response.is_stream_consumed else ""
            detail, code, errors = f"the answer was {body[:MOST_SHOWN_CHARS]!r}", "unknown", []
        finally:
            response.close()
        kind = BY_STATUS.get(response.status_code, ApiError)
        after = seconds(response.headers.get("Retry-After"))
        return kind(response.status_code, code, detail, errors, response.headers.get("X-Request-Id"), after)


def seconds(after: str | None) -> float | None:
    """Of `Retry-After`, which is a number or a moment."""
    if after is None:
        return None
    try:
        return max(0.0, float(after))
    except ValueError:
        moment = email.utils.parsedate_to_datetime(after)
        return max(0.0, moment.timestamp() - time.time())


def pause(tried: int) -> float:
    """None at first; then it doubles, so that many who wait do not come back together."""
    return 0.0 if tried == 1 else min(LONGEST_PAUSE_SECONDS, random.uniform(0.5, 1.0) * 2.0 ** (tried - 2))
