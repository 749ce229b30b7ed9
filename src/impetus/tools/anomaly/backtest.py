"""What would have been said of a stream's past: each stream judged from its first reading on, many at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from impetus.model import InvalidInput
from impetus.sdk.cluster import on_cluster
from impetus.tools.anomaly.arrays import Floats
from impetus.tools.anomaly.close_watch import ALERT_SCORE, CloseWatch, score_of_evidence

THRESHOLDS = (0.4, 0.5, 0.6, 0.7, 0.8)
"""Scores from which on alerts are counted, so that a person can choose one."""
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class History:
    """The past of one stream; times in seconds since 1970 (UTC) and what local time was ahead, all of one length."""

    stream: str
    time_s: Floats
    offset_s: Floats
    value: Floats


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many alerts a stream would have raised, from each of `THRESHOLDS` on, and when those from 0.5 on."""

    stream: str
    readings: int
    days: float
    alerts: dict[float, int]
    times_s: list[float]


def backtest(histories: Sequence[History], *, jobs: int = 1, cluster: str | None = None) -> Iterator[Outcome]:
    """The outcomes as they are ready, in any order; in `jobs` processes, or on a Dask cluster at this address.

    Raises:
        InvalidInput: the cluster cannot be reached, or joblib (or distributed) is not installed.
    """
    if jobs == 1 and cluster is None:
        yield from map(judge, histories)
        return
    try:
        from joblib import Parallel, delayed
    except ImportError as error:
        raise InvalidInput("joblib is not installed", hint="pip install 'impetus[anomaly]', or use --jobs 1") from error
    with on_cluster(cluster) if cluster is not None else nullcontext():
        yield from Parallel(n_jobs=-1 if cluster else jobs, return_as="generator_unordered")(
            delayed(judge)(history) for history in histories
        )


def judge(history: History) -> Outcome:
    """One stream from its first reading to its last.

    >>> history = History("noon", np.arange(300) * 300.0, np.zeros(300), np.tile([1.0, 2.0, 3.0], 100))
    >>> judge(history).alerts[0.5]
    0
    """
    watch = CloseWatch()
    alerts = dict.fromkeys(THRESHOLDS, 0)
    times_s = []
    rows = zip(history.time_s.tolist(), history.offset_s.tolist(), history.value.tolist(), strict=True)
    for time_s, offset_s, value in rows:
        evidence = watch.update(time_s, offset_s, value).evidence
        score = 0.0 if evidence is None else score_of_evidence(evidence.news)
        for threshold in THRESHOLDS:
            alerts[threshold] += score >= threshold
        if score >= ALERT_SCORE:
            times_s.append(time_s)
    span_s = float(np.ptp(history.time_s)) if len(history.time_s) else 0.0
    return Outcome(history.stream, len(history.value), span_s / DAY_S, alerts, times_s)
