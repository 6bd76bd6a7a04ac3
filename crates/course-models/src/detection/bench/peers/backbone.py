"""One side of `cargo course bench detect`: the same detector, weights and pictures in PyTorch.

Usage: python - pytorch|pytorch_best FOLDER. Prints one JSON object. `pytorch` is the network as it comes with AdamW; `pytorch_best` has
channels last and the fused AdamW. Install it into a virtual environment with `pip install torch torchvision pycocotools`, and pass its
interpreter as --python. This part reads the folder, and has the backbone of all detectors; the detector and what is done with it follow.
"""
import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(threads)
folder, best = sys.argv[2], side == "pytorch_best"
layout = torch.channels_last if best else torch.contiguous_format
with open(os.path.join(folder, "work.json"), encoding="utf-8") as file:
    work = json.load(file)
(config,) = work["architecture"].values()
(height, width), stages, channels = (config["pyramid"][key] for key in ("image", "stages", "channels"))
classes = config["classes"]
LEVELS = 3  # so many of the last stages become a level of the pyramid
strides = [2 ** (len(stages) - LEVELS + 1 + level) for level in range(LEVELS)]
DTYPES = {"F32": torch.float32}


def read(name):
    """The tensors of a safetensors file by name."""
    with open(os.path.join(folder, name), "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        numbers = file.read()
    header.pop("__metadata__", None)
    tensors = {}
    for key, entry in header.items():
        first, last = entry["data_offsets"]
        part = torch.frombuffer(bytearray(numbers[first:last]), dtype=DTYPES[entry["dtype"]])
        tensors[key] = part.reshape(entry["shape"])
    return tensors


def read_batches():
    """Images (batch, 3, height, width) and targets (batch, objects, 6)."""
    data = read("batches.safetensors")
    images = (data[f"images{number}"].permute(0, 3, 1, 2) for number in range(len(data) // 2))
    return [(x.contiguous(memory_format=layout), data[f"targets{number}"]) for number, x in enumerate(images)]


def load_layer(layer, weight, bias):
    layer.weight.data, layer.bias.data = weight.contiguous(), bias.contiguous()


def load_convolution(convolution, ours, name):
    convolution.weight.data = ours[f"{name}.weight"].permute(3, 2, 0, 1).contiguous()
    if convolution.bias is not None:
        convolution.bias.data = ours[f"{name}.bias"]


class Normal(nn.Module):
    """Convolution, pooling where there is any, normalisation, ReLU where there is any."""

    def __init__(self, inputs, outputs, pool=False, relu=True):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.pool, self.relu = pool, relu

    def forward(self, x):
        x = self.convolution(x)
        x = self.norm(F.max_pool2d(x, 2) if self.pool else x)
        return F.relu(x) if self.relu else x

    def load(self, ours, name):
        load_convolution(self.convolution, ours, name)
        self.norm.weight.data, self.norm.bias.data = ours[f"{name}.norm.weight"], ours[f"{name}.norm.bias"]
        self.norm.running_mean, self.norm.running_var = ours[f"{name}.norm.running_mean"], ours[f"{name}.norm.running_variance"]


class FeaturePyramid(nn.Module):
    def __init__(self):
        super().__init__()
        inputs = [3, *stages[:-1]]
        self.widen = nn.ModuleList([Normal(a, b, pool=True) for a, b in zip(inputs, stages)])
        last = stages[-LEVELS:]
        self.first = nn.ModuleList([Normal(size, size) for size in last])
        self.second = nn.ModuleList([Normal(size, size, relu=False) for size in last])
        self.lateral = nn.ModuleList([nn.Conv2d(size, channels, 1) for size in last])
        self.smooth = nn.ModuleList([nn.Conv2d(channels, channels, 3, padding=1) for _ in last])

    def load(self, ours):
        for number, widen in enumerate(self.widen, 1):
            widen.load(ours, f"stage{number}.widen")
        for level, number in enumerate(range(len(stages) - LEVELS + 1, len(stages) + 1)):
            self.first[level].load(ours, f"stage{number}.residual.first")
            self.second[level].load(ours, f"stage{number}.residual.second")
        for name in ("lateral", "smooth"):
            for number, convolution in enumerate(getattr(self, name), 1):
                load_convolution(convolution, ours, f"{name}{number}")

    def forward(self, x):
        """The features of all levels, finest first."""
        features = []
        for number, widen in enumerate(self.widen):
            x = widen(x)
            level = number - len(stages) + LEVELS
            if level >= 0:
                x = F.relu(x + self.second[level](self.first[level](x)))
                features.append(x)
        coarser, levels = None, []
        for level in reversed(range(LEVELS)):
            x = self.lateral[level](features[level])
            if coarser is not None:
                x = x + F.interpolate(coarser, scale_factor=2)
            coarser = x
            levels.append(self.smooth[level](x))
        return levels[::-1]


def trained(Detector):
    """The detector with the weights of the folder."""
    detector = Detector()
    detector.load(read("weights.safetensors"))
    return detector.to(memory_format=layout)
