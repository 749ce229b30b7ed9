"""Training: resumable, seeded, with progress; needs PyTorch, which nothing else here does."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from impetus.model import InvalidInput
from impetus.tools.firearm.learning import loss
from impetus.tools.firearm.network import Exported, Network, Tensor, cells
from impetus.tools.firearm.pytorch import torch
from impetus.tools.firearm.samples import Pool, Sample, annotated_samples, read_annotations, rendered_samples

SAVE_S = 60.0
AVERAGED = 0.9985
"""Weight of the past in the averaged weights, which are what is exported."""
RENDERED_SIDE = 416
POOL, USES = 2_000, 14.0
SIDES = (192, 192, 320)
"""Cuts of a batch, in turn: small ones for guns, large ones so that near persons are seen whole."""
CENTRED_SAMPLES = 24_000
"""So many samples are learnt with cells about the boxes' centres before the network chooses cells."""


@dataclass(frozen=True)
class Plan:
    """What is trained on what, for how long."""

    samples: int
    seed: int = 1
    batch: int = 12
    """Cuts of the smallest side a batch; of larger ones as many fewer as they are larger."""
    width: int = 32
    rate: float = 2e-3
    decay_share: float = 0.25
    """The learning rate stays, and falls to nothing over the last share of the samples."""
    data: str | None = None
    """A folder of annotated pictures; None: rendered scenes."""
    rendered_share: float = 0.0
    """With `data`: so much of each batch is rendered all the same."""


@dataclass(frozen=True)
class Progress:
    """Where a training stands."""

    samples: int
    of: int
    loss_classes: float
    loss_boxes: float
    samples_a_s: float


def _batch(samples: list[Sample]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    most = max(1, *(len(sample.boxes) for sample in samples))
    wanted = np.zeros((len(samples), most, 4), np.float32)
    kinds = np.zeros((len(samples), most), np.int64)
    real = np.zeros((len(samples), most), np.bool_)
    for row, sample in enumerate(samples):
        count = len(sample.boxes)
        wanted[row, :count], kinds[row, :count], real[row, :count] = sample.boxes, sample.kinds, True
    pictures = np.stack([sample.picture for sample in samples]).transpose(0, 3, 1, 2)
    # Padding boxes get a size, so that no overlap divides by nothing.
    wanted[~real] = (0, 0, 1, 1)
    tensor = torch.from_numpy(np.ascontiguousarray(pictures)).float()
    return tensor, torch.from_numpy(wanted), torch.from_numpy(kinds), torch.from_numpy(real)


def _takers(plan: Plan, start: int) -> Callable[[int], Sample]:
    seed = plan.seed * 1_000_003 + start
    rendered = Pool(rendered_samples(seed, RENDERED_SIDE), size=POOL, uses=USES, seed=seed + 1)
    if plan.data is None:
        return rendered.take
    pictures = read_annotations(Path(plan.data), "training")
    real = Pool(annotated_samples(pictures, seed + 2), size=POOL, uses=1.5, seed=seed + 3)
    chance = np.random.default_rng(seed + 4)
    return lambda side: (rendered if chance.random() < plan.rendered_share else real).take(side)


def train(plan: Plan, folder: Path, *, begin: Path | None = None, device: str = "cpu") -> Iterator[Progress]:
    """Train as planned; what is in `folder` is gone on with. Yields the progress about every ten seconds.

    `begin`: a checkpoint whose weights are begun with. Raises `InvalidInput` if the folder holds another plan.
    """
    torch.manual_seed(plan.seed)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")) if device == "cpu" else 1)
    cv2.setNumThreads(1)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "checkpoint.pt"
    network = Network(plan.width).to(device)
    if begin is not None and not file.exists():
        network.load_state_dict(_read(begin)["averaged"])
    averaged = copy.deepcopy(network).eval()
    decayed = [each for each in network.parameters() if each.ndim > 1]
    others = [each for each in network.parameters() if each.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.02}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=plan.rate, betas=(0.9, 0.99))
    seen = 0
    if file.exists():
        state = _read(file)
        if {**state["plan"], "samples": 0} != {**asdict(plan), "samples": 0}:
            raise InvalidInput(f"{folder} holds a training with another plan", hint="give another folder")
        network.load_state_dict(state["network"])
        averaged.load_state_dict(state["averaged"])
        optimiser.load_state_dict(state["optimiser"])
        seen = state["seen"]
    take = _takers(plan, seen)
    grids = {side: cells(side, side, torch.device(device)) for side in SIDES}
    saved = told = time.monotonic()
    told_seen, sums = seen, np.zeros(2)
    steps = steps_done = 0
    while seen < plan.samples:
        side = SIDES[steps_done % len(SIDES)]
        count = max(2, round(plan.batch * (min(SIDES) / side) ** 2))
        left = (plan.samples - seen) / (plan.samples * plan.decay_share)
        rate = plan.rate * min(1.0, (seen + plan.batch) / (plan.batch * 100), max(left, 0.01))
        for group in optimiser.param_groups:
            group["lr"] = rate
        pictures, wanted, kinds, real = (each.to(device) for each in _batch([take(side) for _ in range(count)]))
        network.train()
        of_classes, of_boxes = loss(
            network(pictures.contiguous(memory_format=torch.channels_last)),
            *(wanted, kinds, real, *grids[side]),
            begun=begin is not None or seen >= min(CENTRED_SAMPLES, plan.samples / 3),
        )
        optimiser.zero_grad(set_to_none=True)
        (of_classes + of_boxes).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        seen += count
        steps, steps_done = steps + 1, steps_done + 1
        _average(averaged, network, min(AVERAGED, (1 + seen / plan.batch) / (10 + seen / plan.batch)))
        sums += (of_classes.item(), of_boxes.item())
        now = time.monotonic()
        if now - told >= 10 or seen >= plan.samples:
            means = sums / max(steps, 1)
            speed = (seen - told_seen) / max(now - told, 1e-9)
            yield Progress(seen, plan.samples, float(means[0]), float(means[1]), speed)
            told, told_seen, sums, steps = now, seen, np.zeros(2), 0
        if now - saved >= SAVE_S or seen >= plan.samples:
            _save(file, plan, network, averaged, optimiser, seen)
            saved = now


def _average(averaged: Network, network: Network, past: float) -> None:
    with torch.no_grad():
        for mean, value in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
            if mean.dtype.is_floating_point:
                mean.mul_(past).add_(value, alpha=1 - past)
            else:
                mean.copy_(value)


def _save(file: Path, plan: Plan, network: Network, averaged: Network, optimiser: Any, seen: int) -> None:
    state = {
        "plan": asdict(plan),
        "network": network.state_dict(),
        "averaged": averaged.state_dict(),
        "optimiser": optimiser.state_dict(),
        "seen": seen,
    }
    partial = file.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(file)


def _read(file: Path) -> dict[str, Any]:
    try:
        # weights_only: a checkpoint from elsewhere runs no code.
        state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InvalidInput(f"{file} is no checkpoint of this training: {error}"[:300], hint="remove it") from error
    return state


def export(checkpoint: Path, file: Path) -> dict[str, object]:
    """Write the averaged weights as ONNX (any height and width that are multiples of 32); returns the plan."""
    state = _read(checkpoint)
    plan = dict(state["plan"])
    network = Network(plan["width"])
    network.load_state_dict(state["averaged"])
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        Exported(network.eval()).eval(),
        (torch.zeros(1, 3, 416, 416),),
        str(file),
        input_names=["pictures"],
        output_names=["found"],
        dynamic_axes={"pictures": {0: "batch", 2: "height", 3: "width"}, "found": {0: "batch", 1: "cells"}},
        opset_version=17,
        dynamo=False,
    )
    return {**plan, "seen": state["seen"]}
