"""The one-stage detector, in plain PyTorch and torchvision's losses and suppression."""
from torchvision.ops import batched_nms, clip_boxes_to_image, generalized_box_iou_loss, sigmoid_focal_loss

NEAR, REACH = 1.5, 8  # cells so near to an object's centre answer for it, on the level whose reach it fits, in strides
LARGEST = 5  # the largest logarithm of a distance


def all_cells():
    """Centre, stride, and the range of distances of each cell."""
    parts = []
    for level, stride in enumerate(strides):
        rows, columns = height // stride, width // stride
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        centres = (torch.stack([x, y], 2).reshape(-1, 2) + 0.5) * stride
        low = 0 if level == 0 else REACH * stride / 2
        high = float("inf") if level == LEVELS - 1 else REACH * stride
        rest = torch.tensor([stride, low, high]).expand(len(centres), 3)
        parts.append(torch.cat([centres, rest], 1))
    return torch.cat(parts)


cells = all_cells()
centres, sizes, low, high = cells[:, :2], cells[:, 2:3], cells[:, 3:4], cells[:, 4:5]


def boxes_of(distances, centres, sizes):
    distances = distances.clamp(max=LARGEST).exp() * sizes
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
        near = ((centres[:, None] - middle).abs() < NEAR * sizes[:, None]).all(2)
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
    predicted = boxes_of(chosen[:, classes : classes + 4], centres[place], sizes[place])
    sides = torch.cat([centres[place] - boxes[:, :2], boxes[:, 2:] - centres[place]], 1)
    ratio = lambda one, other: torch.minimum(one, other) / torch.maximum(one, other)
    central = (ratio(sides[:, 0], sides[:, 2]) * ratio(sides[:, 1], sides[:, 3])).clamp(min=0).sqrt()
    total = total + (generalized_box_iou_loss(predicted, boxes) * central).sum() / central.sum().clamp(min=1e-6)
    return total + F.binary_cross_entropy_with_logits(chosen[:, classes + 4], central, reduction="sum") / count


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.pyramid = FeaturePyramid()
        self.head = nn.ModuleList([nn.Conv2d(channels, channels, 3, padding=1) for _ in range(config["head"])])
        self.output = nn.Conv2d(channels, classes + 5, 3, padding=1)
        self.scales = nn.Parameter(torch.ones(LEVELS))

    def load(self, ours):
        self.pyramid.load(ours)
        for number, convolution in enumerate(self.head, 1):
            load_convolution(convolution, ours, f"head{number}")
        load_convolution(self.output, ours, "output")
        self.scales.data = torch.cat([ours[f"scale{number}"] for number in range(1, LEVELS + 1)])

    def forward(self, images):
        outputs = []
        for x, scale in zip(self.pyramid(images), self.scales):
            for convolution in self.head:
                x = F.relu(convolution(x))
            said = self.output(x).flatten(2).transpose(1, 2)
            scaled = said[..., classes : classes + 4] * scale
            outputs.append(torch.cat([said[..., :classes], scaled, said[..., classes + 4 :]], 2))
        return torch.cat(outputs, 1)  # (batch, cells, classes + 5)

    def loss(self, images, targets):
        return loss_of(self(images), targets)

    def loss_without_chance(self, images, targets):
        """What the sides are compared by before any training."""
        return self.eval().loss(images, targets)

    def detect(self, image, threshold):
        """The boxes of one picture (1, 3, height, width), surest first."""
        outputs = self(image)[0]
        scores = (outputs[:, :classes].sigmoid() * outputs[:, classes + 4 :].sigmoid()).sqrt()
        rows, kinds = (scores > threshold).nonzero(as_tuple=True)
        scores, order = scores[rows, kinds].sort(descending=True)
        rows, kinds = rows[order][:1000], kinds[order][:1000]
        boxes = boxes_of(outputs[rows, classes : classes + 4], centres[rows], sizes[rows])
        boxes = clip_boxes_to_image(boxes, (height, width))
        kept = batched_nms(boxes, scores[:1000], kinds, work["overlap"])[:100]
        return boxes[kept], kinds[kept], scores[kept]
