"""Tells a release from background: readings in, detections out; one sensor, several together, and how sure.

The order for each round of readings: what was expected, how far off, is that a step, do neighbours agree; then learn -
but nothing from a sensor on which something is going on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from impetus.tools.air.arrays import Booleans, Floats, Integers
from impetus.tools.air.background import COVARIATES, Background
from impetus.tools.air.calibration import TailThreshold
from impetus.tools.air.sequential import (
    JOINT_SENSORS,
    WINDOW,
    StepTest,
    joint_evidence,
)

FALSE_ALARMS = 0.25
"""False alarms a sensor-year that each threshold aims at, of single sensors and of groups. One in all is tolerated; a
past of weeks says less about rare things than it seems to, and about twice as many come as are aimed at."""
WARM_READINGS = 20
"""Readings before which nothing is called a release."""
QUIET_EVIDENCE = 3.5
"""Evidence from which a sensor teaches nothing."""
LEVEL_EVIDENCE = 2.5
"""Evidence from which what lasts is no longer followed: it may be the step of several sensors."""
QUIET_LIMIT = 288
"""Samples after which what goes on is learnt as the new background all the same (a day at five minutes)."""
END_DEVIATION = 1.5
END_SAMPLES = 3
"""An alert ends after so many samples within 1.5 standard deviations of the background."""
NEIGHBOUR_M = 1_500.0
NEAREST = 4
_DAY_S = 86_400.0
FEW_SENSORS = 12
"""Up to so many sensors without positions count as neighbours of one another."""


class Confirmation(StrEnum):
    """Why a detection is believed."""

    NONE = "none"
    """One sensor, just now: wait for the next sample."""
    SECOND_SAMPLE = "second-sample"
    """The same sensor again."""
    SECOND_SENSOR = "second-sensor"
    """A neighbour too."""


ACTIONS: Mapping[Confirmation, str] = {
    Confirmation.NONE: "wait for the next sample; look at the neighbours",
    Confirmation.SECOND_SAMPLE: "take a sample for the laboratory beside the sensor",
    Confirmation.SECOND_SENSOR: "take samples for the laboratory down-wind, and ask for the likely source",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading with the weather of its moment; covariates that are unknown are nan."""

    sensor: str
    time_s: float
    """Seconds since 1970, in the local time whose days the city follows."""
    value: float
    covariates: tuple[float, ...] = (math.nan,) * len(COVARIATES)


@dataclass(frozen=True, slots=True)
class Detection:
    """Something above background, from its onset on."""

    sensors: tuple[str, ...]
    joint: bool
    """Found only by several sensors together."""
    onset_s: float
    time_s: float
    value: float
    """Of the first sensor."""
    expected: float
    sd: float
    height_sd: float
    """Height of the step in standard deviations of the background."""
    evidence: float
    """Standard errors."""
    confirmation: Confirmation
    revision: int = 0
    """0 when it opens; greater when it is confirmed."""
    learning: bool = False
    """Within the sensor's first day: its rush hours are not known yet."""


@dataclass(slots=True)
class _Open:
    detection: Detection
    samples: int = 1
    quiet: int = 0


class Detector:
    """Watches the sensors of one kind of measurement in one network."""

    def __init__(self, positions_m: Mapping[str, tuple[float, float]] | None = None) -> None:
        """`positions_m`: east and north of sensors, as far as known."""
        self._positions = dict(positions_m or {})
        self._rows: dict[str, int] = {}
        self._names: list[str] = []
        self._background = Background()
        self._test = StepTest()
        # Until a network has a past, noise is taken to have heavy tails.
        self._tail = TailThreshold(base=3.0, rate=0.01, excess=1.8, per_year=FALSE_ALARMS, lowest=4.5, highest=5.7)
        self._joint_tail = TailThreshold(
            base=4.0, rate=0.01, excess=1.8, per_year=FALSE_ALARMS, lowest=5.0, highest=7.0
        )
        self._newest_s = np.zeros(0)
        self._first_s = np.zeros(0)
        self._times_s = np.zeros((0, WINDOW))
        """When the latest samples were, newest first: the interval may have changed since."""
        self._interval_s = np.zeros(0)
        self._disturbed = np.zeros(0, dtype=np.int64)
        self._open: dict[str, _Open] = {}
        self._joint_open: dict[frozenset[str], float] = {}
        self._moment_s = math.nan
        self._groups: dict[str, Integers] = {}
        self._members = np.zeros((0, JOINT_SENSORS), dtype=np.int64)
        """(sensors, ...): rows of each sensor's group; one past the last stands for none."""
        self.last_expected: dict[str, tuple[float, float]] = {}
        """Mean and standard deviation that were expected of the latest reading of each sensor."""

    def open_detections(self) -> Sequence[Detection]:
        """What goes on now."""
        return [entry.detection for entry in self._open.values()]

    def observe(self, readings: Sequence[Reading]) -> Iterator[Detection]:
        """One round: at most one reading a sensor, of about the same time. Readings not newer than the last of their
        sensor are left out; the caller says so."""
        chosen: dict[str, Reading] = {}
        for reading in readings:
            number = self._rows.get(reading.sensor)
            if number is None or not reading.time_s <= self._newest_s[number]:
                chosen[reading.sensor] = reading
        if not chosen:
            return
        row = self._rows_of(list(chosen))
        time_s = np.array([reading.time_s for reading in chosen.values()])
        value = np.array([reading.value for reading in chosen.values()])
        covariates = np.array([reading.covariates for reading in chosen.values()])
        self._first_s[row] = np.where(np.isnan(self._first_s[row]), time_s, self._first_s[row])
        moment_s = float(np.median(time_s))
        expected, found = self._background.expect(row, moment_s, covariates, value)
        warm = self._background.readings[row] >= WARM_READINGS
        raw = expected.residual / expected.sd
        passed_s = moment_s - self._moment_s if math.isfinite(self._moment_s) else 0.0
        self._moment_s = moment_s
        shared_out, common = self._test.without_common(row, raw, warm, passed_s)
        standardised = self._test.without_level(row, shared_out)
        gap_s = np.minimum(time_s - self._newest_s[row], _DAY_S)
        with np.errstate(invalid="ignore"):
            adjacent = gap_s < 2.5 * np.where(self._interval_s[row] > 0, self._interval_s[row], np.inf)
        adjacent &= np.isfinite(gap_s)
        self._times_s[row, 1:] = self._times_s[row, :-1]
        self._times_s[row, 0] = time_s
        before = self._test.last(row)
        step = self._test.update(row, standardised, adjacent)
        interval_s = float(np.median(self._interval_s[row])) or 300.0
        alarmed = warm & (step.evidence >= self._tail.of(row, interval_s))
        for place, name in enumerate(chosen):
            self.last_expected[name] = (float(expected.mean[place]), float(expected.sd[place]))
        yield from self._judge(
            list(chosen), row, time_s, value, expected.mean, expected.sd, standardised, alarmed, adjacent
        )
        settled = warm & (time_s - self._first_s[row] >= _DAY_S)
        yield from self._judge_together(
            list(chosen), row, time_s, value, expected.mean, expected.sd, warm, settled, interval_s
        )
        open_now = np.array([name in self._open for name in chosen])
        involved = open_now | np.array([self._told_lately(frozenset({name}), moment_s) for name in chosen])
        self._tail.learn(row, step.evidence, settled, involved)
        disturbed = (step.evidence >= QUIET_EVIDENCE) & warm | open_now
        self._disturbed[row] = np.where(disturbed, self._disturbed[row] + 1, 0)
        quiet = ~disturbed | (self._disturbed[row] > QUIET_LIMIT)
        self._background.learn(row, moment_s, covariates, expected, found, quiet)
        self._test.learn(row[quiet], standardised[quiet], before[quiet], adjacent[quiet])
        flat = quiet & ((step.evidence < LEVEL_EVIDENCE) | (self._disturbed[row] > QUIET_LIMIT))
        self._test.learn_level(row[flat], standardised[flat])
        self._test.learn_share(row[quiet & warm], raw[quiet & warm], common)
        known = np.isfinite(gap_s) & (gap_s > 0)
        first = known & (self._interval_s[row] == 0)
        self._interval_s[row] = np.where(
            first,
            gap_s,
            np.where(
                known,
                self._interval_s[row] + 0.1 * (np.minimum(gap_s, 3 * self._interval_s[row]) - self._interval_s[row]),
                self._interval_s[row],
            ),
        )
        self._newest_s[row] = time_s

    def _judge(
        self,
        names: Sequence[str],
        row: Integers,
        time_s: Floats,
        value: Floats,
        mean: Floats,
        sd: Floats,
        standardised: Floats,
        alarmed: Booleans,
        adjacent: Booleans,
    ) -> Iterator[Detection]:
        busy = np.array([name in self._open for name in names])
        for place in np.flatnonzero(alarmed | busy).tolist():
            name = names[place]
            entry = self._open.get(name)
            if entry is None:
                best = self._test.best(row[place : place + 1])
                samples = int(best.samples[0])
                detection = Detection(
                    sensors=(name,),
                    joint=False,
                    onset_s=float(self._times_s[row[place], samples - 1]),
                    time_s=float(time_s[place]),
                    value=float(value[place]),
                    expected=float(mean[place]),
                    sd=float(sd[place]),
                    height_sd=float(best.height[0]),
                    evidence=float(best.evidence[0]),
                    confirmation=self._confirmation(name, float(time_s[place])),
                    learning=bool(time_s[place] - self._first_s[row[place]] < _DAY_S),
                )
                self._open[name] = _Open(detection)
                yield detection
                continue
            entry.samples += 1
            entry.quiet = entry.quiet + 1 if standardised[place] < END_DEVIATION else 0
            if entry.quiet >= END_SAMPLES or not adjacent[place]:
                del self._open[name]
                self._test.forget(row[place : place + 1])
                continue
            better = self._confirmation(name, float(time_s[place]))
            if better is Confirmation.NONE and entry.quiet == 0:
                better = Confirmation.SECOND_SAMPLE
            if list(Confirmation).index(better) > list(Confirmation).index(entry.detection.confirmation):
                entry.detection = replace(
                    entry.detection,
                    confirmation=better,
                    revision=entry.detection.revision + 1,
                    time_s=float(time_s[place]),
                    value=float(value[place]),
                    expected=float(mean[place]),
                )
                yield entry.detection

    def _judge_together(
        self,
        names: Sequence[str],
        row: Integers,
        time_s: Floats,
        value: Floats,
        mean: Floats,
        sd: Floats,
        warm: Booleans,
        settled: Booleans,
        interval_s: float,
    ) -> Iterator[Detection]:
        if np.count_nonzero(warm) < JOINT_SENSORS:
            return
        # One row more than there are sensors: those that a group lacks say nothing.
        evidence = np.zeros((len(self._names) + 1, WINDOW))
        evidence[row[warm]] = self._test.evidence(row[warm])
        together, chosen = joint_evidence(evidence[self._members[row]])
        onset = together.argmax(axis=1)
        best = together[np.arange(len(row)), onset]
        over = best >= self._joint_tail.of(row, interval_s)
        moment_s = float(np.median(time_s))
        places = {int(number): place for place, number in enumerate(row)}
        for group in np.flatnonzero(over)[np.argsort(-best[over])]:
            members = self._members[row[group]][chosen[group, onset[group]]]
            lead = places[int(members[evidence[members, onset[group]].argmax()])]
            involved = [names[places[int(number)]] for number in members]
            key = frozenset(involved)
            told = any(name in self._open for name in involved) or self._told_lately(key, moment_s)
            self._joint_open[key] = moment_s
            if told:
                continue
            rows = np.array([places[int(number)] for number in members])
            yield Detection(
                sensors=(names[lead], *(name for name in involved if name != names[lead])),
                joint=True,
                onset_s=float(self._times_s[row[lead], int(onset[group])]),
                time_s=moment_s,
                value=float(value[lead]),
                expected=float(mean[lead]),
                sd=float(sd[lead]),
                height_sd=float(np.mean((value[rows] - mean[rows]) / sd[rows])),
                evidence=float(best[group]),
                confirmation=Confirmation.SECOND_SENSOR,
                learning=bool(moment_s - self._first_s[row[rows]].min() < _DAY_S),
            )
        disturbed = {self._rows[name] for name in self._open} | {
            self._rows[name]
            for key, told_s in self._joint_open.items()
            if moment_s - told_s <= 3 * WINDOW * interval_s
            for name in key
        }
        busy: Booleans = np.isin(self._members[row], list(disturbed)).max(axis=1)
        self._joint_tail.learn(row, best, settled, busy)

    def _told_lately(self, key: frozenset[str], moment_s: float) -> bool:
        """Whether sensors of it were in a joint detection within the last window."""
        interval_s = float(np.max(self._interval_s)) or 300.0
        return any(
            moment_s - told_s <= 3 * WINDOW * interval_s and len(key & other) >= 1
            for other, told_s in self._joint_open.items()
        )

    def _confirmation(self, name: str, time_s: float) -> Confirmation:
        near = {self._names[int(number)] for number in self._groups.get(name, ())} - {name}
        recent = WINDOW * float(self._interval_s[self._rows[name]])
        if any(other in self._open and time_s - self._open[other].detection.time_s <= recent for other in near):
            return Confirmation.SECOND_SENSOR
        return Confirmation.NONE

    def _rows_of(self, names: Sequence[str]) -> Integers:
        fresh = [name for name in names if name not in self._rows]
        if fresh:
            for name in fresh:
                self._rows[name] = len(self._names)
                self._names.append(name)
            count = len(self._names)
            self._background.grow(count)
            self._test.grow(count)
            more = count - len(self._newest_s)
            self._newest_s = np.concatenate([self._newest_s, np.full(more, np.nan)])
            self._first_s = np.concatenate([self._first_s, np.full(more, np.nan)])
            self._times_s = np.concatenate([self._times_s, np.full((more, WINDOW), np.nan)])
            self._interval_s = np.concatenate([self._interval_s, np.zeros(more)])
            self._disturbed = np.concatenate([self._disturbed, np.zeros(more, dtype=np.int64)])
            self._tail.grow(count)
            self._joint_tail.grow(count)
            self._groups = {name: self._neighbours(name) for name in self._names}
            width = max(len(group) for group in self._groups.values())
            self._members = np.full((count, max(width, JOINT_SENSORS)), count, dtype=np.int64)
            for number, group in enumerate(self._groups.values()):
                self._members[number, : len(group)] = group
        return np.array([self._rows[name] for name in names], dtype=np.int64)

    def _neighbours(self, name: str) -> Integers:
        """Rows of a sensor and its four nearest within reach."""
        here = self._positions.get(name)
        own = self._rows[name]
        if here is None:
            if self._positions or len(self._names) > FEW_SENSORS:
                return np.array([own])
            return np.arange(len(self._names))
        near = sorted(
            (math.dist(here, there), self._rows[other])
            for other, there in self._positions.items()
            if other != name and other in self._rows and math.dist(here, there) <= NEIGHBOUR_M
        )
        return np.array([own, *(number for _, number in near[:NEAREST])])
