"""A number that differs from person to person, as people write it: `1.3`, `[0.8, 1.6]`, `{mean: 1.34, sd: 0.26}`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from pydantic import ConfigDict, model_validator

from impetus.model import Value
from impetus.tools.evacuation.arrays import Floats

WORDS: Mapping[str, str] = {
    "mean": "mean", "mu": "mean", "average": "mean", "loc": "mean", "value": "value", "constant": "value",
    "sd": "sd", "std": "sd", "stdev": "sd", "std_dev": "sd", "standard_deviation": "sd", "scale": "sd",
    "median": "median", "sigma": "sigma", "min": "low", "low": "low", "lower": "low", "minimum": "low", "from": "low",
    "max": "high", "high": "high", "upper": "high", "maximum": "high", "to": "high",
}  # fmt: skip
KINDS: Mapping[str, str] = {
    "normal": "normal", "gaussian": "normal", "gauss": "normal", "truncnorm": "normal", "truncated_normal": "normal",
    "uniform": "uniform", "lognormal": "lognormal", "log_normal": "lognormal", "constant": "constant",
    "fixed": "constant", "exponential": "exponential",
}  # fmt: skip


class Distribution(Value):
    """One of: constant, uniform, normal (cut at `low` and `high`), lognormal (median, sigma of the logarithm)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: str = "constant"
    middle: float = 0.0
    """Value, mean, or median."""
    spread: float = 0.0
    low: float | None = None
    high: float | None = None

    @model_validator(mode="before")
    @classmethod
    def _as_people_write_it(cls, given: Any) -> Any:
        if isinstance(given, Distribution):
            return given
        if isinstance(given, bool) or given is None:
            raise ValueError("give a number, [low, high], or {mean, sd}")
        if isinstance(given, int | float):
            return {"kind": "constant", "middle": float(given)}
        if isinstance(given, Sequence) and not isinstance(given, str) and len(given) == 2:
            return {"kind": "uniform", "low": given[0], "high": given[1]}
        if not isinstance(given, Mapping):
            raise ValueError("give a number, [low, high], or {mean, sd}")
        if "middle" in given or (set(given) <= {"kind", "low", "high"} and given.get("kind") == "uniform"):
            return given
        word = str(given.get("distribution", given.get("type", given.get("kind", "")))).strip().lower()
        word = word.replace("-", "_").replace(" ", "_")
        if word and word not in KINDS:
            raise ValueError(f"distribution {word[:40]!r} is unknown; known are {', '.join(sorted(KINDS))}")
        found: dict[str, float] = {}
        for key, value in given.items():
            name = str(key).lower().removesuffix("_mps").removesuffix("_s")
            if name in ("distribution", "type", "kind", "unit", "units"):
                continue
            if name not in WORDS:
                raise ValueError(f"{str(key)[:40]!r} is unknown here; known are {', '.join(WORDS)}")
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise ValueError(f"{str(key)[:40]} is no number")
            found[WORDS[name]] = float(value)
        kind = KINDS.get(word) or _guess(found)
        low, high = found.get("low"), found.get("high")
        if kind == "uniform":
            if low is None or high is None:
                raise ValueError("a uniform distribution needs min and max")
            return {"kind": kind, "low": low, "high": high}
        if kind == "lognormal" and "median" not in found and "mean" in found:
            sigma = found.get("sigma", 0.5)
            if "sd" in found and "sigma" not in found:
                sigma = math.sqrt(math.log1p((found["sd"] / max(found["mean"], 1e-9)) ** 2))
            middle = found["mean"] * math.exp(-sigma * sigma / 2)
            return {"kind": kind, "middle": middle, "spread": sigma, "low": low, "high": high}
        centre = found.get("mean", found.get("median", found.get("value")))
        if centre is None:
            raise ValueError("it needs a mean, a median or a value")
        default = 0.5 if kind == "lognormal" else 0.0
        spread = found.get("sigma" if kind == "lognormal" else "sd", found.get("sd", found.get("sigma", default)))
        return {"kind": kind, "middle": centre, "spread": spread, "low": low, "high": high}

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"the least, {self.low:g}, is more than the most, {self.high:g}")
        if self.spread < 0:
            raise ValueError("a spread is not below 0")
        if self.kind == "lognormal" and self.middle <= 0:
            raise ValueError("a lognormal's median is above 0")
        return self

    def draw(self, count: int, random: np.random.Generator) -> Floats:
        """Values for so many people."""
        if self.kind == "uniform":
            return random.uniform(self.low or 0.0, self.high or 0.0, count)
        if self.kind == "normal":
            drawn = random.normal(self.middle, self.spread, count)
        elif self.kind == "lognormal":
            drawn = np.exp(random.normal(math.log(self.middle), self.spread, count))
        elif self.kind == "exponential":
            drawn = random.exponential(max(self.middle, 1e-9), count)
        else:
            drawn = np.full(count, self.middle)
        for _ in range(8):  # cut by drawing again, so that nothing piles up at the ends
            outside = np.zeros(count, dtype=bool)
            if self.low is not None:
                outside |= drawn < self.low
            if self.high is not None:
                outside |= drawn > self.high
            if self.kind == "constant" or not outside.any():
                break
            again = self.model_copy(update={"low": None, "high": None}).draw(int(outside.sum()), random)
            drawn[outside] = again
        return np.clip(drawn, self.low, self.high) if self.low is not None or self.high is not None else drawn


def _guess(found: Mapping[str, float]) -> str:
    if "median" in found:
        return "lognormal"
    if "sd" in found or ("mean" in found and "sigma" in found):
        return "normal"
    return "uniform" if "low" in found and "high" in found and "mean" not in found else "constant"
