"""One side of `cargo course bench train`: the outline's two networks in PyTorch or Keras, timed step by step.

Usage: python - pytorch|pytorch_best|keras STEPS. Prints one JSON object. Install the peers into a virtual environment with
`pip install torch keras tensorflow-cpu`, and pass its interpreter as --python.
"""
steps = int(sys.argv[2])
first_step = None


def timed(step):
    global first_step
    step()
    if first_step is None:
        first_step = since_start()
    return median(steps, max(5, steps // 10), step)


if side == "keras":
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import numpy
    import keras
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    layers = keras.layers

    def run(network, shape, batch):
        images = numpy.random.rand(2048, *shape).astype("float32")
        labels = numpy.random.randint(0, 10, 2048)
        model = keras.Sequential([keras.Input(shape), *network, layers.Dense(128, activation="relu"), layers.Dense(10)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss)

        def step():
            chosen = numpy.random.randint(0, 2048, batch)
            model.train_on_batch(images[chosen], labels[chosen])

        return timed(step)

    convolutions = []
    for channels in (32, 64, 128):
        convolutions += [layers.Conv2D(channels, 3, activation="relu"), layers.MaxPooling2D()]
    results = {
        "cifar_cnn": run([*convolutions, layers.Flatten()], (32, 32, 3), 64),
        "mnist_mlp": run([], (784,), 128),
    }
else:
    import torch

    torch.set_num_threads(threads)
    nn, best = torch.nn, side == "pytorch_best"

    def run(network, shape, batch):
        images, labels = torch.rand(2048, *shape), torch.randint(0, 10, (2048,))
        if best and len(shape) == 3:
            network = network.to(memory_format=torch.channels_last)
            images = images.to(memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(network.parameters(), fused=best)

        def step():
            chosen = torch.randint(0, 2048, (batch,))
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images[chosen]), labels[chosen]).backward()
            optimizer.step()

        return timed(step)

    convolutions, inputs = [], 3
    for channels in (32, 64, 128):
        convolutions += [nn.Conv2d(inputs, channels, 3), nn.ReLU(), nn.MaxPool2d(2)]
        inputs = channels
    results = {
        "cifar_cnn": run(
            nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(512, 128), nn.ReLU(), nn.Linear(128, 10)), (3, 32, 32), 64
        ),
        "mnist_mlp": run(nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)), (784,), 128),
    }
results["first_step_s"] = first_step
finish(results)
