"""What is generated, and what is typed."""

import importlib
import json
import subprocess
import sys
import typing
from pathlib import Path

import pytest

from cupola import models

HERE = Path(__file__).parents[2]
DOCUMENT = HERE / "../../docs/openapi.json"
sys.path.insert(0, str(HERE))
from generate import generate  # noqa: E402


def test_what_is_generated_is_what_the_document_gives() -> None:
    for name, text in generate(json.loads(DOCUMENT.read_text())).items():
        kept = (HERE / "cupola" / name).read_text()
        assert kept == text, f"cupola/{name} is stale: run `make python-client` and look at the change"


def test_every_operation_but_those_that_others_speak_is_a_method() -> None:
    from cupola.operations import Operations

    for path, item in json.loads(DOCUMENT.read_text())["paths"].items():
        for operation in item.values():
            others = {"hub", "inference"} & set(operation["tags"])
            assert hasattr(Operations, operation["operationId"]) != bool(others), path


def test_every_type_can_be_resolved() -> None:
    made = [kind for kind in vars(models).values() if typing.is_typeddict(kind)]
    assert len(made) > 200
    for kind in made:
        assert typing.get_type_hints(kind)


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def test_schemas_that_are_put_together_keep_all_of_their_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = {
        "paths": {
            "/v1/x/{id}": {
                "get": {
                    "operationId": "get_x",
                    "tags": ["x"],
                    "parameters": [
                        {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
                        {"name": "from", "in": "query", "schema": {"type": ["string", "null"]}},
                    ],
                    "responses": {"200": {"content": {"application/json": {"schema": ref("X")}}}},
                }
            }
        },
        "components": {
            "schemas": {
                "X": {"allOf": [ref("Y"), {"properties": {"n": {"type": "integer"}}, "required": ["n"]}]},
                "Y": {
                    "oneOf": [
                        {"properties": {"kind": {"enum": ["a"]}}, "required": ["kind"]},
                        {"properties": {"kind": {"enum": ["b"]}, "class": {"type": "string"}}, "required": ["kind"]},
                    ]
                },
                "Problem": {"type": "object", "properties": {"xs": {"type": "array", "items": ref("Problem")}}},
            }
        },
    }
    written = generate(document)
    (tmp_path / "made.py").write_text(written["models.py"])
    monkeypatch.syspath_prepend(tmp_path)
    made = vars(importlib.import_module("made"))
    hints = {name: typing.get_type_hints(made[name], include_extras=True) for name in ["XA", "XB"]}
    assert hints["XA"] == {"kind": typing.Literal["a"], "n": int}
    assert hints["XB"] == {"kind": typing.Literal["b"], "n": int, "class": typing.NotRequired[str]}
    problem: typing.Any = made["Problem"]
    assert str(typing.get_type_hints(problem)["xs"]) == f"list[{problem.__module__}.Problem]"
    assert "def get_x(self, id: str, *, from_: str | None = None) -> models.X:" in written["operations.py"]
    assert '"from": from_' in written["operations.py"]


@pytest.fixture(scope="session")
def mypy(tmp_path_factory: pytest.TempPathFactory) -> typing.Callable[..., subprocess.CompletedProcess[str]]:
    cache = ["--cache-dir", str(tmp_path_factory.mktemp("mypy"))]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mypy", *cache, *arguments]
        return subprocess.run(command, cwd=HERE, capture_output=True, text=True)

    return run


def test_types_are_strict(mypy: typing.Callable[..., subprocess.CompletedProcess[str]]) -> None:
    ran = mypy()
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        'job["nothing"]',
        'cupola.submit({"target": "a"})["status"] == "done"',
        "cupola.api.get_job(7)",
        'cupola.predict("m", {"a": 1}).columns',
    ],
)
def test_what_is_wrong_is_told_before_it_runs(
    wrong: str, tmp_path: Path, mypy: typing.Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    program = tmp_path / "program.py"
    head = "from cupola import Cupola, models\ndef f(cupola: Cupola, job: models.JobView) -> object:\n    return "
    program.write_text(head + wrong + "\n")
    ran = mypy("--strict", "--config-file", str(HERE / "pyproject.toml"), str(program))
    assert ran.returncode == 1 and "program.py:3" in ran.stdout, ran.stdout + ran.stderr
