"""Model J: JuPedSim 1.x (collision-free speed model, version 2), an independent program, on the same ways.

JuPedSim moves the people; the way that each one takes comes from our grid, by its direct steering, so that both models
differ in how people walk and not in where they want to go. It is pinned below 2.0. It does not release Python's lock:
several runs go in processes of their own (`several`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from impetus.model import InvalidInput, Unavailable
from impetus.tools.evacuation.arrays import Bytes, Integers
from impetus.tools.evacuation.outcome import Outcome
from impetus.tools.evacuation.people import Crowd
from impetus.tools.evacuation.plans import Plan
from impetus.tools.evacuation.scenario import Scenario
from impetus.tools.evacuation.simulation import TICK_S, Movers, Setting, prepare, simulate
from impetus.tools.evacuation.ways import Ways

STEP_S = 0.05
STEER_S = 0.2
AHEAD_M = (1.0, 0.6, 0.3, 0.1)
"""People are steered to a point so far ahead on their way, the first that can be stood on."""


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
        self._crowd, self._setting, self._ways = crowd, setting, ways
        try:
            self._simulation = jupedsim.Simulation(
                model=jupedsim.CollisionFreeSpeedModelV2(), geometry=ways.ground.area, dt=STEP_S
            )
        except Exception as error:  # its errors are RuntimeErrors and its own
            raise InvalidInput(f"JuPedSim does not take the venue: {str(error)[:200]}") from error
        stage = self._simulation.add_direct_steering_stage()
        journey = self._simulation.add_journey(jupedsim.JourneyDescription([stage]))
        self._agents: dict[int, object] = {}
        self._person: dict[int, int] = {}
        unplaced = 0
        for person in range(len(crowd)):
            try:
                id = self._simulation.add_agent(
                    jupedsim.CollisionFreeSpeedModelV2AgentParameters(
                        position=(float(crowd.x[person]), float(crowd.y[person])),
                        journey_id=journey,
                        stage_id=stage,
                        desired_speed=0.0,
                        time_gap=float(crowd.time_gap_s[person]),
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
        rounds = round(TICK_S / STEER_S)
        for turn in range(rounds):
            now_s = time_s + turn * STEER_S
            self._steer(now_s)
            try:
                self._simulation.iterate(round(STEER_S / STEP_S))
            except RuntimeError as error:
                self.broken = True
                self.notes.append(f"JuPedSim stopped after {now_s:.0f} s: {str(error)[:160]}")
                return
            self._look(now_s + STEER_S)

    def _steer(self, now_s: float) -> None:
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
        target_x, target_y = self.x.copy(), self.y.copy()
        open_ = np.ones(len(self.x), dtype=bool)
        for ahead in AHEAD_M:
            tx, ty = self.x + ahead * east, self.y + ahead * north
            r, c = ways.cell(tx, ty)
            good = open_ & ways.clear[r, c]
            target_x[good], target_y[good] = tx[good], ty[good]
            open_ &= ~good
        for agent in self._simulation.agents():
            person = self._person[agent.id]
            if self.state[person] != 1:
                continue
            if person in fresh:
                agent.model.desired_speed = float(self._crowd.free_mps[person])
            agent.target = (target_x[person], target_y[person])

    def _look(self, now_s: float) -> None:
        leaving = []
        for agent in self._simulation.agents():
            person = self._person[agent.id]
            x, y = agent.position
            if abs(x - self.x[person]) + abs(y - self.y[person]) > 0.05 * STEER_S:
                self.moved_s[person] = now_s
            self.x[person], self.y[person] = x, y
        row, column = self._ways.cell(self.x, self.y)
        gone = self._ways.leaves[row, column]
        for agent in self._simulation.agents():
            person = self._person[agent.id]
            if gone[person] >= 0 and self.state[person] == 1:
                leaving.append(agent.id)
                self.state[person] = 2
                self.exit_of[person] = gone[person]
                self.out_s[person] = now_s
        for id in leaving:
            self._simulation.mark_agent_for_removal(id)


def simulate_jupedsim(setting: Setting, *, plan: Plan | None = None, seed: int = 1, record: bool = False) -> Outcome:
    """Run JuPedSim once; see `simulation.simulate`."""
    return simulate(setting, plan=plan, seed=seed, record=record, walkers=JupedsimWalkers)


def _one(task: tuple[Ways, Scenario, Plan, int]) -> Outcome:
    ways, scenario, plan, seed = task
    return simulate_jupedsim(prepare(ways, scenario), plan=plan, seed=seed)


def several(tasks: Sequence[tuple[Ways, Scenario, Plan, int]], *, processes: int = 2) -> list[Outcome]:
    """Runs of JuPedSim in processes, in order."""
    if processes <= 1 or len(tasks) <= 1:
        return [_one(task) for task in tasks]
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=min(processes, len(tasks)), mp_context=context) as pool:
        return list(pool.map(_one, tasks))


def steps_per_second() -> int:
    """Of JuPedSim's own clock."""
    return math.ceil(1.0 / STEP_S)
