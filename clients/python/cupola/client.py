"""The platform as one works with it in a notebook."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, overload

import httpx

from . import events, files, frames, models
from .bars import Bar
from .credentials import choose
from .errors import CupolaError, DatasetInvalid, JobEnded
from .events import Event
from .frames import Frame
from .names import model_name
from .operations import Operations
from .transport import Stream, Transport

Row: TypeAlias = Mapping[str, Any]

CHUNK_BYTES = 1 << 16
# so many rows go together; a forecast needs the whole history at once
BATCH_ROWS = 500
MOST_ROWS = 10_000
BATCHES = {"forecasting": MOST_ROWS, "language_modeling": 16}
# what a bar says of an epoch, where a job has it
SAID = ("loss", "val_loss", "accuracy", "val_accuracy", "val_auc", "val_mae")
FORMATS: dict[str, models.Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".txt": "text",
    ".zip": "images",
}
COMPRESSIONS: dict[str, models.Compression] = {".gz": "gzip", ".zst": "zstd"}


class Cupola:
    """One platform, with one key.

    Without a URL or a key: those of CUPOLA_URL and CUPOLA_API_KEY, else what `cupola login` has kept. `progress`:
    whether bars are drawn (with tqdm, where somebody looks, if it is not said).
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        tries: int = 5,
        progress: bool | None = None,
        through: httpx.BaseTransport | None = None,
    ) -> None:
        self.url, key = choose(url, key)
        self._transport = Transport(self.url, key, tries=tries, through=through)
        self._progress = progress
        self._tenant: str | None = None
        # every operation of the platform, under its own name
        self.api = Operations(self._transport)

    def __enter__(self) -> Cupola:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Cupola({self.url!r})"

    def close(self) -> None:
        self._transport.close()

    def whoami(self) -> models.MeView:
        return self.api.get_me()

    def pages(self, operation: Callable[..., Any], **query: Any) -> Iterator[Any]:
        """The items of every page: `cupola.pages(cupola.api.list_jobs, status="running")`."""
        answer = operation(**query)
        yield from answer["items"]
        while answer.get("next"):
            answer = operation(**query, cursor=answer["next"])
            yield from answer["items"]

    def push_dataset(
        self,
        name: str,
        data: Frame | str | os.PathLike[str],
        *,
        format: models.Format | None = None,
        wait: bool = True,
    ) -> models.DatasetVersionView:
        """Sends a frame, or a file as it is, as a version of a dataset, and waits for its profile.

        The same bytes again are the version that has them. Raises `DatasetInvalid` where a worker cannot read it.
        """
        if frames.is_frame(data):
            compression: models.Compression = "none"
            format, whole = "csv", frames.csv(data)
            length = len(whole)
            opened: Callable[[], BinaryIO] = lambda: BytesIO(whole)
        else:
            path = Path(data)
            format, compression = kind(path, format)
            length = path.stat().st_size
            opened = lambda: path.open("rb")
        with self._bar(f"push {name}", length) as bar:
            content = Stream(lambda: chunks(opened, bar), length)
            version = self.api.push_dataset(
                name, content, "application/octet-stream", format=format, compression=compression
            )
        return self._profiled(version) if wait else version

    def _profiled(self, version: models.DatasetVersionView) -> models.DatasetVersionView:
        job = version.get("profile_job")
        if version["profile"]["state"] == "pending" and job:
            for _ in events.follow(self.api, job):
                pass
            version = self.api.get_dataset_version(version["dataset"], str(version["version"]))
        profile = version["profile"]
        if profile["state"] == "invalid":
            raise DatasetInvalid(version, profile["cause"])
        return version

    def submit(
        self, spec: models.TrainingDraft | Mapping[str, Any] | str | os.PathLike[str], *, key: str | None = None
    ) -> models.JobView:
        """Queues a training, once, whatever the connection does: `key` is its `Idempotency-Key`, by which another
        call, or another program, finds the same job. A specification may be a file of JSON or (with PyYAML) YAML.
        """
        draft: Any = spec if isinstance(spec, Mapping) else read_spec(Path(spec))
        return self.api.submit_job(draft, idempotency_key=key)

    def events(self, job: models.JobView | str, *, after: int = 0) -> Iterator[Event]:
        """What happens to a job, as it happens, until it has ended."""
        return events.follow(self.api, job if isinstance(job, str) else job["id"], after)

    def watch(
        self, job: models.JobView | str, *, on_event: Callable[[Event], None] | None = None
    ) -> models.JobView:
        """Follows a job until it has ended, with a bar, and answers it as it is then. One that has failed or was
        cancelled raises `JobEnded`. To interrupt this ends the looking on, not the job.
        """
        id = job if isinstance(job, str) else job["id"]
        with self._bar(id, None, "step") as bar:
            for event in self.events(id):
                draw(bar, event)
                if on_event is not None:
                    on_event(event)
        ended = self.api.get_job(id)
        if ended["status"] != "succeeded":
            raise JobEnded(ended)
        return ended

    def history(self, job: models.JobView | str) -> Frame:
        """The job's metrics, a line for each epoch, as a frame."""
        metrics = self.api.get_job_metrics(job if isinstance(job, str) else job["id"])
        return frames.history(metrics["series"])

    @overload
    def predict(self, model: str, rows: Row, *, top_k: int | None = None) -> dict[str, Any]: ...
    @overload
    def predict(self, model: str, rows: Sequence[Row], *, top_k: int | None = None) -> list[dict[str, Any]]: ...
    @overload
    def predict(self, model: str, rows: Frame, *, top_k: int | None = None) -> Frame: ...

    def predict(self, model: str, rows: Any, *, top_k: int | None = None) -> Any:
        """Asks a model (`reviews`, `acme/reviews:3`, `reviews@champion`) about rows: a frame is answered by a frame
        with the same index, a list by a list, one row by one answer.
        """
        tenant, name, version = self._of(model)
        found = self.api.get_model_version(tenant, name, version)
        # one version for all batches, whatever is published meanwhile
        version = str(found["version"])

        def ask(body: models.PredictRequest) -> models.PredictAnswer:
            return self.api.predict(tenant, name, body, version=version)

        return self._asked(ask, rows, BATCHES.get(found.get("task") or "", BATCH_ROWS), top_k)

    @overload
    def predict_by_endpoint(
        self, endpoint: str, rows: Row, *, sticky_key: str | None = None, top_k: int | None = None
    ) -> dict[str, Any]: ...
    @overload
    def predict_by_endpoint(
        self, endpoint: str, rows: Sequence[Row], *, sticky_key: str | None = None, top_k: int | None = None
    ) -> list[dict[str, Any]]: ...
    @overload
    def predict_by_endpoint(
        self, endpoint: str, rows: Frame, *, sticky_key: str | None = None, top_k: int | None = None
    ) -> Frame: ...

    def predict_by_endpoint(
        self, endpoint: str, rows: Any, *, sticky_key: str | None = None, top_k: int | None = None
    ) -> Any:
        """The same of whatever stands behind an endpoint; calls with one `sticky_key` are answered by one version."""

        def ask(body: models.PredictRequest) -> models.PredictAnswer:
            return self.api.predict_by_endpoint(endpoint, body, sticky_key=sticky_key)

        most = BATCH_ROWS
        if not isinstance(rows, Mapping) and len(rows) > BATCHES["language_modeling"]:
            target = self.api.get_endpoint(endpoint)["traffic"][0]
            if target.get("model"):
                tenant, name, _ = self._of(str(target["model"]))
                task = self.api.get_model_version(tenant, name, str(target["version"])).get("task")
                most = BATCHES.get(task or "", BATCH_ROWS)
        return self._asked(ask, rows, most, top_k)

    def _asked(
        self, ask: Callable[[models.PredictRequest], models.PredictAnswer], given: Any, most: int, top_k: int | None
    ) -> Any:
        more: models.PredictRequest = {} if top_k is None else {"top_k": top_k}
        if isinstance(given, Mapping):
            return ask({"row": dict(given), **more})["predictions"][0]
        rows = frames.rows(given) if frames.is_frame(given) else [dict(row) for row in given]
        if most == MOST_ROWS and len(rows) > most:
            raise CupolaError(f"a forecast takes at most {most} rows, all at once; send the last of the history")
        answers: list[Any] = []
        with self._bar("predict", len(rows), "row") as bar:
            for at in range(0, len(rows), most):
                answers += ask({"rows": rows[at : at + most], **more})["predictions"]
                bar.to(min(at + most, len(rows)))
        return frames.answered(given, answers) if frames.is_frame(given) else answers

    def pull(self, model: str, folder: str | os.PathLike[str] | None = None) -> Path:
        """Downloads a version's files into a folder (of the model's name), each checked by its SHA-256. What is there
        is not sent again, and what broke off goes on where it was.
        """
        tenant, name, version = self._of(model)
        found = self.api.get_model_version(tenant, name, version)
        to = Path(folder if folder is not None else name)
        with self._bar(f"pull {name}", sum(file["bytes"] for file in found["files"])) as bar:
            for file in found["files"]:
                files.place(self._transport, file, to, bar)
        return to

    def _of(self, model: str) -> tuple[str, str, str]:
        tenant, name, version = model_name(model)
        if tenant is None:
            self._tenant = self._tenant or self.whoami().get("tenant")
            tenant = self._tenant
        if tenant is None:
            raise CupolaError("the key is of no tenant; name the model as tenant/model")
        return tenant, name, version

    def _bar(self, about: str, total: int | None, unit: str = "B") -> Bar:
        return Bar(self._progress, about, total, unit)


def kind(path: Path, format: models.Format | None) -> tuple[models.Format, models.Compression]:
    compression = COMPRESSIONS.get(path.suffix, "none")
    inner = path.with_suffix("") if compression != "none" else path
    format = format or FORMATS.get(inner.suffix.lower())
    if format is None:
        known = ", ".join(dict.fromkeys(FORMATS.values()))
        raise CupolaError(f"{path} does not say by its name what it is; give format=, one of {known}")
    return format, compression


def chunks(opened: Callable[[], BinaryIO], bar: Bar) -> Iterator[bytes]:
    """From the start, where it is sent again."""
    with opened() as file:
        bar.to(0)
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
            bar.by(len(chunk))


def read_spec(path: Path) -> Any:
    text = path.read_text()
    if path.suffix == ".json":
        return json.loads(text)
    try:
        import yaml
    except ImportError as error:
        raise CupolaError(f"{path} is YAML, which needs PyYAML: pip install pyyaml") from error
    return yaml.safe_load(text)


def draw(bar: Bar, event: Event) -> None:
    data = event.data
    if event.kind == "training":
        bar.of(data.get("total_steps") or 0)
        bar.to(data.get("resumed_from_step") or 0)
    elif event.kind in ("progress", "epoch"):
        bar.to(data.get("step") or 0)
    if event.kind == "epoch":
        metrics = data.get("metrics") or {}
        said = [f"{name} {metrics[name]:.4f}" for name in SAID if isinstance(metrics.get(name), float)]
        bar.beside(", ".join([f"epoch {data.get('epoch')}", *said]))
    elif event.kind not in ("progress", "checkpoint"):
        bar.beside(event.kind)
