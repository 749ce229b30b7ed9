"""Which streams there are: their names, their row numbers, and what the register says of them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from impetus.model import Datastream
from impetus.tools.anomaly.arrays import Floats, Integers


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
        self._asked: tuple[Iterable[str], Integers] = ((), np.zeros(0, dtype=np.int64))
        self._taken: Iterable[Datastream] = ()
        self._declared_s: Floats | None = None

    def __len__(self) -> int:
        return len(self.names)

    def add(self, names: Iterable[str]) -> Integers:
        """Row numbers of streams; unknown ones are added."""
        # The same names are asked for again and again; those of a tuple do not change.
        if self._asked[0] is names:
            return self._asked[1]
        rows = []
        for name in names:
            row = self._rows.get(name)
            if row is None:
                row = self._rows[name] = len(self.names)
                self.names.append(name)
            rows.append(row)
        found = np.array(rows, dtype=np.int64)
        if isinstance(names, tuple):
            found.flags.writeable = False
            self._asked = names, found
        return found

    def row(self, name: str) -> int | None:
        """The row number of a stream; None where there is none of this name."""
        return self._rows.get(name)

    def register(self, datastreams: Iterable[Datastream]) -> list[int]:
        """Take over what the register says; rows of those of which it is new. All of them must have been added."""
        if self._taken is datastreams:
            return []
        changed = []
        for datastream in datastreams:
            row = self._rows[datastream.id]
            known = self.registered.get(row)
            if known is not datastream and known != datastream:
                self.registered[row] = datastream
                changed.append(row)
        if changed:
            self._declared_s = None
        if isinstance(datastreams, tuple):
            self._taken = datastreams
        return changed

    def declared_s(self) -> Floats:
        """Time between readings that the register says of each stream, not a number where it says none; shape
        (streams,)."""
        if self._declared_s is None or len(self._declared_s) != len(self.names):
            self._declared_s = np.full(len(self.names), np.nan)
            for row, datastream in self.registered.items():
                if datastream.interval_s is not None:
                    self._declared_s[row] = datastream.interval_s
        return self._declared_s

    def datastream(self, row: int) -> Datastream:
        """What is known of a stream; of one that is not registered, its name."""
        name = self.names[row]
        unregistered = Datastream(id=name, name=name, thing=name, observed_property="reading", unit="")
        return self.registered.get(row, unregistered)
