"""Linear models over hashed features: trained by stochastic gradient descent, kept in eight bits.

Logistic regression by AdaGrad (Duchi, Hazan & Singer 2011), multinomial, with balanced classes: each class weighs as
much as the others, so that 0.5 means "as likely as not if both were equally frequent".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from impetus.tools.social.compiled import compiled
from impetus.tools.social.features import BUCKETS, Array, Features

Floats = NDArray[np.float32]

EPOCHS = 4
RATE = 0.3
DECAY = 1e-5
"""Strength of the L2 penalty, an example."""


def class_weights(labels: NDArray[np.int64], classes: int) -> Floats:
    """One weight an example: all classes weigh the same together, the mean is 1.

    >>> class_weights(np.array([0, 0, 0, 1]), 2).tolist()
    [0.6666666865348816, 0.6666666865348816, 0.6666666865348816, 2.0]
    """
    counts = np.bincount(labels, minlength=classes).astype(np.float64)
    weights = len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1.0))
    return weights[labels].astype(np.float32)


def fit(features: Features, labels: NDArray[np.int64], classes: int, weights: Floats, *, seed: int = 0) -> Floats:
    """Weights [BUCKETS, classes] and, in a last row, the intercepts; averaged over the last epochs."""
    random = np.random.default_rng(seed)
    order = np.concatenate([random.permutation(len(labels)) for _ in range(EPOCHS)])
    found = np.zeros((BUCKETS + 1, classes), dtype=np.float32)
    _descend(features.starts, features.buckets, features.values, labels, weights, order, found)
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
def _descend(
    starts: Array, buckets: Array, values: Array, labels: Array, weights: Array, order: Array, found: Array
) -> None:
    classes = found.shape[1]
    squares = np.full_like(found, 1e-3)
    logits = np.zeros(classes, dtype=np.float64)
    for post in order:
        start, end = starts[post], starts[post + 1]
        for one in range(classes):
            logits[one] = found[BUCKETS, one]
        for place in range(start, end):
            key, value = buckets[place], values[place]
            for one in range(classes):
                logits[one] += value * found[key, one]
        most = logits[0]
        for one in range(1, classes):
            most = max(most, logits[one])
        total = 0.0
        for one in range(classes):
            logits[one] = np.exp(logits[one] - most)
            total += logits[one]
        for one in range(classes):
            slope = (logits[one] / total - (1.0 if labels[post] == one else 0.0)) * weights[post]
            squares[BUCKETS, one] += slope * slope
            found[BUCKETS, one] -= RATE * slope / np.sqrt(squares[BUCKETS, one])
            for place in range(start, end):
                key = buckets[place]
                step = slope * values[place] + DECAY * found[key, one]
                squares[key, one] += step * step
                found[key, one] -= RATE * step / np.sqrt(squares[key, one])


@compiled
def _decide(starts: Array, buckets: Array, values: Array, weights: Array, found: Array) -> None:
    classes = weights.shape[1]
    for post in range(len(starts) - 1):
        for one in range(classes):
            total = weights[BUCKETS, one]
            for place in range(starts[post], starts[post + 1]):
                total += values[place] * weights[buckets[place], one]
            found[post, one] = total
