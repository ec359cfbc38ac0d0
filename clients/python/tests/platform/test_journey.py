"""From a frame to answers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas
import pytest
from conftest import EPOCHS, KEY, URL

from cupola import Cupola, models


def test_the_key_of_the_command_line_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "cupola" / "credentials.json"
    kept.parent.mkdir()
    kept.write_text(json.dumps({"url": URL, "key": KEY}))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with Cupola() as cupola:
        assert cupola.whoami().get("tenant") == "acme" and repr(cupola) == f"Cupola('{URL}')"


def test_a_frame_is_profiled_and_its_file_is_the_same_version(
    cupola: Cupola, data: models.DatasetVersionView, clouds: pandas.DataFrame, tmp_path: Path
) -> None:
    profile = data["profile"]
    assert profile["state"] == "ready" and profile["rows"] == len(clouds)
    kinds = {column["name"]: column["type"] for column in profile["columns"]}
    assert kinds == {"x": "float", "y": "float", "cloud": "categorical"}
    file = tmp_path / "clouds.csv"
    clouds.to_csv(file, index=False)
    assert cupola.push_dataset("clouds", file)["version"] == data["version"]
    assert [item["name"] for item in cupola.api.list_datasets()["items"]] == ["clouds"]


def test_a_training_is_followed_with_a_bar(
    cupola: Cupola, trained: models.JobView, capfd: pytest.CaptureFixture[str]
) -> None:
    published = trained.get("published")
    assert trained["status"] == "succeeded" and published and published["model"] == "clouds"
    kinds: list[str] = []
    with Cupola(URL, KEY, progress=True) as looking:
        again = looking.watch(trained["id"], on_event=lambda event: kinds.append(event.kind))
    assert again["id"] == trained["id"] and kinds[0] == "queued" and kinds[-1] == "succeeded"
    assert kinds.count("epoch") == EPOCHS
    drawn = capfd.readouterr().err
    assert trained["id"] in drawn and "step" in drawn and "loss" in drawn, drawn
    with Cupola(URL, KEY, progress=False) as quiet:
        quiet.watch(trained)
    assert capfd.readouterr().err == ""


def test_the_history_of_a_training_is_a_frame(cupola: Cupola, trained: models.JobView) -> None:
    history = cupola.history(trained)
    assert list(history.index) == list(range(1, EPOCHS + 1))
    assert history["loss"].iloc[-1] < history["loss"].iloc[0] and "val_loss" in history.columns


def test_a_frame_is_answered_by_a_frame_and_rows_by_rows(
    cupola: Cupola, trained: models.JobView, clouds: pandas.DataFrame
) -> None:
    shuffled = clouds.sample(frac=1.0, random_state=7)
    answers = cupola.predict("clouds", shuffled)
    assert list(answers.index) == list(shuffled.index)
    assert (answers["prediction"] == shuffled["cloud"]).mean() > 0.75
    together = answers["probability_near"] + answers["probability_far"]
    assert (together - 1.0).abs().max() < 1e-6

    rows = shuffled[["x", "y"]].to_dict("records")
    listed = cupola.predict("acme/clouds:1", rows)
    assert [answer["class"] for answer in listed] == list(answers["prediction"])
    one = cupola.predict("clouds@latest", rows[0])
    assert one["class"] == listed[0]["class"]
    best = cupola.predict("clouds", rows[:2], top_k=1)
    assert [answer["top"][0]["class"] for answer in best] == [answer["class"] for answer in listed[:2]]
    # more than one request may hold
    many = pandas.concat([clouds] * 8, ignore_index=True)
    assert len(cupola.predict("clouds", many)) == len(many) == 1200
    assert len(cupola.predict("clouds", clouds.head(0))) == 0 and cupola.predict("clouds", []) == []


def test_what_stands_behind_an_endpoint_answers_by_a_sticky_key(
    cupola: Cupola, trained: models.JobView, clouds: pandas.DataFrame
) -> None:
    cupola.api.fork_model_version("acme", "clouds", "1", {"name": "meadow"})
    halves: list[models.NewTraffic] = [
        {"model": f"acme/{name}", "version": "1", "weight": 50} for name in ["clouds", "meadow"]
    ]
    cupola.api.put_endpoint("shop", {"traffic": halves})
    answers = cupola.predict_by_endpoint("shop", clouds, sticky_key="ada")
    assert (answers["prediction"] == cupola.predict("clouds", clouds)["prediction"]).all()
    assert cupola.predict_by_endpoint("shop", {"x": 1.6, "y": 1.6}, sticky_key="ada")["class"] == "far"
    row: models.PredictRequest = {"row": {"x": 1.6, "y": 1.6}}
    asked = {
        key: {cupola.api.predict_by_endpoint("shop", row, sticky_key=key)["model"] for _ in range(2)}
        for key in map(str, range(64))
    }
    assert all(len(answered) == 1 for answered in asked.values())
    assert set.union(*asked.values()) == {"acme/clouds", "acme/meadow"}


def test_the_files_of_a_version_come_whole_and_once(
    cupola: Cupola, trained: models.JobView, tmp_path: Path
) -> None:
    folder = cupola.pull("clouds", tmp_path / "clouds")
    version = cupola.api.get_model_version("acme", "clouds", "1")
    assert {file["name"] for file in version["files"]} == {path.name for path in folder.iterdir()}
    weights = folder / "model.safetensors"
    made, whole = weights.stat().st_mtime_ns, weights.read_bytes()
    cupola.pull("clouds", folder)
    assert weights.stat().st_mtime_ns == made, "what is there is not sent again"
    for part in [whole[:100], b"x" + whole[1:100], whole, whole + b"x"]:
        weights.unlink()
        (folder / ".model.safetensors.part").write_bytes(part)
        cupola.pull("clouds", folder)
        assert weights.read_bytes() == whole and not (folder / ".model.safetensors.part").exists()


def test_lists_go_on_to_their_end(cupola: Cupola, trained: models.JobView) -> None:
    jobs = [job["id"] for job in cupola.pages(cupola.api.list_jobs, limit=1)]
    assert len(jobs) == len(set(jobs)) > 1 and trained["id"] in jobs


def test_a_specification_may_be_a_file(
    cupola: Cupola, data: models.DatasetVersionView, spec: models.TrainingDraft, tmp_path: Path
) -> None:
    file = tmp_path / "spec.json"
    file.write_text(json.dumps(spec))
    first, second = [cupola.submit(file, key="once") for _ in range(2)]
    assert first["id"] == second["id"], "one key, one job"
    cupola.api.cancel_job(first["id"])


def test_neither_pandas_nor_tqdm_is_needed(trained: models.JobView) -> None:
    program = f"""
import sys
sys.modules["pandas"] = sys.modules["tqdm"] = sys.modules["tqdm.auto"] = None
from cupola import Cupola
with Cupola(progress=True) as cupola:
    cupola.watch("{trained["id"]}")
    print(cupola.predict("clouds", [{{"x": 1.6, "y": 1.6}}])[0]["class"])
"""
    environment = {**os.environ, "CUPOLA_URL": URL, "CUPOLA_API_KEY": KEY}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("far\n", "")
