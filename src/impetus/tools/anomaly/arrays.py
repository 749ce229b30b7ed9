"""State of many streams side by side: named arrays whose first axis is the stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Singles: TypeAlias = NDArray[np.float32]
Booleans: TypeAlias = NDArray[np.bool_]
Integers: TypeAlias = NDArray[np.int64]
Rows: TypeAlias = slice | Integers
"""Which streams an update is about: distinct row numbers, or a slice, which numpy reads without copying."""


@dataclass(frozen=True, slots=True)
class Column:
    """One array of a state: its shape behind the stream axis, what a new stream starts with, and its type."""

    shape: tuple[int, ...] = ()
    start: float = 0.0
    type: type = np.float64
    by_slot: bool = False
    """Whether what different streams hold in one place lies side by side: of a profile all need the same slot now."""

    def arranged(self, array: NDArray[Any]) -> NDArray[Any]:
        """The array in that order of memory."""
        return np.asfortranarray(array) if self.by_slot else np.ascontiguousarray(array)


class ArrayState:
    """A set of arrays that grow, are saved and are restored together.

    A subclass declares its arrays as attributes and hands their columns to `__init__`; the attribute of a column has
    the shape `(streams, *column.shape)`.

    >>> class Sums(ArrayState):
    ...     def __init__(self) -> None:
    ...         super().__init__({"total": Column(), "by_hour": Column((24,))})
    >>> sums = Sums()
    >>> sums.grow(5)
    >>> sums.by_hour.shape
    (5, 24)
    """

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self.columns = columns
        self.streams = 0
        for name, column in columns.items():
            setattr(self, name, np.full((0, *column.shape), column.start, dtype=column.type))

    def grow(self, streams: int) -> None:
        """Make room for `streams` streams in all; the new ones start afresh."""
        if streams <= self.streams:
            return
        for name, column in self.columns.items():
            fresh: NDArray[Any] = np.full((streams - self.streams, *column.shape), column.start, dtype=column.type)
            setattr(self, name, column.arranged(np.concatenate([getattr(self, name), fresh])))
        self.streams = streams

    def dump(self, prefix: str) -> dict[str, NDArray[Any]]:
        """The arrays by name, for a checkpoint."""
        return {f"{prefix}.{name}": getattr(self, name) for name in self.columns}

    def load(self, prefix: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `dump` gave. Raises `ValueError` when the shapes are those of another version."""
        taken: dict[str, NDArray[Any]] = {}
        for name, column in self.columns.items():
            array = arrays.get(f"{prefix}.{name}")
            if array is None or array.shape[1:] != column.shape:
                raise ValueError(f"the saved state has no array {prefix}.{name} of shape (streams, *{column.shape})")
            taken[name] = column.arranged(np.array(array, dtype=column.type))
        lengths = {len(array) for array in taken.values()}
        if len(lengths) != 1:
            raise ValueError(f"the saved arrays of {prefix} differ in length")
        for name, array in taken.items():
            setattr(self, name, array)
        self.streams = lengths.pop()
