"""The second stage: multinomial logistic regression over sentence embeddings and what the gate thinks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from impetus.tools.social.linear import softmax

Floats = NDArray[np.float32]

PENALTIES = (5e-4, 2e-3, 8e-3)
"""Strengths of the L2 penalty among which cross-validation chooses."""
FOLDS = 3


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


def chosen_penalty(
    inputs: Floats, labels: NDArray[np.int64], classes: int, weights: Floats, groups: NDArray[np.int64]
) -> float:
    """The penalty with the greatest cross-validated likelihood; no group is on both sides of a split."""
    losses = []
    for penalty in PENALTIES:
        total = 0.0
        for fold in range(FOLDS):
            outside = groups % FOLDS == fold
            model = fit(inputs[~outside], labels[~outside], classes, weights[~outside], penalty)
            right = model.probabilities(inputs[outside])[np.arange(int(outside.sum())), labels[outside]]
            total -= float((weights[outside] * np.log(np.maximum(right, 1e-9))).sum())
        losses.append(total)
    return PENALTIES[int(np.argmin(losses))]
