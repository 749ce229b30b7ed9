"""The second stage: multinomial logistic regression over sentence embeddings and what the gate thinks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from impetus.tools.social.linear import softmax

Floats = NDArray[np.float32]

PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Strengths of the L2 penalty among which cross-validation chooses."""
FOLDS = 3
CUTS = tuple(place / 100 for place in range(30, 71))


@dataclass(frozen=True, slots=True)
class Dense:
    """A fitted model."""

    weights: Floats
    """[inputs, classes]"""
    intercepts: Floats
    """[classes]"""

    def probabilities(self, inputs: Floats) -> Floats:
        """[rows, classes]"""
        return softmax(inputs @ self.weights + self.intercepts)


def fit(inputs: Floats, labels: NDArray[np.int64], classes: int, weights: Floats, penalty: float) -> Dense:
    """The maximum of the penalised likelihood (L-BFGS)."""
    from scipy.optimize import minimize

    rows, width = inputs.shape
    targets = np.zeros((rows, classes), dtype=np.float32)
    targets[np.arange(rows), labels] = 1.0
    shares = (weights / weights.sum())[:, None]

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        matrix = point.reshape(width + 1, classes).astype(np.float32)
        found = softmax(inputs @ matrix[:-1] + matrix[-1])
        right = np.maximum(found[np.arange(rows), labels], 1e-9)
        value = float(-(shares[:, 0] * np.log(right)).sum()) + 0.5 * penalty * float((matrix[:-1] ** 2).sum())
        slope = (found - targets) * shares
        gradient = np.vstack([inputs.T @ slope + penalty * matrix[:-1], slope.sum(axis=0)])
        return value, gradient.astype(np.float64).ravel()

    best = minimize(
        loss, np.zeros((width + 1) * classes), jac=True, method="L-BFGS-B", options={"maxiter": 60, "ftol": 1e-6}
    ).x
    matrix = best.reshape(width + 1, classes).astype(np.float32)
    return Dense(matrix[:-1], matrix[-1])


def cross_validated(
    inputs: Floats,
    labels: NDArray[np.int64],
    classes: int,
    weights: Floats,
    groups: NDArray[np.int64],
    penalty: float,
) -> Floats:
    """Probabilities [rows, classes], each by a model that saw nothing of its group's fold."""
    found = np.zeros((len(labels), classes), dtype=np.float32)
    for fold in range(FOLDS):
        outside = groups % FOLDS == fold
        model = fit(inputs[~outside], labels[~outside], classes, weights[~outside], penalty)
        found[outside] = model.probabilities(inputs[outside])
    return found


def chosen_penalty(
    inputs: Floats, labels: NDArray[np.int64], classes: int, weights: Floats, groups: NDArray[np.int64]
) -> float:
    """The penalty with the greatest cross-validated likelihood; no group is on both sides of a split."""
    losses = []
    for penalty in PENALTIES:
        found = cross_validated(inputs, labels, classes, weights, groups, penalty)
        right = found[np.arange(len(labels)), labels]
        losses.append(-float((weights * np.log(np.maximum(right, 1e-9))).sum()))
    return PENALTIES[int(np.argmin(losses))]


def cut_at(model: Dense, cut: float) -> Dense:
    """The same model of two classes, moved so that what was `cut` is one half."""
    shift = np.array([0.0, np.log(cut / (1.0 - cut))], dtype=np.float32)
    return Dense(model.weights, model.intercepts - shift)


def best_cut(labels: NDArray[np.int64], scores: Floats) -> float:
    """Where macro-F1 of two classes is greatest, on a grid of hundredths.

    >>> 0.4 < best_cut(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.6, 0.9])) <= 0.6
    True
    """
    best, cut = -1.0, 0.5
    for place in CUTS:
        found = scores >= place
        f1 = [
            2.0 * float((right & chosen).sum()) / max(1.0, float(right.sum() + chosen.sum()))
            for right, chosen in ((labels == 1, found), (labels == 0, ~found))
        ]
        if sum(f1) > best:
            best, cut = sum(f1), float(place)
    return cut
