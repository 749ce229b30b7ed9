"""Verification: the RiMEA 4.1.1 tests and the component tests of NIST TN 1822 that apply to people in the open, each as
a small venue, a scenario and a numeric assertion. `impetus evacuation verify` prints them.

Left out: RiMEA 14 (routes over floors: there are none here) and 16 (the fundamental diagram, which the benchmark
prints). RiMEA 8, 12 and 13 have no numeric criterion of their own; what they describe is asserted in numbers of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from impetus.tools.evacuation.features import STAIRS, VenueFile, parse_features
from impetus.tools.evacuation.ground import projection
from impetus.tools.evacuation.outcome import Outcome
from impetus.tools.evacuation.running import make_setting, run
from impetus.tools.evacuation.scenario import AGE_SPEEDS, make_scenario

ORIGIN = (12.9, 44.9)
Metres = tuple[float, float]


def degrees(at: Metres) -> list[float]:
    """A position of a test's plan, in metres, as longitude and latitude."""
    longitude, latitude = projection(*ORIGIN).transform(*at, direction="INVERSE")
    return [float(longitude), float(latitude)]


def area(*points: Metres) -> dict[str, Any]:
    """A polygon."""
    return {"type": "Polygon", "coordinates": [[degrees(point) for point in (*points, points[0])]]}


def rectangle(left: float, bottom: float, right: float, top: float) -> dict[str, Any]:
    """An upright rectangle."""
    return area((left, bottom), (right, bottom), (right, top), (left, top))


def line(*points: Metres) -> dict[str, Any]:
    """A line."""
    return {"type": "LineString", "coordinates": [degrees(point) for point in points]}


def venue(leads: str | None = None, **features: tuple[str, dict[str, Any]]) -> VenueFile:
    """A venue of features by id, each (kind, geometry). `leads`: which way those of the feature
    `stairs` go, up or down."""
    return parse_features(
        {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "id": id,
                    "geometry": geometry,
                    "properties": {"kind": kind, **({"stairs": leads} if id == "stairs" else {})},
                }
                for id, (kind, geometry) in features.items()
            ],
        }
    )


def simulated(site: VenueFile, model: str, seed: int = 1, **scenario: Any) -> Outcome:
    """One run."""
    setting, plan = make_setting(site, make_scenario(scenario))
    return run(setting, plan, model, seed)


def door_flow(outcome: Outcome) -> float:
    """People a second while the door is the bottleneck: between 20 and 80 % of those who left."""
    times = np.sort(outcome.out_s[np.isfinite(outcome.out_s)])
    if len(times) < 20:
        return 0.0
    first, last = int(0.2 * len(times)), int(0.8 * len(times))
    return float((last - first) / max(times[last] - times[first], 1e-9))


def corridor(length: float, width: float, *, bend: bool = False) -> VenueFile:
    """A corridor with an exit over its whole end."""
    if bend:
        return venue(
            ground=("walkable", area((0, 0), (length, 0), (length, length), (length - width, length),
                                     (length - width, width), (0, width))),
            end=("exit", line((length - width, length), (length, length))),
            start=("zone", rectangle(0, 0, 6, width)),
        )  # fmt: skip
    return venue(
        ground=("walkable", rectangle(0, 0, length, width)),
        end=("exit", line((length, 0), (length, width))),
        start=("zone", rectangle(0, 0, 6, width)),
    )


def room_with_door(door_m: float, size: float = 12.0) -> VenueFile:
    """A square room with one door in the middle of a wall."""
    middle = size / 2
    return venue(
        ground=("walkable", rectangle(0, 0, size, size)),
        door=("exit", line((size, middle - door_m / 2), (size, middle + door_m / 2))),
    )


@dataclass(frozen=True)
class Test:
    """One test: what it is, what is asked, and what the model does (a text and whether it holds)."""

    id: str
    asked: str
    check: Callable[[str], tuple[str, bool]]


def _walking(model: str) -> tuple[str, bool]:
    """One person, 40 m at 1.33 m/s: 26 to 34 s."""
    found = simulated(
        corridor(40.0, 2.0), model,
        agents=[{"position": degrees((0.4, 1.0)), "speed": 1.33}],
    ).time_s(1.0)  # fmt: skip
    return f"{found or 0.0:.1f} s", found is not None and 26 <= found <= 34


def _stairs(way: str) -> Callable[[str], tuple[str, bool]]:
    """One person at 1.33 m/s, 2 m on the flat and 10 m of stairs 2 m wide."""
    flat_m, stairs_m, speed = 1.6 + 0.8, 10.0, 1.33  # who is 0.8 m behind the line of an exit is out
    expected = (flat_m + stairs_m / STAIRS[way]) / speed

    def check(model: str) -> tuple[str, bool]:
        site = venue(
            leads=way,
            ground=("walkable", rectangle(0, 0, 12, 2)),
            end=("exit", line((12, 0), (12, 2))),
            stairs=("walkable", rectangle(1, 0, 11, 2)),
        )
        found = simulated(site, model, agents=[{"position": degrees((0.4, 1.0)), "speed": speed}]).time_s(1.0) or 0.0
        return f"{found:.1f} s for {expected:.1f} s", abs(found / expected - 1) <= 0.08

    return check


def _foot_of_stairs(model: str) -> tuple[str, bool]:
    """150 people from a room of 8 m x 8 m through a corridor of 2 m, with and without stairs in it: a stream that is
    slower on the stairs jams before them."""
    ground = ("walkable", area((0, 0), (8, 0), (8, 3), (24, 3), (24, 5), (8, 5), (8, 8), (0, 8)))
    end = ("exit", line((24, 3), (24, 5)))
    zone = ("zone", rectangle(0, 0, 8, 8))
    level = simulated(venue(ground=ground, end=end, zone=zone), model, people=150)
    rising = simulated(
        venue(leads="up", ground=ground, end=end, zone=zone, stairs=("walkable", rectangle(14, 3, 22, 5))),
        model, people=150,
    )  # fmt: skip
    ratio = (rising.time_s(0.95) or np.inf) / (level.time_s(0.95) or np.inf)
    return f"{ratio:.2f} times as long", 1.15 <= ratio <= 1 / STAIRS["up"] and not rising.stuck


def _bottleneck(model: str) -> tuple[str, bool]:
    """150 people through a corridor of 1 m x 5 m between two rooms of 10 m x 10 m: the jam is in the first."""
    found = simulated(
        venue(
            ground=("walkable", area((0, 0), (10, 0), (10, 4.5), (15, 4.5), (15, 0), (25, 0), (25, 10), (15, 10),
                                     (15, 5.5), (10, 5.5), (10, 10), (0, 10))),
            end=("exit", line((25, 4.5), (25, 5.5))),
            zone=("zone", rectangle(1, 1, 9, 9)),
        ),
        model, people=150,
    )  # fmt: skip
    if found.density is None:
        return "no density was measured", False
    first, second = float(found.density[:, :11].max()), float(found.density[:, 17:].max())
    return f"{first:.1f} and {second:.1f} /m2", second < first and not found.stuck


def _large_corner(model: str) -> tuple[str, bool]:
    """70 people around a corner, and straight on as far as its inner and its outer edge go."""
    times = {}
    for name, site in {
        "corner": corridor(14.0, 3.0, bend=True), "inner": corridor(22.0, 3.0), "outer": corridor(28.0, 3.0)
    }.items():  # fmt: skip
        times[name] = simulated(site, model, people=70).time_s(0.95) or np.inf
    text = ", ".join(f"{name} {time:.0f} s" for name, time in times.items())
    return text, times["inner"] <= times["corner"] <= 1.3 * times["outer"]


def _start(model: str) -> tuple[str, bool]:
    """10 people in a room of 8 m x 5 m with start times 10 to 100 s: nobody is out before 10 s, all after 100 s."""
    site = venue(
        ground=("walkable", rectangle(0, 0, 8, 5)),
        door=("exit", line((8, 2), (8, 3))),
        zone=("zone", rectangle(0, 0, 6, 5)),
    )
    found = simulated(site, model, people={"count": 10, "start_s": [10, 100], "speed": 1.33})
    first, last = float(found.out_s.min()), float(found.out_s.max())
    return f"first {first:.0f} s, last {last:.0f} s", first >= 10 and 60 <= last <= 112


def _corner(model: str) -> tuple[str, bool]:
    """20 people go round a corner to the left without leaving the corridor, all arrive."""
    found = simulated(corridor(12.0, 2.0, bend=True), model, people={"zones": {"start": 20}})
    last = found.time_s(1.0)
    return f"{found.evacuated} of 20 out, last {last} s", found.evacuated == 20 and last is not None and last < 40


def _speeds(model: str) -> tuple[str, bool]:
    """50 people of given ages: their mean free speed is that of the group within 5 %."""
    from impetus.tools.evacuation.populate import populate

    worst = 0.0
    site = room_with_door(2.0, 20.0)
    for name in ("child", "adult", "elderly"):
        setting, _ = make_setting(site, make_scenario({"people": {"count": 1000, "age": {name: 1.0}}}))
        drawn = populate(setting.ways.ground, setting.scenario, 1).free_mps
        asked = AGE_SPEEDS[name].middle
        worst = max(worst, abs(float(drawn.mean()) / asked - 1.0))
    return f"worst {100 * worst:.1f} %", worst < 0.05


def _counterflow(model: str) -> tuple[str, bool]:
    """Two groups of 30 pass each other in a corridor of 10 m x 4 m: everybody gets through, slower than alone."""
    site = venue(
        ground=("walkable", rectangle(0, 0, 30, 4)),
        east=("exit", line((30, 0), (30, 4))),
        west=("exit", line((0, 0), (0, 4))),
        one=("zone", rectangle(1, 0, 9, 4)),
        two=("zone", rectangle(21, 0, 29, 4)),
    )
    groups = [{"zone": "one", "count": 30, "exit": "east"}, {"zone": "two", "count": 30, "exit": "west"}]
    both = simulated(site, model, people={"groups": groups}, duration_s=300)
    alone = simulated(site, model, people={"groups": groups[:1]}, duration_s=300)
    slow, fast = both.time_s(0.9), alone.time_s(0.9)
    held = both.evacuated >= 54 and slow is not None and fast is not None and slow >= fast
    return f"{both.evacuated} of 60 out; t90 {slow or 0.0:.1f} s against {fast or 0.0:.1f} s alone", held


def _large_room(model: str) -> tuple[str, bool]:
    """1000 people in a room with four doors of 1 m; with two of them closed it takes about twice as long."""

    def site() -> VenueFile:
        return venue(
            ground=("walkable", rectangle(0, 0, 30, 20)),
            a=("exit", line((7.5, 0), (8.5, 0))), b=("exit", line((21.5, 0), (22.5, 0))),
            c=("exit", line((7.5, 20), (8.5, 20))), d=("exit", line((21.5, 20), (22.5, 20))),
        )  # fmt: skip

    four = simulated(site(), model, people=500).time_s(0.9)
    two = simulated(site(), model, people=500, closed_exits=["c", "d"]).time_s(0.9)
    ratio = (two or 0.0) / max(four or 1.0, 1e-9)
    return f"{four} s and {two} s: {ratio:.2f} times", 1.6 <= ratio <= 2.4


def _assigned(model: str) -> tuple[str, bool]:
    """People who were assigned an exit use it, though another is nearer."""
    site = venue(
        ground=("walkable", rectangle(0, 0, 30, 6)),
        near=("exit", line((0, 2), (0, 4))),
        main=("exit", line((30, 2), (30, 4))),
        rooms=("zone", rectangle(1, 0, 8, 6)),
    )
    found = simulated(site, model, people={"groups": [{"zone": "rooms", "count": 23, "exit": "main"}]})
    return f"{found.exits}", found.exits == {"near": 0, "main": 23}


def _choice(model: str) -> tuple[str, bool]:
    """People near the left of two doors take the left one; none are sent past a nearer one."""
    site = venue(
        ground=("walkable", rectangle(0, 0, 40, 10)),
        left=("exit", line((0, 4), (0, 6))),
        right=("exit", line((40, 4), (40, 6))),
        crowd=("zone", rectangle(2, 1, 12, 9)),
    )
    found = simulated(site, model, people={"zones": {"crowd": 100}})
    return f"{found.exits}", found.exits["left"] == 100


def _blocked(model: str) -> tuple[str, bool]:
    """An exit that is closed is not used, and everybody gets out by the other one (NIST: exit availability)."""
    site = venue(
        ground=("walkable", rectangle(0, 0, 20, 10)),
        left=("exit", line((0, 4), (0, 6))),
        right=("exit", line((20, 4), (20, 6))),
    )
    found = simulated(site, model, people=60, closed_exits=["left"])
    return f"{found.exits}", found.exits == {"right": 60}


def _flow(door_m: float) -> Callable[[str], tuple[str, bool]]:
    def check(model: str) -> tuple[str, bool]:
        people = {1.0: 150, 2.0: 320, 4.0: 640}[door_m]
        site = room_with_door(door_m, 12.0 if door_m == 1.0 else 16.0)
        runs = [simulated(site, model, seed=seed, people=people) for seed in ((1, 2, 3) if door_m == 1.0 else (1,))]
        flow = sum(door_flow(one) for one in runs) / len(runs) / door_m
        stuck = sum(one.stuck for one in runs)
        return f"{flow:.2f} /(m s), {stuck} stuck", 1.3 <= flow <= 1.9 and stuck == 0

    return check


def _widths(model: str) -> tuple[str, bool]:
    """A wider door lets more people out."""
    flows = [door_flow(simulated(room_with_door(width, 12.0), model, people=150)) for width in (0.9, 1.2, 1.8)]
    return ", ".join(f"{flow:.2f}" for flow in flows) + " /s", flows[0] < flows[1] < flows[2]


def _group(model: str) -> tuple[str, bool]:
    """Groups whose slowest walks at half the speed arrive with it (NIST: group behaviours)."""
    site = corridor(40.0, 4.0)
    alone = simulated(site, model, people={"zones": {"start": 20}, "speed": [0.8, 1.6]})
    together = simulated(site, model, people={"zones": {"start": 20}, "speed": [0.8, 1.6], "together": 1.0})
    one, two = alone.time_s(0.5) or 0.0, together.time_s(0.5) or 0.0
    return f"t50 {one:.0f} s alone, {two:.0f} s together", two >= one


def _impaired(model: str) -> tuple[str, bool]:
    """People with reduced mobility need longer (NIST: people with disabilities)."""
    site = corridor(40.0, 4.0)
    none = simulated(site, model, people={"zones": {"start": 20}}).time_s(0.95) or 0.0
    some = simulated(site, model, people={"zones": {"start": 20}, "reduced_mobility": 0.3}).time_s(0.95) or 0.0
    return f"t95 {none:.0f} s without, {some:.0f} s with 30 %", some > none


def _same(model: str) -> tuple[str, bool]:
    """The same seed gives the same result to the last digit, another seed another."""
    site = room_with_door(1.2, 12.0)
    one, two, other = (simulated(site, model, seed=seed, people=80) for seed in (1, 1, 2))
    same = bool(np.array_equal(one.out_s, two.out_s))
    return f"same: {same}", same and not np.array_equal(one.out_s, other.out_s)


def _obstacle(model: str) -> tuple[str, bool]:
    """Nobody walks through a wall: the way round a wall of 8 m takes as long as its length says."""
    site = venue(
        ground=("walkable", rectangle(0, 0, 20, 10)),
        wall=("obstacle", rectangle(9.9, 0, 10.1, 8)),
        out=("exit", line((20, 0), (20, 2))),
    )
    found = simulated(site, model, agents=[{"position": degrees((5.0, 1.0)), "speed": 1.0}]).time_s(1.0) or 0.0
    way = float(np.hypot(5.0, 7.0) + np.hypot(10.0, 7.0))
    return f"{found:.1f} s for {way:.1f} m", 0.95 * way <= found <= 1.2 * way + 2.0


TESTS: Sequence[Test] = (
    Test("RiMEA 1 walking speed in a corridor", "26 to 34 s", _walking),
    Test("RiMEA 2 walking speed up stairs", "within 8 %", _stairs("up")),
    Test("RiMEA 3 walking speed down stairs", "within 8 %", _stairs("down")),
    Test("RiMEA 4 flow through a door of 1 m", "1.3 to 1.9 /(m s)", _flow(1.0)),
    Test("RiMEA 4 flow through a door of 2 m", "1.3 to 1.9 /(m s)", _flow(2.0)),
    Test("RiMEA 4 flow through a door of 4 m", "1.3 to 1.9 /(m s)", _flow(4.0)),
    Test("RiMEA 5 time to start", "first after 10 s, last about 100 s", _start),
    Test("RiMEA 6 moving around a corner", "all of 20 arrive", _corner),
    Test("RiMEA 7 speeds of groups of people", "means within 5 %", _speeds),
    Test("RiMEA 8 parameters: a wider door, more people", "flow grows with width", _widths),
    Test("RiMEA 8 counterflow", "90 % get through, slower than alone", _counterflow),
    Test("RiMEA 9 crowd in a large room, half the doors closed", "1.6 to 2.4 times as long", _large_room),
    Test("RiMEA 10 assigned exits", "all 23 by the assigned exit", _assigned),
    Test("RiMEA 11 choice of exit", "all by the nearer exit", _choice),
    Test("RiMEA 12 a corridor between two rooms", "denser before it than behind", _bottleneck),
    Test("RiMEA 13 a jam before stairs", "1.15 to 2.2 times as long", _foot_of_stairs),
    Test("RiMEA 15 a crowd around a corner", "between straight ways", _large_corner),
    Test("NIST Verif.2.1 way round an obstacle", "as long as its way", _obstacle),
    Test("NIST Verif.2.6 groups", "those together no sooner than alone", _group),
    Test("NIST Verif.2.7 people with reduced mobility", "later with them", _impaired),
    Test("NIST Verif.3.1 exit availability", "none by the closed exit", _blocked),
    Test("NIST Verif.5.2 same seed, same result", "identical", _same),
)  # fmt: skip


def verify_all(models: Sequence[str] = ("fast", "jupedsim")) -> Iterator[dict[str, Any]]:
    """A row a test and model, each when it is known: test, model, asked, found, ok."""
    for model in models:
        for test in TESTS:
            found, ok = test.check(model)
            yield {"test": test.id, "model": model, "asked": test.asked, "found": found, "ok": bool(ok)}
