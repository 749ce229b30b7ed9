"""Model A: everybody walks (see `motion`), second by second, with what they see and are told."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from impetus.tools.evacuation.arrays import Booleans, Bytes, Floats, Integers, Singles
from impetus.tools.evacuation.compiled import compiled
from impetus.tools.evacuation.motion import walk
from impetus.tools.evacuation.outcome import DENSE_PM2, Outcome
from impetus.tools.evacuation.people import Crowd
from impetus.tools.evacuation.plans import Plan, choose, complying, own_choice
from impetus.tools.evacuation.populate import area_of, populate, zone_area
from impetus.tools.evacuation.scenario import Scenario
from impetus.tools.evacuation.threat import Danger, make_danger
from impetus.tools.evacuation.ways import Ways, make_ways

STEP_S = 0.1
REFERENCE_STEP_S = 0.05
"""A step is a reaction time too: at a longer one the time gap is shorter by the difference, and flows stay the same."""
TICK_S = 1.0
"""How often danger, density and choices are looked at."""
STILL_S = 120.0
"""Nobody has moved or left for so long: those who are left are stuck."""
REACTION_S = 1.0
SEARCH_M = 0.8
"""Width of the cells in which neighbours are looked for."""
FRAMES_LIMIT = 1_800


@dataclass(frozen=True)
class Setting:
    """A venue and a scenario, made ready: what all runs of all plans share."""

    ways: Ways
    scenario: Scenario
    danger: Danger | None = None
    wary: Ways | None = None
    """Ways that keep away from the threat."""


def prepare(ways: Ways, scenario: Scenario) -> Setting:
    """Works out what does not depend on seed and plan. Raises `InvalidInput` if the threat is nowhere near."""
    ground = ways.ground
    avoided = [
        zone_area(ground, one)[0] if isinstance(one, str) else area_of(one, ground, "an avoided area")
        for one in scenario.avoid
    ]
    if avoided:
        ways = make_ways(ground, avoid=avoided, base=ways)
    if scenario.threat is None:
        return Setting(ways, scenario)
    danger = make_danger(scenario.threat, ways)
    return Setting(ways, scenario, danger, make_ways(ground, avoid=[*avoided, *danger.avoided()], base=ways))


def simulate(
    setting: Setting,
    *,
    plan: Plan | None = None,
    seed: int = 1,
    crowd: Crowd | None = None,
    record: bool = False,
    step_s: float = STEP_S,
    enough: float = 1.0,
    walkers: type[Movers] | None = None,
) -> Outcome:
    """Run a model in which everybody walks once.

    Args:
        setting: venue and scenario.
        plan: whom it sends where; by default everybody takes the nearest exit that they know.
        seed: of all random numbers: the same seed, the same people.
        crowd: the people, where they are known already.
        record: keep positions, once a second, for playback.
        step_s: length of a step in seconds.
        enough: the run ends when this share of people is out; with less than 1, the rest counts as neither.
        walkers: what moves people; by default our own model.

    Raises:
        InvalidInput: see `populate`.
    """
    ways, scenario, plan = setting.ways, setting.scenario, plan or Plan()
    crowd = crowd or populate(ways.ground, scenario, seed)
    count = len(crowd)
    comply = complying(crowd, plan, ways)
    distance = ways.distances_at(crowd.x, crowd.y)
    far = setting.wary.distances_at(crowd.x, crowd.y) if setting.wary is not None else distance
    told = choose(crowd, far if plan.directs else distance, ways, scenario, plan, comply)
    exits = len(ways.exits)
    # Those who are told go round the danger from the start; the others once they see it.
    way = np.where(plan.directs & comply & (setting.wary is not None), told + exits, told)
    state = np.zeros(count, dtype=np.int8)
    state[told < 0] = 3
    way[told < 0] = 0
    make: type[Movers] = Walkers if walkers is None else walkers
    moving = make(setting, crowd, state, way, step_s)
    gauge = _Gauge(ways, count)
    aware = np.zeros(count, dtype=np.bool_)
    shut = np.array([not math.isfinite(plan.offsets_s.get(door, 0.0)) for door in ways.exits])
    limits = np.array([ways.ground.exit(door).capacity or np.iinfo(np.int64).max for door in ways.exits])
    limits = np.where(limits == 0, np.iinfo(np.int64).max, limits)
    frames: list[tuple[float, Floats, Floats]] = []
    cut_short = False
    exposure, time_s, notes = 0.0, 0.0, moving.notes
    while time_s < scenario.duration_s and (moving.state < 2).any():
        if setting.danger is not None and setting.wary is not None and setting.danger.active(time_s):
            present = moving.state != 2
            seen = setting.danger.endangered(time_s, moving.x, moving.y) & present
            exposure += float(seen.sum()) * TICK_S
            news = seen & ~aware & (moving.state < 2)
            if news.any():
                aware |= news
                _flee(moving, crowd, setting, news, comply & plan.directs, shut, time_s)
        if record and len(frames) < FRAMES_LIMIT:
            gone = moving.state == 2
            frames.append((time_s, np.where(gone, np.nan, moving.x), np.where(gone, np.nan, moving.y)))
        gauge.measure(moving.x, moving.y, moving.state)
        moving.tick(time_s)
        if moving.broken:
            break
        time_s += TICK_S
        if enough < 1.0 and (moving.state == 2).sum() >= enough * count:
            cut_short = True
            break
        full = (np.bincount(moving.exit_of[moving.exit_of >= 0], minlength=exits) >= limits) & ~shut
        if full.any():
            shut = shut | full
            if shut.all():
                notes.append("all exits are full")
                break
            _go_elsewhere(moving, crowd, setting, shut)
        started = (crowd.start_s <= time_s - STILL_S) | (moving.state != 0)
        if started.all() and time_s - max(float(moving.moved_s.max(initial=0.0)), 0.0) > STILL_S:
            break
    counts = np.bincount(moving.exit_of[moving.exit_of >= 0], minlength=exits)
    left_over = int((moving.state != 2).sum())
    still = int(((moving.state == 1) & (time_s - moving.moved_s > STILL_S / 2)).sum())
    if time_s >= scenario.duration_s and left_over:
        notes.append(f"{left_over} were still inside after {time_s:.0f} s")
    elif still:
        notes.append(f"{still} stopped moving")
    if (moving.state == 3).any():
        notes.append(f"{int((moving.state == 3).sum())} have no way out")
    return Outcome(
        model=moving.model,
        seed=seed,
        people=count,
        out_s=moving.out_s,
        exits={door: int(counts[number]) for number, door in enumerate(ways.exits)},
        max_density_pm2=gauge.highest,
        exposure_person_s=exposure,
        dense_person_s=gauge.dense_s,
        stuck=0 if cut_short else left_over,
        notes=tuple(notes),
        density=gauge.peak,
        frames=frames,
    )


class Movers:
    """Everybody's state in columns, and what moves them."""

    model = ""
    x: Floats
    y: Floats
    state: Bytes
    way: Integers
    start_s: Floats
    exit_of: Integers
    out_s: Floats
    moved_s: Floats

    def __init__(self, setting: Setting, crowd: Crowd, state: Bytes, way: Integers, step_s: float) -> None:
        count = len(crowd)
        self.x, self.y = crowd.x.copy(), crowd.y.copy()
        self.state = state
        self.way = way.astype(np.int64)
        self.start_s = crowd.start_s.copy()
        self.exit_of = np.full(count, -1, dtype=np.int64)
        self.out_s = np.full(count, np.inf)
        self.moved_s = np.zeros(count)
        self.notes: list[str] = []
        self.broken = False
        """Whether it gave up."""

    def tick(self, time_s: float) -> None:
        """One second."""
        raise NotImplementedError


class Walkers(Movers):
    """Everybody's state, moved by `motion.walk`."""

    model = "fast"

    def __init__(self, setting: Setting, crowd: Crowd, state: Bytes, way: Integers, step_s: float) -> None:
        super().__init__(setting, crowd, state, way, step_s)
        ways = setting.ways
        count = len(crowd)
        self._crowd, self._ways, self._step_s = crowd, ways, step_s
        self._speed = np.zeros(count)
        self._time_gap_s = np.maximum(crowd.time_gap_s - (step_s - REFERENCE_STEP_S), 0.1)
        if setting.wary is None:
            self._headings = ways.headings
        else:
            self._headings = np.concatenate([ways.headings, setting.wary.headings])
        rows, columns = ways.walkable.shape
        fastest = float(np.max(crowd.free_mps * crowd.time_gap_s, initial=0.5))
        self._reach_m = max(fastest + 2.0 * float(crowd.radius_m.max(initial=0.2)) + 0.05, 1.1)
        self._cell_columns = math.ceil(columns * ways.cell_m / SEARCH_M) + 1
        self._cell_rows = math.ceil(rows * ways.cell_m / SEARCH_M) + 1
        self._start = np.zeros(self._cell_columns * self._cell_rows + 1, dtype=np.int64)
        self._order = np.zeros(count, dtype=np.int64)
        self._cell = np.zeros(count, dtype=np.int64)

    def tick(self, time_s: float) -> None:
        ways, crowd = self._ways, self._crowd
        walk(
            round(TICK_S / self._step_s), self._step_s, time_s, self.x, self.y, self.state, self._speed,
            crowd.free_mps, crowd.radius_m, self._time_gap_s, self.start_s, self.way, self.exit_of, self.out_s,
            self.moved_s, ways.pace, ways.pace.size > 1, self._headings, ways.leaves, ways.cell_m, ways.left,
            ways.bottom, ways.walls, ways.wall_start, ways.wall_list, 1.0, ways.bucket_columns, ways.bucket_rows,
            self._reach_m, SEARCH_M, 0.0, self._start, self._order, self._cell, self._cell_columns, self._cell_rows,
        )  # fmt: skip


def _flee(
    moving: Movers, crowd: Crowd, setting: Setting, news: Booleans, directed: Booleans, shut: Booleans, time_s: float
) -> None:
    """Those who see the danger start at once, and keep away from it; who follows a plan keeps to its exit."""
    if setting.wary is None:
        return
    exits = len(setting.ways.exits)
    moving.start_s[news] = np.minimum(moving.start_s[news], time_s + REACTION_S)
    keep = news & directed
    moving.way[keep] = moving.way[keep] % exits + exits
    free = np.flatnonzero(news & ~directed)
    if len(free):
        row, column = setting.wary.cell(moving.x[free], moving.y[free])
        away = setting.wary.distance[:, row, column].T.astype(np.float64)
        some = _some(crowd, free)
        chosen = own_choice(some, away, setting.ways, setting.scenario, shut)
        known = chosen >= 0
        moving.way[free[known]] = chosen[known] + exits


def _go_elsewhere(moving: Movers, crowd: Crowd, setting: Setting, shut: Booleans) -> None:
    """Those on the way to an exit that is full turn to the nearest other."""
    exits = len(setting.ways.exits)
    there = np.flatnonzero((moving.state < 2) & shut[moving.way % exits])
    if len(there):
        away = setting.ways.distances_at(moving.x[there], moving.y[there])
        chosen = own_choice(_some(crowd, there), away, setting.ways, setting.scenario, shut)
        known = chosen >= 0
        moving.way[there[known]] = chosen[known] + (moving.way[there[known]] // exits) * exits


def _some(crowd: Crowd, chosen: Integers) -> Crowd:
    return Crowd(**{name: getattr(crowd, name)[chosen] for name in crowd.__dataclass_fields__})


class _Gauge:
    """Density on windows of 2 m x 2 m, each of which holds what stands on four square metres."""

    def __init__(self, ways: Ways, count: int) -> None:
        rows = math.ceil(ways.walkable.shape[0] * ways.cell_m) + 1
        columns = math.ceil(ways.walkable.shape[1] * ways.cell_m) + 1
        self._left, self._bottom = ways.left, ways.bottom
        self._counts = np.zeros((rows, columns), dtype=np.float32)
        self._single = self._counts.copy()
        self.peak = np.zeros((rows, columns))
        self.highest, self.dense_s = 0.0, 0.0

    def measure(self, x: Floats, y: Floats, state: Bytes) -> None:
        highest, dense = measure_density(x, y, state, self._left, self._bottom, self._counts, self.peak, DENSE_PM2)
        self.highest = max(self.highest, highest)
        self.dense_s += dense * TICK_S


@compiled
def measure_density(
    x: Floats, y: Floats, state: Bytes, left: float, bottom: float, counts: Singles, peak: Floats, limit: float
) -> tuple[float, float]:
    """Greatest density (1/m2) on windows of 2 m x 2 m, and people who stand in a window above the limit."""
    rows, columns = counts.shape
    counts[:, :] = 0.0
    for person in range(x.shape[0]):
        if state[person] != 2:
            column = min(max(int(x[person] - left), 0), columns - 1)
            row = min(max(int(y[person] - bottom), 0), rows - 1)
            counts[row, column] += 1.0
    highest = 0.0
    for row in range(rows - 1):
        for column in range(columns - 1):
            if counts[row, column] + counts[row, column + 1] + counts[row + 1, column] <= 0.0:
                continue
            window = 0.25 * (
                counts[row, column] + counts[row, column + 1] + counts[row + 1, column] + counts[row + 1, column + 1]
            )
            highest = max(highest, window)
            for r in range(row, row + 2):
                for c in range(column, column + 2):
                    if window > peak[r, c] and counts[r, c] > 0.0:
                        peak[r, c] = window
    dense = 0.0
    for person in range(x.shape[0]):
        if state[person] != 2:
            column = min(max(int(x[person] - left), 1), columns - 2)
            row = min(max(int(y[person] - bottom), 1), rows - 2)
            best = 0.0
            for dr in range(-1, 1):
                for dc in range(-1, 1):
                    best = max(
                        best,
                        counts[row + dr, column + dc]
                        + counts[row + dr + 1, column + dc]
                        + counts[row + dr, column + dc + 1]
                        + counts[row + dr + 1, column + dc + 1],
                    )
            if 0.25 * best > limit:
                dense += 1.0
    return highest, dense
