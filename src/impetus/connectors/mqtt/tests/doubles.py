"""Stand-ins that fail on command; where nothing has to fail, the tests use the real bus and store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from impetus.bus.protocol import Bus
from impetus.connectors.mqtt.arrival import Arrival
from impetus.model import Datastream, Envelope, Observation, ObservationBatch, Unavailable


@dataclass
class RecordingBus:
    """Keeps what is published; `is_down` makes it refuse everything, as a full disk would."""

    is_down: bool = False
    envelopes: list[Envelope] = field(default_factory=list)
    letters: list[tuple[str, str, bytes, str]] = field(default_factory=list)
    """Tenant, topic, body, reason."""

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        if self.is_down:
            raise Unavailable("the disk is full", hint="make room")
        known = {envelope.id for envelope in self.envelopes}
        self.envelopes += [envelope for envelope in envelopes if envelope.id not in known]

    async def set_aside(self, tenant: str, origin: str, subject: str, body: bytes, reason: str) -> None:
        if self.is_down:
            raise Unavailable("the disk is full", hint="make room")
        self.letters.append((tenant, subject, body, reason))

    def as_bus(self) -> Bus:
        return cast("Bus", self)

    @property
    def observations(self) -> list[Observation]:
        found: list[Observation] = []
        for envelope in self.envelopes:
            if envelope.kind == "observation":
                found += envelope.open(ObservationBatch).observations()
        return found

    @property
    def reasons(self) -> list[str]:
        return [letter[3] for letter in self.letters]


@dataclass
class RecordingSink:
    """Keeps arrivals and acknowledges only when told to."""

    arrivals: list[Arrival] = field(default_factory=list)
    is_full: bool = False
    is_overfull: bool = False

    def accept(self, arrival: Arrival) -> None:
        self.arrivals.append(arrival)


def datastream(id: str, unit: str = "dB", **fields: Any) -> Datastream:
    return Datastream(id=id, name=id, thing=id, observed_property="sound-level", unit=unit, **fields)


def registered(*datastreams: Datastream) -> Mapping[str, Datastream]:
    return {each.id: each for each in datastreams}
