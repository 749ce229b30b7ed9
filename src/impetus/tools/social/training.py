"""Trains all models: `impetus social train --data DIR`. Deterministic; needs neither torch nor scikit-learn.

The gate's logits that the second stage sees come from cross-fitting (each post is judged by a gate that never saw it,
nor another post of its group), so that the second stage learns how far the gate may be trusted. Choices: the L2 penalty
of the second stage by cross-validation within the training part; all else is a convention or has its reason beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from impetus.tools.social import dense, linear
from impetus.tools.social.features import BUCKETS, Features, features_of
from impetus.tools.social.kinds import KINDS, examples
from impetus.tools.social.models import TASKS, Gate, Second, joined
from impetus.tools.social.parts import Part, read_part
from impetus.tools.social.polarity import polarity_features
from impetus.tools.social.sentence_model import EMBEDDING, SentenceModel
from impetus.tools.social.statements import statements

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]
Encode = Callable[[Sequence[str]], Floats]
Say = Callable[[str], None]

FOLDS = 3
"""Of cross-fitting the gate."""
COMPARED = 5_000
"""Examples on which penalties are compared."""
ORDINARY = 2_000
"""Ordinary posts among what is of no kind."""
CHUNK = 1_000
"""Texts whose embeddings are one file of the cache."""
CACHE_VERSION = "minilm-246-96"
"""Of what the embeddings are: model, layers and longest text."""
CLIPPED = 99.9
"""Percentile of a column's weights that becomes 127; the few beyond it are cut to it."""


@dataclass(frozen=True, slots=True)
class Examples:
    """What one task is learnt from."""

    texts: Sequence[str]
    labels: Labels
    weights: Floats
    """Of each example, classes balanced."""
    groups: Labels
    """Examples of one group belong on one side of a split."""
    language: str = "en"

    def only(self, chosen: NDArray[np.bool_]) -> Examples:
        """Some of them."""
        places = np.flatnonzero(chosen).tolist()
        return Examples(
            [self.texts[place] for place in places],
            self.labels[chosen],
            self.weights[chosen],
            self.groups[chosen],
            self.language,
        )


def cached(encode: Encode, folder: Path, say: Say = lambda line: None) -> Encode:
    """Embeddings kept in files of some hundred texts, named by a checksum of them: what was cut off goes on there."""

    def chunk(texts: Sequence[str]) -> Floats:
        name = hashlib.sha256("\0".join(texts).encode("utf-8", "replace")).hexdigest()[:24]
        file = folder / f"{CACHE_VERSION}-{name}.npy"
        try:
            found: Floats = np.load(file, allow_pickle=False).astype(np.float32)
            if found.shape == (len(texts), EMBEDDING):
                return found
        except (OSError, ValueError, EOFError):
            pass  # not there, or cut off while it was written
        made = encode(texts).astype(np.float16)
        folder.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".part.npy")
        np.save(partial, made)
        partial.replace(file)
        return made.astype(np.float32)

    def in_chunks(texts: Sequence[str]) -> Floats:
        found = np.zeros((len(texts), EMBEDDING), dtype=np.float32)
        for start in range(0, len(texts), CHUNK):
            found[start : start + CHUNK] = chunk(texts[start : start + CHUNK])
            if len(texts) > 4 * CHUNK:
                say(f"embeddings: {min(start + CHUNK, len(texts))} of {len(texts)}")
        return found

    return in_chunks


def train(folder: Path, *, encode: Encode | None = None, say: Say = lambda line: None) -> tuple[Gate, Second]:
    """All models that are shipped, from the parts in a folder. Raises `InvalidInput` and `ConfigurationError`."""
    encode = encode or SentenceModel().encode
    tasks = task_examples(folder)
    columns: dict[str, Floats] = {}
    crossed: dict[str, Floats] = {}
    embedded: dict[str, Floats] = {}
    for task, given in tasks.items():
        features = features_of(given.texts)
        columns[task] = linear.fit(features, given.labels, TASKS[task], given.weights)
        crossed[task] = cross_fitted(given, TASKS[task])
        embedded[task] = encode(given.texts)
        say(f"{task}: {len(given.texts)} examples")
    everything = np.concatenate([embedded[task] for task in tasks if task != "sentiment-it"])
    mean, scale = everything.mean(axis=0), everything.std(axis=0) + 1e-4
    empty = Second(mean, scale, {})
    models: dict[str, dense.Dense] = {}
    for task, given in tasks.items():
        inputs = joined(empty.scaled(embedded[task]), crossed[task])
        if task == "sentiment-it":
            inputs = np.hstack([inputs, polarity_of(given.texts, "it")])
        models[task] = fit_second(inputs, given, TASKS[task], cut=task == "offensive")
        say(f"{task}: second stage")
    italian = tasks["sentiment-it"]
    models["polarity"] = fit_second(polarity_of(italian.texts, "it"), italian, 3)
    return quantised(columns), Second(mean.astype(np.float16).astype(np.float32), scale, models)


def train_norwegian(folder: Path) -> Gate:
    """Sentiment of Norwegian text from NoReC, whose licence (CC BY-NC 4.0) allows no commercial use: kept by those who
    may, never shipped. Raises `InvalidInput`."""
    given = of_part(read_part(folder, "sentiment-no-train"), 3, "no")
    weights = linear.fit(features_of(given.texts), given.labels, 3, given.weights)
    return quantised({"sentiment": weights})


def task_examples(folder: Path) -> Mapping[str, Examples]:
    """What each task is learnt from. Raises `InvalidInput`."""
    threat = read_part(folder, "threatgram-train")
    sentiment = read_part(folder, "sentiment-train")
    return {
        "offensive": of_part(read_part(folder, "offensive-train"), 2),
        "hateful": statement_examples(),
        "sentiment": of_part(sentiment, 3),
        "threat": of_part(threat, 3),
        "eyewitness": of_part(read_part(folder, "crisis-events"), 2),
        "kind": kind_examples(sentiment),
        "sentiment-it": of_part(read_part(folder, "sentiment-it-train"), 3, "it"),
    }


def of_part(part: Part, classes: int, language: str = "en") -> Examples:
    """The examples of a part; posts of one event or review are one group."""
    names = {name: number for number, name in enumerate(sorted(set(part.groups)))}
    if len(names) > 1:
        groups = np.array([names[name] for name in part.groups], dtype=np.int64)
    else:
        groups = np.random.default_rng(0).integers(1_000, size=len(part.texts))
    return Examples(part.texts, part.labels, linear.class_weights(part.labels, classes), groups, language)


def statement_examples() -> Examples:
    """Made sentences about groups of people; those of one frame are on one side of a split."""
    made = statements()
    labels = np.array([int(one.hateful) for one in made], dtype=np.int64)
    frames = {name: number for number, name in enumerate(sorted({one.frame for one in made}))}
    groups = np.array([frames[one.frame] for one in made], dtype=np.int64)
    return Examples([one.text for one in made], labels, linear.class_weights(labels, 2), groups)


def kind_examples(ordinary: Part) -> Examples:
    """Example sentences of each kind, and ordinary posts that are of none."""
    made = examples()
    chosen = np.random.default_rng(0).permutation(len(ordinary.texts))[:ORDINARY]
    labels = np.concatenate(
        [np.array([KINDS.index(one.kind) for one in made], dtype=np.int64), np.zeros(len(chosen), dtype=np.int64)]
    )
    # All kinds weigh the same within each language: else a language with few ordinary posts would look like a threat.
    languages = [*(one.language for one in made), *("en" for _ in chosen)]
    weights = np.zeros(len(labels), dtype=np.float32)
    for language in sorted(set(languages)):
        inside = np.array([one == language for one in languages])
        weights[inside] = linear.class_weights(labels[inside], len(KINDS))
    frames = {name: number for number, name in enumerate(sorted({one.frame for one in made}))}
    groups = [*(frames[one.frame] for one in made), *(int(place) for place in chosen)]
    return Examples(
        [*(one.text for one in made), *(ordinary.texts[place] for place in chosen)],
        labels,
        weights,
        np.array(groups, dtype=np.int64),
    )


def cross_fitted(given: Examples, classes: int, *, folds: int = FOLDS) -> Floats:
    """Logits of the gate for each example, from a gate that saw neither it nor its group."""
    found = np.zeros((len(given.texts), classes), dtype=np.float32)
    for fold in range(folds):
        outside = given.groups % folds == fold
        inside, left = given.only(~outside), given.only(outside)
        if not left.texts:
            continue
        weights = linear.fit(features_of(inside.texts), inside.labels, classes, inside.weights)
        found[outside] = linear.decisions(features_of(left.texts), weights)
    return found


def fit_second(
    inputs: Floats, given: Examples, classes: int, *, cut: bool = False, compared: int = COMPARED
) -> dense.Dense:
    """The second stage of one task, the penalty chosen by cross-validation on `compared` examples at most. What is best
    for few is too strong for many: it falls as the examples grow, as a prior that stays the same weighs ever less.

    With `cut`, one half is not "as likely as not if both classes were equally frequent" but where posts as they come
    are told apart best: the cut with the greatest macro-F1 in the same cross-validation.
    """
    some = np.random.default_rng(0).permutation(len(inputs))[:compared]
    chosen = (inputs[some], given.labels[some], classes, given.weights[some], given.groups[some])
    penalty = dense.chosen_penalty(*chosen)
    learnt_from = len(some) * (dense.FOLDS - 1) / dense.FOLDS
    model = dense.fit(inputs, given.labels, classes, given.weights, penalty * learnt_from / len(inputs))
    if not cut:
        return model
    return dense.cut_at(model, dense.best_cut(given.labels[some], dense.cross_validated(*chosen, penalty)[:, 1]))


def polarity_of(texts: Sequence[str], language: str) -> Floats:
    """[texts, features of the word lists]"""
    return np.stack([polarity_features(text, language) for text in texts])


def quantised(columns: Mapping[str, Floats]) -> Gate:
    """One gate of the weights of all tasks, in eight bits; what is common to the classes of a task is taken out."""
    centred = [weights - weights.mean(axis=1, keepdims=True) for weights in columns.values()]
    wide = np.concatenate(centred, axis=1)
    top = np.array([np.percentile(np.abs(column[column != 0]), CLIPPED) for column in wide[:BUCKETS].T])
    scales = (top / 127.0).astype(np.float32)
    rounded = np.clip(np.round(wide[:BUCKETS] / scales), -127, 127).astype(np.int8)
    return Gate(rounded, scales, wide[BUCKETS].astype(np.float32))


__all__ = ["Examples", "Features", "cached", "train", "train_norwegian"]
