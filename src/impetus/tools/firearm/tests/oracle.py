"""A detector that finds what a rendered scene says is there: for tests of what comes after a detector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from impetus.tools.firearm.arrays import Picture
from impetus.tools.firearm.detections import PERSON, WEAPON, Detections, nothing
from impetus.tools.firearm.inference import Window
from impetus.tools.firearm.model import Contract, Decoder
from impetus.tools.firearm.scenes.picture import Rendered


class Oracle:
    """Finds the truth of the scene that it was shown last, weapons with a score."""

    def __init__(self, *, weapon_score: float = 0.8) -> None:
        self.contract = Contract(
            name="oracle",
            version="1",
            file="oracle.onnx",
            sha256="0" * 64,
            not_for="anything but tests",
            decoder=Decoder.YOLOX,
            classes=("person", "weapon"),
            licence="Apache-2.0",
            data="none",
        )
        self.weapon_score = weapon_score
        self.truth: Rendered | None = None
        self.looks = 0

    def look(self, picture: Picture, windows: Sequence[Window] | None = None) -> Detections:
        self.looks += 1
        if self.truth is None or not self.truth.truths:
            return nothing()
        kinds = np.array([PERSON if each.kind == "person" else WEAPON for each in self.truth.truths])
        boxes = np.array([each.box for each in self.truth.truths], np.float32)
        return Detections(boxes, np.where(kinds == PERSON, 0.9, self.weapon_score).astype(np.float32), kinds)
