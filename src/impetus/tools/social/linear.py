"""Linear models over hashed features: logistic regression whose features are scaled by how they divide the classes.

Each feature counts by its log ratio of frequencies in and outside a class (Wang & Manning 2012, "Baselines and
bigrams"), and the penalised likelihood is brought to its maximum by L-BFGS. Classes are balanced: each weighs as much
as the others, so that 0.5 means "as likely as not if both were equally frequent".
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from impetus.tools.social.compiled import compiled
from impetus.tools.social.features import BUCKETS, Array, Features

Floats = NDArray[np.float32]

STRENGTH = 1.0
"""Of the likelihood against the L2 penalty, summed over examples (the usual C)."""
SEEN_IN = 2
"""A feature of fewer posts says nothing of others."""
STEPS = 60
"""Most iterations of L-BFGS."""


def class_weights(labels: NDArray[np.int64], classes: int) -> Floats:
    """One weight an example: all classes weigh the same together, the mean is 1.

    >>> class_weights(np.array([0, 0, 0, 1]), 2).tolist()
    [0.6666666865348816, 0.6666666865348816, 0.6666666865348816, 2.0]
    """
    counts = np.bincount(labels, minlength=classes).astype(np.float64)
    weights = len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1.0))
    return weights[labels].astype(np.float32)


def fit(features: Features, labels: NDArray[np.int64], classes: int, weights: Floats) -> Floats:
    """Weights [BUCKETS, classes] and, in a last row, the intercepts."""
    from scipy.optimize import minimize
    from scipy.sparse import csr_matrix

    rows = len(labels)
    everything = csr_matrix((features.values, features.buckets, features.starts), shape=(rows, BUCKETS))
    seen = np.flatnonzero(np.bincount(features.buckets, minlength=BUCKETS) >= SEEN_IN)
    posts = everything[:, seen]
    across = posts.T.tocsr()
    targets = np.zeros((rows, classes), dtype=np.float32)
    targets[np.arange(rows), labels] = 1.0
    ratios = _ratios(across, targets * weights[:, None])

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        matrix = point.reshape(len(seen) + 1, classes).astype(np.float32)
        found = softmax(posts @ (ratios * matrix[:-1]) + matrix[-1])
        right = np.maximum(found[np.arange(rows), labels], 1e-9)
        value = float(-(weights * np.log(right)).sum()) + 0.5 / STRENGTH * float((matrix[:-1] ** 2).sum())
        slope = (found - targets) * weights[:, None]
        gradient = np.vstack([ratios * (across @ slope) + matrix[:-1] / STRENGTH, slope.sum(axis=0)])
        return value, gradient.astype(np.float64).ravel()

    start = np.zeros((len(seen) + 1) * classes)
    best = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS, "ftol": 1e-5}).x
    matrix = best.reshape(len(seen) + 1, classes).astype(np.float32)
    weighted = np.zeros((BUCKETS + 1, classes), dtype=np.float32)
    weighted[seen] = ratios * matrix[:-1]
    weighted[BUCKETS] = matrix[-1]
    return weighted


def _ratios(across: Any, weighted: Floats) -> Floats:
    """Log ratios [features, classes] of a feature's share in a class to that in all others; once a post."""
    present = across.copy()
    present.data = np.ones_like(present.data)
    inside = np.asarray(present @ weighted) + 1.0
    outside = inside.sum(axis=1, keepdims=True) - inside
    found: Floats = np.log((inside / inside.sum(axis=0)) / (outside / outside.sum(axis=0))).astype(np.float32)
    return found


def decisions(features: Features, weights: Floats) -> Floats:
    """Logits [posts, classes]."""
    found = np.empty((len(features.starts) - 1, weights.shape[1]), dtype=np.float32)
    _decide(features.starts, features.buckets, features.values, weights, found)
    return found


def softmax(logits: Floats) -> Floats:
    """Probabilities of each row.

    >>> softmax(np.zeros((1, 2), dtype=np.float32)).tolist()
    [[0.5, 0.5]]
    """
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: Floats = powers / powers.sum(axis=1, keepdims=True)
    return found


@compiled
def _decide(starts: Array, buckets: Array, values: Array, weights: Array, found: Array) -> None:
    classes = weights.shape[1]
    for post in range(len(starts) - 1):
        for one in range(classes):
            total = weights[BUCKETS, one]
            for place in range(starts[post], starts[post + 1]):
                total += values[place] * weights[buckets[place], one]
            found[post, one] = total
