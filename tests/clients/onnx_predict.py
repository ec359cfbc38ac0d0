"""Answers of an exported model by onnxruntime. From stdin it reads batches of rows, to stdout it
writes the outputs of each. What the graph leaves to its caller is done as preprocessing.json tells it.

    onnx_predict.py FOLDER < {"batches": [[{"age": 39, "job": null}, ...], ...]}
"""

import datetime
import json
import pathlib
import sys

import numpy
import onnxruntime


def murmur3(data):
    """MurmurHash3_x86_32 with seed 0, signed."""

    def mixed(k):
        k = k * 0xCC9E2D51 & 0xFFFFFFFF
        k = (k << 15 | k >> 17) & 0xFFFFFFFF
        return k * 0x1B873593 & 0xFFFFFFFF

    h, whole = 0, len(data) // 4 * 4
    for i in range(0, whole, 4):
        h ^= mixed(int.from_bytes(data[i : i + 4], "little"))
        h = (h << 13 | h >> 19) & 0xFFFFFFFF
        h = (h * 5 + 0xE6546B64) & 0xFFFFFFFF
    if whole < len(data):
        h ^= mixed(int.from_bytes(data[whole:], "little"))
    h ^= len(data)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        h = (h ^ h >> shift) * factor & 0xFFFFFFFF
    return h - (1 << 32) if h >> 31 else h


def seconds(text):
    if text is None:
        return float("nan")
    if len(text) == 7:
        text += "-01"
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    return moment.timestamp()


def word(value):
    """As a file has it: nothing where it is missing, no blanks around it."""
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else json.dumps(value)


def canonical(text):
    if text[:1] in "0123456789+-." and set(text) & set(".eE"):
        try:
            number = float(text) + 0.0
            return str(int(number)) if number.is_integer() else repr(number)
        except ValueError:
            return text
    return text.lower() if text.lower() in ("true", "false") else text


def hashed(value, steps):
    text = word(value)
    if text in steps["fill"]["instead_of"]:
        text = steps["fill"]["value"]
    if text is None:
        return 0
    number = murmur3(canonical(text).encode())
    return (-1 if number < 0 else 1) * (abs(number) % steps["hash"]["buckets"] + 1)


def reader(given):
    """What makes a value of this input, of the value in a row."""
    steps = {step["step"]: step for step in given["steps"]}
    if "hash" in steps:
        return lambda value: hashed(value, steps)
    if "seconds_since_1970" in steps:
        return seconds
    if given["type"] == "string":
        return word
    if given["type"] == "double":
        return lambda value: float("nan") if value is None else value
    return lambda value: value


TYPES = {"double": numpy.float64, "int64": numpy.int64, "string": object, "uint8": numpy.uint8}


def fed(given, rows):
    """The tensor of an input for rows."""
    kind = TYPES[given["type"]]
    if given["name"] in ("input_ids", "attention_mask"):
        texts = [row["input_ids"] for row in rows]
        side = given["shape"][1]
        length = side if isinstance(side, int) else max(map(len, texts))
        own = [t if given["name"] == "input_ids" else [1] * len(t) for t in texts]
        return numpy.array([t + [0] * (length - len(t)) for t in own], dtype=kind)
    read = reader(given)
    values = [row[given["column"]] for row in rows]
    if given["type"] == "uint8":
        return numpy.array(values, dtype=kind)
    lists = [[read(v) for v in (value if isinstance(value, list) else [value])] for value in values]
    return numpy.array(lists, dtype=kind).reshape(len(rows), -1)


def main(folder):
    told = json.loads((folder / "preprocessing.json").read_text())
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.strict_shape_type_inference", "1")
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / told["model"]), options)
    assert [i.name for i in session.get_inputs()] == [i["name"] for i in told["inputs"]]
    names = [output["name"] for output in told["outputs"]]
    assert [o.name for o in session.get_outputs()] == names
    assert session.get_modelmeta().custom_metadata_map["task"] == told["task"]
    answers = []
    for rows in json.load(sys.stdin)["batches"]:
        feeds = {given["name"]: fed(given, rows) for given in told["inputs"]}
        outputs = session.run(names, feeds)
        answers.append({name: made.tolist() for name, made in zip(names, outputs)})
    json.dump(answers, sys.stdout)


main(pathlib.Path(sys.argv[1]))
