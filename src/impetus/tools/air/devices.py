"""How the instruments do: what each read last, what is wrong with it, and the list that the page shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import JsonValue

from impetus.model import Datastream, from_microseconds
from impetus.tools.air.instruments import NOTHING_KNOWN, Instrument

SILENT_INTERVALS = 5.0
SILENT_LEAST_S = 120.0
MOST_LISTED = 300


@dataclass(slots=True)
class _State:
    seen_s: float = 0.0
    value: float = 0.0
    unit: str = ""
    wrong: str = ""
    driver: str = ""


@dataclass
class Devices:
    """The state of each air sensor."""

    instruments: Mapping[str, Instrument] = field(default_factory=dict)
    _states: dict[str, _State] = field(default_factory=dict)

    def of(self, sensor: str) -> Instrument:
        """What is known of the instrument."""
        return self.instruments.get(sensor, NOTHING_KNOWN)

    def read(self, sensor: str, time_s: float, value: float, unit: str, wrong: str = "") -> None:
        """A reading came; `wrong` says what is the matter with it, if anything."""
        state = self._states.setdefault(sensor, _State())
        state.seen_s, state.value, state.unit, state.wrong = max(state.seen_s, time_s), value, unit, wrong

    def driver(self, sensor: str, wrong: str) -> None:
        """What is the matter with the way to the instrument; empty when it is open."""
        self._states.setdefault(sensor, _State()).driver = wrong

    def state(self, stream: Datastream, now: datetime) -> str:
        """In a few words, the worst first; `well` where nothing is the matter."""
        state = self._states.get(stream.id)
        if state is None:
            return "no reading yet"
        silent_s = max(SILENT_INTERVALS * (stream.interval_s or 0.0), SILENT_LEAST_S)
        if state.driver or state.wrong:
            return state.driver or state.wrong
        if now.timestamp() - state.seen_s > silent_s:
            return "silent"
        return "calibration overdue" if self.of(stream.id).overdue(now) else "well"

    def document(self, streams: list[Datastream], now: datetime) -> dict[str, JsonValue]:
        """The content of a `device-health` result: one row a sensor, those with something the matter first."""
        rows: list[dict[str, JsonValue]] = []
        for stream in streams:
            instrument, state = self.of(stream.id), self._states.get(stream.id)
            past = [entry.time for entry in instrument.calibrations if entry.time <= now]
            seen = from_microseconds(round(state.seen_s * 1e6)).isoformat() if state and state.seen_s else None
            rows.append(
                {
                    "sensor": stream.id,
                    "name": stream.name,
                    "state": self.state(stream, now),
                    "value": state.value if state else None,
                    "unit": state.unit if state else stream.unit,
                    "seen": seen,
                    "limit": instrument.limit,
                    "sampling_s": instrument.sampling_s,
                    "flow_lpm": instrument.flow_lpm,
                    "height_m": instrument.height_m,
                    "calibrated": max(past).isoformat() if past else None,
                }
            )
        rows.sort(key=lambda row: (row["state"] == "well", str(row["sensor"])))
        listed: list[JsonValue] = list(rows[:MOST_LISTED])
        return {"devices": listed, "well": sum(row["state"] == "well" for row in rows), "total": len(rows)}
