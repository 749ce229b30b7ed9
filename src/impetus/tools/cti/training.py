"""Trains the technique classifier: `impetus cti train`. Needs scikit-learn, which running the tool does not.

Data: the sentences of TRAM (Center for Threat-Informed Defense, Apache-2.0), each with the report that it comes from,
and the phrases of `data/techniques.toml`, which are ours. Every choice was made by cross-validation on whole reports.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impetus.model import ConfigurationError, InvalidInput
from impetus.tools.cti.features import Counts, letter_counts, word_counts
from impetus.tools.cti.techniques import TechniqueClassifier, calibrated, knowledge, weighted

FOLDS = 5
SEED = 0
SEEN_IN = 1
"""A feature must stand in so many examples; to leave out rare ones was no gain."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A labelled sentence."""

    text: str
    technique: str
    report: str


@dataclass(frozen=True, slots=True)
class Validation:
    """What cross-validation by report found; arrays have one entry a sentence."""

    macro_f1: float
    """F1 of each technique over the pooled predictions, averaged."""
    macro_f1_of_folds: float
    """The same within each fold, averaged over the folds."""
    accuracy: float
    right: NDArray[np.bool_]
    best: NDArray[np.float64]
    lead: NDArray[np.float64]
    fold: NDArray[np.int64]

    def scores(self) -> NDArray[np.float64]:
        """Calibrated scores, each from the other folds."""
        found = np.zeros(len(self.right))
        for fold in np.unique(self.fold):
            inside = self.fold == fold
            coefficients = fit_calibration(self.best[~inside], self.lead[~inside], self.right[~inside])
            for number in np.flatnonzero(inside):
                found[number] = calibrated(coefficients, float(self.best[number]), float(self.lead[number]))
        return found


def read_tram(file: Path) -> list[Sentence]:
    """The sentences in TRAM's `single_label.json`. Raises `InvalidInput`."""
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        return [Sentence(str(row["text"]), str(row["label"]), str(row["doc_title"])) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"{file} is not TRAM's file of single labels: {error}", hint="name single_label.json"
        ) from error


def train(sentences: Sequence[Sentence]) -> tuple[TechniqueClassifier, Validation]:
    """A classifier of all sentences, and what to expect of it. Raises `ConfigurationError` without scikit-learn."""
    counts = [_counts(sentence.text) for sentence in sentences]
    checked = validate(sentences, counts)
    calibration = fit_calibration(checked.best, checked.lead, checked.right)
    model = _fit(counts, [sentence.technique for sentence in sentences])
    return model.with_calibration(calibration), checked


def validate(sentences: Sequence[Sentence], counts: Sequence[Sequence[Counts]] | None = None) -> Validation:
    """Cross-validate: no report is on both sides of a split."""
    selection, metrics = _sklearn("model_selection"), _sklearn("metrics")
    counted = counts or [_counts(sentence.text) for sentence in sentences]
    labels = np.array([sentence.technique for sentence in sentences])
    reports = np.array([sentence.report for sentence in sentences])
    predicted = np.empty(len(labels), dtype=labels.dtype)
    best, lead = np.zeros(len(labels)), np.zeros(len(labels))
    folds = np.zeros(len(labels), dtype=np.int64)
    of_folds = []
    splitter = selection.StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED)
    for number, (inside, outside) in enumerate(splitter.split(labels, labels, reports)):
        model = _fit([counted[n] for n in inside], labels[inside].tolist())
        for n in outside:
            decisions = model.decisions(counted[n])
            order = np.argsort(-decisions)
            predicted[n] = model.techniques[order[0]]
            best[n], lead[n] = decisions[order[0]], decisions[order[0]] - decisions[order[1]]
        folds[outside] = number
        of_folds.append(metrics.f1_score(labels[outside], predicted[outside], average="macro", zero_division=0))
    return Validation(
        macro_f1=float(metrics.f1_score(labels, predicted, average="macro", zero_division=0)),
        macro_f1_of_folds=float(np.mean(of_folds)),
        accuracy=float(np.mean(labels == predicted)),
        right=labels == predicted,
        best=best,
        lead=lead,
        fold=folds,
    )


def fit_calibration(
    best: NDArray[np.float64], lead: NDArray[np.float64], right: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Coefficients of the sigmoid that turns a decision value and its lead into a probability."""
    regression = _sklearn("linear_model").LogisticRegression(C=1e3)
    regression.fit(np.stack([best, lead], axis=1), right)
    return np.array([*regression.coef_[0], regression.intercept_[0]], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Model:
    techniques: tuple[str, ...]
    index: dict[int, int]
    idf: NDArray[np.float32]
    weights: NDArray[np.int8]
    scale: NDArray[np.float32]
    intercepts: NDArray[np.float32]

    def decisions(self, counts: Sequence[Counts]) -> NDArray[np.float64]:
        total = self.intercepts.astype(np.float64)
        for one in counts:
            positions, values = weighted(one, self.index, self.idf)
            total = total + (values @ self.weights[positions].astype(np.float32)) * self.scale
        return total

    def with_calibration(self, calibration: NDArray[np.float64]) -> TechniqueClassifier:
        hashes = np.array(list(self.index), dtype=np.uint32)
        return TechniqueClassifier(
            self.techniques, hashes, self.idf, self.weights, self.scale, self.intercepts, calibration
        )


def _fit(counts: Sequence[Sequence[Counts]], labels: Sequence[str]) -> _Model:
    phrases = [(phrase, number) for number, table in knowledge().items() for phrase in _phrases(table)]
    everything = [*counts, *(_counts(phrase) for phrase, _ in phrases)]
    targets = [*labels, *(number for _, number in phrases)]
    seen: Counter[int] = Counter()
    for example in everything:
        for one in example:
            seen.update(one.keys())
    index = {
        hashed: number
        for number, hashed in enumerate(sorted(hashed for hashed, times in seen.items() if times >= SEEN_IN))
    }
    idf = np.array([np.log((1 + len(everything)) / (1 + seen[hashed])) + 1 for hashed in index], dtype=np.float32)
    matrix = _matrix(everything, index, idf)
    machine = _sklearn("svm").LinearSVC(class_weight="balanced", random_state=SEED)
    machine.fit(matrix, targets)
    coefficients = machine.coef_.T.astype(np.float32)
    scale = np.abs(coefficients).max(axis=0) / 127
    return _Model(
        techniques=tuple(str(name) for name in machine.classes_),
        index=index,
        idf=idf,
        weights=np.round(coefficients / scale).astype(np.int8),
        scale=scale.astype(np.float32),
        intercepts=machine.intercept_.astype(np.float32),
    )


def _phrases(table: Any) -> list[str]:
    return [str(table["name"]), *map(str, table["phrases"])]


def _counts(text: str) -> tuple[Counts, Counts]:
    return word_counts(text), letter_counts(text)


def _matrix(examples: Sequence[Sequence[Counts]], index: dict[int, int], idf: NDArray[np.float32]) -> Any:
    from scipy.sparse import csr_matrix

    pointers, columns, values = [0], [], []
    for example in examples:
        length = 0
        for one in example:
            positions, weights = weighted(one, index, idf)
            columns.append(positions)
            values.append(weights)
            length += len(positions)
        pointers.append(pointers[-1] + length)
    return csr_matrix((np.concatenate(values), np.concatenate(columns), pointers), shape=(len(examples), len(index)))


def _sklearn(module: str) -> Any:
    try:
        import importlib

        return importlib.import_module(f"sklearn.{module}")
    except ImportError as error:
        raise ConfigurationError("training needs scikit-learn", hint="pip install scikit-learn") from error
