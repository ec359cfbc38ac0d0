"""PyTorch with a network of the same shape: how long its answers take."""

import json
import sys

import numpy as np
import torch

from latency import measure
from torch_models import MODELS, prepare


def main():
    asked = json.loads(sys.argv[1])
    prepare(asked["settings"])
    build, _, data = MODELS[asked["model"]]
    inputs, _ = data(np.random.default_rng(42), max(asked["batch"], 256))
    model = build().eval()
    with torch.inference_mode():
        measure(lambda x: torch.sigmoid(model(x)).numpy(), inputs.split(asked["batch"]), asked["seconds"])


main()
