"""The sensors of the demo city: about 130 datastreams at places where a city would have them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from impetus.exercise.base_map import road_lines
from impetus.exercise.geography import Metres, to_degrees
from impetus.model import Datastream, Place, Point


@dataclass(frozen=True, slots=True)
class Property:
    """An observed property: unit, bounds of what can be real, whether it is counted in whole numbers."""

    id: str
    unit: str
    lowest: float
    highest: float
    is_count: bool = False
    decimals: int = 1


PROPERTIES: Mapping[str, Property] = {
    each.id: each
    for each in (
        Property("traffic-flow", "1/h", 0, 6_000, is_count=True),
        Property("traffic-speed", "km/h", 0, 180),
        Property("bicycle-flow", "1/h", 0, 3_000, is_count=True),
        Property("people-count", "1", 0, 20_000, is_count=True),
        Property("sound-level", "dB", 20, 130),
        Property("pm2-5", "ug/m3", 0, 1_000),
        Property("no2", "ug/m3", 0, 1_000),
        Property("parking-free", "1", 0, 2_000, is_count=True),
        Property("water-level", "m", -3, 6, decimals=3),
        Property("power-load", "kW", 0, 20_000, decimals=0),
        Property("wind-speed", "m/s", 0, 60),
        Property("air-temperature", "Cel", -40, 55, decimals=2),
        Property("wind-direction", "deg", 0, 360, decimals=0),
        Property("bacteria-concentration", "CFU/m3", 0, 1_000_000, decimals=0),
    )
}


@dataclass(frozen=True, slots=True)
class Sensor:
    """A datastream and what its signal is made of."""

    datastream: Datastream
    property: Property
    seed: int
    position: Metres
    size: float
    """Usual daily maximum, in the unit: of traffic and people; capacity of a car park; mean of a level."""
    site: str
    """Place or road: events strike a site."""
    shift_h: float = 0.0
    """How much later than elsewhere the day goes here."""
    weekend: float = 1.0
    """Activity on Saturdays and Sundays against working days."""

    def rounded(self, value: float) -> float:
        """The value as the device would send it: within what it can show, with its decimals."""
        bounded = min(max(value, self.property.lowest), self.highest())
        return float(round(bounded, 0 if self.property.is_count else self.property.decimals))

    def highest(self) -> float:
        """No real value is greater: of a car park, its size."""
        return self.size if self.property.id == "parking-free" else self.property.highest


# Road, loops along it (share of its length), vehicles an hour at the peak.
TRAFFIC: Sequence[tuple[str, tuple[float, ...], float]] = (
    ("Wall Ring", (0.12, 0.42, 0.72), 1_450),
    ("Outer Ring", (0.08, 0.27, 0.46, 0.63, 0.82), 2_300),
    ("West Avenue", (0.06, 0.16), 1_250),
    ("North Avenue", (0.05, 0.14), 1_150),
    ("Academy Street", (0.08,), 700),
    ("Garden Street", (0.09,), 620),
    ("Republic Avenue", (0.25, 0.62), 1_300),
    ("New Bridge", (0.45,), 1_500),
    ("Old Bridge", (0.55,), 380),
    ("Linden Avenue", (0.06, 0.13), 1_050),
    ("Dock Road", (0.3, 0.7), 840),
    ("Harbour Promenade", (0.5,), 420),
    ("East Boulevard", (0.5,), 660),
    ("Mill Road", (0.08,), 540),
    ("Station Street", (0.5,), 480),
    ("Belvedere Road", (0.09,), 430),
)
SPEED: Sequence[tuple[str, float, float]] = (
    ("Outer Ring", 0.27, 62),
    ("Outer Ring", 0.63, 62),
    ("Wall Ring", 0.42, 41),
    ("West Avenue", 0.16, 52),
    ("Republic Avenue", 0.62, 48),
    ("New Bridge", 0.45, 44),
    ("North Avenue", 0.14, 52),
    ("Dock Road", 0.3, 46),
)
BICYCLES: Sequence[tuple[str, float, float]] = (
    ("Old Bridge", 0.42, 520),
    ("Riverside", 0.35, 430),
    ("Harbour Promenade", 0.3, 380),
    ("New Bridge", 0.6, 340),
    ("West Avenue", 0.04, 260),
    ("Linden Avenue", 0.04, 240),
)
# Site, gate, position, people at the busiest hour, how late the day is, weekend against working day.
PEOPLE: Sequence[tuple[str, str, Metres, float, float, float]] = (
    ("Market Square", "north gate", (-390, -150), 340, 0.0, 1.25),
    ("Market Square", "fountain", (-388, -200), 520, 0.0, 1.25),
    ("Market Square", "arcades", (-425, -228), 280, 0.5, 1.25),
    ("City Hall Square", "steps", (-212, -352), 300, 0.5, 0.8),
    ("City Hall Square", "tram stop", (-170, -318), 240, 0.0, 0.7),
    ("City Hall Square", "colonnade", (-240, -305), 200, 0.8, 0.9),
    ("Harbour Square", "ferry gate", (-285, -500), 330, 0.2, 1.3),
    ("Harbour Square", "promenade", (-245, -462), 260, 1.5, 1.5),
    ("Station Square", "main hall", (-610, 470), 900, -0.4, 0.6),
    ("Station Square", "tram stop", (-590, 425), 420, -0.3, 0.6),
    ("Cathedral Yard", "portal", (-520, -92), 150, 0.2, 1.6),
    ("Republic Square", "west side", (402, 40), 320, 0.3, 0.9),
    ("Republic Square", "cinema", (462, 45), 280, 2.0, 1.5),
    ("Lido", "boardwalk", (1440, 150), 230, 1.0, 1.9),
    ("Old Bridge", "middle", (40, -45), 310, 0.6, 1.2),
    ("Stadium Park", "east gate", (-1500, -390), 170, 1.8, 1.8),
)
# Site, position, daytime level.
SOUND: Sequence[tuple[str, Metres, float]] = (
    ("Market Square", (-372, -168), 66),
    ("City Hall Square", (-196, -340), 64),
    ("Harbour Square", (-280, -448), 65),
    ("Station Square", (-625, 435), 69),
    ("Republic Square", (430, 62), 68),
    ("Cathedral Yard", (-505, -88), 58),
    ("Old Bridge", (62, -36), 64),
    ("Wall Ring", (-722, -180), 71),
    ("Outer Ring", (-1350, -300), 73),
    ("New Bridge", (70, 255), 70),
    ("Docks", (560, -440), 68),
    ("Lido", (1410, 60), 59),
    ("Castle Hill", (-320, 330), 52),
    ("Garden City", (-1120, 700), 50),
)
AIR: Sequence[tuple[str, Metres, float, float]] = (
    ("Wall Ring", (-690, 20), 13, 38),
    ("Outer Ring", (-1300, 60), 14, 44),
    ("Market Square", (-330, -205), 11, 26),
    ("City Hall Square", (-222, -300), 11, 27),
    ("Station Square", (-655, 480), 13, 36),
    ("Docks", (470, -440), 16, 40),
    ("Republic Square", (446, 22), 13, 35),
    ("Mills", (330, 1010), 18, 31),
    ("Botanical Garden", (240, 170), 9, 18),
    ("Lido", (1460, 260), 8, 14),
)
PARKING: Sequence[tuple[str, Metres, float, float]] = (
    ("Market Garage", (-470, -175), 380, 0.0),
    ("City Hall Garage", (-150, -385), 260, 0.0),
    ("Station Garage", (-690, 445), 620, -0.5),
    ("Harbour Garage", (-190, -600), 410, 1.0),
    ("Republic Garage", (500, 95), 480, 0.0),
    ("Outer Ring West", (-1400, -120), 540, -0.3),
    ("Stadium Car Park", (-1600, -270), 900, 2.0),
    ("Lido Car Park", (1360, 300), 300, 1.5),
)
WATER: Sequence[tuple[str, Metres, float]] = (
    ("Harbour Mole", (-255, -620), 0.42),
    ("River Mouth", (52, -560), 0.55),
    ("New Bridge Gauge", (40, 205), 0.95),
    ("Mills Gauge", (-215, 905), 1.35),
)
POWER: Sequence[tuple[str, Metres, float]] = (
    ("Old Town", (-560, -290), 3_400),
    ("Station Quarter", (-470, 330), 4_100),
    ("West End", (-1010, 60), 3_700),
    ("Academy", (-1130, -560), 3_100),
    ("Garden City", (-1000, 780), 2_400),
    ("Mills", (520, 990), 6_200),
    ("East Bank", (690, 330), 4_300),
    ("Republic", (960, -60), 3_800),
    ("Docks", (820, -395), 7_400),
    ("Belvedere", (1210, 640), 2_100),
)
WIND: Sequence[tuple[str, Metres, float]] = (
    ("Harbour Mole", (-245, -690), 5.2),
    ("Outer Breakwater", (330, -1008), 6.4),
    ("Observatory", (960, 1040), 4.6),
    ("Castle Hill", (-300, 350), 4.1),
)
TEMPERATURE: Sequence[tuple[str, Metres, float]] = (
    ("Market Square", (-352, -245), 11.6),
    ("Harbour Square", (-300, -440), 11.9),
    ("Botanical Garden", (260, 190), 11.0),
    ("Outer Ring", (560, 750), 11.4),
    ("Observatory", (980, 1020), 9.8),
    ("Lido", (1480, 330), 12.1),
)

# Site, position, usual concentration of airborne bacteria.
BACTERIA: Sequence[tuple[str, Metres, float]] = (
    ("Harbour Square", (-265, -480), 110),
    ("City Hall Square", (-205, -345), 130),
    ("Market Square", (-395, -190), 150),
    ("Cathedral Yard", (-515, -85), 120),
    ("Old Bridge", (35, -50), 90),
    ("Wall Ring", (-150, 60), 120),
    ("Castle Hill", (-310, 120), 80),
    ("Castle Hill North", (-320, 330), 80),
    ("New Bridge", (70, 255), 100),
    ("Republic Square", (430, 45), 140),
    ("Station Square", (-610, 445), 150),
    ("Botanical Garden", (245, 175), 160),
)
WIND_DIRECTION: Sequence[tuple[str, Metres, float]] = (
    ("Harbour Mole", (-245, -690), 198),
    ("Castle Hill", (-300, 350), 202),
)


@lru_cache(maxsize=1)
def sensors() -> Mapping[str, Sensor]:
    """All sensors by datastream id, always the same."""
    found: dict[str, Sensor] = {}
    for sensor in _sensors():
        # Two of one kind at one place differ by a number.
        id, number = sensor.datastream.id, 2
        while id in found:
            id, number = f"{sensor.datastream.id}-{number}", number + 1
        if id != sensor.datastream.id:
            named = sensor.datastream.model_copy(update={"id": id, "name": f"{sensor.datastream.name} {number - 1}"})
            sensor = replace(sensor, datastream=named, seed=zlib.crc32(id.encode()))
        found[id] = sensor
    return found


def datastreams() -> list[Datastream]:
    """What is registered for the demo city."""
    return [sensor.datastream for sensor in sensors().values()]


def load_datastreams(count: int) -> list[Datastream]:
    """Further datastreams for load tests: `load-00001` and so on, strewn over the city."""
    found = []
    for number in range(1, count + 1):
        id = f"load-{number:05d}"
        mark = zlib.crc32(id.encode())
        position = (mark % 2_600 - 1_300.0, (mark >> 12) % 1_800 - 700.0)
        found.append(
            Datastream(
                id=id,
                name=f"Load test {number}",
                thing="Load test",
                observed_property="sound-level",
                unit="dB",
                place=_place(position, "Load test"),
                interval_s=1.0,
                lowest=20,
                highest=130,
            )
        )
    return found


def sites() -> Mapping[str, list[Sensor]]:
    """Sensors by site."""
    found: dict[str, list[Sensor]] = {}
    for sensor in sensors().values():
        found.setdefault(sensor.site, []).append(sensor)
    return found


def _sensors() -> Iterator[Sensor]:
    roads = road_lines()

    def along(road: str, share: float) -> Metres:
        point = roads[road].interpolate(share, normalized=True)
        return point.x, point.y

    for road, shares, size in TRAFFIC:
        for number, share in enumerate(shares, 1):
            label = road if len(shares) == 1 else f"{road} {number}"
            # Those who drive out in the evening drive in in the morning: loops differ by a little.
            shift = 0.25 * ((number % 3) - 1)
            yield _sensor("traffic-flow", road, label, f"Loop at {label}", along(road, share), size, 3.0, shift, 0.68)
    for road, share, size in SPEED:
        yield _sensor("traffic-speed", road, road, f"Radar at {road}", along(road, share), size, 4.0)
    for road, share, size in BICYCLES:
        yield _sensor("bicycle-flow", road, road, f"Bicycle counter, {road}", along(road, share), size, 5.0, 0.1, 0.8)
    for site, gate, position, size, shift, weekend in PEOPLE:
        label = f"{site}, {gate}"
        yield _sensor("people-count", site, label, f"Counter at {label}", position, size, 2.0, shift, weekend)
    for site, position, size in SOUND:
        yield _sensor("sound-level", site, site, f"Sound meter, {site}", position, size, 2.0)
    for site, position, particles, nitrogen in AIR:
        yield _sensor("pm2-5", site, site, f"Air station, {site}", position, particles, 5.0)
        nearby = (position[0] + 4, position[1])
        yield _sensor("no2", site, site, f"Air station, {site}", nearby, nitrogen, 5.0, 0.6, 0.75)
    for site, position, size, shift in PARKING:
        yield _sensor("parking-free", site, site, site, position, size, 5.0, shift, 0.8)
    for site, position, size in WATER:
        yield _sensor("water-level", site, site, f"Gauge, {site}", position, size, 5.0)
    for site, position, size in POWER:
        yield _sensor("power-load", site, site, f"Substation {site}", position, size, 3.0, 0.0, 0.82)
    for site, position, size in WIND:
        yield _sensor("wind-speed", site, site, f"Anemometer, {site}", position, size, 3.0)
    for site, position, size in TEMPERATURE:
        yield _sensor("air-temperature", site, site, f"Weather station, {site}", position, size, 5.0)
    for site, position, size in WIND_DIRECTION:
        yield _sensor("wind-direction", site, site, f"Anemometer, {site}", position, size, 3.0)
    for site, position, size in BACTERIA:
        yield _sensor("bacteria-concentration", site, site, f"Air sampler, {site}", position, size, 5.0)


_TITLES = {
    "traffic-flow": "Traffic",
    "traffic-speed": "Speed",
    "bicycle-flow": "Bicycles",
    "people-count": "People",
    "sound-level": "Sound",
    "pm2-5": "PM2.5",
    "no2": "NO2",
    "parking-free": "Free spaces",
    "water-level": "Water level",
    "power-load": "Power",
    "wind-speed": "Wind",
    "air-temperature": "Temperature",
    "wind-direction": "Wind from",
    "bacteria-concentration": "Bacteria",
}


def _sensor(
    property_id: str,
    site: str,
    label: str,
    thing: str,
    position: Metres,
    size: float,
    interval_s: float,
    shift_h: float = 0.0,
    weekend: float = 1.0,
) -> Sensor:
    observed = PROPERTIES[property_id]
    slug = "".join(character if character.isalnum() else "-" for character in label.lower())
    slug = "-".join(part for part in slug.split("-") if part)
    id = f"{property_id}-{slug}"
    highest = size if property_id == "parking-free" else observed.highest
    datastream = Datastream(
        id=id,
        name=f"{_TITLES[property_id]} · {label}",
        thing=thing,
        observed_property=property_id,
        unit=observed.unit,
        place=_place(position, label),
        interval_s=interval_s,
        lowest=observed.lowest,
        highest=highest,
    )
    return Sensor(datastream, observed, zlib.crc32(id.encode()), position, size, site, shift_h, weekend)


def _place(position: Metres, name: str) -> Place:
    return Place(geometry=Point(coordinates=to_degrees(position)), name=name)
