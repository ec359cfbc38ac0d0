"""A published model in onnxruntime, as a service around it would use it: raw rows in, answers out."""

import json
import os
from pathlib import Path

import numpy
import onnxruntime
import tokenizers

TYPES = {"double": numpy.float64, "int64": numpy.int64}


class Published:
    def __init__(self, folder):
        folder = Path(folder)
        told = json.loads((folder / "preprocessing.json").read_text())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("THREADS", "1"))
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(folder / told["model"]), options)
        self.inputs = told["inputs"]
        self.outputs = [output["name"] for output in told["outputs"]]
        self.classes = json.loads((folder / "config.json").read_text())["classes"]
        tokenizer = folder / "tokenizer.json"
        self.tokenizer = tokenizers.Tokenizer.from_file(str(tokenizer)) if tokenizer.exists() else None

    def answers(self, rows):
        feeds = self.tokens(rows) if self.tokenizer else self.numbers(rows)
        made = dict(zip(self.outputs, self.session.run(self.outputs, feeds)))
        probabilities = made["probabilities"].tolist()
        best = made["probabilities"].argmax(axis=1).tolist()
        return [
            {"class": self.classes[i], "probabilities": dict(zip(self.classes, values))}
            for i, values in zip(best, probabilities)
        ]

    def numbers(self, rows):
        return {
            given["name"]: numpy.array([[row[given["column"]]] for row in rows], TYPES[given["type"]])
            for given in self.inputs
        }

    def tokens(self, rows):
        texts = [encoded.ids for encoded in self.tokenizer.encode_batch([row["text"] for row in rows])]
        length = max(map(len, texts))
        ids = numpy.array([ids + [0] * (length - len(ids)) for ids in texts], numpy.int64)
        mask = numpy.array([[1] * len(ids) + [0] * (length - len(ids)) for ids in texts], numpy.int64)
        made = {"input_ids": ids, "attention_mask": mask}
        return {given["name"]: made[given["name"]] for given in self.inputs}
