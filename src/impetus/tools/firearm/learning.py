"""What the network is taught: which cells stand for which box, and the loss; for training only.

Cells are assigned in two ways, one after the other, as in YOLOv6 (Li et al. 2022, arXiv:2209.02976): at first those
about a box's centre on the scale that suits its size (FCOS, Tian et al. 2019, arXiv:1904.01355), which needs nothing
learnt yet and so gets a fresh network going; later by task alignment (Feng et al. 2021, arXiv:2108.07755): of the
cells whose middle lies in a box, those that already score and fit it best, with how well the box fits (quality) as the
class's target, so that a score says both.
"""

from __future__ import annotations

from impetus.tools.firearm.network import Tensor, decode
from impetus.tools.firearm.pytorch import functional, torch

BEST_CELLS = 9
"""A box is learnt by so many cells at most."""
WEIGHT_BOX = 2.0
CENTRE_STRIDES = 1.5
"""So many strides from a box's centre, at most, lie the cells that stand for it at first."""
SIZE_STRIDES = 5.0
"""A box belongs, at first, to the finest scale on which it is no longer than so many strides."""


def overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Intersection over union, and the generalised one (Rezatofighi et al. 2019), of boxes along the last axis."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    union = (a[..., 2:] - a[..., :2]).clamp(min=0).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - shared
    iou = shared / union.clamp(min=1e-6)
    around = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).prod(-1)
    return iou, iou - (around - union) / around.clamp(min=1e-6)


def assign_centres(wanted: Tensor, real: Tensor, corners: Tensor, strides: Tensor) -> tuple[Tensor, Tensor]:
    """For each cell the wanted box that it stands for at first (B x N; -1 for none), and 1 or 0 (B x N).

    Where two boxes want a cell, the smaller has it. Shapes as in `assign`.
    """
    middle = corners + strides[:, None] / 2
    size = (wanted[..., 2:] - wanted[..., :2]).clamp(min=1e-6)
    longest = size.amax(-1, keepdim=True)
    scales = strides.unique()
    fits = (longest <= scales * SIZE_STRIDES).to(scales.dtype)
    fits[..., -1] = 1
    mine = scales[fits.argmax(-1)]
    away = (middle[None, None] - (wanted[..., :2] + wanted[..., 2:])[:, :, None] / 2).abs()
    near = (away < CENTRE_STRIDES * strides[None, None, :, None]).all(-1)
    # Inside the box, but for a thin one's nearest cells.
    inside = (away <= torch.maximum(size[:, :, None] / 2, strides[None, None, :, None] / 2)).all(-1)
    taken = near & inside & (strides[None, None] == mine[..., None]) & real[..., None]
    area = torch.where(taken, size.prod(-1)[..., None], torch.full_like(away[..., 0], torch.inf))
    least, owner = area.min(1)
    some = least < torch.inf
    return torch.where(some, owner, torch.full_like(owner, -1)), some.to(wanted.dtype)


def assign(
    boxes: Tensor, scores: Tensor, wanted: Tensor, kinds: Tensor, real: Tensor, corners: Tensor, strides: Tensor
) -> tuple[Tensor, Tensor]:
    """For each cell the wanted box (B x N; -1 for none) and the quality that its class should show (B x N).

    `boxes` B x N x 4, `scores` B x N x classes, `wanted` B x M x 4, `kinds` B x M, `real` B x M (False: padding).
    """
    middle = corners + strides[:, None] / 2
    left = middle[None, None] - wanted[:, :, None, :2]
    right = wanted[:, :, None, 2:] - middle[None, None]
    inside = torch.minimum(left, right).amin(-1) > 0
    centre = (wanted[..., :2] + wanted[..., 2:]) / 2
    # A thing smaller than a cell may hold no middle: the finest cell that holds its centre stands for it.
    near = ((middle[None, None] - centre[:, :, None]).abs().amax(-1) < strides * 0.75) & (strides == strides.min())
    allowed = (inside | near) & real[:, :, None]
    iou, _ = overlap(boxes[:, None], wanted[:, :, None])
    iou = iou * allowed
    chosen = scores.gather(2, kinds[:, None, :].expand(-1, scores.shape[1], -1)).transpose(1, 2)
    metric = (chosen.sqrt() * (iou + 1e-3).pow(4)) * allowed
    best, _ = metric.topk(BEST_CELLS, 2)
    taken = (metric >= best[..., -1:].clamp(min=1e-12)) & allowed
    rival = torch.where(taken, iou + 1e-6, torch.zeros_like(iou))
    most, owner = rival.max(1)
    owner = torch.where(most > 0, owner, torch.full_like(owner, -1))
    mine = taken & (owner[:, None] == torch.arange(wanted.shape[1], device=owner.device)[None, :, None])
    top_metric = (metric * mine).amax(2, keepdim=True).clamp(min=1e-12)
    top_iou = (iou * mine).amax(2, keepdim=True)
    quality = ((metric / top_metric) * top_iou * mine).amax(1)
    return owner, quality


def loss(
    raw: Tensor, wanted: Tensor, kinds: Tensor, real: Tensor, corners: Tensor, strides: Tensor, *, begun: bool = True
) -> tuple[Tensor, Tensor]:
    """Mean loss of classes and of boxes of a batch; `begun`: cells are assigned by what is learnt already."""
    logits = raw[..., 4:]
    boxes = decode(raw, corners, strides)
    with torch.no_grad():
        if begun:
            owner, quality = assign(boxes, logits.sigmoid(), wanted, kinds, real, corners, strides)
        else:
            owner, quality = assign_centres(wanted, real, corners, strides)
        taken = owner >= 0
        index = owner.clamp(min=0)
        kind = kinds.gather(1, index)
        target = functional.one_hot(kind, logits.shape[-1]) * (quality * taken)[..., None]
    # Quality focal loss (Li et al. 2020, arXiv:2006.04388).
    weight = (logits.sigmoid() - target).abs().pow(2)
    plain = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    total = quality.sum().clamp(min=1.0)
    of_classes = (weight * plain).sum() / total * 4.0
    _, generalised = overlap(boxes, wanted.gather(1, index[..., None].expand(-1, -1, 4)))
    of_boxes = ((1 - generalised) * quality * taken).sum() / total
    return of_classes, of_boxes * WEIGHT_BOX
