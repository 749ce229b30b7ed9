"""Gradient-boosted trees of depth three: small enough to be kept as numbers, evaluated with nothing but numpy.

Friedman, "Stochastic gradient boosting", Computational Statistics and Data Analysis 38 (2002), 367-378, with the leaf
values of Newton's method and inputs sorted into bins (Chen and Guestrin, "XGBoost", KDD 2016).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from impetus.model import ConfigurationError
from impetus.tools.workload.arrays import Booleans, Floats, Integers

DEPTH = 3
INNER, LEAVES = 2**DEPTH - 1, 2**DEPTH
BINS = 32
ROWS_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class BoostingSettings:
    """How trees are grown. The leaves are large, because seconds of one person resemble each other."""

    trees: int = 150
    rate: float = 0.05
    rows: float = 0.5
    """Share of the rows that a tree sees."""
    inputs: float = 0.33
    """Share of the inputs that a tree may use."""
    penalty: float = 10.0
    least_weight: float = 20.0
    """Of a leaf: so many rows at even odds, times a quarter."""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class BoostedTrees:
    """Log odds of high load: a sum over complete binary trees, each laid out level by level."""

    names: tuple[str, ...]
    bias: float
    feature: Integers
    """Shape (trees, 7): which input each inner node asks."""
    threshold: Floats
    """Shape (trees, 7): greater goes right."""
    value: Floats
    """Shape (trees, 8)."""

    def logit(self, inputs: Floats) -> Floats:
        """Log odds, shape (n,), of inputs of shape (n, names)."""
        result = np.empty(len(inputs))
        tree = np.arange(len(self.value))
        for start in range(0, len(inputs), ROWS_AT_ONCE):
            some = inputs[start : start + ROWS_AT_ONCE]
            rows = np.arange(len(some))[:, None]
            node = np.zeros((len(some), len(tree)), dtype=np.int64)
            for _ in range(DEPTH):
                node = 2 * node + 1 + (some[rows, self.feature[tree, node]] > self.threshold[tree, node])
            result[start : start + ROWS_AT_ONCE] = self.bias + self.value[tree, node - INNER].sum(axis=1)
        return result

    def to_json(self) -> dict[str, Any]:
        """The model as JSON, to five digits."""
        return {
            "names": list(self.names),
            "bias": float(f"{self.bias:.5g}"),
            "feature": self.feature.tolist(),
            "threshold": [[float(f"{cut:.5g}") for cut in row] for row in self.threshold],
            "value": [[float(f"{leaf:.5g}") for leaf in row] for row in self.value],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any], names: Sequence[str]) -> BoostedTrees:
        """Raises `ConfigurationError` if it is not a model of these inputs."""
        try:
            feature = np.array(content["feature"], dtype=np.int64)
            threshold, value = (np.array(content[key], dtype=np.float64) for key in ("threshold", "value"))
            model = cls(tuple(content["names"]), float(content["bias"]), feature, threshold, value)
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(f"the model of load cannot be read: {error}", hint="train it again") from error
        sound = feature.shape == threshold.shape == (len(value), INNER) and value.shape[1:] == (LEAVES,)
        if model.names != tuple(names) or not sound or not ((feature >= 0) & (feature < len(names))).all():
            raise ConfigurationError("the model of load is of other inputs", hint="train it again")
        return model


def fit(names: Sequence[str], inputs: Floats, high: Booleans, settings: BoostingSettings | None = None) -> BoostedTrees:
    """The model of inputs, shape (n, names), and states, shape (n,); both states count as equally likely beforehand.

    >>> inputs = np.linspace(-1, 1, 800)[:, None]
    >>> model = fit(["x"], inputs, np.abs(inputs[:, 0]) > 0.5, BoostingSettings(inputs=1.0))
    >>> (model.logit(np.array([[-0.9], [0.0], [0.9]])) > 0).tolist()
    [True, False, True]
    """
    settings = settings or BoostingSettings()
    share = float(np.mean(high))
    if not 0 < share < 1:
        raise ConfigurationError("a model needs both low and high load to learn from", hint="give more data")
    random = np.random.default_rng(settings.seed)
    edges = np.quantile(inputs, np.linspace(0, 1, BINS + 1)[1:-1], axis=0).T
    codes = np.column_stack([np.searchsorted(edges[place], inputs[:, place]) for place in range(inputs.shape[1])])
    importance = np.where(high, 0.5 / share, 0.5 / (1 - share))
    logit = np.zeros(len(inputs))
    features, thresholds, values = [], [], []
    for _ in range(settings.trees):
        probability = 1 / (1 + np.exp(-logit))
        gradient = importance * (high - probability)
        curvature = importance * probability * (1 - probability)
        rows = np.flatnonzero(random.random(len(inputs)) < settings.rows)
        count = max(1, round(settings.inputs * inputs.shape[1]))
        columns = random.choice(inputs.shape[1], count, replace=False)
        feature, cut, value = _grow(codes[np.ix_(rows, columns)], gradient[rows], curvature[rows], settings)
        chosen = columns[feature]
        features.append(chosen)
        # The last bin has no upper edge: a node that does not split sends everything left.
        thresholds.append(np.where(cut < BINS - 1, edges[chosen, np.minimum(cut, BINS - 2)], np.inf))
        values.append(settings.rate * value)
        node = np.zeros(len(inputs), dtype=np.int64)
        everyone = np.arange(len(inputs))
        for _ in range(DEPTH):
            node = 2 * node + 1 + (codes[everyone, chosen[node]] > cut[node])
        logit += values[-1][node - INNER]
    return BoostedTrees(tuple(names), 0.0, np.array(features), np.array(thresholds), np.array(values))


def _grow(
    codes: Integers, gradient: Floats, curvature: Floats, settings: BoostingSettings
) -> tuple[Integers, Integers, Floats]:
    """One tree: the input and the last bin that goes left of each inner node, and the leaves' values."""
    count = codes.shape[1]
    feature, cut = np.zeros(INNER, dtype=np.int64), np.full(INNER, BINS - 1, dtype=np.int64)
    node = np.zeros(len(codes), dtype=np.int64)
    everyone = np.arange(len(codes))
    for level in range(DEPTH):
        nodes, first = 2**level, 2**level - 1
        place = ((node - first)[:, None] * count + np.arange(count)) * BINS + codes
        shape = (nodes, count, BINS)
        sums = [
            np.bincount(place.ravel(), np.repeat(weights, count), minlength=nodes * count * BINS).reshape(shape)
            for weights in (gradient, curvature)
        ]
        (left_g, left_h), (all_g, all_h) = (
            [np.cumsum(one, axis=2) for one in sums],
            [one.sum(axis=2, keepdims=True) for one in sums],
        )
        right_g, right_h = all_g - left_g, all_h - left_h
        gain = (
            left_g**2 / (left_h + settings.penalty)
            + right_g**2 / (right_h + settings.penalty)
            - all_g**2 / (all_h + settings.penalty)
        )
        gain[(left_h < settings.least_weight) | (right_h < settings.least_weight)] = 0.0
        best = gain.reshape(nodes, -1).argmax(axis=1)
        splits = gain.reshape(nodes, -1)[np.arange(nodes), best] > 0
        feature[first : first + nodes] = best // BINS
        cut[first : first + nodes] = np.where(splits, best % BINS, BINS - 1)
        node = 2 * node + 1 + (codes[everyone, feature[node]] > cut[node])
    leaf = node - INNER
    sums_g, sums_h = (np.bincount(leaf, weights, minlength=LEAVES) for weights in (gradient, curvature))
    return feature, cut, sums_g / (sums_h + settings.penalty)
