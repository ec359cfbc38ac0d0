"""From MNIST's files to a network that knows 0.99 of the test images; looks after each epoch."""

import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

import digits
from torch_models import Cnn, adam, parameters, prepare


def main():
    asked = json.loads(sys.argv[1])
    settings = asked["settings"]
    prepare(settings)
    layout = torch.channels_last if settings.get("channels_last") else torch.contiguous_format

    def part(name):
        images, labels = map(torch.from_numpy, digits.read(Path(asked["data"]), name))
        # `contiguous` would leave images of one channel as they are, and convolutions with them
        return images[:, None].to(memory_format=layout), labels

    (inputs, truth), test = part("train"), part("t10k")
    model = Cnn().to(memory_format=layout)
    print(json.dumps({"parameters": parameters(model)}), flush=True)
    optimizer = adam(model, settings, asked["learning_rate"])
    steps = asked["epochs"] * -(-len(inputs) // asked["batch"])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    run = torch.compile(model) if settings.get("compile") else model
    for _ in range(asked["epochs"]):
        model.train()
        for rows in torch.randperm(len(inputs)).split(asked["batch"]):
            optimizer.zero_grad()
            F.cross_entropy(run(inputs[rows]), truth[rows]).backward()
            optimizer.step()
            schedule.step()
        found = accuracy(model, *test)
        print(json.dumps({"accuracy": found}), flush=True)
        if found >= asked["reach"]:
            break


@torch.inference_mode()
def accuracy(model, inputs, truth):
    model.eval()
    found = torch.cat([model(rows).argmax(1) for rows in inputs.split(1000)])
    return (found == truth).double().mean().item()


main()
