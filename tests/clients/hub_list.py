"""What the Hub's client finds: acme has public models and a private one, and shares one with zeta."""

import os

from huggingface_hub import HfApi

acme, zeta = (HfApi(token=os.environ[name]) for name in ["ACME", "ZETA"])


def ids(found):
    return [model.id.removeprefix("acme/") for model in found]


assert set(ids(zeta.list_models())) == {"tumors", "prices", "shared"}
assert set(ids(acme.list_models())) == {"tumors", "prices", "shared", "garden"}
assert ids(zeta.list_models(search="tumor")) == ["tumors"]
assert ids(zeta.list_models(author="zeta")) == []
assert set(ids(zeta.list_models(author="acme"))) == {"tumors", "prices", "shared"}
assert ids(zeta.list_models(filter="tabular-regression")) == ["prices"]
assert ids(zeta.list_models(filter=["license:mit", "health"])) == ["tumors"]
assert ids(zeta.list_models(filter=["license:mit", "houses"])) == []
assert set(ids(zeta.list_models(pipeline_tag="tabular-classification"))) == {"tumors", "shared"}
assert list(zeta.list_models(gated=True)) == []

newest = ids(zeta.list_models(sort="created_at"))
assert newest == ["shared", "prices", "tumors"], newest
for size in [1, 2, 3]:
    assert ids(zeta.list_models(sort="created_at", limit=size)) == newest[:size]
assert len(ids(zeta.list_models(sort="last_modified"))) == 3

liked = zeta.model_info("acme/prices")
assert (liked.likes, liked.downloads) == (1, 0), liked
assert next(iter(zeta.list_models(sort="likes"))).id == "acme/prices"
assert next(iter(zeta.list_models(sort="trending_score"))).id == "acme/prices"
info = next(iter(zeta.list_models(search="prices", full=True, cardData=True, fetch_config=True)))
assert info.author == "acme" and not info.private and info.likes == 1
assert info.pipeline_tag == "tabular-regression" and "license:apache-2.0" in info.tags
zeta.unlike("acme/prices")
assert zeta.model_info("acme/prices").likes == 0
