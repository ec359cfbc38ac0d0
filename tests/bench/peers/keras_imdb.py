"""From the file of reviews to a network, validated after each epoch; says what each epoch reached."""

import json
import sys

import reviews
from keras_models import BINARY, bilstm, compile, keras, prepare


class Said(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        print(json.dumps({"accuracy": logs["val_accuracy"]}), flush=True)


def main():
    asked = json.loads(sys.argv[1])
    prepare(asked["settings"])
    (inputs, truth), (held_back, answers) = reviews.read(asked["data"], 20000, 256, 0.2)
    model = bilstm(20000, 128, dropout=0.4, length=256)
    print(json.dumps({"parameters": model.count_params()}), flush=True)
    steps = asked["epochs"] * -(-len(inputs) // asked["batch"])
    rate = keras.optimizers.schedules.CosineDecay(0.001, steps)
    accuracy = keras.metrics.BinaryAccuracy("accuracy", threshold=0)
    compile(model, BINARY, asked["settings"], rate, metrics=[accuracy])
    model.fit(
        inputs, truth[:, None],
        batch_size=asked["batch"], epochs=asked["epochs"], verbose=0,
        validation_data=(held_back, answers[:, None]), validation_batch_size=256, callbacks=[Said()],
    )  # fmt: skip


main()
