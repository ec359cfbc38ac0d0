"""MNIST's files as arrays."""

import gzip
from pathlib import Path

import numpy as np


def read(folder, part):
    def numbers(name, offset):
        with gzip.open(Path(folder) / f"{part}-{name}-ubyte.gz") as file:
            return np.frombuffer(file.read(), np.uint8, offset=offset)

    images = numbers("images-idx3", 16).reshape(-1, 28, 28).astype(np.float32) / 255
    return images, numbers("labels-idx1", 8).astype(np.int64)
