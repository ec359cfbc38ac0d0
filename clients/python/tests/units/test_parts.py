"""What needs no platform."""

import json
import pickle
from pathlib import Path

import numpy
import pandas
import pytest

from cupola import ApiError, CupolaError, Invalid, models
from cupola.client import kind
from cupola.credentials import choose
from cupola.events import Event, decoded
from cupola.files import safe
from cupola.frames import answered, csv, history, rows
from cupola.names import model_name
from cupola.transport import pause, seconds

STREAM = (
    'retry: 2000\n\nid: 1\nevent: queued\ndata: {"kind":"train"}\n\n: ping\n\nevent: progress\ndata: {"step":2}\n\n'
    'id: 2\nevent: epoch\ndata: {"why":"größer\u2028noch"}\n\n'
).encode()


def test_events_are_the_same_wherever_the_bytes_are_cut() -> None:
    whole = list(decoded([STREAM]))
    assert [(event.number, event.kind) for event in whole] == [(1, "queued"), (None, "progress"), (2, "epoch")]
    assert whole[2] == Event("epoch", {"why": "größer\u2028noch"}, 2)
    for cut in range(len(STREAM)):
        assert list(decoded([STREAM[:cut], STREAM[cut:]])) == whole, cut


def test_models_are_named_as_people_write_them() -> None:
    assert model_name("reviews") == (None, "reviews", "latest")
    assert model_name("acme/reviews:3") == ("acme", "reviews", "3")
    assert model_name("reviews@champion") == (None, "reviews", "champion")
    for wrong in ["Reviews", "a/b/c", "reviews:", "reviews:../x", "", "a b"]:
        with pytest.raises(CupolaError):
            model_name(wrong)


def test_a_kept_key_goes_to_its_own_platform_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ["CUPOLA_URL", "CUPOLA_API_KEY"]:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CupolaError, match="which platform"):
        choose(None, None)
    with pytest.raises(CupolaError, match="no API key"):
        choose("https://one", None)
    kept = tmp_path / "cupola" / "credentials.json"
    kept.parent.mkdir()
    kept.write_text(json.dumps({"url": "https://one", "key": "cup_one"}))
    assert choose(None, None) == ("https://one", "cup_one")
    assert choose("https://one/", None) == ("https://one", "cup_one")
    assert choose(None, "cup_x") == ("https://one", "cup_x")
    with pytest.raises(CupolaError, match="https://one") as told:
        choose("https://two", None)
    assert "cup_one" not in str(told.value)
    monkeypatch.setenv("CUPOLA_API_KEY", "cup_two\n")
    assert choose("https://two", None) == ("https://two", "cup_two")
    monkeypatch.setenv("CUPOLA_URL", "https://three")
    assert choose(None, None) == ("https://three", "cup_two")
    kept.write_text("{")
    monkeypatch.delenv("CUPOLA_API_KEY")
    with pytest.raises(CupolaError, match="cupola login"):
        choose(None, None)
    for url, key in [("cupola.example", "cup_x"), ("https://x", "cup x"), ("https://x", "cup_ü")]:
        with pytest.raises(CupolaError):
            choose(url, key)


def frame() -> pandas.DataFrame:
    return pandas.DataFrame(
        {
            "n": [1.5, numpy.nan],
            "i": pandas.array([7, None], dtype="Int64"),
            "yes": [True, False],
            "word": ['a "b", c', None],
            "day": pandas.to_datetime(["2024-01-01", None]),
            "moment": pandas.to_datetime(["2024-01-01T12:30:00", "2024-01-02T00:00:00"]),
            "kind": pandas.Categorical(["x", "y"]),
        },
        index=[10, 20],
    )


def test_a_frame_is_sent_as_the_platform_reads_it() -> None:
    assert csv(frame()).decode().splitlines() == [
        "n,i,yes,word,day,moment,kind",
        '1.5,7,true,"a ""b"", c",2024-01-01,2024-01-01T12:30:00,x',
        ",,false,,,2024-01-02T00:00:00,y",
    ]
    first, second = rows(frame())
    assert first == {
        "n": 1.5,
        "i": 7,
        "yes": True,
        "word": 'a "b", c',
        "day": "2024-01-01",
        "moment": "2024-01-01T12:30:00",
        "kind": "x",
    }
    assert [second[name] for name in ["n", "i", "word", "day"]] == [None] * 4
    # what was read from CSV is JSON, whatever numpy has made of it
    assert json.dumps([first, second]) and type(rows(pandas.DataFrame({"a": numpy.array([1])}))[0]["a"]) is int
    assert rows(pandas.DataFrame()) == [] and csv(pandas.DataFrame({"a": []})) == b"a\n"


def test_answers_stand_on_the_rows_that_they_are_for() -> None:
    two = [{"class": name, "probabilities": {"a": a, "b": 1 - a}} for name, a in [("a", 0.75), ("b", 0.25)]]
    made = answered(frame(), two)
    assert list(made.index) == [10, 20] and list(made["prediction"]) == ["a", "b"]
    assert list(made["probability"]) == [0.75, 0.75] and list(made["probability_b"]) == [0.25, 0.75]
    assert list(answered(frame(), [{"value": 2.5}, {"value": 3.0}])["prediction"]) == [2.5, 3.0]
    steps = answered(frame(), [{"series": "s", "times": ["1", "2"], "values": [3.0, 4.5]}])
    assert steps.values.tolist() == [["s", "1", 3.0], ["s", "2", 4.5]]
    top = [{"class": "a", "top": [{"class": "a", "probability": 0.5}]}] * 2
    assert list(answered(frame(), top)["probability"]) == [0.5, 0.5]


def test_a_history_has_a_line_for_each_epoch() -> None:
    points: list[models.MetricPoint] = [{"step": 10, "epoch": 1, "value": 0.5}, {"step": 20, "epoch": 2, "value": None}]
    batches: list[models.MetricPoint] = [{"step": n, "epoch": 1, "value": 1.0} for n in range(5)]
    made = history({"loss": points, "batch_loss": batches})
    assert list(made.columns) == ["loss"] and list(made.index) == [1, 2]
    assert made["loss"].isna().tolist() == [False, True]


def test_no_file_leaves_its_folder() -> None:
    assert str(safe("onnx/model.onnx")) == "onnx/model.onnx"
    for name in ["../model.onnx", "/etc/passwd", "a/../../b", "", "a\\b"]:
        with pytest.raises(CupolaError):
            safe(name)


def test_files_say_by_their_names_what_they_are() -> None:
    assert kind(Path("a.csv"), None) == ("csv", "none")
    assert kind(Path("a.jsonl.gz"), None) == ("jsonl", "gzip")
    assert kind(Path("a.zst"), "tsv") == ("tsv", "zstd")
    with pytest.raises(CupolaError, match="format="):
        kind(Path("a.parquet"), None)


def test_pauses_grow_to_an_end_and_moments_are_read() -> None:
    assert pause(1) == 0.0 and 0.5 <= pause(2) <= 1.0 and pause(60) == 30.0
    assert seconds(None) is None and seconds("7") == 7.0
    assert seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


def test_an_error_says_what_is_wrong_where_and_survives_another_process() -> None:
    error = Invalid(422, "validation_failed", "epochs: 0", [{"field": "epochs", "message": "0 is"}], "req_1", None)
    assert error.fields == {"epochs": "0 is"} and str(error) == "epochs: 0 is (422 validation_failed, req_1)"
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, ApiError) and str(again) == str(error)
