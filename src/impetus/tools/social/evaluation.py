"""The table of figures: `impetus social evaluate --data DIR`.

Validation parts are scored with the weights in use, which never saw them. Where the question is a new group (events,
channels, sources), models are trained anew without the group. Nothing here is used to choose anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from impetus.tools.social import linear, training
from impetus.tools.social.dense import Dense
from impetus.tools.social.features import features_of
from impetus.tools.social.models import LOCAL_FILE, Models, Scores, joined, load_models
from impetus.tools.social.parts import Part, read_part
from impetus.tools.social.sentence_model import WIDTH, SentenceModel

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

EVENT_GROUPS = 5
TOPIC_GROUPS = 5
COMPARED = 2_500
"""Examples on which penalties are compared where much is trained anew: half as many as for what is shipped."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    task: str
    measure: str
    reached: float
    asked: float | None = None
    note: str = ""

    def line(self) -> dict[str, object]:
        """For JSON Lines."""
        return {
            "task": self.task,
            "measure": self.measure,
            "asked": self.asked,
            "reached": round(self.reached, 4),
            "note": self.note,
        }


def macro_f1(labels: Labels, found: Labels) -> float:
    """Mean over classes of F1.

    >>> macro_f1(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]))
    0.7333333333333334
    """
    scores = []
    for one in np.unique(labels):
        right = float(((found == one) & (labels == one)).sum())
        scores.append(2.0 * right / max(1.0, float((found == one).sum() + (labels == one).sum())))
    return float(np.mean(scores))


def macro_recall(labels: Labels, found: Labels) -> float:
    """Mean over classes of recall."""
    return float(np.mean([float((found[labels == one] == one).mean()) for one in np.unique(labels)]))


def area(labels: Labels, scores: Floats) -> float:
    """Area under the ROC curve.

    >>> area(np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.4, 0.3]))
    0.75
    """
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(1, len(scores) + 1)
    for value in np.unique(scores):
        same = scores == value
        ranks[same] = ranks[same].mean()
    positive = int((labels == 1).sum())
    negative = len(labels) - positive
    return float((ranks[labels == 1].sum() - positive * (positive + 1) / 2) / (positive * negative))


def average_precision(labels: Labels, scores: Floats) -> float:
    """Area under precision over recall, by steps.

    >>> round(average_precision(np.array([1, 0, 1]), np.array([0.9, 0.8, 0.7])), 4)
    0.8333
    """
    order = np.argsort(-scores, kind="stable")
    hits = labels[order] == 1
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())


def calibration_error(labels: Labels, scores: Floats, cells: int = 10) -> float:
    """Expected calibration error at equal frequency of both classes."""
    weights = linear.class_weights(labels, 2)
    total = 0.0
    for cell in range(cells):
        inside = (scores >= cell / cells) & (scores < (cell + 1) / cells + (cell == cells - 1))
        if inside.any():
            share = float(weights[inside].sum() / weights.sum())
            true = float((weights[inside] * labels[inside]).sum() / weights[inside].sum())
            total += share * abs(true - float((weights[inside] * scores[inside]).sum() / weights[inside].sum()))
    return total


def evaluate(data: Path, *, cache: Path, groups: bool = True, say: training.Say = lambda line: None) -> Iterator[Row]:
    """The rows, one after another. Raises `InvalidInput` and `ConfigurationError`."""
    encode = training.cached(SentenceModel().encode, cache, say)
    models = load_models(second_stage=False)

    def scored(part: Part, language: str = "en") -> Scores:
        return models.scores(part.texts, [language] * len(part.texts), encode(part.texts))

    part = read_part(data, "offensive-val")
    found = scored(part)
    yield Row("offensive", "macro-F1", macro_f1(part.labels, _over(found.offensive)), 0.78)
    yield Row("offensive", "calibration error", calibration_error(part.labels, found.offensive))
    part = read_part(data, "hate-val")
    found = scored(part)
    note = "HatEval: a source that was not trained on"
    yield Row("hate", "macro-F1, threshold 0.5", macro_f1(part.labels, _over(found.hateful)), None, note)
    yield Row("hate", "AUC", area(part.labels, found.hateful), None, note)
    check = read_part(data, "hatecheck-en")
    found = scored(check)
    right = _over(found.hateful) == check.labels
    yield Row("HateCheck", "accuracy", float(right.mean()), 0.65, "no sentence of it was trained on")
    yield Row("HateCheck", "macro-F1", macro_f1(check.labels, _over(found.hateful)))
    yield Row("HateCheck", "AUC", area(check.labels, found.hateful))
    part = read_part(data, "sentiment-val")
    found = scored(part)
    yield Row("sentiment", "macro-recall", macro_recall(part.labels, found.sentiment.argmax(axis=1)), 0.69)
    part = read_part(data, "threatgram-val")
    found = scored(part)
    yield Row("threat", "macro-F1", macro_f1(part.labels, found.threat.argmax(axis=1)), None, "same channels")
    part = read_part(data, "sentiment-it-val")
    found = scored(part, "it")
    yield Row("sentiment Italian", "macro-F1", macro_f1(part.labels, found.sentiment.argmax(axis=1)), 0.62)
    part = read_part(data, "sentiment-no-dev")
    shipped = models.gate_scores(part.texts, ["no"] * len(part.texts)).sentiment.argmax(axis=1)
    yield Row("sentiment Norwegian", "macro-F1", macro_f1(part.labels, shipped), 0.62, "shipped: word lists")
    if groups:
        own = training.train_norwegian(data).logits(part.texts).argmax(axis=1)
        note = f"from NoReC (CC BY-NC), not shipped: {LOCAL_FILE}"
        yield Row("sentiment Norwegian", "macro-F1", macro_f1(part.labels, own), 0.62, note)
        yield from without_groups(data, encode, models, say)
    for what, names in (("", check.groups), ("about ", check.targets)):
        for name in sorted(set(names) - {""}):
            inside = np.array([one == name for one in names])
            note = f"{int(inside.sum())} sentences"
            yield Row(f"HateCheck {what}{name}", "accuracy", float(right[inside].mean()), None, note)


def without_groups(data: Path, encode: training.Encode, models: Models, say: training.Say) -> Iterator[Row]:
    """Figures for groups that the model never saw."""
    tasks = training.task_examples(data)
    threat = tasks["threat"]
    raw = encode(threat.texts)
    topics = _topics(raw[:, -WIDTH:], TOPIC_GROUPS)
    found = _left_out("threat", threat, models.second.scaled(raw), 3, topics, TOPIC_GROUPS, say)
    note = "left out: topics found by clustering, for the data names no channels"
    yield Row("threat", "macro-F1, unseen topics", macro_f1(threat.labels, found.argmax(axis=1)), 0.86, note)
    yield from _hate_sources(data, encode, models)
    crisis = tasks["eyewitness"]
    vectors = models.second.scaled(encode(crisis.texts))
    scores = _left_out("eyewitness", crisis, vectors, 2, crisis.groups % EVENT_GROUPS, EVENT_GROUPS, say)[:, 1]
    each = [average_precision(crisis.labels[crisis.groups == one], scores[crisis.groups == one]) for one in range(20)]
    note = "each event by a model that saw neither it nor three others"
    yield Row("eyewitness", "average precision, mean", float(np.mean(each)), 0.45, note)
    yield Row("eyewitness", "average precision, pooled", average_precision(crisis.labels, scores), 0.45, note)


def _hate_sources(data: Path, encode: training.Encode, models: Models) -> Iterator[Row]:
    """Hate learnt from real posts (HatEval, whose licence lets nothing be shipped), for comparison."""
    posts = training.of_part(read_part(data, "hate-train"), 2)
    model = _trained(posts, models.second.scaled(encode(posts.texts)), 2)
    for name, where in (("hate-val", "HatEval"), ("hatecheck-en", "HateCheck")):
        part = read_part(data, name)
        found = _applied(model, part.texts, models.second.scaled(encode(part.texts)))[:, 1]
        note = "learnt from HatEval (CC BY-NC), not shipped"
        yield Row("hate", f"macro-F1 on {where}", macro_f1(part.labels, _over(found)), None, note)


def _left_out(
    name: str,
    given: training.Examples,
    vectors: Floats,
    classes: int,
    groups: Labels,
    folds: int,
    say: training.Say,
) -> Floats:
    """Probabilities [examples, classes], each by a model that saw nothing of its group."""
    found = np.zeros((len(given.texts), classes), dtype=np.float32)
    for fold in range(folds):
        outside = groups == fold
        model = _trained(given.only(~outside), vectors[~outside], classes)
        texts = [text for text, out in zip(given.texts, outside, strict=True) if out]
        found[outside] = _applied(model, texts, vectors[outside])
        say(f"{name}: {fold + 1} of {folds} groups left out")
    return found


def _trained(given: training.Examples, vectors: Floats, classes: int) -> tuple[Floats, Dense]:
    gate = linear.fit(features_of(given.texts), given.labels, classes, given.weights)
    crossed = training.cross_fitted(given, classes, folds=2)
    return gate, training.fit_second(joined(vectors, crossed), given, classes, compared=COMPARED)


def _applied(model: tuple[Floats, Dense], texts: Sequence[str], vectors: Floats) -> Floats:
    gate, second = model
    return second.probabilities(joined(vectors, linear.decisions(features_of(texts), gate)))


def _topics(vectors: Floats, groups: int) -> Labels:
    """Clusters of meaning (k-means, spherical), so that a left-out part speaks of something else."""
    random = np.random.default_rng(0)
    centres = vectors[random.choice(len(vectors), groups, replace=False)]
    nearest = np.zeros(len(vectors), dtype=np.int64)
    for _ in range(20):
        nearest = (vectors @ centres.T).argmax(axis=1)
        centres = np.stack(
            [vectors[nearest == one].mean(axis=0) if (nearest == one).any() else centres[one] for one in range(groups)]
        )
        centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    return nearest


def _over(scores: Floats) -> Labels:
    return (scores >= 0.5).astype(np.int64)


__all__ = ["Row", "evaluate"]
