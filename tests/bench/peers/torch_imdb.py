"""From the file of reviews to a network, validated after each epoch; says what each epoch reached."""

import json
import sys

import torch

import reviews
from torch_models import BiLstm, adam, binary, parameters, prepare


def main():
    asked = json.loads(sys.argv[1])
    prepare(asked["settings"])
    parts = reviews.read(asked["data"], 20000, 256, 0.2)
    (inputs, truth), held_back = [tuple(map(torch.from_numpy, part)) for part in parts]
    model = BiLstm(20000, 128, dropout=0.4)
    print(json.dumps({"parameters": parameters(model)}), flush=True)
    optimizer = adam(model, asked["settings"])
    steps = asked["epochs"] * -(-len(inputs) // asked["batch"])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    run = torch.compile(model) if asked["settings"].get("compile") else model
    for _ in range(asked["epochs"]):
        model.train()
        for rows in torch.randperm(len(inputs)).split(asked["batch"]):
            optimizer.zero_grad()
            binary(run(inputs[rows]), truth[rows]).backward()
            optimizer.step()
            schedule.step()
        print(json.dumps({"accuracy": accuracy(model, *held_back)}), flush=True)


@torch.inference_mode()
def accuracy(model, inputs, truth):
    model.eval()
    logits = torch.cat([model(rows)[:, 0] for rows in inputs.split(256)])
    return ((logits > 0) == (truth > 0)).float().mean().item()


main()
