"""What the Hub's client writes: OWNER and DEVELOPER are of acme, which has the model garden; OTHER is not."""

import os
from pathlib import Path

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    hf_hub_download,
    snapshot_download,
)
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError

OWNER, DEVELOPER, OTHER = (os.environ[name] for name in ["OWNER", "DEVELOPER", "OTHER"])
owner, developer, other = HfApi(token=OWNER), HfApi(token=DEVELOPER), HfApi(token=OTHER)
REPO = "acme/notes"


def raises(error, call):
    try:
        call()
    except error as raised:
        return raised
    raise AssertionError(f"{error.__name__} was not raised")


assert developer.create_repo(REPO).repo_id == REPO
assert raises(HfHubHTTPError, lambda: developer.create_repo(REPO)).response.status_code == 409
assert developer.create_repo(REPO, exist_ok=True).repo_id == REPO
assert raises(HfHubHTTPError, lambda: developer.create_repo("zeta/notes")).response.status_code == 403
assert raises(HfHubHTTPError, lambda: developer.create_repo("acme/n0tes")).response.status_code == 400

first = developer.upload_file(path_or_fileobj=b"hello", path_in_repo="a/hello.txt", repo_id=REPO)
assert len(first.oid) == 40
assert Path(hf_hub_download(REPO, "a/hello.txt", token=DEVELOPER)).read_text() == "hello"
second = developer.create_commit(
    REPO,
    operations=[
        CommitOperationAdd("b.bin", bytes(range(256)) * 1000),
        CommitOperationAdd("a/again.txt", b"again"),
        CommitOperationDelete("a/hello.txt"),
    ],
    commit_message="more",
    parent_commit=first.oid,
)
assert developer.list_repo_files(REPO) == ["a/again.txt", "b.bin"]
assert [entry.path for entry in developer.list_repo_tree(REPO)] == ["a", "b.bin"]
# what a commit has is not changed by the next one
assert developer.list_repo_files(REPO, revision=first.oid) == ["a/hello.txt"]
assert Path(hf_hub_download(REPO, "a/hello.txt", revision=first.oid, token=DEVELOPER)).read_text() == "hello"
raises(EntryNotFoundError, lambda: hf_hub_download(REPO, "a/hello.txt", token=DEVELOPER))

add = lambda name: [CommitOperationAdd(name, b"x")]
stale = raises(HfHubHTTPError, lambda: developer.create_commit(REPO, add("c"), commit_message="c", parent_commit=first.oid))
assert stale.response.status_code == 412, stale
raises(EntryNotFoundError, lambda: developer.delete_file("nothing", REPO))
for path in ["../up", "a\\b"]:
    raises((HfHubHTTPError, ValueError), lambda: developer.upload_file(path_or_fileobj=b"x", path_in_repo=path, repo_id=REPO))
raises(RepositoryNotFoundError, lambda: other.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=REPO))
developer.delete_folder("a", REPO)
assert developer.list_repo_files(REPO) == ["b.bin"]

developer.create_tag(REPO, tag="v1", revision=second.oid)
assert developer.list_repo_files(REPO, revision="v1") == ["a/again.txt", "b.bin"]
assert [tag.name for tag in developer.list_repo_refs(REPO).tags] == ["v1"]
developer.create_tag(REPO, tag="v1", exist_ok=True)
developer.delete_tag(REPO, tag="v1")

# a card says licence and tags; without a licence nothing becomes public
assert raises(HfHubHTTPError, lambda: owner.update_repo_settings(REPO, private=False)).response.status_code == 400
card = b"---\nlicense: mit\ntags: [notes]\n---\n# Notes\n"
raises(HfHubHTTPError, lambda: developer.upload_file(path_or_fileobj=card, path_in_repo="README.md", repo_id=REPO))
owner.upload_file(path_or_fileobj=card, path_in_repo="README.md", repo_id=REPO)
raises(ValueError, lambda: owner.upload_file(path_or_fileobj=b"---\nlicense: beerware\n---\n", path_in_repo="README.md", repo_id=REPO))
info = owner.model_info(REPO)
assert {"notes", "license:mit"} <= set(info.tags), info.tags
raises(RepositoryNotFoundError, lambda: other.model_info(REPO))
owner.update_repo_settings(REPO, private=False)
assert other.list_repo_files(REPO) == ["README.md", "b.bin"]

# a model of ours that was downloaded is a model of ours when it comes back
garden = snapshot_download("acme/garden", token=OWNER)
owner.create_repo("acme/copy")
owner.upload_folder(repo_id="acme/copy", folder_path=garden)
assert owner.model_info("acme/copy").pipeline_tag == "tabular-classification"
weights = bytearray((Path(garden) / "model.safetensors").read_bytes())
weights[-1] ^= 1
refused = raises(HfHubHTTPError, lambda: owner.upload_file(path_or_fileobj=bytes(weights), path_in_repo="model.safetensors", repo_id="acme/copy"))
assert refused.response.status_code == 400 and "model.safetensors" in str(refused), refused
print("ok")
