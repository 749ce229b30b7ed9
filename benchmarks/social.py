"""Public posts: bursts against a plain Poisson test, speed of gate and second stage, memory.

The figures of the classifiers are printed by `impetus social evaluate --data DIR`.
"""

from __future__ import annotations

import resource
import time

import numpy as np
from scipy.stats import poisson

from benchmarks.reporting import Figure, report
from impetus.tools.social.bursts import BIN_S, bursts_of
from impetus.tools.social.judging import Judge
from impetus.tools.social.kinds import examples
from impetus.tools.social.plain_text import readable

DAY_S = 86_400.0
RATES = (2.0, 20.0, 200.0)
ASKED = {2.0: (24, 15.0), 20.0: (22, 20.0), 200.0: (18, 40.0)}
STREAMS = 25
LEARNT_DAYS = 7
QUIET_DAYS = 100


def main() -> None:
    """Measure and print."""
    figures: list[Figure] = []
    notes: list[str] = []
    _bursts(figures, notes)
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


def _bursts(figures: list[Figure], notes: list[str]) -> None:
    for rate in RATES:
        random = np.random.default_rng(int(rate))
        delays, plain = [], []
        for _ in range(STREAMS):
            begin = (LEARNT_DAYS + random.random()) * DAY_S
            times = [*background(random, rate, LEARNT_DAYS + 2), *crisis(random, begin)]
            until = begin + 4 * 3_600.0
            found = [one.found for one in bursts_of(times, start=0, end=(LEARNT_DAYS + 2) * DAY_S)]
            hit = next((moment for moment in found if begin < moment <= until), None)
            delays += [(hit - begin) / 60.0] if hit is not None else []
            hit = next((moment for moment in poisson_bursts(times, LEARNT_DAYS + 2) if begin < moment <= until), None)
            plain += [(hit - begin) / 60.0] if hit is not None else []
        quiet = bursts_of(background(random, rate, QUIET_DAYS), start=0, end=QUIET_DAYS * DAY_S)
        false = [one for one in quiet if one.found > LEARNT_DAYS * DAY_S]
        asked, minutes = ASKED[rate]
        figures += [
            Figure(f"bursts found at {rate:g} posts/h", "of 25", asked, len(delays)),
            Figure(f"median delay at {rate:g} posts/h", "min", minutes, float(np.median(delays)), at_most=True),
            Figure(f"false bursts in 100 days at {rate:g} posts/h", "", 1, len(false), at_most=True),
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
    figures.append(Figure("second stage", "posts/s a core", 300, len(some) / (time.process_time() - began)))
    began = time.process_time()
    for start in range(0, len(texts[:1_000]), 50):
        judge.triaged(texts[start : start + 50], ["en"] * len(texts[start : start + 50]))
    share = 50.0 / (len(texts[:1_000]) / (time.process_time() - began))
    figures.append(Figure("50 posts/s, all threat-relevant or made to look so", "of a core", 0.4, share, at_most=True))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000
    figures.append(Figure("memory of the process", "MB", 500, memory, at_most=True))


if __name__ == "__main__":
    main()
