"""What goes wrong, as exceptions. Each has words that a person can act on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import models


class CupolaError(Exception):
    """Any error of this package."""


class ConnectionLost(CupolaError):
    """The platform did not answer, however often it was asked."""


class Damaged(CupolaError):
    """A file that was downloaded is not the one that was published."""


def words(cause: models.CauseView) -> str:
    return f"{cause['code']}: {cause['message']}. {cause.get('remedy') or ''}".rstrip()


class DatasetInvalid(CupolaError):
    """A file that was pushed cannot be read; `version` says where and why."""

    def __init__(self, version: models.DatasetVersionView, cause: models.CauseView) -> None:
        self.version = version
        self.cause = cause
        super().__init__(f"{version['dataset']}:{version['version']} cannot be read, {words(cause)}")

    def __reduce__(self) -> Any:
        return (type(self), (self.version, self.cause))


class ApiError(CupolaError):
    """The platform refused. Programs may rely on `code` (docs/API.md)."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: list[models.FieldError],
        request_id: str | None,
        retry_after: float | None,
    ) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        # every field that is wrong, by its path in the request
        self.errors = errors
        # what the platform's log and its operators know the request by
        self.request_id = request_id
        self.retry_after = retry_after
        super().__init__(str(self))

    @property
    def fields(self) -> dict[str, str]:
        """What is wrong, field by field."""
        return {error["field"]: error["message"] for error in self.errors}

    def __str__(self) -> str:
        said = "\n  ".join(f"{field}: {message}" for field, message in self.fields.items()) or self.detail
        return f"{said} ({self.status} {self.code}{f', {self.request_id}' if self.request_id else ''})"

    def __reduce__(self) -> Any:
        given = (self.status, self.code, self.detail, self.errors, self.request_id, self.retry_after)
        return (type(self), given)


class Unauthenticated(ApiError):
    """The key is mistyped, unknown, expired or revoked."""


class Forbidden(ApiError):
    """The key may not."""


class NotFound(ApiError):
    """Nothing is there, or nothing that the key may see."""


class Invalid(ApiError):
    """The request's content is at fault; see `errors`."""


class Busy(ApiError):
    """The same may succeed later: after `retry_after` seconds."""


BY_STATUS: dict[int, type[ApiError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    410: NotFound,
    422: Invalid,
    408: Busy,
    429: Busy,
    502: Busy,
    503: Busy,
    504: Busy,
}


class JobEnded(CupolaError):
    """A job that was watched has failed, or was cancelled."""

    def __init__(self, job: models.JobView) -> None:
        self.job = job
        super().__init__(str(self))

    def __str__(self) -> str:
        cause = self.job.get("cause")
        if self.job["status"] != "failed" or not cause:
            return f"{self.job['id']} was {self.job['status']}"
        return f"{self.job['id']} has failed, {words(cause)}"

    def __reduce__(self) -> Any:
        return (type(self), (self.job,))
