"""Bars with rate and time left, where tqdm is there: in a notebook, or on a terminal."""

from __future__ import annotations

import sys
from typing import Any


class Bar:
    """Draws nothing where it is not to, or cannot."""

    def __init__(self, show: bool | None, about: str, total: int | None = None, unit: str = "B") -> None:
        self._bar = tqdm(show, desc=about, total=total, unit=unit, unit_scale=True, leave=False)

    def to(self, place: int) -> None:
        if self._bar is not None:
            self._bar.update(place - self._bar.n)

    def by(self, more: int) -> None:
        if self._bar is not None:
            self._bar.update(more)

    def of(self, total: int) -> None:
        if self._bar is not None:
            self._bar.total = total
            self._bar.refresh()

    def beside(self, text: str) -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(text)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()


def tqdm(show: bool | None, **options: Any) -> Any:
    """None unless it was asked for, or somebody looks."""
    if show is False or (show is None and not is_looked_at()):
        return None
    try:
        from tqdm.auto import tqdm as made
    except ImportError:
        return None
    return made(**options)


def is_looked_at() -> bool:
    return sys.stderr.isatty() or "ipykernel" in sys.modules
