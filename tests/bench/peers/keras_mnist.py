"""From MNIST's files to a network that knows 0.99 of the test images; looks after each epoch."""

import json
import sys

import digits
from keras_models import CLASSES, cnn, compile, keras, prepare


class Until(keras.callbacks.Callback):
    def __init__(self, reach):
        super().__init__()
        self.reach = reach

    def on_epoch_end(self, epoch, logs=None):
        print(json.dumps({"accuracy": logs["val_accuracy"]}), flush=True)
        self.model.stop_training = logs["val_accuracy"] >= self.reach


def main():
    asked = json.loads(sys.argv[1])
    prepare(asked["settings"])
    (inputs, truth), test = digits.read(asked["data"], "train"), digits.read(asked["data"], "t10k")
    model = cnn()
    print(json.dumps({"parameters": model.count_params()}), flush=True)
    steps = asked["epochs"] * -(-len(inputs) // asked["batch"])
    rate = keras.optimizers.schedules.CosineDecay(asked["learning_rate"], steps)
    compile(model, CLASSES, asked["settings"], rate, metrics=["accuracy"])
    model.fit(
        inputs[..., None], truth,
        batch_size=asked["batch"], epochs=asked["epochs"], verbose=0,
        validation_data=(test[0][..., None], test[1]), validation_batch_size=1000,
        callbacks=[Until(asked["reach"])],
    )  # fmt: skip


main()
