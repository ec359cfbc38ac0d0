"""A platform of real processes, which `tests/tests/stories/python.rs` starts: URL is where it answers, KEY a key of a
developer of the tenant acme.
"""

import os
from collections.abc import Iterator

import pandas
import pytest
from relay import Relay, relay

from cupola import Cupola, models

URL, KEY = os.environ["URL"], os.environ["KEY"]
EPOCHS = 20


@pytest.fixture(scope="session")
def cupola() -> Iterator[Cupola]:
    with Cupola(URL, KEY) as made:
        yield made


@pytest.fixture
def network() -> Iterator[Relay]:
    with relay(URL) as made:
        yield made


@pytest.fixture
def far(network: Relay) -> Iterator[Cupola]:
    """The same platform, beyond a network that breaks."""
    with Cupola(network.url, KEY) as made:
        yield made


@pytest.fixture(scope="session")
def clouds() -> pandas.DataFrame:
    """Two classes of points that overlap a little."""
    points = [(n * 0.618034 % 1.0, n * 0.414214 % 1.0, n % 2) for n in range(150)]
    return pandas.DataFrame(
        [(u + 0.7 * odd, v + 0.7 * odd, "far" if odd else "near") for u, v, odd in points],
        columns=["x", "y", "cloud"],
    )


@pytest.fixture(scope="session")
def spec() -> models.TrainingDraft:
    return {
        "dataset": "clouds",
        "target": "cloud",
        "model": {"family": "mlp"},
        "epochs": EPOCHS,
        "batch_size": 8,
        "seed": 11,
        "registered_model_name": "clouds",
    }


@pytest.fixture(scope="session")
def data(cupola: Cupola, clouds: pandas.DataFrame) -> models.DatasetVersionView:
    return cupola.push_dataset("clouds", clouds)


@pytest.fixture(scope="session")
def trained(cupola: Cupola, data: models.DatasetVersionView, spec: models.TrainingDraft) -> models.JobView:
    return cupola.watch(cupola.submit(spec))
