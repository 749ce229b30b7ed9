"""Compiles inner loops where numba is present; without it they run as they stand, slower and with the same results."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """A function over numpy arrays and numbers, compiled at its first call and kept on disk for the next process.

    >>> @compiled
    ... def doubled(value: float) -> float:
    ...     return 2.0 * value
    >>> doubled(2.0)
    4.0
    """
    try:
        from numba import njit
    except ImportError:
        return function
    # Where neither the package's folder nor the user's cache can be written, it is compiled anew each time.
    try:
        return cast("Function", njit(cache=True, error_model="numpy")(function))
    except RuntimeError:
        return cast("Function", njit(error_model="numpy")(function))
