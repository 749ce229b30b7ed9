"""From a model's raw outputs to boxes: the layouts of YOLOX, of DETR and its kin, and of models that end with boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from impetus.model import InvalidInput
from impetus.tools.firearm.arrays import Floats, Integers
from impetus.tools.firearm.detections import Detections, nothing

MOST_SIZE_LOG = 12.0
"""Larger logarithms of sizes are cut: exp of them would overflow."""


def _wrong(what: str) -> InvalidInput:
    return InvalidInput(f"the model's outputs are not those of its decoder: {what}", hint="name the right decoder")


def decode_yolox(
    outputs: Sequence[Floats], *, height: int, width: int, strides: Sequence[int], decoded: bool, classes: int
) -> Detections:
    """1 x cells x (5 + classes): centre, size, objectness, probabilities (Ge et al. 2021, arXiv:2107.08430).

    `decoded`: centre and size are in pixels already; otherwise in strides from the cell, sizes as logarithms.
    """
    if len(outputs) != 1 or outputs[0].ndim != 3 or outputs[0].shape[2] != 5 + classes:
        raise _wrong(f"yolox gives 1 x cells x {5 + classes}, this one {[each.shape for each in outputs]}")
    found = outputs[0][0].astype(np.float32)
    if not decoded:
        corners, sizes = cells(height, width, tuple(strides))
        if len(corners) != len(found):
            raise _wrong(f"{len(found)} cells in place of {len(corners)}")
        found = found.copy()
        found[:, :2] = (found[:, :2] + corners) * sizes
        found[:, 2:4] = np.exp(np.minimum(found[:, 2:4], MOST_SIZE_LOG)) * sizes
    scores = found[:, 5:] * found[:, 4:5]
    return _kept(_corners(found[:, :4]), scores)


def decode_detr(outputs: Sequence[Floats], *, height: int, width: int, classes: int, softmax: bool) -> Detections:
    """Logits 1 x queries x classes and boxes 1 x queries x 4 (centre and size as shares of the picture).

    `softmax`: the logits end with one for nothing (Carion et al. 2020, arXiv:2005.12872); otherwise each class is its
    own yes or no, as in RT-DETR (Zhao et al. 2024, arXiv:2304.08069) and D-FINE.
    """
    wide = classes + int(softmax)
    boxes = [each for each in outputs if each.ndim == 3 and each.shape[2] == 4]
    logits = [each for each in outputs if each.ndim == 3 and each.shape[2] == wide]
    if wide == 4 and len(boxes) == 2:
        logits, boxes = boxes[:1], boxes[1:]
    if len(boxes) != 1 or len(logits) != 1 or boxes[0].shape[1] != logits[0].shape[1]:
        raise _wrong(f"detr gives logits to {wide} and boxes to 4, this one {[each.shape for each in outputs]}")
    raw = np.clip(logits[0][0].astype(np.float32), -50, 50)
    if softmax:
        shares = np.exp(raw - raw.max(axis=1, keepdims=True))
        scores = (shares / shares.sum(axis=1, keepdims=True))[:, :-1]
    else:
        scores = 1 / (1 + np.exp(-raw))
    return _kept(
        _corners(boxes[0][0].astype(np.float32) * np.array((width, height, width, height), np.float32)), scores
    )


def decode_boxes(outputs: Sequence[Floats], *, classes: int) -> Detections:
    """Boxes that are final: one output N x 6 (corners, score, class), or boxes N x 4, scores N and classes N."""
    flat = [each[0] if each.ndim == 3 and each.shape[0] == 1 else each for each in outputs]
    if len(flat) == 1 and flat[0].ndim == 2 and flat[0].shape[1] == 6:
        table = flat[0].astype(np.float32)
        boxes, scores, kinds = table[:, :4], table[:, 4], table[:, 5]
    else:
        of_boxes = [each for each in flat if each.ndim == 2 and each.shape[1] == 4]
        rows = [each.reshape(-1) for each in outputs if each.ndim <= 2 and each.shape[-1:] != (4,)]
        if len(of_boxes) != 1 or len(rows) != 2 or len({len(of_boxes[0]), *map(len, rows)}) != 1:
            raise _wrong(f"nms_boxes gives N x 6, or N x 4 with scores and classes, not {[e.shape for e in outputs]}")
        whole = [np.issubdtype(row.dtype, np.integer) for row in rows]
        if whole.count(True) != 1:
            raise _wrong("of scores and classes, the classes must be whole numbers")
        boxes, kinds, scores = of_boxes[0].astype(np.float32), rows[whole.index(True)], rows[whole.index(False)]
    good = np.isfinite(boxes).all(axis=1) & np.isfinite(scores) & (kinds >= 0) & (kinds < classes)
    return Detections(boxes[good], scores[good].astype(np.float32), kinds[good].astype(np.int64))


def cells(height: int, width: int, strides: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Column and row of each cell (N x 2) and its stride (N x 1), the finest stride first."""
    corners, sizes = [], []
    for stride in strides:
        rows, columns = np.meshgrid(np.arange(height // stride), np.arange(width // stride), indexing="ij")
        corners.append(np.stack((columns, rows), -1).reshape(-1, 2))
        sizes.append(np.full((rows.size, 1), stride))
    return np.concatenate(corners).astype(np.float32), np.concatenate(sizes).astype(np.float32)


def _corners(boxes: Floats) -> Floats:
    half = boxes[:, 2:] / 2
    return np.concatenate((boxes[:, :2] - half, boxes[:, :2] + half), axis=1)


def _kept(boxes: Floats, scores: Floats, least: float = 0.01) -> Detections:
    """Each box with its best class, where that is anything and all is finite."""
    if not len(boxes):
        return nothing()
    kinds: Integers = scores.argmax(axis=1)
    best = scores[np.arange(len(scores)), kinds]
    good = (best >= least) & np.isfinite(boxes).all(axis=1)
    return Detections(boxes[good], np.minimum(best[good], 1.0), kinds[good])
