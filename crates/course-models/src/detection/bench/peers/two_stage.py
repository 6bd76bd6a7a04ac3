"""The two-stage detector, put together from torchvision's own parts on the backbone that both detectors share."""
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
from torchvision.ops import roi_align
from torchvision.ops.poolers import LevelMapper

SIDE = config["region_side"]
CANDIDATES, SMALLEST = 500, 1.0  # so many anchors of a level are looked at; a region has sides of so many pixels
ALL = 10**6  # more boxes than there are


class Anchors(AnchorGenerator):
    """Anchors around the centres of cells, where torchvision has them around corners; all pictures are of one size, so that they are made once."""

    def __init__(self):
        sizes = tuple(tuple(size * stride for size in config["anchor_sizes"]) for stride in strides)
        super().__init__(sizes, (tuple(config["aspect_ratios"]),) * LEVELS)
        self.set_cell_anchors(torch.float32, torch.device("cpu"))
        shapes = [[height // stride, width // stride] for stride in strides]
        grids = self.grid_anchors(shapes, [[torch.tensor(stride)] * 2 for stride in strides])
        self.anchors = torch.cat([boxes + stride / 2 for boxes, stride in zip(grids, strides)])

    def forward(self, images, features):
        return [self.anchors] * len(images.image_sizes)


class Pool(nn.Module):
    """MultiScaleRoIAlign with `aligned`, which torchvision's has not."""

    def __init__(self):
        super().__init__()
        lowest, highest = (stride.bit_length() - 1 for stride in (strides[0], strides[-1]))
        self.level_of = LevelMapper(lowest, highest, canonical_scale=SIDE * 16)

    def forward(self, features, regions, _):
        images = torch.cat([torch.full((len(boxes), 1), float(image)) for image, boxes in enumerate(regions)])
        boxes = torch.cat([images, torch.cat(regions)], 1)
        levels = self.level_of(regions)
        cut = torch.zeros(len(boxes), channels, SIDE, SIDE)
        for level, (stride, x) in enumerate(zip(strides, features.values())):
            (here,) = torch.where(levels == level)
            cut = cut.index_put((here,), roi_align(x, boxes[here], (SIDE, SIDE), 1 / stride, 2, True))
        return cut


class Output(nn.Module):
    """What a region shows, and its deltas for each class; the background, torchvision's class 0, has none."""

    def __init__(self):
        super().__init__()
        self.classes = nn.Linear(config["hidden_size"], classes + 1)
        self.deltas = nn.Linear(config["hidden_size"], 4 * classes)

    def forward(self, x):
        return self.classes(x), F.pad(self.deltas(x), (4, 0))


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.pyramid = FeaturePyramid()
        self.per_cell = len(config["anchor_sizes"]) * len(config["aspect_ratios"])
        keep = {"training": CANDIDATES, "testing": CANDIDATES}, dict.fromkeys(("training", "testing"), config["proposals"])
        self.rpn = RegionProposalNetwork(Anchors(), RPNHead(channels, self.per_cell), 0.7, 0.3, 256, 0.5, *keep, 0.7)
        self.rpn.min_size = SMALLEST
        hidden = TwoMLPHead(channels * SIDE * SIDE, config["hidden_size"])
        weights = [10.0, 10.0, 5.0, 5.0]
        self.heads = RoIHeads(Pool(), hidden, Output(), 0.5, 0.5, 64, 0.25, weights, work["lowest_score"], work["overlap"], 100)

    def load(self, ours):
        """Ours has features last, objectness and deltas of a cell in one layer, and the background as its last class."""
        self.pyramid.load(ours)
        load_convolution(self.rpn.head.conv[0][0], ours, "rpn.hidden")
        weight, bias = ours["rpn.output.weight"].permute(3, 2, 0, 1), ours["rpn.output.bias"]
        load_layer(self.rpn.head.cls_logits, weight[: self.per_cell], bias[: self.per_cell])
        load_layer(self.rpn.head.bbox_pred, weight[self.per_cell :], bias[self.per_cell :])
        weight = ours["head.hidden1.weight"].view(-1, SIDE, SIDE, channels).permute(0, 3, 1, 2).flatten(1)
        load_layer(self.heads.box_head.fc6, weight, ours["head.hidden1.bias"])
        load_layer(self.heads.box_head.fc7, ours["head.hidden2.weight"], ours["head.hidden2.bias"])
        order = [classes, *range(classes)]
        load_layer(self.heads.box_predictor.classes, ours["head.classes.weight"][order], ours["head.classes.bias"][order])
        load_layer(self.heads.box_predictor.deltas, ours["head.deltas.weight"], ours["head.deltas.bias"])

    def forward(self, images, goals=None):
        """What is found, or while training the parts of the loss."""
        features = dict(enumerate(self.pyramid(images)))
        images = ImageList(images, [(height, width)] * len(images))
        regions, first = self.rpn(images, features, goals)
        found, second = self.heads(features, regions, images.image_sizes, goals)
        return found, [*first.values(), *second.values()]

    def loss(self, images, targets):
        counted = [objects[(objects[:, 4] >= 0) & (objects[:, 5] == 0)] for objects in targets]
        goals = [{"boxes": objects[:, :4], "labels": objects[:, 4].long() + 1} for objects in counted]
        return sum(self(images, goals)[1])

    def loss_without_chance(self, images, targets):
        """What the sides are compared by before any training: all boxes count, not only a sample of them."""
        self.train().pyramid.eval()
        samplers = self.rpn.fg_bg_sampler, self.heads.fg_bg_sampler
        self.rpn.fg_bg_sampler = self.heads.fg_bg_sampler = BalancedPositiveNegativeSampler(ALL, 1.0)
        loss = self.loss(images, targets)
        self.rpn.fg_bg_sampler, self.heads.fg_bg_sampler = samplers
        return loss

    def detect(self, image, threshold):
        """The boxes of one picture (1, 3, height, width), surest first."""
        self.heads.score_thresh = threshold
        (found,), _ = self(image)
        return found["boxes"], found["labels"] - 1, found["scores"]
