"""The trained models: a fast gate over hashed words and letters, and a second stage over sentence embeddings.

All scores are probabilities *for classes that are equally frequent*: how frequent they are on a city's stream nobody
knows beforehand; thresholds follow a budget of alerts (`budget.py`), not 0.5. Only "offensive" is moved so that 0.5
tells posts as they come apart best (`training.fit_second`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from impetus.model import ConfigurationError
from impetus.tools.social.dense import Dense
from impetus.tools.social.features import BUCKETS, scores_of
from impetus.tools.social.kinds import KINDS
from impetus.tools.social.linear import softmax
from impetus.tools.social.polarity import FEATURES as POLARITY
from impetus.tools.social.polarity import polarity_features
from impetus.tools.social.sentence_model import EMBEDDING, SentenceModel

Floats = NDArray[np.float32]

GATE_FILE = Path(__file__).parent / "data" / "gate.npz"
SECOND_FILE = Path(__file__).parent / "data" / "second.npz"
LOCAL_FILE = "sentiment-no.npz"
"""Below the folder of local weights: what may not be shipped, trained where the city may."""

TASKS: Mapping[str, int] = {
    "offensive": 2,
    "hateful": 2,
    "sentiment": 3,
    "threat": 3,
    "eyewitness": 2,
    "kind": len(KINDS),
    "sentiment-it": 3,
}
"""Tasks of the gate and their classes."""
SENTIMENTS = ("negative", "neutral", "positive")


@dataclass(frozen=True, slots=True)
class Gate:
    """Linear weights over hashed features, in eight bits; one column a class of a task."""

    weights: NDArray[np.int8]
    """[BUCKETS, columns]"""
    scales: Floats
    intercepts: Floats

    def logits(self, texts: Sequence[str]) -> Floats:
        """[texts, columns]"""
        return scores_of(texts, self.weights, self.scales) + self.intercepts


def columns(task: str) -> slice:
    """The columns of a task in the gate.

    >>> columns("hateful")
    slice(2, 4, None)
    """
    start = 0
    for name, classes in TASKS.items():
        if name == task:
            return slice(start, start + classes)
        start += classes
    raise KeyError(task)


@dataclass(frozen=True, slots=True)
class Second:
    """The second stage: how embeddings are scaled, and a model a task."""

    mean: Floats
    scale: Floats
    models: Mapping[str, Dense]

    def scaled(self, embeddings: Floats) -> Floats:
        """Embeddings with mean 0 and deviation 1 over the training data."""
        found: Floats = (embeddings - self.mean) / self.scale
        return found


@dataclass(frozen=True, slots=True)
class Scores:
    """What the models say of texts; each array has a row for each text."""

    offensive: Floats
    hateful: Floats
    sentiment: Floats
    """[texts, 3]: negative, neutral, positive."""
    threat: Floats
    """[texts, 3]: none, punishment by law wished for, violence wished for."""
    eyewitness: Floats
    kind: Floats
    """[texts, kinds], in the order of `KINDS`."""


class Models:
    """Gate, second stage and sentence model together."""

    def __init__(
        self, gate: Gate, second: Second, encoder: SentenceModel | None, norwegian: Gate | None = None
    ) -> None:
        self.gate = gate
        self.second = second
        self.encoder = encoder
        self._norwegian = norwegian

    def gate_scores(self, texts: Sequence[str], languages: Sequence[str]) -> Scores:
        """What the gate alone says; some ten thousand posts a second."""
        logits = self.gate.logits(texts)
        found = {task: softmax(logits[:, columns(task)]) for task in TASKS}
        sentiment = found["sentiment"].copy()
        for row, language in enumerate(languages):
            if language == "it":
                sentiment[row] = found["sentiment-it"][row]
            elif language == "no":
                sentiment[row] = self._norwegian_sentiment(texts[row])
        return Scores(
            found["offensive"][:, 1],
            found["hateful"][:, 1],
            sentiment,
            found["threat"],
            found["eyewitness"][:, 1],
            found["kind"],
        )

    def scores(self, texts: Sequence[str], languages: Sequence[str], embeddings: Floats | None = None) -> Scores:
        """What both stages say; without a sentence model, the gate's scores."""
        if self.encoder is None and embeddings is None:
            return self.gate_scores(texts, languages)
        if embeddings is None:
            assert self.encoder is not None  # noqa: S101 - said above
            embeddings = self.encoder.encode(texts)
        logits = self.gate.logits(texts)
        inputs = self.second.scaled(embeddings)
        found = {
            task: model.probabilities(joined(inputs, logits[:, columns(task)]))
            for task, model in self.second.models.items()
            if task in TASKS and not task.startswith("sentiment-")
        }
        sentiment = found["sentiment"].copy()
        for row, language in enumerate(languages):
            if language == "it":
                own = joined(inputs[row : row + 1], logits[row : row + 1, columns("sentiment-it")])
                words = polarity_features(texts[row], "it")[None]
                sentiment[row] = self.second.models["sentiment-it"].probabilities(np.hstack([own, words]))[0]
            elif language == "no":
                sentiment[row] = self._norwegian_sentiment(texts[row])
        return Scores(
            found["offensive"][:, 1],
            found["hateful"][:, 1],
            sentiment,
            found["threat"],
            found["eyewitness"][:, 1],
            found["kind"],
        )

    def _norwegian_sentiment(self, text: str) -> Floats:
        if self._norwegian is not None:
            found: Floats = softmax(self._norwegian.logits([text]))[0]
            return found
        words = polarity_features(text, "no")[None]
        by_words: Floats = self.second.models["polarity"].probabilities(words)[0]
        return by_words


def joined(embeddings: Floats, logits: Floats) -> Floats:
    """What the second stage sees: scaled embeddings and the gate's logits, these without a common shift."""
    return np.hstack([embeddings, logits - logits.mean(axis=1, keepdims=True)])


@cache
def load_gate(file: Path = GATE_FILE) -> Gate:
    """The gate's weights. Raises `ConfigurationError`."""
    arrays = _read(file, ("rows", "values", "scales", "intercepts"))
    values = arrays["values"].astype(np.int8)
    weights = np.zeros((BUCKETS, values.shape[1]), dtype=np.int8)
    weights[arrays["rows"].astype(np.int64)] = values
    return Gate(weights, arrays["scales"].astype(np.float32), arrays["intercepts"].astype(np.float32))


@cache
def load_second(file: Path = SECOND_FILE) -> Second:
    """The second stage's weights. Raises `ConfigurationError`."""
    arrays = _read(file, ("mean", "scale"))
    names = [name.removesuffix(".weights") for name in arrays if name.endswith(".weights")]
    models = {
        name: Dense(arrays[f"{name}.weights"].astype(np.float32), arrays[f"{name}.intercepts"].astype(np.float32))
        for name in names
    }
    return Second(arrays["mean"].astype(np.float32), arrays["scale"].astype(np.float32), models)


def load_models(*, second_stage: bool = True, threads: int = 1, local: Path | None = None) -> Models:
    """The models that are shipped, and from the folder `local` what was trained there. Raises `ConfigurationError`."""
    encoder = SentenceModel(threads=threads) if second_stage else None
    file = local / LOCAL_FILE if local is not None else None
    norwegian = load_gate(file) if file is not None and file.exists() else None
    return Models(load_gate(), load_second(), encoder, norwegian)


def save_gate(gate: Gate, file: Path) -> None:
    """Write the rows that hold something."""
    rows = np.flatnonzero(gate.weights.any(axis=1)).astype(np.uint32)
    np.savez_compressed(
        file, rows=rows, values=gate.weights[rows], scales=gate.scales, intercepts=gate.intercepts.astype(np.float32)
    )


def save_second(second: Second, file: Path) -> None:
    """Write in sixteen bits."""
    arrays = {"mean": second.mean.astype(np.float16), "scale": second.scale.astype(np.float32)}
    for name, model in second.models.items():
        arrays[f"{name}.weights"] = model.weights.astype(np.float16)
        arrays[f"{name}.intercepts"] = model.intercepts.astype(np.float32)
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def _read(file: Path, names: Sequence[str]) -> dict[str, NDArray[np.generic]]:
    try:
        with np.load(file, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
        missing = set(names) - set(arrays)
        if missing:
            raise ValueError(f"{', '.join(sorted(missing))} is missing")
        return arrays
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(
            f"the weights in {file} cannot be read: {error}", hint="run `impetus social train`, or install anew"
        ) from error


__all__ = ["EMBEDDING", "POLARITY", "SENTIMENTS", "TASKS", "Gate", "Models", "Scores", "Second", "load_models"]
