"""Model J: JuPedSim 1.x (collision-free speed model, version 2), an independent program, on the same ways.

JuPedSim moves the people; the way that each one takes comes from our grid, by its direct steering, so that both models
differ in how people walk and not in where they want to go. It is pinned below 2.0. It does not release Python's lock:
several runs go in processes of their own (`several`).
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.pool import AsyncResult
from typing import Any

import numpy as np

from impetus.model import InvalidInput, Unavailable
from impetus.tools.evacuation.arrays import Bytes, Integers
from impetus.tools.evacuation.motion import SHOULDERS, STOOD_S, jostled
from impetus.tools.evacuation.outcome import Outcome
from impetus.tools.evacuation.people import Crowd
from impetus.tools.evacuation.plans import Plan
from impetus.tools.evacuation.scenario import Scenario
from impetus.tools.evacuation.simulation import REFERENCE_STEP_S, TICK_S, Movers, Setting, prepare, simulate
from impetus.tools.evacuation.ways import Ways

QUICK_STEP_S = 0.1
"""Of live plans: half the work, t90 4 % longer on the shipped concert. As in model A, the time gap is shorter by the
difference."""
STEER_S = 0.2
AHEAD_M = (1.0, 0.6, 0.3, 0.1)
"""People are steered to a point so far ahead on their way, the first that can be stood on."""


@dataclass(frozen=True)
class Task:
    """A run for another process."""

    ways: Ways
    scenario: Scenario
    plan: Plan
    seed: int
    enough: float = 1.0
    """The share of people after which the run ends."""
    step_s: float = REFERENCE_STEP_S


class JupedsimWalkers(Movers):
    """Everybody, moved by JuPedSim."""

    model = "jupedsim"

    def __init__(self, setting: Setting, crowd: Crowd, state: Bytes, way: Integers, step_s: float) -> None:
        try:
            import jupedsim
        except ImportError as error:
            raise Unavailable("JuPedSim is not installed", hint="pip install 'impetus[evacuation]'") from error
        ways = setting.ways
        super().__init__(setting, crowd, state, way, step_s)
        self._crowd, self._setting, self._ways, self._step_s = crowd, setting, ways, step_s
        time_gap_s = np.maximum(crowd.time_gap_s - (step_s - REFERENCE_STEP_S), 0.1)
        try:
            self._simulation = jupedsim.Simulation(
                model=jupedsim.CollisionFreeSpeedModelV2(), geometry=ways.ground.area, dt=step_s
            )
        except Exception as error:  # its errors are RuntimeErrors and its own
            raise InvalidInput(f"JuPedSim does not take the venue: {str(error)[:200]}") from error
        stage = self._simulation.add_direct_steering_stage()
        journey = self._simulation.add_journey(jupedsim.JourneyDescription([stage]))
        self._person: dict[int, int] = {}
        self._narrow = np.zeros(len(crowd), dtype=np.bool_)
        """Whose shoulders are turned, see `motion.STOOD_S`."""
        unplaced = 0
        for person in range(len(crowd)):
            try:
                id = self._simulation.add_agent(
                    jupedsim.CollisionFreeSpeedModelV2AgentParameters(
                        position=(float(crowd.x[person]), float(crowd.y[person])),
                        journey_id=journey,
                        stage_id=stage,
                        desired_speed=0.0,
                        time_gap=float(time_gap_s[person]),
                        radius=0.02,  # grows to its size below: the start may be as dense as people stand
                    )
                )
            except RuntimeError:
                unplaced += 1
                self.state[person] = 3
                continue
            self._person[id] = person
        if unplaced:
            self.notes.append(f"JuPedSim did not place {unplaced} people: they stand too close to a wall")
        for agent in self._simulation.agents():
            agent.model.radius = float(crowd.radius_m[self._person[agent.id]])

    def tick(self, time_s: float) -> None:
        """One second. An error of JuPedSim's ends the run; who is inside then is stuck."""
        if self.broken:
            return
        for turn in range(round(TICK_S / STEER_S)):
            now_s = time_s + turn * STEER_S
            agents = list(self._simulation.agents())
            people = [self._person[agent.id] for agent in agents]
            self._look(agents, np.array(people, dtype=np.int64), now_s)
            self._steer(agents, people, now_s)
            try:
                self._simulation.iterate(round(STEER_S / self._step_s))
            except RuntimeError as error:
                self.broken = True
                self.notes.append(f"JuPedSim stopped after {now_s:.0f} s: {str(error)[:160]}")
                return

    def _look(self, agents: list[Any], people: Integers, now_s: float) -> None:
        """Where everybody is; who is behind an exit's line is taken out."""
        if not len(people):
            return
        at = np.array([agent.position for agent in agents])
        moved = np.abs(at[:, 0] - self.x[people]) + np.abs(at[:, 1] - self.y[people]) > 0.05 * STEER_S
        self.moved_s[people[moved]] = now_s
        self.x[people], self.y[people] = at[:, 0], at[:, 1]
        row, column = self._ways.cell(at[:, 0], at[:, 1])
        gone = self._ways.leaves[row, column]
        for place in np.flatnonzero((gone >= 0) & (self.state[people] == 1)):
            person = people[place]
            self._simulation.mark_agent_for_removal(agents[place].id)
            self.state[person] = 2
            self.exit_of[person] = gone[place]
            self.out_s[person] = now_s

    def _steer(self, agents: list[Any], people: list[int], now_s: float) -> None:
        """A target a little ahead on everybody's way."""
        ways, setting = self._ways, self._setting
        exits = len(ways.exits)
        begun = np.flatnonzero((self.state == 0) & (self.start_s <= now_s))
        self.state[begun] = 1
        fresh = set(begun.tolist())
        row, column = ways.cell(self.x, self.y)
        wary = setting.wary or ways
        number = self.way % exits
        careful = self.way >= exits
        east = np.where(careful, wary.east[number, row, column], ways.east[number, row, column]).astype(np.float64)
        north = np.where(careful, wary.north[number, row, column], ways.north[number, row, column]).astype(np.float64)
        standing = (self.state == 1) & (now_s - self.moved_s > STOOD_S)
        for person in np.flatnonzero(standing).tolist():
            angle = jostled(person, now_s)
            turn, keep = np.sin(angle), np.cos(angle)
            east[person], north[person] = (
                keep * east[person] - turn * north[person],
                turn * east[person] + keep * north[person],
            )
        turned = set(np.flatnonzero(standing != self._narrow).tolist())
        self._narrow = standing
        target_x, target_y = self.x.copy(), self.y.copy()
        unset = np.ones(len(self.x), dtype=bool)
        for ahead in AHEAD_M:
            tx, ty = self.x + ahead * east, self.y + ahead * north
            r, c = ways.cell(tx, ty)
            good = unset & ways.clear[r, c]
            target_x[good], target_y[good] = tx[good], ty[good]
            unset &= ~good
        walking = (self.state == 1).tolist()
        uneven = ways.pace.size > 1
        pace = ways.pace[row, column].astype(np.float64) if uneven else np.ones(len(self.x))
        targets = list(zip(target_x.tolist(), target_y.tolist(), strict=True))
        for agent, person in zip(agents, people, strict=True):
            if walking[person]:
                if uneven or person in fresh:
                    agent.model.desired_speed = float(self._crowd.free_mps[person] * pace[person])
                if person in turned:
                    agent.model.radius = float(self._crowd.radius_m[person] * (SHOULDERS if standing[person] else 1.0))
                agent.target = targets[person]


def simulate_jupedsim(
    setting: Setting,
    *,
    plan: Plan | None = None,
    seed: int = 1,
    record: bool = False,
    enough: float = 1.0,
    step_s: float = REFERENCE_STEP_S,
) -> Outcome:
    """Run JuPedSim once; see `simulation.simulate`."""
    return simulate(setting, plan=plan, seed=seed, record=record, enough=enough, step_s=step_s, walkers=JupedsimWalkers)


def _one(task: Task) -> Outcome:
    setting = prepare(task.ways, task.scenario)
    return simulate_jupedsim(setting, plan=task.plan, seed=task.seed, enough=task.enough, step_s=task.step_s)


class Run:
    """A run of JuPedSim under way in another process."""

    def __init__(self, under_way: AsyncResult[Outcome]) -> None:
        self._under_way = under_way

    def result(self) -> Outcome:
        """Wait for it. Raises what the run raised."""
        return self._under_way.get()


class Pool:
    """Processes for runs of JuPedSim; they start at once, so that the first run need not wait for them. They end with
    this process, whatever they are at."""

    def __init__(self, processes: int = 2) -> None:
        self._pool = multiprocessing.get_context("spawn").Pool(processes, initializer=_wake)

    def submit(self, task: Task) -> Run:
        """Start one run."""
        return Run(self._pool.apply_async(_one, (task,)))

    def close(self) -> None:
        """End runs that nobody wants any more."""
        self._pool.terminate()


def _wake() -> None:
    """Load what a run needs."""
    import jupedsim  # noqa: F401


def several(tasks: Sequence[Task], *, processes: int = 2) -> list[Outcome]:
    """Runs of JuPedSim in processes, in order."""
    if processes <= 1 or len(tasks) <= 1:
        return [_one(task) for task in tasks]
    pool = Pool(min(processes, len(tasks)))
    try:
        return [future.result() for future in [pool.submit(task) for task in tasks]]
    finally:
        pool.close()
