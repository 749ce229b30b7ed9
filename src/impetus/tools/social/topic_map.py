"""Where topics stand on a map of meaning: two directions in which our own example sentences differ most.

The directions are fixed by the examples (principal components, Pearson 1901), not by the posts of the hour: a topic
that stays what it is stays where it is, and the map says nothing about posts beyond the mean of their event.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TopicMap:
    """A plane in the space of sentence embeddings."""

    middle: Floats
    axes: Floats
    """[2, width], scaled so that the examples have deviation 1 along each."""

    @classmethod
    def of(cls, vectors: Floats) -> TopicMap:
        """From embeddings [sentences, width]; each axis points to where the first sentence lies."""
        middle = vectors.mean(axis=0)
        centred = vectors - middle
        _, lengths, axes = np.linalg.svd(centred, full_matrices=False)
        signs = np.where(centred[0] @ axes[:2].T < 0, -1.0, 1.0)
        scale = np.maximum(lengths[:2] / np.sqrt(len(vectors)), 1e-6)
        return cls(middle, (axes[:2] * (signs / scale)[:, None]).astype(np.float32))

    def place(self, centre: Floats) -> tuple[float, float]:
        """Where a sum of embeddings lies: right and up."""
        mean = centre / max(1e-6, float(np.linalg.norm(centre)))
        right, up = self.axes @ (mean - self.middle)
        return round(float(right), 3), round(float(up), 3)
