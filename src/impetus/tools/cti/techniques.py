"""ATT&CK techniques that a sentence describes: a linear classifier over word stems and letters, with calibrated scores.

The weights (`data/techniques.npz`) are made by `impetus cti train`; see the tool's card.
"""

from __future__ import annotations

import io
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from impetus.model import ConfigurationError
from impetus.tools.cti.features import Counts, letter_counts, word_counts
from impetus.tools.cti.sentences import sentences

WEIGHTS = "data/techniques.npz"
FOUND = 0.7
"""From this score a technique is taken for found; below, it is suggested."""
_WRITTEN = re.compile(r"(?<![\w.])T1\d{3}(?:\.\d{3})?(?![\w]|\.\d)")
_WORDS = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True)
class Technique:
    """A technique that a sentence describes."""

    technique: str
    """Its number, for example `T1059.003`."""
    score: float
    """Probability that a person would name the same technique, given that the sentence describes one."""
    start: int
    end: int

    @property
    def suggested(self) -> bool:
        """Whether it is only suggested."""
        return self.score < FOUND


@cache
def technique_names() -> Mapping[str, str]:
    """Names of the techniques that the classifier knows, by number."""
    return {number: str(table["name"]) for number, table in knowledge().items()}


@cache
def knowledge() -> Mapping[str, Mapping[str, object]]:
    """What we wrote down of each technique: its name and how reports speak of it."""
    text = files("impetus.tools.cti").joinpath("data/techniques.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


class TechniqueClassifier:
    """A linear model over hashed counts.

    `hashes`: uint32, rising, one for each feature; `idf`: float32 of the same length; `weights`: int8 of shape
    (features, techniques), of which one step is `scale` of its technique; `intercepts`: of each technique;
    `calibration`: coefficients of the best decision value, of its lead over the second, and a constant.
    """

    def __init__(
        self,
        techniques: Sequence[str],
        hashes: NDArray[np.uint32],
        idf: NDArray[np.float32],
        weights: NDArray[np.int8],
        scale: NDArray[np.float32],
        intercepts: NDArray[np.float32],
        calibration: NDArray[np.float64],
    ) -> None:
        self.techniques = tuple(techniques)
        self._index = {int(hashed): number for number, hashed in enumerate(hashes)}
        self._idf, self._weights, self._scale = idf, weights, scale
        self._intercepts, self._calibration = intercepts, calibration

    def decisions(self, text: str) -> NDArray[np.float64]:
        """Signed distances from the boundary of each technique, in the order of `techniques`."""
        total = self._intercepts.astype(np.float64)
        for counts in (word_counts(text), letter_counts(text)):
            positions, values = weighted(counts, self._index, self._idf)
            if len(positions):
                total = total + (values @ self._weights[positions].astype(np.float32)) * self._scale
        return total

    def classify(self, text: str) -> list[tuple[str, float]]:
        """All techniques for a sentence with their scores, the best first; the scores of all but the best are what it
        leaves, shared by distance."""
        decisions = self.decisions(text)
        order = np.argsort(-decisions, kind="stable")
        first, second = decisions[order[0]], decisions[order[1]]
        top = calibrated(self._calibration, first, first - second)
        shares = np.exp(4.0 * (decisions[order[1:]] - second))
        rest = np.minimum((1.0 - top) * shares / shares.sum(), top)
        return [(self.techniques[order[0]], top)] + [
            (self.techniques[number], float(score)) for number, score in zip(order[1:], rest, strict=True)
        ]

    def find(self, text: str, *, minimum: float = 0.05) -> list[Technique]:
        """The best technique of each sentence whose score is not below `minimum`, in the order of the text. A number
        that the text itself names (`T1059.003`) counts as certain."""
        found = []
        for start, end in sentences(text):
            sentence = text[start:end]
            written = dict.fromkeys(_WRITTEN.findall(sentence))
            if written:
                found += [Technique(number, 1.0, start, end) for number in written]
                continue
            if len(_WORDS.findall(sentence)) < 2:
                continue
            number, score = self.classify(sentence)[0]
            if score >= minimum:
                found.append(Technique(number, score, start, end))
        return found


def calibrated(calibration: NDArray[np.float64], best: float, lead: float) -> float:
    """Probability that the best technique is right (Platt's sigmoid on the decision value and its lead)."""
    return 1.0 / (1.0 + math.exp(-float(calibration[0] * best + calibration[1] * lead + calibration[2])))


def weighted(
    counts: Counts, index: Mapping[int, int], idf: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Features of a sentence that are known, with their weight (1 + log count) * idf, of length 1 together."""
    known = [(index[hashed], count) for hashed, count in counts.items() if hashed in index]
    if not known:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    positions = np.array([position for position, _ in known], dtype=np.int64)
    times = np.array([count for _, count in known], dtype=np.float32)
    values = ((1.0 + np.log(times)) * idf[positions]).astype(np.float32)
    return positions, (values / np.linalg.norm(values)).astype(np.float32)


def save_classifier(classifier: TechniqueClassifier, file: Path) -> None:
    """Write the weights; the same weights give the same file."""
    hashes = np.array(sorted(classifier._index, key=classifier._index.__getitem__), dtype=np.uint32)  # noqa: SLF001
    np.savez_compressed(
        file,
        techniques=np.array(classifier.techniques),
        hashes=hashes,
        idf=classifier._idf,  # noqa: SLF001
        weights=classifier._weights,  # noqa: SLF001
        scale=classifier._scale,  # noqa: SLF001
        intercepts=classifier._intercepts,  # noqa: SLF001
        calibration=classifier._calibration,  # noqa: SLF001
    )


@cache
def load_classifier() -> TechniqueClassifier:
    """The classifier with the weights that ship with the tool. Raises `ConfigurationError` if they cannot be read."""
    try:
        raw = files("impetus.tools.cti").joinpath(WEIGHTS).read_bytes()
        with np.load(io.BytesIO(raw), allow_pickle=False) as kept:
            return TechniqueClassifier(
                [str(name) for name in kept["techniques"]],
                kept["hashes"],
                kept["idf"],
                kept["weights"],
                kept["scale"],
                kept["intercepts"],
                kept["calibration"],
            )
    except (OSError, KeyError, ValueError) as error:
        raise ConfigurationError(
            f"the weights of the technique classifier cannot be read: {error}", hint="reinstall impetus"
        ) from error
