"""Which platform, and as whom: what is given, else CUPOLA_URL and CUPOLA_API_KEY, else what `cupola login` has kept.
A key that was kept is sent to no other platform than its own.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from .errors import CupolaError

FILE = "cupola/credentials.json"


def choose(url: str | None, key: str | None) -> tuple[str, str]:
    url = url or os.environ.get("CUPOLA_URL") or None
    key = (key or os.environ.get("CUPOLA_API_KEY") or "").strip() or None
    kept = kept_key() if url is None or key is None else None
    if url is not None:
        url = url.rstrip("/")
    if url is None and kept is not None:
        url = kept[0]
    if url is None:
        raise CupolaError("which platform? give its URL, set CUPOLA_URL, or `cupola login --url URL`")
    if key is None and kept is not None:
        if url != kept[0]:
            raise CupolaError(f"the key that is kept is of {kept[0]}; give one of {url}, or set CUPOLA_API_KEY")
        key = kept[1]
    if key is None:
        raise CupolaError("no API key: give one, set CUPOLA_API_KEY, or `cupola login` keeps one")
    if not url.startswith(("http://", "https://")):
        raise CupolaError(f"`{url}` is not a platform's URL; give one as https://cupola.example")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise CupolaError("that is no API key; one is `cup_` and 49 letters, digits, `-` and `_`")
    return url, key


def kept_key() -> tuple[str, str] | None:
    folder = os.environ.get("XDG_CONFIG_HOME")
    path = (Path(folder) if folder else Path.home() / ".config") / FILE
    try:
        kept = json.loads(path.read_text())
        return str(kept["url"]).rstrip("/"), str(kept["key"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise CupolaError(f"{path} holds no key any more; `cupola login` writes it anew") from error
