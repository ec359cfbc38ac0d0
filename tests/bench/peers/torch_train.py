"""A bare loop over tensors in memory: prints the number of parameters, then the seconds of each epoch."""

import json
import sys
import time

import numpy as np
import torch

from torch_models import MODELS, adam, parameters, prepare


def main():
    asked = json.loads(sys.argv[1])
    settings = asked["settings"]
    prepare(settings)
    build, loss_of, data = MODELS[asked["model"]]
    inputs, truth = data(np.random.default_rng(42), asked["rows"])
    model = build().train()
    if settings.get("channels_last"):
        model = model.to(memory_format=torch.channels_last)
        # `contiguous` would leave images of one channel as they are, and convolutions with them
        inputs = inputs.to(memory_format=torch.channels_last)
    print(json.dumps({"parameters": parameters(model)}), flush=True)
    optimizer = adam(model, settings)
    run = torch.compile(model) if settings.get("compile") else model
    for _ in range(asked["epochs"]):
        start = time.perf_counter()
        for rows in torch.randperm(len(inputs)).split(asked["batch"]):
            optimizer.zero_grad()
            loss = loss_of(run(inputs[rows]), truth[rows])
            loss.backward()
            optimizer.step()
        loss.item()
        print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)


main()
