"""`fit` on arrays in memory: prints the number of parameters, then the seconds of each epoch."""

import json
import sys
import time

from keras_models import MODELS, compile, keras, np, prepare


class Clock(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        print(json.dumps({"seconds": time.perf_counter() - self.start}), flush=True)


def main():
    asked = json.loads(sys.argv[1])
    prepare(asked["settings"])
    build, loss, data = MODELS[asked["model"]]
    inputs, truth = data(np.random.default_rng(42), asked["rows"])
    model = build()
    print(json.dumps({"parameters": model.count_params()}), flush=True)
    compile(model, loss, asked["settings"])
    model.fit(
        inputs, truth,
        batch_size=asked["batch"], epochs=asked["epochs"], verbose=0, callbacks=[Clock()],
    )  # fmt: skip


main()
