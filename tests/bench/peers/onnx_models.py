"""A published model as a graph of ONNX, with its own weights, and its prepared inputs."""

import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file


class Published:
    def __init__(self, folder):
        self.config = json.loads((Path(folder) / "config.json").read_text())
        self.weights = load_file(Path(folder) / "model.safetensors")
        self.input = self.config["input"]

    def inputs(self, rows):
        """What `cupola` makes of raw rows, as far as the reference models need it."""
        if self.input["type"] == "table":
            return np.array([[row[c["name"]] for c in self.input["columns"]] for row in rows], np.float32)
        vocabulary = self.input["tokenizer"]["model"]["vocab"]
        texts = [[vocabulary[word] for word in row[self.input["column"]].split()] for row in rows]
        return np.array(texts, np.int64)

    def scaling(self):
        columns = self.input["columns"]
        values = [[c["center"] for c in columns], [c["scale"] for c in columns]]
        return [np.array(value, np.float32) for value in values]


def graph(model):
    """Standardised numbers through dense layers; or tokens through an embedding and both LSTMs."""
    nodes, constants = [], []

    def constant(name, value):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(kind, inputs, *outputs, **attributes):
        nodes.append(helper.make_node(kind, inputs, outputs, **attributes))
        return outputs[-1]

    def weights(name):
        return constant(name, model.weights[name])

    if model.input["type"] == "table":
        kind, shape = TensorProto.FLOAT, [None, len(model.input["columns"])]
        center, scale = model.scaling()
        x = node("Sub", ["inputs", constant("center", center)], "centred")
        x = node("Div", [x, constant("scale", scale)], "scaled")
    else:
        kind, shape = TensorProto.INT64, [None, None]
        x = node("Transpose", ["inputs"], "by_time", perm=[1, 0])
    for i, layer in enumerate(model.config["layers"]):
        name = f"layers.{i}"
        if layer["type"] == "Embedding":
            x = node("Gather", [weights(f"{name}.embeddings"), x], name)
        elif layer["type"] == "Bidirectional":
            x = lstm(model, name, layer["layer"]["units"], x, constant, node)
        else:
            x = node("Gemm", [x, weights(f"{name}.kernel"), weights(f"{name}.bias")], name)
            activation = {"relu": "Relu", "sigmoid": "Sigmoid"}[layer["activation"]]
            x = node(activation, [x], f"{name}.{activation}")
    made = helper.make_graph(
        nodes, "model",
        [helper.make_tensor_value_info("inputs", kind, shape)],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, [None, 1])],
        constants,
    )  # fmt: skip
    made = helper.make_model(made, opset_imports=[helper.make_opsetid("", 21)])
    made.ir_version = 10
    return made.SerializeToString()


def lstm(model, name, units, x, constant, node):
    """ONNX has units x inputs and the gates input, output, forget, cell; here input, forget, cell, output."""

    def both(part):
        def one(way):
            value = model.weights[f"{name}.{way}.{part}"]
            i, f, c, o = np.split(value, 4, axis=-1)
            return np.concatenate([i, o, f, c], axis=-1).T

        return np.stack([one("forward"), one("backward")])

    kernel = constant(f"{name}.kernel", both("kernel"))
    recurrent = constant(f"{name}.recurrent_kernel", both("recurrent_kernel"))
    bias = both("bias")
    bias = constant(f"{name}.bias", np.concatenate([bias, np.zeros_like(bias)], axis=1))
    # of the three outputs the second holds both last states, [2, rows, units]
    both_ways = {"hidden_size": units, "direction": "bidirectional"}
    states = node("LSTM", [x, kernel, recurrent, bias], "", f"{name}.states", **both_ways)
    x = node("Transpose", [states], f"{name}.by_row", perm=[1, 0, 2])
    return node("Reshape", [x, constant(f"{name}.shape", np.array([0, 2 * units]))], name)
