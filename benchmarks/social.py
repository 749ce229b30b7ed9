"""Public posts: bursts against a plain Poisson test, speed of gate and second stage, memory.

`python -m benchmarks.social bursts` or `... speed` measures one of both. Times of posts are invented; their words are
those of research data (`../shared/data/social`, or IMPETUS_SOCIAL_DATA): ordinary tweets, and tweets of one crisis for
each stream. Without the data, bursts are measured by counts alone. The figures of the classifiers are printed by
`impetus social evaluate --data DIR`.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from scipy.stats import poisson

from benchmarks.reporting import Figure, report
from impetus.tools.social.bursts import BIN_S, bursts_of
from impetus.tools.social.judging import Judge
from impetus.tools.social.kinds import examples
from impetus.tools.social.parts import read_part
from impetus.tools.social.plain_text import readable
from impetus.tools.social.posts import Post
from impetus.tools.social.topics import topic_bursts

DATA = Path(os.environ.get("IMPETUS_SOCIAL_DATA", str(Path(__file__).resolve().parents[2] / "shared/data/social")))

DAY_S = 86_400.0
RATES = (2.0, 20.0, 200.0)
ASKED = {2.0: (24, 15.0), 20.0: (22, 20.0), 200.0: (18, 40.0)}
STREAMS = 25
LEARNT_DAYS = 7
QUIET_DAYS = 100
QUIET_POSTS = 120_000
"""Posts of the quiet stream at most: a busy one is watched for fewer days, and its false bursts are reckoned up."""


def main() -> None:
    """Measure and print."""
    figures: list[Figure] = []
    notes: list[str] = []
    chosen = sys.argv[1:] or ["bursts", "speed"]
    if "bursts" in chosen:
        _bursts(figures, notes)
    if "speed" in chosen:
        _speed(figures)
    report("Public posts", figures, notes=notes)


def background(random: np.random.Generator, per_hour: float, days: float) -> list[float]:
    """Posts of an ordinary stream: a daily rhythm, and one in five answered by one or two more within minutes."""
    mean = per_hour / 3_600.0 / 1.3
    candidates = np.sort(random.uniform(0, days * DAY_S, random.poisson(1.6 * mean * days * DAY_S)))
    hour = candidates / 3_600.0 % 24.0
    share = (1.0 + 0.6 * np.sin((hour - 9.0) / 24.0 * 2 * np.pi)) / 1.6
    first = candidates[random.random(len(candidates)) < share]
    answered = first[random.random(len(first)) < 0.2]
    answers = np.repeat(answered, random.integers(1, 3, len(answered)))
    return [*first.tolist(), *(answers + random.exponential(400.0, len(answers))).tolist()]


def crisis(random: np.random.Generator, begin: float) -> list[float]:
    """Posts of one crisis as research streams have them: it rises within a quarter of an hour and fades over hours; its
    size varies over two orders of magnitude (log-normal about 60 posts)."""
    size = max(8, int(random.lognormal(np.log(60.0), 0.9)))
    return [float(time) for time in begin + random.gamma(2.0, 1_500.0, size)]


def poisson_bursts(times: list[float], days: float) -> list[float]:
    """When a plain Poisson test over half an hour finds too many, at the same budget of false alarms."""
    counts = np.histogram(times, bins=np.arange(0, days * DAY_S + 1, BIN_S))[0]
    sums = np.convolve(counts, np.ones(6), "full")[: len(counts)]
    mean = counts[: int(LEARNT_DAYS * DAY_S / BIN_S)].mean() * 6
    hits = np.flatnonzero(poisson.sf(sums - 1, mean) < BIN_S / (QUIET_DAYS * DAY_S))
    return [float((hit + 1) * BIN_S) for hit in hits]


class Texts:
    """Words for invented times."""

    def __init__(self) -> None:
        self.ordinary: Sequence[str] = []
        self.crises: Sequence[Sequence[str]] = []
        if (DATA / "crisis-events.jsonl.xz").exists():
            self.ordinary = read_part(DATA, "sentiment-train").texts
            crises = read_part(DATA, "crisis-events")
            events: Mapping[str, list[str]] = {name: [] for name in sorted(set(crises.groups))}
            for text, name in zip(crises.texts, crises.groups, strict=True):
                events[name].append(text)
            self.crises = list(events.values())

    def posts(self, random: np.random.Generator, times: Sequence[float], texts: Sequence[str], name: str) -> list[Post]:
        """Posts of different voices; no text comes twice before all have come."""
        order = np.concatenate([random.permutation(len(texts)) for _ in range(len(times) // len(texts) + 1)])
        return [
            Post(f"{name}{n}", "s", f"{name}{n}", datetime.fromtimestamp(moment, UTC), texts[order[n]], "en")
            for n, moment in enumerate(times)
        ]

    def bursts(
        self, random: np.random.Generator, quiet: Sequence[float], crisis: Sequence[float], n: int
    ) -> list[float]:
        """When bursts of topics were found, in seconds."""
        if not self.ordinary:
            return []
        posts = self.posts(random, quiet, self.ordinary, "o")
        if crisis:
            posts += self.posts(random, crisis, self.crises[n % len(self.crises)], "c")
        return [one.burst.found for one in topic_bursts(sorted(posts, key=lambda post: post.time))]


def _bursts(figures: list[Figure], notes: list[str]) -> None:
    texts = Texts()
    for rate in RATES:
        random = np.random.default_rng(int(rate))
        delays, counted, plain = [], 0, []
        for number in range(STREAMS):
            begin = (LEARNT_DAYS + random.random()) * DAY_S
            quiet, sudden = background(random, rate, LEARNT_DAYS + 2), crisis(random, begin)
            times = [*quiet, *sudden]
            sums = [one.found for one in bursts_of(times, start=0, end=(LEARNT_DAYS + 2) * DAY_S)]
            words = texts.bursts(random, quiet, sudden, number)
            until = begin + 4 * 3_600.0
            hit = min((moment for moment in (*sums, *words) if begin < moment <= until), default=None)
            delays += [(hit - begin) / 60.0] if hit is not None else []
            counted += any(begin < moment <= until for moment in sums)
            hit = next((moment for moment in poisson_bursts(times, LEARNT_DAYS + 2) if begin < moment <= until), None)
            plain += [(hit - begin) / 60.0] if hit is not None else []
        days = min(float(QUIET_DAYS), QUIET_POSTS / (24.0 * rate))
        quiet = background(random, rate, LEARNT_DAYS + days)
        found = [one.found for one in bursts_of(quiet, start=0, end=(LEARNT_DAYS + days) * DAY_S)]
        found += texts.bursts(random, quiet, [], 0)
        false = sum(moment > LEARNT_DAYS * DAY_S for moment in found) * QUIET_DAYS / days
        asked, minutes = ASKED[rate]
        figures += [
            Figure(f"bursts found at {rate:g} posts/h", "of 25", asked, len(delays), note=f"{counted} by counts alone"),
            Figure(f"median delay at {rate:g} posts/h", "min", minutes, float(np.median(delays)), at_most=True),
            Figure(
                f"false bursts in 100 days at {rate:g} posts/h", "", 1, false, at_most=True, note=f"of {days:.0f} days"
            ),
        ]
        notes.append(f"A plain Poisson test at {rate:g}/h: {len(plain)} of 25, {np.median(plain):.0f} min.")


def _speed(figures: list[Figure]) -> None:
    posts = [one.text for one in examples()] * 6
    texts = [readable(f"{text} @someone https://example.org/{n}") for n, text in enumerate(posts)]
    judge = Judge.load()
    judge.gate(texts[:10], ["en"] * 10)
    began = time.process_time()
    read = [readable(text) for text in posts]
    judge.models.gate.logits(read)
    figures.append(
        Figure("gate, mentions masked", "posts/s a core", 10_000, len(posts) / (time.process_time() - began))
    )
    some = texts[:600]
    judge.full(some[:20], ["en"] * 20)
    began = time.process_time()
    judge.full(some, ["en"] * len(some))
    figures.append(
        Figure("second stage, short example posts", "posts/s a core", 300, len(some) / (time.process_time() - began))
    )
    began = time.process_time()
    for start in range(0, len(texts[:1_000]), 50):
        judge.triaged(texts[start : start + 50], ["en"] * len(texts[start : start + 50]))
    share = 50.0 / (len(texts[:1_000]) / (time.process_time() - began))
    figures.append(Figure("50 posts/s, all threat-relevant or made to look so", "of a core", 0.4, share, at_most=True))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000
    figures.append(Figure("memory of the process", "MB", 500, memory, at_most=True))


if __name__ == "__main__":
    main()
