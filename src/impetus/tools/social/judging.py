"""Judges posts: gate first, the sentence model for what passes, and the reasons in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from impetus.tools.social.kinds import KINDS, TITLES, Kind, examples
from impetus.tools.social.models import SENTIMENTS, Models, Scores, load_models
from impetus.tools.social.sentence_model import WIDTH
from impetus.tools.social.topic_map import TopicMap

Floats = NDArray[np.float32]

GATE_PASSES = 0.25
"""Relevance by the gate from which the sentence model looks too: low, because the gate only saves work."""
REASONS = 6
_WORD = re.compile(r"[^\s]+")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the models say of one post; all probabilities are for classes that are equally frequent."""

    offensive: float
    hateful: float
    sentiment: tuple[float, float, float]
    threat: tuple[float, float, float]
    eyewitness: float
    kinds: tuple[float, ...]
    """In the order of `KINDS`."""
    vector: Floats | None = field(default=None, repr=False)
    """Meaning of the text, of length 1, if the sentence model looked at it."""

    @property
    def kind(self) -> Kind:
        """The most likely threat-relevant kind; `NONE` if none is likely."""
        best = int(np.argmax(self.kinds))
        if KINDS[best] is Kind.NONE and self.relevance >= 0.5:
            best = 1 + int(np.argmax(self.kinds[1:]))
        return KINDS[best]

    @property
    def relevance(self) -> float:
        """How likely the post is threat-relevant: its kind, violence wished for, an eyewitness (noisy or)."""
        missed = self.kinds[0] * (1.0 - 0.4 * self.threat[2]) * (1.0 - 0.4 * self.eyewitness)
        return float(1.0 - missed)


class Judge:
    """Judges posts with the shipped models."""

    def __init__(self, models: Models) -> None:
        self.models = models
        self._examples = examples(filled=1)
        self._vectors: Floats | None = None

    @classmethod
    def load(cls, *, second_stage: bool = True, threads: int = 1, local: Path | None = None) -> Judge:
        """Raises `ConfigurationError` if the weights or the sentence model are missing."""
        return cls(load_models(second_stage=second_stage, threads=threads, local=local))

    def gate(self, texts: Sequence[str], languages: Sequence[str]) -> list[Judgement]:
        """By the gate alone."""
        return _judgements(self.models.gate_scores(texts, languages), None)

    def full(self, texts: Sequence[str], languages: Sequence[str]) -> list[Judgement]:
        """By both stages; by the gate if there is no sentence model."""
        if self.models.encoder is None:
            return self.gate(texts, languages)
        embeddings = self.models.encoder.encode(texts)
        scores = self.models.scores(texts, languages, embeddings)
        return _judgements(scores, embeddings[:, -WIDTH:])

    def triaged(self, texts: Sequence[str], languages: Sequence[str]) -> list[Judgement]:
        """By the gate, and those that it lets pass by both stages."""
        found = self.gate(texts, languages)
        passing = [place for place, one in enumerate(found) if one.relevance >= GATE_PASSES]
        if passing and self.models.encoder is not None:
            closer = self.full([texts[place] for place in passing], [languages[place] for place in passing])
            for place, one in zip(passing, closer, strict=True):
                found[place] = one
        return found

    def reasons(self, text: str, language: str, judgement: Judgement) -> list[str]:
        """In plain words: what the post is taken for, the words that weighed most in the gate, and the example of ours
        that it is most like."""
        found = []
        kind = judgement.kind
        if kind is not Kind.NONE:
            found.append(f"{TITLES[kind]}: {judgement.kinds[KINDS.index(kind)]:.0%}")
        for name, value in (
            ("offensive", judgement.offensive),
            ("hateful", judgement.hateful),
            ("violence wished for", judgement.threat[2]),
            ("punishment by law wished for", judgement.threat[1]),
            ("eyewitness", judgement.eyewitness),
        ):
            if value >= 0.5:
                found.append(f"{name}: {value:.0%}")
        words = self._words(text, language)
        if words:
            found.append(f"words that weighed most: {', '.join(words)}")
        if judgement.vector is not None and kind is not Kind.NONE:
            example, likeness = self._most_like(judgement.vector)
            if likeness >= 0.35:
                found.append(f'like the example "{example}" ({likeness:.0%})')
        return found[:REASONS]

    def _words(self, text: str, language: str) -> list[str]:
        """Words without which the gate would think otherwise."""
        places = [match.span() for match in _WORD.finditer(text)][:60]
        if len(places) < 2:
            return []
        without = [text[:start] + text[end:] for start, end in places]
        everything = self.models.gate_scores([text, *without], [language] * (len(without) + 1))
        whole = np.stack(
            [
                1.0 - everything.kind[:, 0],
                everything.threat[:, 2],
                everything.offensive,
                everything.hateful,
                everything.eyewitness,
            ],
            axis=1,
        )
        topic = int(np.argmax(whole[0]))
        falls = whole[0, topic] - whole[1:, topic]
        order = np.argsort(-falls)[:3]
        return [text[places[at][0] : places[at][1]][:40] for at in order if falls[at] > 0.02]

    def topic_map(self) -> TopicMap | None:
        """Where topics stand; None without the sentence model."""
        return TopicMap.of(self._example_vectors()) if self.models.encoder is not None else None

    def _example_vectors(self) -> Floats:
        if self._vectors is None:
            assert self.models.encoder is not None  # noqa: S101 - both callers have seen to it
            self._vectors = self.models.encoder.encode([one.text for one in self._examples])[:, -WIDTH:]
        return self._vectors

    def _most_like(self, vector: Floats) -> tuple[str, float]:
        likeness = self._example_vectors() @ vector
        best = int(np.argmax(likeness))
        return self._examples[best].text, float(likeness[best])


def _judgements(scores: Scores, vectors: Floats | None) -> list[Judgement]:
    return [
        Judgement(
            offensive=float(scores.offensive[row]),
            hateful=float(scores.hateful[row]),
            sentiment=_three(scores.sentiment[row]),
            threat=_three(scores.threat[row]),
            eyewitness=float(scores.eyewitness[row]),
            kinds=tuple(float(value) for value in scores.kind[row]),
            vector=vectors[row] if vectors is not None else None,
        )
        for row in range(len(scores.offensive))
    ]


def _three(values: Floats) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])


def written(judgement: Judgement) -> dict[str, object]:
    """The fields of a scored line."""
    return {
        "offensive": round(judgement.offensive, 4),
        "hateful": round(judgement.hateful, 4),
        "sentiment": {name: round(value, 4) for name, value in zip(SENTIMENTS, judgement.sentiment, strict=True)},
        "threat": {str(number): round(value, 4) for number, value in enumerate(judgement.threat)},
        "eyewitness": round(judgement.eyewitness, 4),
    }
