"""What the Hub's client reads: OWNER's tenant has the private model acme/garden, OTHER's has not."""

import os
import tempfile
from pathlib import Path

import httpx2
import huggingface_hub
import numpy
import onnxruntime
from huggingface_hub import HfApi, ModelCard, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from safetensors.numpy import load_file

OWNER, OTHER = os.environ["OWNER"], os.environ["OTHER"]
REPO = "acme/garden"
asked = []


def client():
    return httpx2.Client(event_hooks={"request": [lambda request: asked.append((request.method, request.url.path))]})


def raises(error, call):
    try:
        call()
    except error as raised:
        return raised
    raise AssertionError(f"{error.__name__} was not raised")


huggingface_hub.set_client_factory(client)
api = HfApi(token=OWNER)

me = api.whoami()
assert me["name"] == "viewer@acme.example" and me["orgs"][0]["name"] == "acme", me
assert me["auth"]["accessToken"]["role"] == "read", me
raises(HfHubHTTPError, lambda: HfApi(token="cup_nonsense").whoami())

info = api.model_info(REPO)
assert info.id == REPO and info.author == "acme" and info.private, info
assert info.pipeline_tag == "tabular-classification", info
assert len(info.sha) == 40
assert api.model_info(REPO, revision=info.sha).sha == info.sha
files = api.list_repo_files(REPO)
assert {"config.json", "model.safetensors"} <= set(files), files
assert [entry.path for entry in api.list_repo_tree(REPO)] == files
assert {entry.path for entry in api.get_paths_info(REPO, ["config.json", "nothing"])} == {"config.json"}
refs = api.list_repo_refs(REPO)
assert [branch.name for branch in refs.branches] == ["main"] and refs.branches[0].target_commit == info.sha
assert api.list_repo_commits(REPO)[0].commit_id == info.sha
assert api.repo_exists(REPO) and api.file_exists(REPO, "config.json")
assert not api.file_exists(REPO, "nothing") and not api.repo_exists("acme/nothing")
api.auth_check(REPO)

# a second download asks whether there is something newer, and nothing else
path = hf_hub_download(REPO, "config.json", token=OWNER)
assert '"layers"' in Path(path).read_text()
asked.clear()
assert hf_hub_download(REPO, "config.json", token=OWNER) == path
assert [method for method, _ in asked] == ["HEAD"], asked
asked.clear()
assert hf_hub_download(REPO, "config.json", revision=info.sha, token=OWNER) == path
assert not asked, f"a commit never changes: {asked}"

folder = Path(snapshot_download(REPO, token=OWNER))
assert sorted(file.name for file in folder.iterdir()) == sorted(files)
weights = load_file(folder / "model.safetensors")
assert weights and all(tensor.dtype == "float32" for tensor in weights.values())
session = onnxruntime.InferenceSession(folder / "model.onnx")
row = {"length": [[5.0]], "width": [[0.5]], "colour": [["blue"]]}
types = {"length": numpy.float64, "width": numpy.float64, "colour": object}
(label,) = session.run(["label"], {name: numpy.array(value, types[name]) for name, value in row.items()})
assert list(label) == ["rose"], label
card = ModelCard.load(REPO, token=OWNER)
assert card.data.pipeline_tag == "tabular-classification" and card.data.library_name == "cupola", card.data
(accuracy,) = [result for result in card.data.eval_results if result.metric_type == "accuracy"]
assert accuracy.dataset_name == "flowers" and 0.9 < accuracy.metric_value <= 1.0, accuracy
assert "| Layers | Dense, Dense |" in card.text and "# acme/garden" in card.text, card.text
metadata = api.get_safetensors_metadata(REPO)
names = {name for file in metadata.files_metadata.values() for name in file.tensors}
assert names == set(weights), "read by ranges"

# a download that broke off goes on where it was
whole = (folder / "model.safetensors").read_bytes()
part = folder / "part"
part.write_bytes(whole[:100])
with part.open("ab") as file:
    url = huggingface_hub.hf_hub_url(REPO, "model.safetensors")
    headers = {"authorization": f"Bearer {OWNER}"}
    huggingface_hub.file_download.http_get(url, file, resume_size=100, headers=headers)
assert part.read_bytes() == whole

raises(EntryNotFoundError, lambda: hf_hub_download(REPO, "nothing.bin", token=OWNER))
raises(RevisionNotFoundError, lambda: hf_hub_download(REPO, "config.json", revision="nothing", token=OWNER))
raises(RevisionNotFoundError, lambda: api.model_info(REPO, revision="f" * 40))
for token in [OTHER, False]:
    with tempfile.TemporaryDirectory() as empty:
        raises(RepositoryNotFoundError, lambda: hf_hub_download(REPO, "config.json", token=token, cache_dir=empty))
    raises(RepositoryNotFoundError, lambda: HfApi(token=token).model_info(REPO))
raises(RepositoryNotFoundError, lambda: api.model_info("acme/nothing"))
print("ok")
