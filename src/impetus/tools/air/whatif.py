"""A release that somebody asks about: its zone in the present weather. Nothing was found, and nobody is warned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from impetus.model import Status, ToolRequest, ToolResult, derived_id
from impetus.tools.air.agents import Agent
from impetus.tools.air.hazard import hazard_map
from impetus.tools.air.plane import Plane
from impetus.tools.air.release import Box, Weather
from impetus.tools.air.wanted import DispersionWanted
from impetus.tools.air.zones import SEARCH_M, advice, drawn_zones, place_of, point_samples, wind_of

HEAVY = "the gas is heavier than air: near the source it hugs the ground and spreads to the sides, further than drawn"


def what_if(
    request: ToolRequest,
    wanted: DispersionWanted,
    agent: Agent,
    position: tuple[float, float],
    weather: Weather,
    remarks: Sequence[str],
    counted: Mapping[tuple[float, float], float],
    *,
    now: datetime,
    exposure_min: float,
) -> ToolResult:
    """The answer to the request: a release at `position` (longitude, latitude) that begins now.

    `counted`: people by position in metres of the plane around it.
    """
    plane, random = Plane(*position), np.random.default_rng(1)
    samples = point_samples(0.0, 0.0, wanted.rate_gps, weather, random)
    drawn = hazard_map(samples, weather, Box.around(0, 0, SEARCH_M), agent.levels(exposure_min), random, age_s=0.0)
    zones, curve, outline = drawn_zones(drawn, plane, counted)
    return ToolResult(
        id=derived_id(request.id, "what-if"),
        tool="air",
        kind="what-if",
        title=f"{agent.title}, {wanted.rate_gps:g} g/s",
        time=now,
        status=Status.EXERCISE,
        place=place_of(outline, plane) or request.place,
        alert=request.alert,
        incident=request.incident,
        request=request.id,
        content={
            "agent": agent.title,
            "unit": "g/m3",
            "source_of_levels": agent.source,
            "source": {"longitude": position[0], "latitude": position[1], "rate": wanted.rate_gps},
            "wind": wind_of(weather),
            "zones": zones,
            "curve": curve,
            "advice": advice(drawn),
            "remarks": [*remarks, *([HEAVY] if agent.heavy else [])],
        },
    )
