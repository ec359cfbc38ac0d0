"""onnxruntime with a published model: the difference of its answers from ours, and how long they take."""

import json
import sys

import numpy as np
import onnxruntime as ort

from latency import measure
from onnx_models import Published, graph


def main():
    asked = json.loads(sys.argv[1])
    model = Published(asked["folder"])
    with open(asked["rows"]) as file:
        told = json.load(file)
    inputs = model.inputs(told["rows"])
    options = ort.SessionOptions()
    options.intra_op_num_threads = asked["settings"]["threads"]
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(graph(model), options, providers=["CPUExecutionProvider"])
    (answers,) = session.run(None, {"inputs": inputs})
    difference = np.abs(answers[:, 0] - np.array(told["answers"])).max()
    print(json.dumps({"difference": float(difference)}), flush=True)
    size = asked["batch"]
    batches = [inputs[i : i + size] for i in range(0, len(inputs), size)]
    measure(lambda x: session.run(None, {"inputs": x}), batches, asked["seconds"])
    batches = [told["rows"][i : i + size] for i in range(0, len(inputs), size)]
    measure(lambda rows: session.run(None, {"inputs": model.inputs(rows)}), batches, asked["seconds"])


main()
