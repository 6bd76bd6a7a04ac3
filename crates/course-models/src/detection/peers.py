"""One side of `cargo course bench detect`: the same detector, weights, batches and steps in PyTorch.

Usage: python - pytorch|pytorch_best FOLDER. Prints one JSON object. `pytorch` is the network as it comes with AdamW; `pytorch_best` has
channels last and the fused AdamW. Install it into a virtual environment with `pip install torch torchvision`, and pass its
interpreter as --python.
"""
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import batched_nms, clip_boxes_to_image, generalized_box_iou_loss, sigmoid_focal_loss

torch.set_num_threads(threads)
folder, best = sys.argv[2], side == "pytorch_best"
with open(os.path.join(folder, "work.json"), encoding="utf-8") as file:
    work = json.load(file)
(height, width), classes, stages, channels = work["image"], work["classes"], work["stages"], work["channels"]
DTYPES = {"F32": torch.float32}
NEAR, REACH = 1.5, 8  # cells so near to an object's centre answer for it, on the level whose reach it fits, in strides
LARGEST = 5  # the largest logarithm of a distance


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


def load_convolution(convolution, ours, name):
    convolution.weight.data = ours[f"{name}.weight"].permute(3, 2, 0, 1).contiguous()
    if convolution.bias is not None:
        convolution.bias.data = ours[f"{name}.bias"]


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        inputs = [3, *stages[:-1]]
        self.widen = nn.ModuleList([Normal(a, b, pool=True) for a, b in zip(inputs, stages)])
        last = stages[-3:]
        self.first = nn.ModuleList([Normal(size, size) for size in last])
        self.second = nn.ModuleList([Normal(size, size, relu=False) for size in last])
        self.lateral = nn.ModuleList([nn.Conv2d(size, channels, 1) for size in last])
        self.smooth = nn.ModuleList([nn.Conv2d(channels, channels, 3, padding=1) for _ in last])
        self.head = nn.ModuleList([nn.Conv2d(channels, channels, 3, padding=1) for _ in range(work["head"])])
        self.output = nn.Conv2d(channels, classes + 5, 3, padding=1)
        self.scales = nn.Parameter(torch.ones(3))

    def load(self, ours):
        for number, widen in enumerate(self.widen, 1):
            widen.load(ours, f"stage{number}.widen")
        for place, number in enumerate(range(len(stages) - 2, len(stages) + 1)):
            self.first[place].load(ours, f"stage{number}.residual.first")
            self.second[place].load(ours, f"stage{number}.residual.second")
        for name in ("lateral", "smooth", "head"):
            for number, convolution in enumerate(getattr(self, name), 1):
                load_convolution(convolution, ours, f"{name}{number}")
        load_convolution(self.output, ours, "output")
        self.scales.data = torch.cat([ours[f"scale{number}"] for number in (1, 2, 3)])

    def forward(self, x):
        features = []
        for number, widen in enumerate(self.widen):
            x = widen(x)
            place = number - len(stages) + 3
            if place >= 0:
                x = F.relu(x + self.second[place](self.first[place](x)))
                features.append(x)
        coarser, outputs = None, []
        for place in (2, 1, 0):
            x = self.lateral[place](features[place])
            if coarser is not None:
                x = x + F.interpolate(coarser, scale_factor=2)
            coarser = x
            x = self.smooth[place](x)
            for convolution in self.head:
                x = F.relu(convolution(x))
            said = self.output(x).flatten(2).transpose(1, 2)
            scaled = said[..., classes : classes + 4] * self.scales[place]
            outputs.append(torch.cat([said[..., :classes], scaled, said[..., classes + 4 :]], 2))
        return torch.cat(outputs[::-1], 1)  # (batch, cells, classes + 5)


def all_cells():
    """Centre, stride, and the range of distances of each cell."""
    parts = []
    for place in range(3):
        stride = 2 ** (len(stages) - 2 + place)
        rows, columns = height // stride, width // stride
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        centres = (torch.stack([x, y], 2).reshape(-1, 2) + 0.5) * stride
        low = 0 if place == 0 else REACH * stride / 2
        high = float("inf") if place == 2 else REACH * stride
        rest = torch.tensor([stride, low, high]).expand(len(centres), 3)
        parts.append(torch.cat([centres, rest], 1))
    return torch.cat(parts)


cells = all_cells()
centres, strides, low, high = cells[:, :2], cells[:, 2:3], cells[:, 3:4], cells[:, 4:5]


def boxes_of(distances, centres, strides):
    distances = distances.clamp(max=LARGEST).exp() * strides
    return torch.cat([centres - distances[:, :2], centres + distances[:, 2:]], 1)


def loss_of(outputs, targets):
    """Of all objects around a cell the smallest is meant; targets are (batch, objects, 6)."""
    wanted, boxes = torch.zeros(len(outputs), len(cells), classes), torch.zeros(len(outputs), len(cells), 4)
    found, weights = torch.zeros(len(outputs), len(cells), dtype=torch.bool), torch.ones(len(outputs), len(cells))
    for picture, objects in enumerate(targets):
        objects = objects[objects[:, 4] >= 0]
        if len(objects) == 0:
            continue
        corners = objects[:, :4]
        distances = torch.cat([centres[:, None] - corners[None, :, :2], corners[None, :, 2:] - centres[:, None]], 2)
        nearest, farthest = distances.min(2).values, distances.max(2).values
        middle = (corners[:, :2] + corners[:, 2:]) / 2
        near = ((centres[:, None] - middle).abs() < NEAR * strides[:, None]).all(2)
        fits = (nearest > 0) & near & (farthest > low) & (farthest <= high)
        counted = objects[:, 5] == 0
        areas = (corners[:, 2:] - corners[:, :2]).prod(1)
        area, chosen = areas.expand_as(fits).masked_fill(~(fits & counted), float("inf")).min(1)
        found[picture] = area.isfinite()
        wanted[picture] = F.one_hot(objects[chosen, 4].long(), classes) * found[picture][:, None]
        boxes[picture] = corners[chosen]
        anything = ((nearest > 0) & ~counted).any(1) & ~found[picture]
        weights[picture][anything] = 0
    count = max(int(found.sum()), 1)
    losses = sigmoid_focal_loss(outputs[..., :classes], wanted, 0.25, 2.0)
    total = (losses * weights[..., None]).sum() / count
    chosen, boxes = outputs[found], boxes[found]
    place = found.nonzero()[:, 1]
    predicted = boxes_of(chosen[:, classes : classes + 4], centres[place], strides[place])
    sides = torch.cat([centres[place] - boxes[:, :2], boxes[:, 2:] - centres[place]], 1)
    ratio = lambda one, other: torch.minimum(one, other) / torch.maximum(one, other)
    central = (ratio(sides[:, 0], sides[:, 2]) * ratio(sides[:, 1], sides[:, 3])).clamp(min=0).sqrt()
    total = total + (generalized_box_iou_loss(predicted, boxes) * central).sum() / central.sum().clamp(min=1e-6)
    return total + F.binary_cross_entropy_with_logits(chosen[:, classes + 4], central, reduction="sum") / count


def detect(network, image):
    """The boxes of one picture, surest first."""
    outputs = network(image)[0]
    scores = (outputs[:, :classes].sigmoid() * outputs[:, classes + 4 :].sigmoid()).sqrt()
    rows, kinds = (scores > work["threshold"]).nonzero(as_tuple=True)
    scores, order = scores[rows, kinds].sort(descending=True)
    rows, kinds = rows[order][:1000], kinds[order][:1000]
    boxes = boxes_of(outputs[rows, classes : classes + 4], centres[rows], strides[rows])
    boxes = clip_boxes_to_image(boxes, (height, width))
    kept = batched_nms(boxes, scores[:1000], kinds, work["overlap"])[:100]
    return boxes[kept], kinds[kept], scores[kept]


weights, data = read("weights.safetensors"), read("batches.safetensors")
network = Detector()
network.load(weights)
layout = torch.channels_last if best else torch.contiguous_format
network = network.to(memory_format=layout)
batches = []
for number in range(len(data) // 2):
    images = data[f"images{number}"].permute(0, 3, 1, 2).contiguous(memory_format=layout)
    batches.append((images, data[f"targets{number}"]))

network.eval()
with torch.no_grad():
    loss = loss_of(network(batches[0][0]), batches[0][1]).item()
optimizer = torch.optim.AdamW(network.parameters(), work["learning_rate"], weight_decay=work["weight_decay"], fused=best)
network.train()
first_step, begin, seen = None, time.perf_counter(), 0
for step in range(work["warm_ups"] + work["steps"]):
    if step == work["warm_ups"]:
        begin, seen = time.perf_counter(), 0
    images, targets = batches[step % len(batches)]
    optimizer.zero_grad()
    loss_of(network(images), targets).backward()
    nn.utils.clip_grad_norm_(network.parameters(), work["clip_norm"])
    optimizer.step()
    seen += len(images)
    first_step = first_step or since_start()
training = seen / (time.perf_counter() - begin)

network = Detector()
network.load(weights)
network = network.to(memory_format=layout).eval()
with torch.no_grad():
    pictures = [image[None] for image in batches[0][0]]
    for step in range(work["warm_ups"] + work["looks"]):
        if step == work["warm_ups"]:
            begin = time.perf_counter()
        detect(network, pictures[step % len(pictures)])
finish({
    "training_pictures_per_s": training,
    "detection_pictures_per_s": work["looks"] / (time.perf_counter() - begin),
    "loss": loss,
    "first_step_s": first_step,
})
