"""The noise in figures that leave the organisation: OpenDP's discrete Laplace mechanism, in a process of its own.

OpenDP (https://opendp.org) is a library whose mechanisms are proved and whose noise is drawn exactly (Canonne, Kamath
and Steinke, "The Discrete Gaussian for Differential Privacy", 2020), so that nothing is read off from the way that
floating-point numbers are rounded (Mironov 2012). Loading it takes seconds and a quarter of a gigabyte: a child process
does so for each release, and the hub stays small.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from impetus.model import ConfigurationError, Unavailable

LIMIT_S: Final = 180.0
INSTALL: Final = "Install it: pip install 'impetus[privacy]'."
NOT_INSTALLED: Final = 3
TOLERANCE: Final = 1e-9

Mechanism = Callable[[Sequence[int], float, int], Awaitable[Sequence[int]]]
"""Takes figures, epsilon and the sensitivity (sum of changes that one person can make); gives them with noise."""


async def with_noise(figures: Sequence[int], epsilon: float, sensitivity: int) -> Sequence[int]:
    """Figures with noise of scale `sensitivity / epsilon` in each. Raises `ConfigurationError` without OpenDP, and
    `Unavailable` when it fails; then nothing may be released."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "impetus.governance.noise",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    order = json.dumps({"figures": list(figures), "epsilon": epsilon, "sensitivity": sensitivity}).encode()
    try:
        async with asyncio.timeout(LIMIT_S):
            written, complaint = await child.communicate(order)
    except TimeoutError:
        raise Unavailable("the noise was not drawn in time", hint="Try again when the machine is less busy.") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode == NOT_INSTALLED:
        raise ConfigurationError("figures leave with noise from OpenDP only, which is not installed", hint=INSTALL)
    if child.returncode:
        raise Unavailable(f"the noise could not be drawn: {complaint.decode(errors='replace')[-300:].strip()}")
    drawn: list[int] = json.loads(written)
    if len(drawn) != len(figures):
        raise Unavailable("the noise does not fit the figures")
    return drawn


def _draw(figures: list[int], epsilon: float, sensitivity: int) -> list[int]:
    dp: Any = importlib.import_module("opendp.prelude")
    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T=int)), dp.l1_distance(T=int)
    mechanism = dp.m.make_laplace(*space, scale=sensitivity / epsilon)
    loss = mechanism.map(d_in=sensitivity)
    if loss > epsilon * (1 + TOLERANCE):
        raise ValueError(f"the mechanism loses {loss}, more than {epsilon}")
    return [int(one) for one in mechanism(figures)]


def main() -> int:
    """Read an order from standard input, write figures to standard output."""
    order = json.load(sys.stdin)
    try:
        drawn = _draw(order["figures"], float(order["epsilon"]), int(order["sensitivity"]))
    except ImportError:
        return NOT_INSTALLED
    json.dump(drawn, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
