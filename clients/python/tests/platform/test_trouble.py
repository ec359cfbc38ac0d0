"""What goes wrong: refusals in words and by code, and a network that breaks."""

import hashlib
import socket
from pathlib import Path

import pandas
import pytest
from conftest import KEY, URL
from relay import Break, Relay

from cupola import (
    ApiError,
    ConnectionLost,
    Cupola,
    CupolaError,
    DatasetInvalid,
    Invalid,
    JobEnded,
    NotFound,
    Unauthenticated,
    models,
)


def test_a_wrong_key_is_told_with_what_the_platform_knows_the_request_by() -> None:
    with Cupola(URL, KEY[:-1] + ("a" if KEY[-1] != "a" else "b")) as nobody:
        with pytest.raises(Unauthenticated) as told:
            nobody.whoami()
    error = told.value
    assert (error.status, error.code) == (401, "unauthenticated") and error.detail
    assert error.request_id and error.request_id.startswith("req_") and error.request_id in str(error)


def test_every_field_that_is_wrong_is_named(
    cupola: Cupola, data: models.DatasetVersionView, trained: models.JobView
) -> None:
    with pytest.raises(Invalid) as told:
        cupola.submit({"dataset": "clouds", "target": "clod", "epochs": 0})
    assert told.value.code == "validation_failed" and set(told.value.fields) >= {"epochs", "target"}
    assert "epochs: 0 is out of range" in str(told.value)
    with pytest.raises(Invalid, match="y: the column is missing") as told:
        cupola.predict("clouds", pandas.DataFrame({"x": [1.0]}))
    assert list(told.value.fields) == ["rows[0].y"]


def test_what_is_not_there_is_told(cupola: Cupola, trained: models.JobView) -> None:
    with pytest.raises(NotFound, match="nothing"):
        cupola.predict("nothing", {"x": 1})
    with pytest.raises(NotFound):
        cupola.watch("job_0192f0c4a1b27c3d8e9fa0b1c2d3e4f5")
    with pytest.raises(NotFound):
        cupola.pull("clouds:7")
    with pytest.raises(CupolaError, match="Clouds"):
        cupola.pull("Clouds")


def test_a_file_that_cannot_be_read_says_where(cupola: Cupola, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("a,b\n1,2\n3\n")
    with pytest.raises(DatasetInvalid, match="ragged_row") as told:
        cupola.push_dataset("bad", file)
    assert told.value.cause["code"] == "ragged_row" and told.value.version["version"] == 1


def test_a_job_that_is_cancelled_or_fails_ends_the_watch(
    cupola: Cupola, data: models.DatasetVersionView, spec: models.TrainingDraft
) -> None:
    long: models.TrainingDraft = {**spec, "epochs": 5000}
    job = cupola.submit(long)

    def cancel(event: object) -> None:
        if getattr(event, "kind") == "epoch":
            cupola.api.cancel_job(job["id"])

    with pytest.raises(JobEnded, match="was cancelled") as told:
        cupola.watch(job, on_event=cancel)
    assert told.value.job["id"] == job["id"] and told.value.job["status"] == "cancelled"


def test_an_address_where_nobody_answers_is_told_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with Cupola(f"http://127.0.0.1:{taken.getsockname()[1]}", KEY, tries=2) as nowhere:
            with pytest.raises(ConnectionLost, match="did not answer"):
                nowhere.whoami()
            with pytest.raises(ConnectionLost):
                nowhere.watch("job_0192f0c4a1b27c3d8e9fa0b1c2d3e4f5")


def test_a_watch_goes_on_after_the_last_event_seen(
    cupola: Cupola, far: Cupola, network: Relay, data: models.DatasetVersionView, spec: models.TrainingDraft
) -> None:
    followed: models.TrainingDraft = {**spec, "registered_model_name": "followed"}
    job = far.submit(followed)
    stream = f"GET /v1/jobs/{job['id']}/events".encode()
    # in the head of the answer, amid events, and once more
    network.breaks = [Break(stream, answered=bytes) for bytes in (50, 700, 1500)]
    seen = list(far.events(job))
    numbers = [event.number for event in seen if event.number is not None]
    assert numbers == list(range(1, len(numbers) + 1)), "nothing is missed and nothing comes twice"
    assert seen[-1].kind == "succeeded" and not network.breaks
    assert network.count(stream.decode()) >= 4
    told = [event for event in cupola.events(job) if event.number is not None]
    assert told == [event for event in seen if event.number is not None]
    assert list(cupola.events(job, after=len(numbers))) == [], "everything was seen"


def test_a_submission_whose_answer_is_lost_makes_one_job(
    cupola: Cupola, far: Cupola, network: Relay, data: models.DatasetVersionView, spec: models.TrainingDraft
) -> None:
    named: models.TrainingDraft = {**spec, "name": "lost and found", "registered_model_name": "found"}
    network.breaks = [Break(b"POST /v1/jobs", answered=0), Break(b"POST /v1/jobs", answered=40)]
    job = far.submit(named)
    assert network.count("POST /v1/jobs") == 3 and not network.breaks
    jobs = [other["id"] for other in cupola.pages(cupola.api.list_jobs) if other["name"] == "lost and found"]
    assert jobs == [job["id"]]
    cupola.watch(job)


def test_what_may_not_be_repeated_is_not(cupola: Cupola, far: Cupola, network: Relay) -> None:
    network.breaks = [Break(b"POST /v1/models", answered=0)]
    with pytest.raises(ConnectionLost):
        far.api.create_model({"name": "empty"})
    assert network.count("POST /v1/models") == 1
    # it was made; a second request would have been refused
    assert cupola.api.get_model("acme", "empty")["name"] == "empty"
    with pytest.raises(ApiError) as told:
        far.api.create_model({"name": "empty"})
    assert told.value.status == 409


def test_a_push_that_breaks_is_sent_again_from_its_beginning(cupola: Cupola, far: Cupola, network: Relay) -> None:
    frame = pandas.DataFrame({"n": range(200_000), "word": ["some text that takes room"] * 200_000})
    push = b"POST /v1/datasets/large/versions"
    network.breaks = [Break(push, sent=2_000_000), Break(push, answered=0)]
    version = far.push_dataset("large", frame)
    assert network.count(push.decode()) == 3
    whole = frame.to_csv(index=False).encode()
    assert version["sha256"] == hashlib.sha256(whole).hexdigest() and version["bytes"] == len(whole)
    assert len(cupola.api.list_dataset_versions("large")["items"]) == 1


def test_a_download_that_breaks_goes_on_where_it_was(
    far: Cupola, network: Relay, trained: models.JobView, tmp_path: Path
) -> None:
    files = b"GET /v1/models/acme/clouds/versions/1/files/"
    network.breaks = [Break(files, answered=answered) for answered in (1_000, 1_500, 20)]
    folder = far.pull("clouds", tmp_path / "clouds")
    assert not network.breaks
    for file in far.api.get_model_version("acme", "clouds", "1")["files"]:
        assert hashlib.sha256((folder / file["name"]).read_bytes()).hexdigest() == file["sha256"]
    assert not list(folder.glob(".*.part"))
