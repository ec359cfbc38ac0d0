"""A file of 40 MiB into a new model of OWNER's, and back."""

import os
import random
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_download

api = HfApi(token=os.environ["OWNER"])
content = random.Random(7).randbytes(40 << 20)
api.create_repo("acme/large")
api.upload_file(path_or_fileobj=content, path_in_repo="weights.bin", repo_id="acme/large")
assert Path(hf_hub_download("acme/large", "weights.bin", token=os.environ["OWNER"])).read_bytes() == content
# the same content again is not sent again
api.upload_file(path_or_fileobj=content, path_in_repo="again.bin", repo_id="acme/large")
assert api.list_repo_files("acme/large") == ["again.bin", "weights.bin"]
print("ok")
