"""What Triton's client does with the model acme/garden, which is OWNER's tenant's and not OTHER's."""

import os

import ml_dtypes
import numpy
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

SERVER, OWNER, OTHER = os.environ["SERVER"], os.environ["OWNER"], os.environ["OTHER"]
MODEL = "acme/garden"
client = triton.InferenceServerClient(SERVER)


def of(credential):
    # made anew for each call: the client writes its own headers into what it is given
    return {"Authorization": f"Bearer {credential}"}


def raises(words, call):
    try:
        call()
    except InferenceServerException as raised:
        assert words in raised.message(), raised
        return
    raise AssertionError(f"nothing was raised that says {words}")


def inputs(binary, colours=("red", "blue", None)):
    many = len(colours)
    values_of = {
        "length": numpy.array([[5], [1], [1]][:many], dtype=numpy.int64),
        "width": numpy.array([0.5, 0.5, numpy.nan][:many], dtype=numpy.float32),
        "colour": numpy.array([colour or "" for colour in colours], dtype=numpy.object_),
    }
    kinds = {"length": "INT64", "width": "FP32", "colour": "BYTES"}
    made = []
    for name, values in values_of.items():
        tensor = triton.InferInput(name, list(values.shape), kinds[name])
        # NaN is nothing that JSON has
        tensor.set_data_from_numpy(values if binary else numpy.nan_to_num(values) if name == "width" else values, binary_data=binary)
        made.append(tensor)
    return made


assert client.is_server_live() and client.is_server_ready()
assert client.get_server_metadata(headers=of(OWNER))["name"] == "cupola"
assert "binary_tensor_data" in client.get_server_metadata(headers=of(OWNER))["extensions"]
assert client.is_model_ready(MODEL, headers=of(OWNER))
assert client.is_model_ready(MODEL, "1", headers=of(OWNER))
assert not client.is_model_ready(MODEL, "2", headers=of(OWNER))
assert not client.is_model_ready(MODEL, headers=of(OTHER))

described = client.get_model_metadata(MODEL, headers=of(OWNER))
assert described["versions"] == ["1"], described
assert [(it["name"], it["datatype"]) for it in described["inputs"]] == [("length", "FP64"), ("width", "FP64"), ("colour", "BYTES")], described
assert described["outputs"][1]["labels"] == ["iris", "rose"], described
config = client.get_model_config(MODEL, "1", headers=of(OWNER))
assert config["input"][2] == {"name": "colour", "data_type": "TYPE_STRING", "dims": [-1], "optional": False}, config

# tensors as bytes both ways, which is what the client does by itself
answer = client.infer(MODEL, inputs(True), request_id="seven", headers=of(OWNER))
assert answer.get_response()["id"] == "seven"
assert answer.get_output("label")["parameters"]["binary_data_size"] > 0
assert list(answer.as_numpy("label"))[:2] == [b"rose", b"iris"], answer.as_numpy("label")
probabilities = answer.as_numpy("probabilities")
assert probabilities.shape == (3, 2) and numpy.allclose(probabilities.sum(axis=1), 1), probabilities

# numbers of two bytes
for kind, kept in [("FP16", numpy.float16), ("BF16", ml_dtypes.bfloat16)]:
    halves = inputs(True)
    halves[1] = triton.InferInput("width", [3], kind)
    halves[1].set_data_from_numpy(numpy.array([0.5, 0.5, numpy.nan], dtype=kept))
    again = client.infer(MODEL, halves, headers=of(OWNER))
    assert numpy.array_equal(again.as_numpy("probabilities"), probabilities), kind

# as JSON both ways, at a version
wanted = [triton.InferRequestedOutput("probabilities", binary_data=False)]
plain = client.infer(MODEL, inputs(False, ("red", "blue")), model_version="1", outputs=wanted, headers=of(OWNER))
assert "data" in plain.get_output("probabilities"), plain.get_response()
assert plain.as_numpy("label") is None
assert numpy.allclose(plain.as_numpy("probabilities"), probabilities[:2], atol=1e-6)

# a mixture, and only the most probable class of each
both = [triton.InferRequestedOutput("label", binary_data=False), triton.InferRequestedOutput("probabilities", class_count=1)]
mixed = client.infer(MODEL, inputs(True), outputs=both, headers=of(OWNER))
assert list(mixed.as_numpy("label"))[:2] == ["rose", "iris"], mixed.as_numpy("label")
best = mixed.as_numpy("probabilities")
assert best.shape == (3, 1) and best[0][0].decode().endswith(":1:rose"), best

counted = client.get_inference_statistics(MODEL, "1", headers=of(OWNER))["model_stats"][0]
assert (counted["name"], counted["version"], counted["inference_count"]) == (MODEL, "1", 14), counted
assert counted["inference_stats"]["success"]["count"] == counted["execution_count"] == 5, counted
assert [batch["batch_size"] for batch in counted["batch_stats"]] == [2, 3], counted

# several at once
many = [client.async_infer(MODEL, inputs(True), headers=of(OWNER)) for _ in range(20)]
for one in many:
    assert numpy.allclose(one.get_result().as_numpy("probabilities"), probabilities, atol=1e-6)

raises("there is no model `acme/nothing`", lambda: client.infer("acme/nothing", inputs(True), headers=of(OWNER)))
raises("there is no model `acme/garden`", lambda: client.infer(MODEL, inputs(True), headers=of(OTHER)))
raises("Authorization", lambda: client.infer(MODEL, inputs(True)))
raises("input `width` is missing", lambda: client.infer(MODEL, inputs(True)[:1], headers=of(OWNER)))
raises("without Content-Encoding", lambda: client.infer(MODEL, inputs(True), headers=of(OWNER), request_compression_algorithm="gzip"))
wrong = inputs(True)
wrong[0] = triton.InferInput("length", [3], "BYTES")
wrong[0].set_data_from_numpy(numpy.array(["5", "long", "1"], dtype=numpy.object_))
raises("rows[1].length", lambda: client.infer(MODEL, wrong, headers=of(OWNER)))
