"""How people name what they mean: `reviews`, `reviews:3`, `acme/reviews@champion`."""

from __future__ import annotations

import re
from typing import NamedTuple

from .errors import CupolaError

NAME = r"[a-z0-9][a-z0-9._-]{0,63}"
MODEL = re.compile(rf"(?:(?P<tenant>{NAME})/)?(?P<model>{NAME})(?:[:@](?P<version>[A-Za-z0-9._-]+))?")


class ModelName(NamedTuple):
    # none: one's own
    tenant: str | None
    model: str
    version: str


def model_name(text: str) -> ModelName:
    found = MODEL.fullmatch(text)
    if found is None:
        raise CupolaError(f"`{text}` names no model; write it as reviews, acme/reviews, reviews:3 or reviews@champion")
    return ModelName(found["tenant"], found["model"], found["version"] or "latest")
