"""What the tool watches: observed properties and the units in which it thinks of them."""

from __future__ import annotations

from collections.abc import Mapping

BACTERIA, PARTICLES, GAS = "bacteria-concentration", "fluorescent-particles", "gas-concentration"
WATCHED = (BACTERIA, PARTICLES, GAS)
UNITS: Mapping[str, str] = {BACTERIA: "CFU/m3", PARTICLES: "1/L", GAS: "ppb"}
RATE_UNITS: Mapping[str, str] = {BACTERIA: "CFU/s", PARTICLES: "1e3/s", GAS: "g/s"}
