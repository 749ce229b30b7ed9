"""Days of a city as its tools tell them: true incidents with several alerts of several tools, happenings that only look
like one, noise, repeats and coincidences; and the truth beside it, so that correlation can be judged.

Everything follows from the seed. The city stays the same from day to day (some cameras and sensors are simply bad), so
that what is learnt on some days helps on others. The raw confidences are those of detectors that are too sure of
themselves, each in its own way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from impetus.model import Alert, Category, ModelReference, Place, Point, Severity, Urgency, derived_id

CENTRE = (10.4, 63.43)
"""Longitude and latitude of the middle of the city."""

CITY_M = 6_000.0
DAY_S = 86_400.0

INCIDENTS_A_DAY = 14
FLAPPING_S = 900.0
"""False alarms of one source that follow each other so soon are one: nobody could tell them apart."""

LOOKALIKES_A_DAY = 10
"""Happenings that several tools notice rightly and that are no danger: a match, a delivery, a test of the sirens."""


@dataclass(frozen=True, slots=True)
class Happening:
    """What some alerts of a day are about."""

    id: str
    kind: str
    dangerous: bool
    """A true incident; false: harmless, or noise."""
    begin_s: float


@dataclass(slots=True)
class Day:
    """One day: alerts in the order in which they were sent, and which happening each is about."""

    seed: int
    begin: datetime
    alerts: list[Alert] = field(default_factory=list)
    happenings: dict[str, Happening] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)
    """Alert to happening."""
    faked: set[str] = field(default_factory=set)
    """Alerts that an intruder made a camera raise: about the intrusion, and themselves false."""

    def true(self, alert: str) -> bool:
        """Whether a person who looks into it would confirm the alert."""
        return alert not in self.faked and self.happenings[self.about[alert]].dangerous

    def incidents(self) -> Sequence[Happening]:
        """The true incidents that at least one alert is about."""
        noticed = set(self.about.values())
        return [one for one in self.happenings.values() if one.dangerous and one.id in noticed]


@dataclass(frozen=True, slots=True)
class Source:
    """Where alerts come from."""

    tool: str
    id: str
    x: float
    y: float
    badness: float
    """How many times the usual noise it makes."""
    entities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Voice:
    """How a detector speaks: what its alerts are, and the raw confidences of true and false ones."""

    detector: str
    category: Category
    severity: Severity
    headline: str
    true_mean: float
    """Mean log-odds of the raw confidence of true alerts."""
    false_mean: float
    spread: float = 1.0


VOICES: Mapping[str, Sequence[Voice]] = {
    "firearm": (Voice("handgun", Category.SECURITY, Severity.EXTREME, "Firearm in view", 2.4, 0.9),),
    "air": (Voice("release", Category.CBRNE, Severity.SEVERE, "Release above background", 1.6, 0.2),),
    "anomaly": (
        Voice("level", Category.SAFETY, Severity.MODERATE, "Unusual readings", 1.4, 0.5),
        Voice("silence", Category.INFRA, Severity.MINOR, "Sensor is silent", 1.2, 0.7),
    ),
    "social": (Voice("threat", Category.SECURITY, Severity.MODERATE, "Threat-relevant posts", 0.8, -0.4, 1.2),),
    "cti": (Voice("indicator", Category.SECURITY, Severity.MODERATE, "Indicator for this city", 0.4, -0.5),),
    "cyber": (Voice("intrusion", Category.INFRA, Severity.SEVERE, "Sign of an intrusion", 1.5, 0.3),),
    "evacuation": (Voice("density", Category.SAFETY, Severity.SEVERE, "Crowd too dense", 1.8, 0.4),),
}

NOISE_A_DAY: Mapping[tuple[str, str], float] = {
    ("firearm", "handgun"): 40,
    ("air", "release"): 25,
    ("anomaly", "level"): 90,
    ("anomaly", "silence"): 40,
    ("social", "threat"): 60,
    ("cti", "indicator"): 15,
    ("cyber", "intrusion"): 50,
    ("evacuation", "density"): 12,
}
"""Episodes of false alarm, each with its repeats."""

# What happens, and how: tool, detector, probability that each source within reach notices it, reach in metres, mean
# delay in minutes.
Notice = tuple[str, str, float, float, float]

DANGERS: Mapping[str, Sequence[Notice]] = {
    "gunman": (
        ("firearm", "handgun", 0.75, 220, 1),
        ("anomaly", "level", 0.5, 300, 2),
        ("social", "threat", 0.5, 700, 7),
        ("evacuation", "density", 0.5, 350, 4),
    ),
    "release": (
        ("air", "release", 0.7, 700, 6),
        ("anomaly", "level", 0.3, 400, 8),
        ("social", "threat", 0.35, 700, 14),
    ),
    "crush": (
        ("evacuation", "density", 0.9, 350, 2),
        ("anomaly", "level", 0.6, 300, 3),
        ("social", "threat", 0.5, 700, 9),
    ),
    "vehicle": (
        ("anomaly", "level", 0.6, 300, 1),
        ("social", "threat", 0.6, 700, 5),
        ("evacuation", "density", 0.4, 350, 4),
    ),
}
HARMLESS: Mapping[str, Sequence[Notice]] = {
    "match": (
        ("evacuation", "density", 0.6, 350, 5),
        ("anomaly", "level", 0.4, 300, 6),
        ("social", "threat", 0.25, 700, 10),
    ),
    "works": (("anomaly", "level", 0.5, 300, 6), ("air", "release", 0.2, 500, 8)),
    "film": (("firearm", "handgun", 0.4, 150, 2), ("social", "threat", 0.2, 500, 8)),
}


class City:
    """The sources of a made-up city. The same seed makes the same city."""

    def __init__(self, seed: int = 0) -> None:
        random = np.random.default_rng([seed, 7])
        self.venues = [
            (float(x), float(y), f"venue:{number}")
            for number, (x, y) in enumerate(random.uniform(-CITY_M / 2, CITY_M / 2, (40, 2)))
        ]
        self.networks = 12
        self.sources: list[Source] = []
        for tool, count in (("firearm", 90), ("air", 60), ("anomaly", 200), ("social", 40), ("evacuation", 40)):
            for number in range(count):
                venue = self.venues[number % len(self.venues)]
                apart = 0.0 if tool in ("social", "evacuation") else 130.0
                x, y = (
                    random.normal((venue[0], venue[1]), apart)
                    if random.random() < 0.7 or apart == 0.0
                    else (random.uniform(-CITY_M / 2, CITY_M / 2, 2))
                )
                entities: tuple[str, ...] = ()
                if apart == 0.0:
                    entities = (venue[2],)
                elif tool in ("firearm", "anomaly"):
                    entities = (f"network:{number % self.networks}",)
                badness = float(random.gamma(0.5, 2.0))
                self.sources.append(Source(tool, f"{tool}-{number}", float(x), float(y), badness, entities))
        for number in range(80):
            badness = float(random.gamma(0.5, 2.0))
            network = (f"network:{number % self.networks}",) if number < 2 * self.networks else ()
            self.sources.append(Source("cyber", f"host-{number}", 0.0, 0.0, badness, network))
        for number in range(6):
            self.sources.append(Source("cti", f"feed-{number}", 0.0, 0.0, float(random.gamma(0.5, 2.0))))
        self.by_tool: dict[str, list[Source]] = {}
        for source in self.sources:
            self.by_tool.setdefault(source.tool, []).append(source)


def make_day(seed: int, *, city: City, begin: datetime) -> Day:
    """The alerts of one day. The same seed and city give the same day."""
    return _DayMaker(seed, city, begin).make()


def make_days(seeds: Sequence[int], *, city: City, begin: datetime) -> Iterator[Day]:
    """One day after the other."""
    for number, seed in enumerate(seeds):
        yield make_day(seed, city=city, begin=begin + timedelta(days=number))


class _DayMaker:
    def __init__(self, seed: int, city: City, begin: datetime) -> None:
        self._random = np.random.default_rng([seed, 11])
        self._city = city
        self._day = Day(seed, begin)
        self._sent: list[tuple[float, Alert]] = []

    def make(self) -> Day:
        random = self._random
        for number in range(random.poisson(INCIDENTS_A_DAY)):
            kind = str(random.choice([*DANGERS, "intrusion", "cameras"]))
            if kind in DANGERS:
                self._at_a_place(f"incident-{number}", kind, DANGERS[kind], dangerous=True)
            else:
                self._intrusion(f"incident-{number}", kind)
        for number in range(random.poisson(LOOKALIKES_A_DAY)):
            kind = str(random.choice(list(HARMLESS)))
            self._at_a_place(f"harmless-{number}", kind, HARMLESS[kind], dangerous=False)
        for (tool, detector), count in NOISE_A_DAY.items():
            self._noise(tool, detector, int(random.poisson(count)))
        self._sent.sort(key=lambda entry: entry[0])
        self._day.alerts = [alert for _, alert in self._sent]
        return self._day

    def _at_a_place(self, name: str, kind: str, notices: Sequence[Notice], *, dangerous: bool) -> None:
        random = self._random
        venue = self._city.venues[int(random.integers(len(self._city.venues)))]
        x, y = random.normal((venue[0], venue[1]), 60.0)
        begin = float(random.uniform(0, DAY_S - 7_200))
        happening = self._happening(name, kind, dangerous, begin)
        noticed = 0
        for tool, detector, likely, reach, delay in notices:
            for source in self._city.by_tool[tool]:
                apart = math.hypot(source.x - x, source.y - y)
                if apart > reach or random.random() > likely * math.exp(-((apart / reach) ** 2)):
                    continue
                onset = begin + float(random.exponential(delay * 60.0))
                self._episode(happening, source, detector, onset, true=dangerous)
                noticed += 1
        if dangerous and not noticed:
            source = min(self._city.by_tool[notices[0][0]], key=lambda one: math.hypot(one.x - x, one.y - y))
            self._episode(happening, source, notices[0][1], begin + 60.0, true=True)

    def _intrusion(self, name: str, kind: str) -> None:
        """Hosts of one network one after the other; then its sensors fall silent, or its cameras see what is not."""
        random = self._random
        network = f"network:{int(random.integers(self._city.networks))}"
        begin = float(random.uniform(0, DAY_S - 14_400))
        happening = self._happening(name, kind, True, begin)
        hosts = [source for source in self._city.by_tool["cyber"] if network in source.entities]
        for number, host in enumerate(hosts):
            self._episode(happening, host, "intrusion", begin + number * float(random.exponential(900.0)), true=True)
        if random.random() < 0.5:
            feed = self._city.by_tool["cti"][int(random.integers(6))]
            self._episode(happening, feed, "indicator", begin + 300.0, true=True, entities=(network,))
        victims = [
            source
            for source in self._city.by_tool["firearm" if kind == "cameras" else "anomaly"]
            if network in source.entities
        ]
        for victim in victims:
            if random.random() < 0.4:
                onset = begin + 1_200.0 + float(random.exponential(900.0))
                if kind == "cameras":
                    # A person who looks into it finds no gun: the camera was made to show one.
                    self._day.faked |= self._episode(happening, victim, "handgun", onset, true=True)
                else:
                    self._episode(happening, victim, "silence", onset, true=True)

    def _noise(self, tool: str, detector: str, count: int) -> None:
        random = self._random
        sources = self._city.by_tool[tool]
        weights = np.array([source.badness + 0.02 for source in sources])
        chosen = random.choice(len(sources), size=count, p=weights / weights.sum())
        onsets = random.uniform(0, DAY_S - 3_600, size=count)
        last: dict[str, tuple[float, Happening]] = {}
        for number in np.argsort(onsets).tolist():
            source, onset = sources[int(chosen[number])], float(onsets[number])
            ended, happening = last.get(source.id, (-DAY_S, None))
            if happening is None or onset > ended + FLAPPING_S:
                happening = self._happening(f"noise-{tool}-{detector}-{number}", "noise", False, onset)
            made = self._episode(happening, source, detector, onset, true=False)
            newest = max(moment for moment, alert in self._sent[-len(made) :])
            last[source.id] = (newest, happening)

    def _happening(self, name: str, kind: str, dangerous: bool, begin: float) -> Happening:
        happening = Happening(f"{self._day.seed}-{name}", kind, dangerous, begin)
        self._day.happenings[happening.id] = happening
        return happening

    def _episode(
        self,
        happening: Happening,
        source: Source,
        detector: str,
        onset: float,
        *,
        true: bool,
        entities: tuple[str, ...] = (),
    ) -> set[str]:
        """One alert and its repeats; their identifiers."""
        made: set[str] = set()
        random = self._random
        voice = next(voice for voice in VOICES[source.tool] if voice.detector == detector)
        repeats = min(int(random.geometric(0.4)), 12)
        moment = onset
        for number in range(repeats):
            confidence = 1.0 / (
                1.0 + math.exp(-random.normal(voice.true_mean if true else voice.false_mean, voice.spread))
            )
            alert = self._alert(happening, source, voice, number, moment, float(confidence), entities)
            made.add(alert.id)
            self._day.about[alert.id] = happening.id
            self._sent.append((moment, alert))
            moment += 20.0 + float(random.exponential(180.0))
        return made

    def _alert(
        self,
        happening: Happening,
        source: Source,
        voice: Voice,
        number: int,
        moment: float,
        confidence: float,
        entities: tuple[str, ...],
    ) -> Alert:
        onset = self._day.begin + timedelta(seconds=moment)
        sent = onset + timedelta(seconds=float(self._random.exponential(8.0)))
        return Alert(
            id=derived_id("day", str(self._day.seed), str(len(self._sent))),
            tool=source.tool,
            detector=voice.detector,
            source=source.id,
            headline=f"{voice.headline} at {source.id}",
            category=voice.category,
            severity=voice.severity,
            urgency=Urgency.IMMEDIATE,
            confidence=min(max(confidence, 0.001), 0.999),
            onset=onset,
            sent=sent,
            place=self._place(source),
            entities=(*source.entities, *entities),
            model=ModelReference(name="generated", version="1"),
        )

    def _place(self, source: Source) -> Place | None:
        if source.tool in ("cyber", "cti"):
            return None
        x, y = source.x, source.y
        if source.tool == "social":
            # A post names a quarter at best.
            x, y = self._random.normal((x, y), 120.0)
        longitude = CENTRE[0] + x / (111_320.0 * math.cos(math.radians(CENTRE[1])))
        return Place(geometry=Point(coordinates=(float(longitude), float(CENTRE[1] + y / 110_574.0))))
