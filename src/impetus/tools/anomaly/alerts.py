"""Makes the alerts: from an episode to what a person reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo

from impetus.model import (
    Alert,
    Category,
    Certainty,
    Datastream,
    Factor,
    ModelReference,
    Severity,
    Urgency,
    derived_id,
)
from impetus.tools.anomaly import wording
from impetus.tools.anomaly.city_calendar import FIRST_NAMED_S, LAST_NAMED_S
from impetus.tools.anomaly.day_memory import LikeDay
from impetus.tools.anomaly.episodes import Episode
from impetus.tools.anomaly.surroundings import NeighbourState
from impetus.tools.anomaly.units import plausible
from impetus.tools.anomaly.verdicts import Found

TOOL = "anomaly"
MODEL = ModelReference(name="seasonal-baseline", version="1.0")
NETWORK = "network"
"""Source of alerts on many silent sensors at once."""
LEAST_CONFIDENCE, MOST_CONFIDENCE = 0.05, 0.97
FEW_READINGS = 2_000
"""With fewer readings seen, an alert says that it knows the stream but shortly."""
LONG_READINGS, LONG_S = 5, 120.0
"""An episode of so many unusual readings over so long a time weighs more."""
FAR_WIDTHS = 2.0
"""A value so many widths of the usual range outside of it weighs more."""
WIDE_STREAMS = 3
"""An event of so many neighbouring streams weighs more."""
NAMED_SENSORS = 5


@dataclass(frozen=True, slots=True)
class Frequencies:
    """What a rarity means: readings and real events a day in all, and from which rarity on one reading alerts."""

    readings_a_day: float
    """Independent ones: see `Parameters.independent_s`."""
    events_a_day: float
    strong: float

    def confidence(self, episode: Episode) -> float:
        """Share of real events among alerts this rare: expected events against expected false alerts (Bayes)."""
        false_a_day = self.readings_a_day * 10.0**-episode.rarity
        share = self.events_a_day / (self.events_a_day + false_a_day)
        return float(round(min(max(share, LEAST_CONFIDENCE), MOST_CONFIDENCE), 3))

    def severity(self, episode: Episode) -> Severity:
        """Minor, and one step more each for being far outside of what is usual, for lasting, and for its extent."""
        if episode.apart or episode.unit:
            return Severity.MINOR
        lasting = episode.readings >= LONG_READINGS and episode.last_s - episode.onset_s >= LONG_S
        outside = max(episode.value - episode.high, episode.low - episode.value)
        far = outside >= FAR_WIDTHS * max(episode.high - episode.low, 0.0) and episode.rarity >= self.strong
        wide = 1 + len(episode.members) >= WIDE_STREAMS
        return (Severity.MINOR, Severity.MODERATE, Severity.SEVERE, Severity.SEVERE)[far + lasting + wide]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known around an unusual stream: its readings so far, neighbours, the streams that joined its event, what
    people found of its alerts, and past days like this."""

    readings: float
    neighbours: NeighbourState
    found: Found
    members: Sequence[Datastream] = ()
    like: Sequence[LikeDay] = ()


class AlertWriter:
    """Writes the alerts of one organisation. Times are in seconds since 1970, UTC."""

    def __init__(self, tenant: str, zone: tzinfo) -> None:
        self._tenant = tenant
        self._zone = zone

    def level(
        self, datastream: Datastream, episode: Episode, frequencies: Frequencies, now: datetime, known: Known
    ) -> Alert:
        """Unusual readings of one stream, or of a district that it leads; or a sensor that stands apart."""
        if episode.unit and not plausible(episode.unit, datastream.unit):
            episode = replace(episode, unit="")
        seen, apart = known.readings, episode.apart
        faulty = apart or bool(episode.unit)
        confidence = frequencies.confidence(episode)
        unit, width = datastream.unit, episode.high - episode.low
        usual = wording.span(episode.low, episode.high, unit)
        lasted_s = episode.last_s - episode.onset_s
        headline = wording.level_headline(
            datastream, episode.feature, episode.value, episode.low, episode.middle, episode.high
        )
        if episode.unit:
            words, place = wording.property_words(datastream), wording.where(datastream)
            headline = f"{words} at {place} reads as if its unit had changed: {episode.unit}"
        elif apart:
            headline = f"{headline}; its neighbours are as usual: broken sensor?"
        elif known.members:
            headline = f"{headline}; {len(known.members)} neighbouring streams too"
        factors = [
            Factor(
                name="Observed against expected",
                weight=0.5,
                observed=wording.quantity(episode.value, unit, width),
                expected=f"{usual}, about {wording.quantity(episode.middle, unit)}",
                text="Expected for this time of the day and the week, from the stream's own past.",
            ),
            Factor(
                name="How unusual",
                weight=0.3,
                observed=wording.once_in(episode.rarity),
                expected=f"an alert needs {wording.once_in(frequencies.strong)}",
                text="How rarely this stream was as unusual as in its rarest reading of this event.",
            ),
            Factor(
                name="Since when",
                weight=0.2,
                observed=f"{wording.duration(lasted_s)}, {episode.readings} unusual readings",
                text=f"Since {self._time(episode.onset_s)}.",
            ),
        ]
        if episode.unit:
            factors.append(
                Factor(
                    name="Change of unit",
                    weight=-0.4,
                    observed=episode.unit,
                    text="The newest readings are what was expected, converted; nothing unusual was measured.",
                )
            )
        if known.neighbours.reporting:
            factors.append(
                Factor(
                    name="Neighbours",
                    weight=-0.4 if apart else 0.3 if known.neighbours.same else 0.0,
                    observed=known.neighbours.words[:200],
                    expected="a sensor fails alone, an event is seen by several" if apart else "",
                )
            )
        if known.like:
            factors.append(Factor(name="Days like this", weight=0.0, observed=self._days_like(known.like, datastream)))
        if known.found.confirmed or known.found.dismissed:
            found = known.found
            factors.append(
                Factor(
                    name="What people found here",
                    weight=-0.1 if found.shift > 0 else 0.1,
                    observed=f"{found.confirmed} confirmed, {found.dismissed} dismissed",
                    text=f"Readings must be {10.0**found.shift:.1f} times as rare as elsewhere to alert.",
                )
            )
        if seen < FEW_READINGS:
            factors.append(
                Factor(
                    name="Short history",
                    weight=-0.2,
                    observed=f"{seen:,.0f} readings known",
                    expected=f"{FEW_READINGS:,} or more",
                    text="What is usual here is not well known yet.",
                )
            )
        return self._alert(
            datastream,
            "level",
            episode,
            now,
            headline=headline,
            category=Category.INFRA if faulty else wording.category_of(datastream),
            severity=frequencies.severity(episode),
            urgency=Urgency.PAST if episode.ended_s is not None else Urgency.EXPECTED if faulty else Urgency.IMMEDIATE,
            certainty=Certainty.LIKELY if confidence >= 0.5 else Certainty.POSSIBLE,
            confidence=confidence,
            explanation=factors,
            instruction="Check the unit that the sensor or its gateway sends."
            if episode.unit
            else "Have the sensor checked."
            if apart
            else "Compare with cameras and neighbouring sensors; confirm, or dismiss with the reason.",
            description=self._members_text(known.members),
            entities=[member.id for member in known.members[:100]],
        )

    def _days_like(self, days: Sequence[LikeDay], datastream: Datastream) -> str:
        told = []
        for day in days:
            date = _moment(day.day * 86_400.0)
            told.append(f"{date:%a %d %b} ({wording.quantity(day.distance, datastream.unit)} apart on average)")
        return ", ".join(told)[:300]

    def _members_text(self, members: Sequence[Datastream]) -> str:
        if not members:
            return ""
        names = ", ".join(member.name for member in members[:NAMED_SENSORS])
        more = f" and {len(members) - NAMED_SENSORS} more" if len(members) > NAMED_SENSORS else ""
        return f"Also: {names}{more}."

    def place(
        self, sensors: Sequence[tuple[Datastream, float]], episode: Episode, frequencies: Frequencies, now: datetime
    ) -> Alert:
        """Sensors of one place that are unusual together; each with its distance from the expected, in spreads, the
        one that says most first."""
        first = sensors[0][0]
        confidence = frequencies.confidence(episode)
        told = [
            f"{wording.property_words(datastream)} {'above' if distance > 0 else 'below'} the expected"
            for datastream, distance in sensors
        ]
        return self._alert(
            first,
            "place",
            episode,
            now,
            headline=f"Sensors at {wording.where(first)} do not fit together: {', '.join(told)}",
            category=wording.category_of(first),
            severity=Severity.MINOR,
            urgency=Urgency.PAST if episode.ended_s is not None else Urgency.IMMEDIATE,
            certainty=Certainty.LIKELY if confidence >= 0.5 else Certainty.POSSIBLE,
            confidence=confidence,
            explanation=[
                *(
                    Factor(
                        name=datastream.name,
                        weight=round(0.6 / len(sensors), 3),
                        observed=f"{abs(distance):.1f} spreads {'above' if distance > 0 else 'below'} the expected",
                    )
                    for datastream, distance in sensors
                ),
                Factor(
                    name="How unusual together",
                    weight=0.4,
                    observed=wording.once_in(episode.rarity),
                    expected=f"an alert needs {wording.once_in(frequencies.strong)}",
                    text="By how these sensors usually deviate together; each alone may be within what is usual.",
                ),
            ],
            instruction="Compare the sensors of this place: something happens there that moves them differently than "
            "usual, or one of them is wrong.",
            entities=[datastream.id for datastream, _ in sensors],
        )

    def stuck(self, datastream: Datastream, episode: Episode, now: datetime) -> Alert:
        """The same value for too long."""
        value = wording.quantity(episode.value, datastream.unit)
        words = wording.property_words(datastream)
        return self._alert(
            datastream,
            "stuck",
            episode,
            now,
            headline=f"{words} at {wording.where(datastream)} is stuck at {value}",
            category=Category.INFRA,
            severity=Severity.MINOR,
            urgency=Urgency.PAST if episode.ended_s is not None else Urgency.EXPECTED,
            certainty=Certainty.LIKELY,
            confidence=0.8,
            explanation=[
                Factor(
                    name="Equal readings",
                    weight=0.7,
                    observed=f"{episode.readings} times {value}",
                    text=f"Since {self._time(episode.onset_s)}; longer than this stream has repeated a value before.",
                ),
                Factor(name="How unusual", weight=0.3, observed=f"such a run: {wording.once_in(episode.rarity)}"),
            ],
            instruction="Have the sensor checked; its readings say nothing meanwhile.",
        )

    def impossible(self, datastream: Datastream, episode: Episode, now: datetime) -> Alert:
        """A value outside of the sensor's range."""
        value = wording.quantity(episode.value, datastream.unit)
        bounds = " and ".join(
            text
            for text, bound in (
                (f"at least {wording.quantity(datastream.lowest or 0.0, datastream.unit)}", datastream.lowest),
                (f"at most {wording.quantity(datastream.highest or 0.0, datastream.unit)}", datastream.highest),
            )
            if bound is not None
        )
        words = wording.property_words(datastream)
        return self._alert(
            datastream,
            "impossible",
            episode,
            now,
            headline=f"{words} at {wording.where(datastream)} cannot be {value}",
            category=Category.INFRA,
            severity=Severity.MINOR,
            urgency=Urgency.PAST if episode.ended_s is not None else Urgency.EXPECTED,
            certainty=Certainty.OBSERVED,
            confidence=MOST_CONFIDENCE,
            explanation=[
                Factor(
                    name="Outside of the sensor's range",
                    weight=1.0,
                    observed=value,
                    expected=bounds or "a number that can be measured",
                    text=f"Since {self._time(episode.onset_s)}. Such readings are not learnt from.",
                )
            ],
            instruction="Have the sensor checked.",
        )

    def silence(self, datastream: Datastream, episode: Episode, now: datetime, interval_s: float) -> Alert:
        """One sensor reports no more; the onset is its last reading."""
        end_s = now.timestamp() if episode.ended_s is None else episode.ended_s
        away_s = max(end_s - episode.onset_s, 0.0)
        words = wording.property_words(datastream)
        return self._alert(
            datastream,
            "silence",
            episode,
            now,
            headline=f"{words} at {wording.where(datastream)}: no readings since {self._time(episode.onset_s)}",
            category=Category.INFRA,
            severity=Severity.MINOR,
            urgency=Urgency.PAST if episode.ended_s is not None else Urgency.EXPECTED,
            certainty=Certainty.OBSERVED,
            confidence=0.9,
            explanation=[
                Factor(
                    name="Time without a reading",
                    weight=1.0,
                    observed=wording.duration(away_s),
                    expected=f"a reading every {wording.duration(interval_s)}",
                    text="Other sensors report, so that the fault is likely here: power, radio or the sensor itself.",
                )
            ],
            instruction="Have the sensor checked; nothing is known of this place meanwhile.",
        )

    def network(self, datastreams: Sequence[Datastream], episode: Episode, now: datetime, watched: int) -> Alert:
        """Many sensors report no more, at once."""
        ended_s = episode.ended_s
        away_s = max((now.timestamp() if ended_s is None else ended_s) - episode.onset_s, 0.0)
        count = episode.readings
        everything = count >= watched
        names = ", ".join(datastream.name for datastream in datastreams[:NAMED_SENSORS])
        more = f" and {count - NAMED_SENSORS} more" if count > NAMED_SENSORS else ""
        what = "No sensor reports" if everything else f"{count} of {watched} sensors report nothing"
        return self._alert(
            None,
            "silence",
            episode,
            now,
            headline=f"{what} since {self._time(episode.onset_s)}: connector or network down?",
            description=f"Silent: {names}{more}.",
            category=Category.INFRA,
            severity=Severity.SEVERE if everything else Severity.MODERATE,
            urgency=Urgency.PAST if ended_s is not None else Urgency.IMMEDIATE,
            certainty=Certainty.OBSERVED,
            confidence=0.95,
            explanation=[
                Factor(
                    name="Sensors silent together",
                    weight=0.7,
                    observed=f"{count} of {watched}",
                    text="So many do not fail at once by themselves: connector, broker or network are likely down.",
                ),
                Factor(name="Time without a reading", weight=0.3, observed=wording.duration(away_s)),
            ],
            instruction="Check connector, broker and network; this tool sees nothing of these places meanwhile.",
            entities=[datastream.id for datastream in datastreams[:100]],
        )

    def _time(self, seconds: float) -> str:
        return wording.clock_time(_moment(seconds).astimezone(self._zone))

    def _alert(
        self,
        datastream: Datastream | None,
        detector: str,
        episode: Episode,
        now: datetime,
        *,
        headline: str,
        category: Category,
        severity: Severity,
        urgency: Urgency,
        certainty: Certainty,
        confidence: float,
        explanation: Sequence[Factor],
        instruction: str,
        description: str = "",
        entities: Sequence[str] = (),
    ) -> Alert:
        source = NETWORK if datastream is None else datastream.id
        onset = _moment(episode.onset_s)
        return Alert(
            id=derived_id(TOOL, self._tenant, source, detector, onset.isoformat()),
            revision=episode.revision,
            tool=TOOL,
            detector=detector,
            source=source,
            headline=headline[:300],
            description=description,
            instruction=instruction,
            category=category,
            urgency=urgency,
            severity=severity,
            certainty=certainty,
            confidence=confidence,
            onset=onset,
            sent=now,
            ended=None if episode.ended_s is None else _moment(episode.ended_s),
            place=None if datastream is None else datastream.place,
            explanation=tuple(explanation),
            entities=tuple(entities),
            model=MODEL,
        )


def _moment(seconds: float) -> datetime:
    """The time, within what every zone has a local time for: a sensor's clock may stand at the first or last day."""
    named = min(max(seconds, FIRST_NAMED_S), LAST_NAMED_S)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=round(named * 1e6))
