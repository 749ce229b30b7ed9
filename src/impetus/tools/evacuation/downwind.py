"""Exits that lead into a plume: whoever takes one leaves the venue, not the danger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import shapely
from shapely.errors import ShapelyError
from shapely.geometry import shape

from impetus.model import FeatureKind, InvalidInput
from impetus.tools.evacuation.features import VenueFile
from impetus.tools.evacuation.ground import make_ground


def exits_in_plume(venue: VenueFile, threat: Mapping[str, Any] | None) -> Sequence[str]:
    """Open exits, by id, that lie in the likely zones of a plume (as `plume_of` gives it), at any lead time.

    A zone lies down-wind of its source, so these are the exits down-wind. None, if that would leave no way out: then it
    is for the plan to weigh one against another.
    """
    if threat is None or threat.get("kind") != "plume":
        return []
    try:
        plume = shapely.union_all(
            [shapely.make_valid(shape(one["geometry"])) for one in threat.get("zones") or () if one.get("geometry")]
        )
    except (ShapelyError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise InvalidInput(f"a zone of the plume is no geometry: {str(error)[:100]}") from error
    exits = [one for one in venue.shapes if one.kind is FeatureKind.EXIT and one.open]
    inside = [one.id for one in exits if plume.intersects(one.geometry.centroid)]
    if not inside or len(inside) == len(exits):
        return []
    try:
        make_ground(venue, opened=dict.fromkeys(inside, False))
    except InvalidInput:  # without them a part of the venue has no way out
        return []
    return inside
