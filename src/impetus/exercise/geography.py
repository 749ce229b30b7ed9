"""The invented city of Aurelia as a draughtsman would sketch it: coast, river, main roads, squares, parks, rails.

All positions are metres east and north of the city's origin, which lies in the open Adriatic, so that nobody takes a
place of the demo for a real one. `to_degrees` puts them on the map.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

ORIGIN_LONGITUDE, ORIGIN_LATITUDE = 12.9, 44.9
METRES_PER_DEGREE = 111_320.0

Metres = tuple[float, float]
"""East and north of the origin."""


def to_degrees(position: Metres) -> tuple[float, float]:
    """Longitude and latitude, rounded to about 0.1 m."""
    x, y = position
    longitude = ORIGIN_LONGITUDE + x / (METRES_PER_DEGREE * math.cos(math.radians(ORIGIN_LATITUDE)))
    return round(longitude, 6), round(ORIGIN_LATITUDE + y / METRES_PER_DEGREE, 6)


@dataclass(frozen=True, slots=True)
class Road:
    """A main road: its course is smoothed when it is drawn."""

    name: str
    course: tuple[Metres, ...]
    width_m: float = 20.0
    is_closed: bool = False


@dataclass(frozen=True, slots=True)
class Area:
    """A square or a park."""

    name: str
    outline: tuple[Metres, ...]
    is_smooth: bool = False


@dataclass(frozen=True, slots=True)
class District:
    """Where a district's name stands and how it is built up."""

    name: str
    label: Metres
    block_m2: float
    """Usual size of a block."""
    lot_m2: float
    street_m: float
    style: str
    """`courtyard`: closed rows around a yard; `villa`: houses in gardens; `hall`: halls and sheds."""


# Coast from the west border, along the harbour, to the north-east; the sea lies south and east of it.
COAST: tuple[Metres, ...] = (
    (-6000, -1750),
    (-3400, -1420),
    (-2300, -1240),
    (-1750, -1120),
    (-1320, -1010),
    (-1040, -985),
    (-860, -860),
    (-720, -800),
    (-560, -770),
    (-330, -700),
    (-120, -690),
    (140, -690),
    (330, -700),
    (520, -640),
    (760, -560),
    (1010, -560),
    (1230, -430),
    (1380, -180),
    (1500, 80),
    (1520, 330),
    (1660, 640),
    (1850, 900),
    (2150, 1350),
    (2700, 2100),
    (4200, 5200),
)

# Basins cut into the land with straight quays, and what juts out into the water.
BASINS: tuple[tuple[Metres, ...], ...] = (
    ((-545, -830), (-500, -615), (-330, -575), (-255, -590), (-250, -830)),
    ((330, -820), (345, -545), (505, -500), (640, -520), (655, -820)),
    ((735, -700), (738, -475), (905, -430), (985, -455), (985, -700)),
)
PIERS: tuple[tuple[Metres, ...], ...] = (
    ((-440, -600), (-405, -594), (-418, -750), (-450, -750)),
    ((-345, -590), (-318, -586), (-326, -720), (-352, -720)),
    ((455, -520), (520, -500), (528, -700), (470, -705)),
    ((845, -460), (892, -450), (900, -640), (850, -640)),
)
BREAKWATERS: tuple[tuple[Metres, ...], ...] = (
    ((-700, -815), (-640, -960), (-470, -1060), (-230, -1090)),
    ((1060, -575), (960, -800), (700, -950), (330, -1010), (90, -1010)),
)

RIVER: tuple[Metres, ...] = (
    (-1050, 5000),
    (-900, 3000),
    (-700, 2000),
    (-640, 1500),
    (-520, 1180),
    (-300, 960),
    (-230, 700),
    (-300, 480),
    (-140, 300),
    (40, 160),
    (90, -60),
    (40, -280),
    (10, -470),
    (40, -720),
)
RIVER_WIDTH_M = 66.0
CANAL: tuple[Metres, ...] = ((60, -120), (230, -190), (400, -330), (425, -520))
CANAL_WIDTH_M = 26.0

OLD_TOWN_CENTRE: Metres = (-370, -210)

ROADS: tuple[Road, ...] = (
    Road(
        "Wall Ring",
        (
            (-75, 150),
            (-220, 205),
            (-420, 200),
            (-600, 115),
            (-715, -60),
            (-745, -260),
            (-660, -440),
            (-560, -545),
        ),
        24,
    ),
    Road("Riverside", ((-75, 150), (0, 40), (20, -80), (-30, -270), (-60, -430), (-130, -545)), 18),
    Road(
        "Harbour Promenade",
        ((-560, -545), (-480, -530), (-350, -505), (-240, -515), (-130, -545), (-40, -590), (20, -600)),
        18,
    ),
    Road(
        "Outer Ring",
        (
            (-1290, -960),
            (-1330, -760),
            (-1360, -420),
            (-1310, -80),
            (-1190, 270),
            (-980, 560),
            (-720, 760),
            (-450, 850),
            (-150, 850),
            (220, 830),
            (580, 760),
            (910, 590),
            (1130, 340),
            (1230, 60),
            (1215, -130),
            (1150, -290),
        ),
        28,
    ),
    Road("West Avenue", ((-730, -180), (-1000, -150), (-1325, -170), (-1800, -90), (-2600, 60), (-4800, 500)), 24),
    Road(
        "Academy Street", ((-660, -430), (-900, -560), (-1340, -620), (-1850, -760), (-2700, -980), (-5200, -1350)), 20
    ),
    Road(
        "North Avenue",
        ((-430, 200), (-520, 430), (-700, 740), (-960, 1120), (-1350, 1600), (-2300, 3000), (-3400, 4800)),
        24,
    ),
    Road("Garden Street", ((-600, 115), (-800, 290), (-1090, 440), (-1500, 700), (-2100, 1050), (-3800, 1900)), 18),
    Road("Old Bridge", ((-300, -60), (-120, -40), (20, -50), (190, -20), (430, 30)), 16),
    Road("Republic Avenue", ((430, 30), (760, 90), (1225, 90), (1420, 130)), 24),
    Road("New Bridge", ((-75, 150), (40, 240), (230, 310), (420, 290)), 22),
    Road(
        "Linden Avenue", ((420, 290), (560, 500), (640, 740), (820, 1100), (1100, 1600), (1900, 3000), (2600, 4800)), 22
    ),
    Road("East Boulevard", ((430, 30), (405, 160), (420, 290)), 20),
    Road(
        "Dock Road",
        ((20, -600), (170, -560), (280, -480), (320, -400), (520, -370), (760, -340), (980, -335), (1150, -290)),
        20,
    ),
    Road("Customs Street", ((280, -480), (250, -300), (300, -120), (430, 30)), 18),
    Road("Mill Road", ((-250, 850), (-90, 1050), (20, 1350), (40, 1800), (-100, 2700), (-200, 4800)), 18),
    Road("Belvedere Road", ((910, 590), (1180, 780), (1480, 1150), (2000, 2000), (3200, 4700)), 18),
    Road("Station Street", ((-520, 430), (-640, 410), (-800, 290)), 18),
)

RAILS: tuple[tuple[Metres, ...], ...] = (
    (
        (-5200, 1000),
        (-2600, 640),
        (-1800, 480),
        (-1250, 420),
        (-960, 440),
        (-700, 520),
        (-440, 600),
        (-120, 610),
        (250, 560),
        (700, 420),
        (1010, 330),
        (1350, 500),
        (2000, 1100),
        (3600, 3000),
        (4100, 4800),
    ),
    ((-120, 610), (200, 570), (560, 440), (800, 240), (900, 0), (850, -220), (700, -420), (595, -455)),
)

SQUARES: tuple[Area, ...] = (
    Area("Market Square", ((-452, -238), (-345, -262), (-322, -180), (-345, -148), (-432, -140))),
    Area("City Hall Square", ((-262, -372), (-178, -398), (-150, -312), (-236, -288))),
    Area("Harbour Square", ((-330, -500), (-232, -512), (-236, -440), (-318, -432))),
    Area("Station Square", ((-640, 400), (-560, 428), (-590, 500), (-668, 470))),
    Area("Republic Square", ((395, 0), (478, 18), (470, 78), (392, 62))),
    Area("Cathedral Yard", ((-560, -110), (-498, -128), (-482, -72), (-545, -58))),
)

PARKS: tuple[Area, ...] = (
    Area(
        "Bastion Park",
        ((-770, -60), (-800, -260), (-730, -470), (-960, -540), (-1060, -420), (-1010, -240), (-960, -160)),
        True,
    ),
    Area("Castle Hill", ((-420, 250), (-250, 250), (-190, 340), (-310, 430), (-450, 420)), True),
    Area("River Meadows", ((-190, 720), (-150, 640), (40, 625), (180, 640), (200, 800), (20, 815), (-150, 815)), True),
    Area("Botanical Garden", ((150, 90), (330, 60), (370, 200), (250, 270), (130, 210)), True),
    Area("Lido", ((1250, -60), (1360, -120), (1470, 90), (1500, 300), (1560, 480), (1440, 420), (1300, 160)), True),
    Area("Northern Cemetery", ((-1500, 880), (-1250, 760), (-1080, 960), (-1220, 1160), (-1440, 1120)), False),
    Area("Stadium Park", ((-1780, -560), (-1480, -500), (-1450, -280), (-1700, -250), (-1830, -360)), True),
    Area("Observatory Wood", ((700, 900), (900, 780), (1130, 900), (1250, 1150), (1020, 1260), (860, 1090)), True),
    Area(
        "Sea Park",
        ((-1240, -940), (-1050, -940), (-900, -820), (-760, -760), (-800, -680), (-1000, -740), (-1230, -800)),
        True,
    ),
)

DISTRICTS: tuple[District, ...] = (
    District("Old Town", (-440, -70), 4_200, 510, 6.5, "courtyard"),
    District("Station Quarter", (-560, 310), 9_000, 1_090, 11.0, "courtyard"),
    District("West End", (-1080, 90), 11_000, 1_220, 12.0, "courtyard"),
    District("Academy", (-1060, -680), 12_000, 1_580, 12.0, "courtyard"),
    District("Garden City", (-1150, 720), 17_000, 1_830, 10.0, "villa"),
    District("Westfields", (-1700, 180), 24_000, 2_680, 11.0, "villa"),
    District("Northgate", (-330, 1180), 18_000, 1_950, 11.0, "villa"),
    District("Mills", (330, 1080), 20_000, 3_170, 12.0, "hall"),
    District("East Bank", (650, 250), 9_500, 1_090, 12.0, "courtyard"),
    District("Linden", (330, 430), 10_500, 1_220, 11.0, "courtyard"),
    District("Republic", (900, -90), 10_000, 1_150, 12.0, "courtyard"),
    District("Docks", (600, -430), 21_000, 5_120, 14.0, "hall"),
    District("Customs Quarter", (170, -340), 7_000, 970, 10.0, "courtyard"),
    District("Belvedere", (1300, 640), 19_000, 2_070, 10.0, "villa"),
    District("Shore", (-1530, -800), 21_000, 2_310, 10.0, "villa"),
)
