"""The outline's CIFAR-10 network in Keras, on the very pictures that `cargo course train cifar-cnn` learns from.

Usage: python tests/peers/keras_cifar10.py PICTURES [SEEDS] [EPOCHS], with keras and tensorflow-cpu installed. PICTURES is the
file `decoded.safetensors` that the course's loader leaves in its cache (`cargo course data path cifar10-jpeg` names the folder).
"""
import json
import os
import struct
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy

pictures, seeds, epochs = sys.argv[1], int((sys.argv[2:] or [3])[0]), int((sys.argv[3:] or [10])[0])
with open(pictures, "rb") as file:
    size = struct.unpack("<Q", file.read(8))[0]
    header = json.loads(file.read(size))
    content = file.read()


def tensor(name):
    entry = header[name]
    start, end = entry["data_offsets"]
    kind = {"U8": "uint8", "U32": "uint32"}[entry["dtype"]]
    return numpy.frombuffer(content[start:end], kind).reshape(entry["shape"])


images, labels = tensor("train.pixels").astype("float32") / 255, tensor("train.labels").astype("int32")
test_images, test_labels = tensor("test.pixels").astype("float32") / 255, tensor("test.labels").astype("int32")
count = len(images) - round(len(images) / 12)
layers = keras.layers
scores = []
for seed in range(seeds):
    keras.utils.set_random_seed(seed)
    network = [keras.Input((32, 32, 3))]
    for channels in (32, 64, 128):
        network += [layers.Conv2D(channels, 3, activation="relu"), layers.MaxPooling2D()]
    network += [layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dense(10)]
    model = keras.Sequential(network)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    begin = time.time()
    model.fit(images[:count], labels[:count], batch_size=64, epochs=epochs, verbose=0)
    seconds = time.time() - begin
    scores.append(100 * model.evaluate(test_images, test_labels, batch_size=1000, verbose=0)[1])
    print(f"seed {seed}: test accuracy {scores[-1]:.2f} %, {seconds:.1f} s of training", flush=True)
print(f"mean {sum(scores) / len(scores):.2f} %")
