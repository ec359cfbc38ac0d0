"""Cupola from Python: data pushed, trainings followed, models asked, from a notebook or a script.

    from cupola import Cupola

    cupola = Cupola()  # as `cupola login` or CUPOLA_URL and CUPOLA_API_KEY say
    cupola.push_dataset("customers", frame)
    job = cupola.submit({"dataset": "customers", "target": "churned"})
    cupola.watch(job)
    cupola.predict("customers", frame.drop(columns="churned"))

What has no method of its own here is `cupola.api`: every operation of the platform, typed.
"""

from . import models
from .client import Cupola
from .errors import (
    ApiError,
    Busy,
    ConnectionLost,
    CupolaError,
    Damaged,
    DatasetInvalid,
    Forbidden,
    Invalid,
    JobEnded,
    NotFound,
    Unauthenticated,
)
from .events import Event

__all__ = [
    "ApiError",
    "Busy",
    "ConnectionLost",
    "Cupola",
    "CupolaError",
    "Damaged",
    "DatasetInvalid",
    "Event",
    "Forbidden",
    "Invalid",
    "JobEnded",
    "NotFound",
    "Unauthenticated",
    "models",
]
