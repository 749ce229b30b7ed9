"""One person's signals as they arrive: whether they can be believed, and what load they speak of. No I/O.

Latency: a sample is part of the estimate of the next call of `step`. Windows: beats are looked for in the last 12 s;
heart rate is the mean of 10 s, breathing is of the last 40 s; the model looks back eleven minutes, and on the baseline.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from impetus.model import InvalidInput
from impetus.tools.workload.arrays import Booleans, Floats
from impetus.tools.workload.beats import LEAST_QUALITY, Pulse, find_beats
from impetus.tools.workload.brain_inputs import POWERS, BrainInputs, ratios
from impetus.tools.workload.breathing import breathing_per_min
from impetus.tools.workload.electrodes import BrainPiece, Epochs
from impetus.tools.workload.estimate import (
    BRAIN_FILTER,
    CONSOLE_VARIANCE,
    EPOCH_S,
    HEART_FILTER,
    REPORT_VARIANCE,
    Estimate,
    carried_by,
    estimate_of,
    models,
    report_logit,
)
from impetus.tools.workload.filtering import FilterSettings, LoadFilter
from impetus.tools.workload.heart_inputs import CHANNELS, Baseline, HeartInputs
from impetus.tools.workload.heart_inputs import NAMES as HEART_NAMES
from impetus.tools.workload.heart_variability import Variability, variability
from impetus.tools.workload.heartbeat import BREATHING_S, MEAN_S
from impetus.tools.workload.windows import MEASURES, LastMinute

WINDOW_S = 12.0
SETTLED_S = 0.6
"""A beat at the very end of the window is not yet whole."""
VARIABILITY_S = 300.0
VARIABILITY_EVERY_S = 10.0
CARRIED_EVERY_S = 5.0
BREATHING_EVERY_S = 5.0
JUMP_S = 2.0
"""Between two pieces of one stream, time may be this much off before it counts as a jump."""
DRIFT_S = 2.0
"""So far the clock of a device may be off this machine's, beyond what it was at first."""
DOUBLE_S = 5.0
"""Two devices of one kind that both sent within so long are two streams of one person."""
CONSOLE_EVERY_S = 30.0
NOTE_S = 2 * DOUBLE_S
"""So long after it was last seen, something that is wrong is still said."""
BRAIN_NOTE_S = 2 * EPOCH_S
TASK_LOAD_INDEX = "frontal_theta/parietal_alpha"


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples of one stream, in order and evenly spaced."""

    device: str
    start_s: float
    """Time of the first sample by the device, in seconds since 1970."""
    rate_hz: float
    values: Floats
    pulse: Pulse = Pulse.ECG


@dataclass(slots=True)
class _Stream:
    device: str
    rate_hz: float
    pulse: Pulse
    next_s: float
    offset_s: float
    """Of the device's clock against this machine's when it began."""
    arrived_s: float
    buffer: Floats


class PersonMonitor:
    """All that is known of one person on shift; the baseline is the only thing that outlasts the shift."""

    def __init__(self, *, rest_s: float, baseline: Baseline | None = None) -> None:
        self._rest_s = rest_s
        self._inputs = HeartInputs(baseline)
        self._brain = BrainInputs()
        self._load = LoadFilter(FilterSettings(HEART_FILTER.drift_per_s, HEART_FILTER.estimate_variance))
        self._stream: _Stream | None = None
        self._rival: tuple[str, float] | None = None
        self._epochs = Epochs()
        self._others = {kind: LastMinute(kind) for kind in MEASURES}
        self._index: tuple[float, float] | None = None
        """The task-load index of the newest epoch, and when that ended."""
        self._notes: dict[str, tuple[str, float]] = {}
        """What is wrong, and until when it is said."""
        self._beats: list[tuple[float, float, bool]] = []
        """Time, height, and whether it can be believed."""
        self._known_until_s = -math.inf
        """Seconds up to here were given to the model."""
        self._breathing: tuple[float, float] = (math.nan, -math.inf)
        self._variability: tuple[float, Variability | None] = (-math.inf, None)
        self._carried_s = -math.inf
        self._stepped_s: float | None = None
        self._console_s = -math.inf
        self._carried: dict[str, float] = {}
        self.quality: float | None = None
        self.heart_bpm: float | None = None

    @property
    def baseline(self) -> Baseline:
        """What is usual for the person."""
        return self._inputs.baseline

    @property
    def breathing_per_min(self) -> float | None:
        """Of the last minute, if the beat shows it."""
        return None if math.isnan(self._breathing[0]) else self._breathing[0]

    def take(self, piece: Piece, now_s: float) -> None:
        """Take in samples of the heart that arrived at `now_s`, in this machine's time."""
        if not len(piece.values):
            return
        stream = self._stream
        if stream is not None and piece.device != stream.device:
            if now_s - stream.arrived_s <= DOUBLE_S:
                self._rival = (piece.device, now_s)
                self._note("double", "two devices send for one person: take one off", now_s)
                return
            # The other device fell silent before: the person changed it. What is usual by the old one may not be by
            # this.
            self._inputs = HeartInputs(Baseline())
            self._load = LoadFilter(self._load.settings)
            stream = None
            self._note("device", "another device is worn: it needs a time of rest first", now_s)
        end_s = piece.start_s + len(piece.values) / piece.rate_hz
        if stream is not None and piece.rate_hz != stream.rate_hz:
            stream = None
        if stream is not None and abs(piece.start_s - stream.next_s) > JUMP_S:
            forward = piece.start_s > stream.next_s
            self._note("jump", f"the time of the device jumped {'forward' if forward else 'back'}", now_s)
            stream = None
        if stream is None:
            self._restart()
            stream = _Stream(piece.device, piece.rate_hz, piece.pulse, end_s, end_s - now_s, now_s, np.zeros(0))
            self._stream = stream
        if abs((end_s - now_s) - stream.offset_s) > DRIFT_S:
            self._note("drift", "the clock of the device drifts away from this machine's", now_s)
        stream.next_s, stream.arrived_s = end_s, now_s
        stream.buffer = np.concatenate([stream.buffer, piece.values])[-int(WINDOW_S * stream.rate_hz) :]

    @property
    def remarks(self) -> list[str]:
        """All that is wrong now, for the person to read, whether an estimate is made or not."""
        return [text for text, _ in self._notes.values()]

    def measures(self, now_s: float) -> dict[str, float]:
        """Of brain, skin and eyes: shown, and not part of the estimate as such."""
        index, ended_s = self._index or (math.nan, -math.inf)
        found = {"frontal theta to parietal alpha": index} if now_s - ended_s <= BRAIN_NOTE_S else {}
        for one in self._others.values():
            found |= one.measures(now_s)
        return found

    def remark(self, text: str, now_s: float) -> None:
        """Something is wrong with a stream before it comes here."""
        self._note(text, text, now_s)

    def take_brain(self, piece: BrainPiece, now_s: float) -> None:
        """Take in samples of electrodes; each whole epoch of them is worked out to band powers."""
        try:
            epochs = self._epochs.take(piece)
        except InvalidInput as refusal:
            self._note("brain", str(refusal), now_s, BRAIN_NOTE_S)
            return
        for powers in epochs:
            self.take_bands(np.full(len(POWERS), np.nan) if powers is None else powers, now_s)

    def take_bands(self, powers: Floats, now_s: float) -> None:
        """Take in the band powers of one epoch, shape (POWERS,), that ended now; nan where there are none."""
        inputs, usable = self._brain.update(powers[None])
        if not usable[0]:
            self._note("brain", "the electrodes on the scalp give nothing that can be believed", now_s, BRAIN_NOTE_S)
            return
        self._notes.pop("brain", None)
        self._index = (ratios(powers)[TASK_LOAD_INDEX], now_s)
        missing_s = self._rest_s - self._brain.epochs * EPOCH_S
        if missing_s > 0:
            rest = f"it is not known yet what is usual for the brain: {missing_s:.0f} s of rest are missing"
            self._note("brain", rest, now_s, BRAIN_NOTE_S)
            return
        model = models().brain
        self._learn(float(model.logit(inputs)[0]), BRAIN_FILTER.estimate_variance)
        usual = model.logit(model.mean[None])[0]
        self._carried["brain rhythms"] = float(model.logit(inputs)[0] - usual)

    def take_other(self, kind: str, samples: Floats, rate_hz: float, now_s: float) -> None:
        """Take in samples, shape (n, k), of skin or eyes: there was no data to learn load from them."""
        self._others[kind].take(samples, rate_hz, now_s)

    def take_rating(self, rating: int) -> None:
        """Take in what the person says, 1 to 5."""
        logit = report_logit(rating)
        self._learn(logit, REPORT_VARIANCE)
        self._carried["own rating"] = logit

    def take_console(self, logit: float, now_s: float) -> None:
        """Take in what the console's traffic says; counted at most every half minute."""
        if now_s - self._console_s >= CONSOLE_EVERY_S:
            self._console_s = now_s
            self._learn(logit, CONSOLE_VARIANCE)
            self._carried["console"] = logit

    def step(self, now_s: float) -> Estimate:
        """What is thought now. To be called every second or two."""
        if self._stepped_s is not None:
            self._load.pass_over(now_s - self._stepped_s)
        self._stepped_s = now_s
        self._look_at_heart(now_s)
        for name in [name for name, (_, until_s) in self._notes.items() if now_s > until_s]:
            del self._notes[name]
        if problem := self.problem(now_s):
            return Estimate(None, None, None, None, abstained=problem)
        carried = dict(sorted(self._carried.items(), key=lambda item: -abs(item[1]))[:5])
        return estimate_of(self._load, carried)

    def problem(self, now_s: float) -> str | None:
        """Why nothing can be said from signals, if so."""
        stream = self._stream
        if stream is None:
            if self._carried:
                return None
            return self._notes["brain"][0] if "brain" in self._notes else "no signal yet"
        for name in ("double", "jump", "drift"):
            if name in self._notes:
                return self._notes[name][0]
        if now_s - stream.arrived_s > DOUBLE_S:
            return "the sensor has fallen silent"
        if self.quality is not None and self.quality < LEAST_QUALITY:
            return (
                f"the signal cannot be believed (quality {self.quality:.2f}, {LEAST_QUALITY} is needed): off, or motion"
            )
        if self.baseline.seconds < self._rest_s:
            left = self._rest_s - self.baseline.seconds
            return f"it is not known yet what is usual: {left:.0f} s of rest are missing"
        return None

    def variability(self) -> Variability | None:
        """Of the last five minutes; worked out anew every ten seconds."""
        newest = self._beats[-1][0] if self._beats else 0.0
        if abs(newest - self._variability[0]) < VARIABILITY_EVERY_S:
            return self._variability[1]
        self._variability = (newest, self._variability_now(newest))
        return self._variability[1]

    def _variability_now(self, newest: float) -> Variability | None:
        recent = [beat for beat in self._beats if beat[0] > newest - VARIABILITY_S]
        if len(recent) < 30:
            return None
        times, good = np.array([beat[0] for beat in recent]), np.array([beat[2] for beat in recent])
        both: Booleans = good[1:] & good[:-1]
        return variability(1_000 * np.diff(times)[both], np.concatenate([[False], both[:-1]])[both])

    def _restart(self) -> None:
        self._beats, self._known_until_s, self.quality = [], -math.inf, None

    def _note(self, name: str, text: str, now_s: float, holds_s: float = NOTE_S) -> None:
        self._notes[name] = (text, now_s + holds_s)

    def _learn(self, logit: float, variance: float) -> None:
        settings = self._load.settings
        self._load.settings = FilterSettings(settings.drift_per_s, variance, settings.start_variance)
        self._load.update(logit, elapsed_s=0.0)
        self._load.settings = settings

    def _look_at_heart(self, now_s: float) -> None:
        stream = self._stream
        if stream is None or len(stream.buffer) < (WINDOW_S - 1) * stream.rate_hz:
            return
        try:
            found = find_beats(stream.buffer, stream.rate_hz, stream.pulse)
        except InvalidInput as refusal:
            self._note("rate", str(refusal), now_s)
            self.quality = 0.0
            return
        begin_s = stream.next_s - len(stream.buffer) / stream.rate_hz
        self.quality = found.quality
        newest = self._beats[-1][0] + 0.25 if self._beats else -math.inf
        settled = begin_s + len(stream.buffer) / stream.rate_hz - SETTLED_S
        for time_s, height, good in zip(begin_s + found.time_s, found.amplitude, found.good, strict=True):
            if newest < time_s < settled:
                self._beats.append((float(time_s), float(height), bool(good)))
        while self._beats and self._beats[0][0] < settled - VARIABILITY_S:
            self._beats.pop(0)
        self._tell_model(settled)

    def _tell_model(self, until_s: float) -> None:
        """Give the model the whole seconds that are new."""
        first = self._known_until_s if self._known_until_s > -math.inf else math.floor(until_s) - 1.0
        seconds = np.arange(first + 1, math.floor(until_s) + 1)
        if not len(seconds):
            return
        self._known_until_s = float(seconds[-1])
        times = np.array([beat[0] for beat in self._beats])
        heights = np.array([beat[1] for beat in self._beats])
        good = np.array([beat[2] for beat in self._beats], dtype=np.bool_)
        heart = np.array([_rate(times, good, second) for second in seconds])
        self.heart_bpm = float(heart[-1]) if math.isfinite(heart[-1]) else None
        if seconds[-1] - self._breathing[1] >= BREATHING_EVERY_S:
            recent = times > seconds[-1] - BREATHING_S
            breaths = breathing_per_min(times[recent], heights[recent], good[recent])
            self._breathing = (math.nan if breaths is None else breaths, float(seconds[-1]))
        inputs, usable = self._inputs.update(heart, np.full(len(seconds), self._breathing[0]))
        model = models().heart
        logits = model.logit(inputs)
        for place in np.flatnonzero(usable):
            if self.baseline.seconds >= self._rest_s:
                self._learn(float(logits[place]), HEART_FILTER.estimate_variance)
        if usable[-1] and abs(float(seconds[-1]) - self._carried_s) >= CARRIED_EVERY_S:
            self._carried_s = float(seconds[-1])
            heart_carried = carried_by(model.logit, HEART_NAMES, inputs[-1], np.zeros(len(HEART_NAMES)))
            self._carried |= heart_carried

    def baseline_json(self) -> dict[str, Any]:
        """The baseline, to be kept for the next shift."""
        one = self.baseline
        return {
            "seconds": one.seconds,
            "mean": one.mean.tolist(),
            "heart_square": one.heart_square,
            "device": self._stream.device if self._stream is not None else None,
        }


def _rate(times: Floats, good: Booleans, second: float) -> float:
    """Heart rate in the ten seconds that end with this one; nan where it is not known."""
    first, last = np.searchsorted(times, [second - MEAN_S, second], side="right")
    inside = slice(first, last)
    both = good[inside][1:] & good[inside][:-1]
    intervals = np.diff(times[inside])[both]
    return 60 / float(intervals.mean()) if len(intervals) >= 3 else math.nan


def baseline_of(content: Mapping[str, Any]) -> Baseline | None:
    """A baseline that was kept; None if it makes no sense."""
    try:
        mean = np.array(content["mean"], dtype=np.float64)
        one = Baseline(float(content["seconds"]), mean, float(content["heart_square"]))
    except (KeyError, TypeError, ValueError):
        return None
    sound = mean.shape == (len(CHANNELS),) and np.isfinite(mean).all() and one.seconds >= 0
    return one if sound and math.isfinite(one.heart_square) else None
