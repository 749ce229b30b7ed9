"""A tool gets only the data that its manifest asks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from impetus.model import Datastream, ObservationBatch
from impetus.sdk.manifest import Manifest


class InputSelection:
    """Which datastreams of an organisation a tool may read; a tool that asks for all gets unregistered ones as well."""

    def __init__(self, manifest: Manifest, registered: Iterable[Datastream]) -> None:
        properties = manifest.observed_properties()
        everything = tuple(registered)
        self.datastreams = tuple(
            datastream for datastream in everything if properties is None or datastream.observed_property in properties
        )
        self._registered = {datastream.id for datastream in everything}
        self._allowed = None if properties is None else {datastream.id for datastream in self.datastreams}

    def knows(self, batch: ObservationBatch) -> bool:
        """Whether all datastreams of the batch are registered, as far as is known here."""
        return self._registered.issuperset(batch.datastreams)

    def select(self, batch: ObservationBatch) -> ObservationBatch | None:
        """The part of the batch that the tool may read, in the same order; None if there is none."""
        if self._allowed is None or self._allowed.issuperset(batch.datastreams):
            return batch
        numbers: dict[int, int] = {}
        names: list[str] = []
        for number, name in enumerate(batch.datastreams):
            if name in self._allowed:
                numbers[number] = len(names)
                names.append(name)
        rows = [row for row, number in enumerate(batch.index) if number in numbers]
        if not rows:
            return None
        return ObservationBatch(
            datastreams=tuple(names),
            index=tuple(numbers[batch.index[row]] for row in rows),
            time_us=tuple(batch.time_us[row] for row in rows),
            value=tuple(batch.value[row] for row in rows),
        )


def joined(batches: Sequence[ObservationBatch]) -> ObservationBatch:
    """One batch with the readings of several, in order.

    >>> one = ObservationBatch(datastreams=("a",), index=(0,), time_us=(1,), value=(1.0,))
    >>> two = ObservationBatch(datastreams=("b", "a"), index=(1, 0), time_us=(2, 2), value=(2.0, 3.0))
    >>> joined([one, two]).index
    (0, 0, 1)
    """
    numbers: dict[str, int] = {}
    index: list[int] = []
    for batch in batches:
        own = [numbers.setdefault(name, len(numbers)) for name in batch.datastreams]
        index.extend(map(own.__getitem__, batch.index))
    # What it is made of was checked; checking it again would take longer than joining it.
    return ObservationBatch.model_construct(
        datastreams=tuple(numbers),
        index=tuple(index),
        time_us=tuple(chain.from_iterable(batch.time_us for batch in batches)),
        value=tuple(chain.from_iterable(batch.value for batch in batches)),
    )
