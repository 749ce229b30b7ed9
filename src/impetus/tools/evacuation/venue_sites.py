"""The venues that can be planned for: read from files or drawn, found by name or by place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from shapely.geometry import Point, shape
from structlog.typing import FilteringBoundLogger

from impetus.model import InvalidInput, Place
from impetus.model import Point as ModelPoint
from impetus.tools.evacuation.checking import venue_document
from impetus.tools.evacuation.features import VenueFile
from impetus.tools.evacuation.ground import make_ground
from impetus.tools.evacuation.importing import read_venue
from impetus.tools.evacuation.running import shipped

VENUES_LIMIT = 200
METRES_PER_DEGREE = 111_320.0


@dataclass
class Site:
    """A venue that can be planned for."""

    source: VenueFile
    document: dict[str, Any]
    """As JSON, for the page."""
    longitude: float
    latitude: float
    reach_m: float
    sensors: dict[str, Point] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        """Its centre, under its name."""
        return place_at(self.longitude, self.latitude, self.source.name)


class Sites:
    """All venues of one organisation, at most `VENUES_LIMIT`."""

    def __init__(self) -> None:
        self._sites: dict[str, Site] = {}

    def __iter__(self) -> Iterator[Site]:
        return iter(list(self._sites.values()))

    def read(self, folder: Path | None, log: FilteringBoundLogger) -> None:
        """Take up the shipped venues and those of a folder; one that cannot be read is logged and left out."""
        files = list(shipped().values())
        if folder is not None and folder.is_dir():
            files += sorted(path for path in folder.iterdir() if path.suffix in (".geojson", ".json"))[:VENUES_LIMIT]
        for file in files:
            try:
                site = _of_file(file, file.stat().st_mtime_ns)
                self._sites[site.source.id] = site
            except InvalidInput as error:
                log.warning("evacuation.venue_refused", file=file.name, reason=str(error))

    def add(self, source: VenueFile, document: Mapping[str, Any]) -> None:
        """Take up a venue that was drawn, or its new version."""
        if len(self._sites) < VENUES_LIMIT or source.id in self._sites:
            self._sites[source.id] = _made(source, document)

    def named(self, id: str) -> Site:
        """A venue by identifier or name. Raises `InvalidInput` if there is none."""
        for site in self._sites.values():
            if id in (site.source.id, site.source.name):
                return site
        raise InvalidInput(f"there is no venue {id[:60]!r}", hint=f"known are {', '.join(self._sites)}")

    def at(self, place: Place, *, reach_m: float) -> Site:
        """The venue at a place. Raises `InvalidInput` if none is near."""
        geometry = shape(place.geometry.model_dump(mode="json"))
        near: list[tuple[float, Site]] = []
        for site in self._sites.values():
            away = geometry.distance(Point(site.longitude, site.latitude)) * METRES_PER_DEGREE
            if away > 2 * (site.reach_m + reach_m) + 1_000.0:
                continue
            ground = make_ground(site.source)
            near.append((ground.project(geometry).distance(ground.area), site))
        if not near or min(near, key=lambda entry: entry[0])[0] > reach_m:
            raise InvalidInput("no venue is near that place", hint="draw one on the tool's page, or name a venue")
        return min(near, key=lambda entry: entry[0])[1]


def place_at(longitude: float, latitude: float, name: str | None = None) -> Place:
    """A place of the platform's model."""
    return Place(geometry=ModelPoint(coordinates=(longitude, latitude)), name=name)


def _made(source: VenueFile, document: Mapping[str, Any]) -> Site:
    ground = make_ground(source)
    left, bottom, right, top = ground.area.bounds
    return Site(
        source=source,
        document=dict(document),
        longitude=ground.longitude,
        latitude=ground.latitude,
        reach_m=max(right - left, top - bottom) / 2,
        sensors={id: shape.centroid for id, shape in ground.sensors.items()},
    )


@lru_cache(maxsize=VENUES_LIMIT)
def _of_file(file: Path, changed_ns: int) -> Site:
    """Read once a process and version of the file. Raises `InvalidInput`."""
    source = read_venue(file)
    return _made(source, {"venue": venue_document(source), "drawn": False})
