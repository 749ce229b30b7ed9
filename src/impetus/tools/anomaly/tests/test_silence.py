"""Silence: of one sensor, of the network, and of nobody although clocks jump and processes sleep."""

from __future__ import annotations

import numpy as np

from impetus.tools.anomaly.arrays import Integers
from impetus.tools.anomaly.silence import SilenceReport, SilenceWatch

STREAMS = 20
LIMIT_S = np.full(STREAMS, 60.0)
EVERYBODY = np.arange(STREAMS)


def watch_of(streams: int = STREAMS) -> SilenceWatch:
    watch = SilenceWatch(together=8)
    watch.grow(streams)
    watch.arrived(np.arange(streams), 0.0)
    return watch


def run(watch: SilenceWatch, rows: Integers, start_s: float, end_s: float) -> list[SilenceReport]:
    """Readings of `rows` every 10 s and a look every 5 s; what each look said."""
    reports = []
    for now_s in np.arange(start_s, end_s, 5.0):
        if now_s % 10 == 0:
            watch.arrived(rows, float(now_s))
        reports.append(watch.look(float(now_s), LIMIT_S))
    return reports


def silent(reports: list[SilenceReport]) -> list[int]:
    return [int(row) for report in reports for row in report.silent]


def test_one_sensor_is_silent_once_and_comes_back_once() -> None:
    """One alert when it goes, one end when it returns, however long it is away."""
    watch = watch_of()
    away = run(watch, EVERYBODY[1:], 5.0, 1000.0)
    assert silent(away) == [0]
    assert not any(len(report.back) for report in away)
    again = run(watch, EVERYBODY, 1000.0, 1100.0)
    assert [int(row) for report in again for row in report.back] == [0]
    assert silent(again) == []


def test_everything_silent_is_one_event_of_the_network() -> None:
    """When the broker stops, an operator gets one alert and not twenty; and one end when it is back."""
    watch = watch_of()
    run(watch, EVERYBODY, 5.0, 100.0)
    nothing = EVERYBODY[:0]
    away = run(watch, nothing, 100.0, 2000.0)
    lost = [report.network_silent for report in away if report.network_silent is not None]
    assert [len(rows) for rows in lost] == [STREAMS]
    assert silent(away) == []
    again = run(watch, EVERYBODY, 2000.0, 2200.0)
    assert sum(report.network_back for report in again) == 1
    assert silent(again) == []


def test_sensors_that_stop_together_but_reported_at_different_moments_are_one_event() -> None:
    """Their limits are reached one after another; the first must not make an alert of its own."""
    watch = watch_of()
    for row in range(STREAMS):
        watch.arrived(np.array([row]), 100.0 + row)
    away = run(watch, EVERYBODY[:0], 125.0, 400.0)
    assert [len(report.network_silent) for report in away if report.network_silent is not None] == [STREAMS]
    assert silent(away) == []


def test_who_stays_away_after_the_network_is_back_is_silent_by_itself() -> None:
    """The network's return must not hide a sensor that did not survive."""
    watch = watch_of()
    run(watch, EVERYBODY[:0], 5.0, 200.0)
    again = run(watch, EVERYBODY[1:], 200.0, 500.0)
    assert sum(report.network_back for report in again) == 1
    assert silent(again) == [0]


def test_a_process_that_slept_calls_nobody_silent() -> None:
    """After a suspend all seems old at the first look; what waited is read before the second."""
    watch = watch_of()
    run(watch, EVERYBODY, 5.0, 100.0)
    woken = watch.look(5000.0, LIMIT_S)
    watch.arrived(EVERYBODY, 5001.0)
    after = watch.look(5005.0, LIMIT_S)
    for report in (woken, after):
        assert not len(report.silent)
        assert report.network_silent is None


def test_two_sensors_are_no_network() -> None:
    """Nobody can tell which of two is the rule; each is told of by itself."""
    watch = watch_of(2)
    reports = [watch.look(float(now_s), np.full(2, 60.0)) for now_s in range(5, 200, 5)]
    assert sorted(silent(reports)) == [0, 1]


def test_streams_never_seen_are_not_expected() -> None:
    """A registered sensor that is not installed yet is no fault."""
    watch = SilenceWatch(together=8)
    watch.grow(3)
    assert silent([watch.look(float(now_s), np.full(3, 60.0)) for now_s in range(5, 500, 5)]) == []
