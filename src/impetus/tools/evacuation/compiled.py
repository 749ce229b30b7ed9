"""Inner loops over numpy arrays, compiled by numba and kept on disk for the next process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """A function over arrays and numbers, compiled at its first call.

    >>> @compiled
    ... def doubled(value: float) -> float:
    ...     return 2.0 * value
    >>> doubled(2.0)
    4.0
    """
    # Where neither the package's folder nor the user's cache can be written, it is compiled anew each time.
    try:
        return cast("Function", njit(cache=True, fastmath=True, nogil=True, error_model="numpy")(function))
    except RuntimeError:
        return cast("Function", njit(fastmath=True, nogil=True, error_model="numpy")(function))
