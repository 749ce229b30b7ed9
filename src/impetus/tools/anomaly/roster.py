"""Which streams there are: their names, their row numbers, and what the register says of them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from impetus.model import Datastream
from impetus.tools.anomaly.arrays import Integers


class Roster:
    """Gives each stream a row number, in the order in which they are first heard of.

    >>> roster = Roster(["a"])
    >>> roster.add(["b", "a"]).tolist(), roster.row("b"), roster.row("c"), len(roster)
    ([1, 0], 1, None, 2)
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.names = list(names)
        self.registered: dict[int, Datastream] = {}
        self._rows = {name: row for row, name in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.names)

    def add(self, names: Iterable[str]) -> Integers:
        """Row numbers of streams; unknown ones are added."""
        rows = []
        for name in names:
            row = self._rows.get(name)
            if row is None:
                row = self._rows[name] = len(self.names)
                self.names.append(name)
            rows.append(row)
        return np.array(rows, dtype=np.int64)

    def row(self, name: str) -> int | None:
        """The row number of a stream; None where there is none of this name."""
        return self._rows.get(name)

    def register(self, datastreams: Iterable[Datastream]) -> list[int]:
        """Take over what the register says; rows of those of which it is new. All of them must have been added."""
        changed = []
        for datastream in datastreams:
            row = self._rows[datastream.id]
            if self.registered.get(row) != datastream:
                self.registered[row] = datastream
                changed.append(row)
        return changed

    def datastream(self, row: int) -> Datastream:
        """What is known of a stream; of one that is not registered, its name."""
        name = self.names[row]
        unregistered = Datastream(id=name, name=name, thing=name, observed_property="reading", unit="")
        return self.registered.get(row, unregistered)
