"""How good the detector is: mean average precision on all pictures of the folder, by pycocotools."""
import contextlib
import io

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

CROWD = 2


class WithIgnored(COCOeval):
    """COCOeval overwrites `ignore` by `iscrowd`; an object to be ignored that is no crowd needs it back."""

    def _prepare(self):
        super()._prepare()
        for objects in self._gts.values():
            for thing in objects:
                thing["ignore"] = int(thing["role"] > 0)


def coco_box(corners):
    left, top, right, bottom = corners
    return [left, top, right - left, bottom - top]


network = trained(Detector).eval()
images, objects, found = [], [], []
for batch, targets in read_batches():
    for image, rows in zip(batch, targets):
        picture = len(images)
        images.append({"id": picture})
        for *corners, kind, role in rows[rows[:, 4] >= 0].tolist():
            box = coco_box(corners)
            objects.append({
                "id": len(objects) + 1, "image_id": picture, "category_id": int(kind), "bbox": box, "area": box[2] * box[3],
                "iscrowd": int(role == CROWD), "role": int(role),
            })
        with torch.no_grad():
            boxes, kinds, scores = (part.tolist() for part in network.detect(image[None], work["lowest_score"]))
        for corners, kind, score in zip(boxes, kinds, scores):
            found.append({"image_id": picture, "category_id": kind, "bbox": coco_box(corners), "score": score})
with contextlib.redirect_stdout(io.StringIO()):
    truth = COCO()
    truth.dataset = {"images": images, "annotations": objects, "categories": [{"id": kind} for kind in range(classes)]}
    truth.createIndex()
    score = WithIgnored(truth, truth.loadRes(found), "bbox")
    score.evaluate()
    score.accumulate()
    score.summarize()
finish({"map": score.stats[0], "map_50": score.stats[1]})
