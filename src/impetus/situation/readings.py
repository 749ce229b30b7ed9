"""Readings and expectations: from the bus into the store, in bulk, and the newest ones to the screens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from pydantic import ValidationError

from impetus.bus import Bus, Delivery
from impetus.model import Clock, Datastream, ExpectationBatch, InvalidInput, ObservationBatch, to_microseconds
from impetus.situation.admission import Refused, Window, admit, unknown_datastreams
from impetus.situation.consumer import Refuse
from impetus.situation.latest import LatestReadings
from impetus.situation.messages import validation_reason
from impetus.situation.rate import Rate
from impetus.situation.settings import SituationSettings
from impetus.store import Store

DURABLE = "situation-readings"
SUBJECTS = ("*.observation.>", "*.expectation.>")
REGISTRY_AGE_S = 5.0
"""How old the registered datastreams that readings are checked against may be."""


class ReadingService:
    """Takes in readings and expectations; knows the newest reading of every datastream."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, settings: SituationSettings) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._settings = settings
        self._registered: dict[str, tuple[float, Mapping[str, Datastream]]] = {}
        self._rates: dict[str, Rate] = {}
        self.latest = LatestReadings()

    async def start(self) -> None:
        """Load what the store knows as the newest readings."""
        async with self._store.view() as transaction:
            organisations = await transaction.organisations.list_in_installation()
        for organisation in organisations:
            known = await self._store.readings.latest(organisation.id)
            self.latest.load(
                organisation.id,
                ((name, to_microseconds(reading.time), reading.value) for name, reading in known.items()),
            )

    async def registered(self, tenant: str, *, fresh: bool = False) -> Mapping[str, Datastream]:
        """The datastreams of an organisation by id, at most `REGISTRY_AGE_S` old."""
        now_s = self._clock.monotonic_s()
        known = self._registered.get(tenant)
        if known is None or fresh or now_s - known[0] > REGISTRY_AGE_S:
            async with self._store.view() as transaction:
                known = (now_s, await transaction.datastreams.all(tenant))
            self._registered[tenant] = known
        return known[1]

    def rate(self, tenant: str) -> float:
        """Readings a second that arrived over the last seconds."""
        rate = self._rates.get(tenant)
        return 0.0 if rate is None else rate.value(self._clock.monotonic_s())

    async def check(self, tenant: str, batch: ObservationBatch) -> None:
        """Raises `InvalidInput` if the batch holds a reading that cannot be real or of an unknown datastream."""
        registered = await self.registered(tenant)
        unknown = unknown_datastreams(batch, registered)
        if unknown:
            registered = await self.registered(tenant, fresh=True)
            unknown = unknown_datastreams(batch, registered)
        if unknown:
            others = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
            raise InvalidInput(
                f"The datastream {unknown[0]} is not known{others}.", hint="Register it with POST /api/v1/datastreams."
            )
        _, refused = admit(batch, registered, self._window())
        if refused:
            raise InvalidInput(
                "; ".join(one.reason for one in refused[:3]), hint="Nothing was taken. Leave these readings out."
            )

    async def handle(self, deliveries: Sequence[Delivery], refuse: Refuse) -> None:
        """Keep what the bus delivered; see `impetus.situation.consumer`."""
        observations: dict[str, list[ObservationBatch]] = {}
        expectations: dict[str, list[ExpectationBatch]] = {}
        refusals: list[tuple[Delivery, Refused]] = []
        window = self._window()
        for delivery in deliveries:
            envelope = delivery.envelope
            tenant = envelope.tenant
            try:
                if envelope.kind == "expectation":
                    expectations.setdefault(tenant, []).append(envelope.open(ExpectationBatch))
                    continue
                batch, refused = admit(envelope.open(ObservationBatch), await self.registered(tenant), window)
            except ValidationError as error:
                refuse(delivery, validation_reason(error))
                continue
            refusals += [(delivery, one) for one in refused]
            if batch is not None:
                observations.setdefault(tenant, []).append(batch)
        for tenant, batches in observations.items():
            joined = join_observations(batches)
            self.latest.add(tenant, joined)
            self._rates.setdefault(tenant, Rate()).add(len(joined), self._clock.monotonic_s())
            await self._store.readings.append(tenant, joined)
        for tenant, expected in expectations.items():
            await self._store.expectations.append(tenant, join_expectations(expected))
        for delivery, one in refusals:
            envelope = delivery.envelope
            await self._bus.set_aside(envelope.tenant, DURABLE, envelope.subject, one.body, one.reason)

    def _window(self) -> Window:
        return Window.around(self._clock.now(), behind_days=self._settings.behind_days, ahead_s=self._settings.ahead_s)


def join_observations(batches: Sequence[ObservationBatch]) -> ObservationBatch:
    """One batch with the readings of several, in order."""
    if len(batches) == 1:
        return batches[0]
    names, index = _join_names(batches)
    return ObservationBatch.model_construct(
        datastreams=names,
        index=index,
        time_us=tuple(chain.from_iterable(batch.time_us for batch in batches)),
        value=tuple(chain.from_iterable(batch.value for batch in batches)),
    )


def join_expectations(batches: Sequence[ExpectationBatch]) -> ExpectationBatch:
    """One batch with the expectations of several, in order."""
    if len(batches) == 1:
        return batches[0]
    names, index = _join_names(batches)
    return ExpectationBatch.model_construct(
        datastreams=names,
        index=index,
        time_us=tuple(chain.from_iterable(batch.time_us for batch in batches)),
        low=tuple(chain.from_iterable(batch.low for batch in batches)),
        middle=tuple(chain.from_iterable(batch.middle for batch in batches)),
        high=tuple(chain.from_iterable(batch.high for batch in batches)),
        score=tuple(chain.from_iterable(batch.score for batch in batches)),
    )


def _join_names(
    batches: Sequence[ObservationBatch] | Sequence[ExpectationBatch],
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The names of all batches, each once, and the index of every reading into them."""
    numbers: dict[str, int] = {}
    index: list[int] = []
    for batch in batches:
        own = [numbers.setdefault(name, len(numbers)) for name in batch.datastreams]
        index.extend(map(own.__getitem__, batch.index))
    return tuple(numbers), tuple(index)
