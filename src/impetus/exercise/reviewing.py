"""Makes the review of a run from its folder, also long after its installation ended."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from impetus.exercise.desk import Desk, EntryKind
from impetus.exercise.kept import read_kept
from impetus.exercise.outcomes import Review
from impetus.exercise.questionnaires import Summary, summary
from impetus.exercise.review import review
from impetus.exercise.scenario import load_scenario
from impetus.exercise.variants import variant as made_variant
from impetus.model import NotFound, Value
from impetus.store import Store

ARRIVE_S = 30.0
"""What was on its way at the end still counts."""


class Reviewed(Value):
    """The review of a run, and what its players said."""

    review: Review
    questionnaires: Summary


async def reviewed(home: Path, store: Store, run: str | None = None) -> Reviewed:
    """The review of a run in the exercise's installation at `home`, or of its last one.

    Raises `NotFound` where no such run was played, and `InvalidInput` for a scenario that cannot be read any more.
    """
    desk, state = Desk(home), Desk(home).state()
    started = [entry for entry in desk.journal(run) if entry.kind is EntryKind.STARTED]
    if not started or state is None:
        raise NotFound("no scenario was played here yet", hint="start one, or name another run")
    run = run or started[-1].run
    scenario = made_variant(load_scenario(desk.scenario), state.variant)
    journal = desk.journal(run)
    until = max(entry.time for entry in journal)
    if journal[-1].kind is not EntryKind.ENDED:
        until = max(until, state.time)
    kept = await read_kept(store, scenario, started[-1].time, until + timedelta(seconds=ARRIVE_S))
    return Reviewed(review=review(scenario, journal, kept), questionnaires=summary(desk.answers(run)))
