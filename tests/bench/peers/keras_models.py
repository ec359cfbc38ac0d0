"""The reference models in Keras on TensorFlow, as one writes them there."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf
from keras import layers as L

WIDTH, HEADS, LAYERS, INNER, CONTEXT = 128, 4, 4, 512, 128


def mlp():
    return keras.Sequential([
        keras.Input((30,)),
        L.Dense(128, activation="relu"),
        L.Dense(64, activation="relu"),
        L.Dense(1),
    ])  # fmt: skip


def bilstm(vocabulary=20000, width=32, dropout=0.0, mask=False, length=200):
    return keras.Sequential([
        keras.Input((length,), dtype="int32"),
        L.Embedding(vocabulary, width, mask_zero=mask),
        L.Dropout(dropout),
        L.Bidirectional(L.LSTM(32)),
        L.Dense(1),
    ])  # fmt: skip


def transformer(causal):
    tokens = keras.Input((CONTEXT,), dtype="int32")
    place = np.arange(CONTEXT)[:, None] / 10000 ** (np.arange(0, WIDTH, 2) / WIDTH)
    waves = np.stack([np.sin(place), np.cos(place)], 2).reshape(1, CONTEXT, WIDTH)
    x = L.Embedding(8000, WIDTH)(tokens) * WIDTH**0.5 + waves.astype(np.float32)
    for _ in range(LAYERS):
        y = L.LayerNormalization(epsilon=1e-5)(x)
        x = x + L.MultiHeadAttention(HEADS, WIDTH // HEADS)(y, y, use_causal_mask=causal)
        y = L.LayerNormalization(epsilon=1e-5)(x)
        y = L.Dense(INNER, activation=lambda z: keras.activations.gelu(z, approximate=False))(y)
        x = x + L.Dense(WIDTH)(y)
    x = L.LayerNormalization(epsilon=1e-3)(x)
    answer = L.Dense(8000)(x) if causal else L.Dense(1)(L.GlobalAveragePooling1D()(x))
    return keras.Model(tokens, answer)


def cnn():
    return keras.Sequential([
        keras.Input((28, 28, 1)),
        L.Conv2D(32, 3, activation="relu"),
        L.MaxPooling2D(),
        L.Conv2D(64, 3, activation="relu"),
        L.MaxPooling2D(),
        L.Flatten(),
        L.Dense(128, activation="relu"),
        L.Dense(10),
    ])  # fmt: skip


BINARY = keras.losses.BinaryCrossentropy(from_logits=True)
CLASSES = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

# name: the network, its loss, and made-up data of so many rows
MODELS = {
    "mlp": (mlp, BINARY, lambda g, n: (numbers(g, n, 30), answers(g, n))),
    "bilstm": (bilstm, BINARY, lambda g, n: (tokens(g, 20000, n, 200), answers(g, n))),
    "encoder": (
        lambda: transformer(False), BINARY,
        lambda g, n: (tokens(g, 8000, n, CONTEXT), answers(g, n)),
    ),
    "decoder": (
        lambda: transformer(True), CLASSES,
        lambda g, n: (tokens(g, 8000, n, CONTEXT), tokens(g, 8000, n, CONTEXT)),
    ),
    "cnn": (cnn, CLASSES, lambda g, n: (numbers(g, n, 28, 28, 1), g.integers(0, 10, n))),
}  # fmt: skip


def numbers(generator, *shape):
    return generator.random(shape, dtype=np.float32)


def tokens(generator, vocabulary, *shape):
    return generator.integers(2, vocabulary, shape).astype(np.int32)


def answers(generator, rows):
    return generator.integers(0, 2, (rows, 1)).astype(np.float32)


def prepare(settings):
    """What holds for the whole process."""
    tf.config.threading.set_intra_op_parallelism_threads(settings["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(settings["threads"])
    keras.utils.set_random_seed(42)


def compile(model, loss, settings, rate=0.001, **more):
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=loss,
        steps_per_execution=settings["steps_per_execution"],
        jit_compile=settings["jit_compile"],
        **more,
    )
