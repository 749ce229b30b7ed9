"""A linear model of load: logistic regression with a ridge, both states equally likely beforehand.

Small, and it can say which inputs carried an estimate. Fitted by Newton's method; see Hastie, Tibshirani and Friedman,
"The Elements of Statistical Learning", 2nd ed., sections 4.4.1 and 18.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from impetus.model import ConfigurationError
from impetus.tools.workload.arrays import Booleans, Floats

ITERATIONS = 25
CONVERGED = 1e-8
LARGEST_INPUT_SD = 5.0
"""An input further from what training saw counts as that far: one wild value must not carry the estimate."""


@dataclass(frozen=True, slots=True)
class LinearModel:
    """Log odds of high load from inputs of these names."""

    names: tuple[str, ...]
    mean: Floats
    scale: Floats
    weights: Floats
    bias: float

    def logit(self, inputs: Floats) -> Floats:
        """Log odds, shape (n,), of inputs of shape (n, names)."""
        result: Floats = self._standard(inputs) @ self.weights + self.bias
        return result

    def carried(self, inputs: Floats) -> Mapping[str, float]:
        """How much each group of inputs (the name up to its `:`) adds to the log odds, of one row of inputs."""
        parts: dict[str, float] = {}
        for name, part in zip(self.names, self._standard(inputs) * self.weights, strict=True):
            group = name.partition(":")[0]
            parts[group] = parts.get(group, 0.0) + float(part)
        return parts

    def _standard(self, inputs: Floats) -> Floats:
        result: Floats = np.clip((inputs - self.mean) / self.scale, -LARGEST_INPUT_SD, LARGEST_INPUT_SD)
        return result

    def to_json(self) -> dict[str, Any]:
        """The model as JSON, to six digits."""
        return {
            "names": list(self.names),
            "mean": [float(f"{value:.6g}") for value in self.mean],
            "scale": [float(f"{value:.6g}") for value in self.scale],
            "weights": [float(f"{value:.6g}") for value in self.weights],
            "bias": float(f"{self.bias:.6g}"),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any], names: Sequence[str]) -> LinearModel:
        """Raises `ConfigurationError` if it is not a model of these inputs."""
        try:
            arrays = [np.array(content[key], dtype=np.float64) for key in ("mean", "scale", "weights")]
            model = cls(tuple(content["names"]), arrays[0], arrays[1], arrays[2], float(content["bias"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(f"the model of load cannot be read: {error}", hint="train it again") from error
        if model.names != tuple(names) or any(array.shape != (len(names),) for array in arrays):
            raise ConfigurationError("the model of load is of other inputs", hint="train it again")
        return model


def fit(names: Sequence[str], inputs: Floats, high: Booleans, *, ridge: float) -> LinearModel:
    """The model of inputs, shape (n, names), and states, shape (n,); `ridge` is the penalty a row on squared weights.

    >>> inputs = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> model = fit(["x"], inputs, np.array([False, False, True, True]), ridge=0.01)
    >>> (model.logit(inputs) > 0).tolist()
    [False, False, True, True]
    """
    share = float(np.mean(high))
    if not 0 < share < 1:
        raise ConfigurationError("a model needs both low and high load to learn from", hint="give more data")
    mean, scale = inputs.mean(axis=0), np.maximum(inputs.std(axis=0), 1e-9)
    standard = np.clip((inputs - mean) / scale, -LARGEST_INPUT_SD, LARGEST_INPUT_SD)
    columns = np.column_stack([np.ones(len(standard)), standard])
    importance = np.where(high, 0.5 / share, 0.5 / (1 - share)) / len(high)
    penalty = np.full(columns.shape[1], ridge)
    penalty[0] = 0.0
    weights = np.zeros(columns.shape[1])
    for _ in range(ITERATIONS):
        probability = 1 / (1 + np.exp(-(columns @ weights)))
        gradient = columns.T @ (importance * (high - probability)) - penalty * weights
        curvature = (columns * (importance * probability * (1 - probability))[:, None]).T @ columns
        step = np.linalg.solve(curvature + np.diag(penalty) + 1e-12 * np.eye(len(penalty)), gradient)
        weights = weights + step
        if float(np.abs(step).max()) < CONVERGED:
            break
    return LinearModel(tuple(names), mean, scale, weights[1:], float(weights[0]))
