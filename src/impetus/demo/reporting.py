"""Reports of runs, and replays of recorded periods, from the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from impetus import app
from impetus.demo.unattended import run_exercise
from impetus.exercise.replay import Comparison, changed, compare, incidents_of, recorded, replay
from impetus.exercise.reviewing import Reviewed, reviewed
from impetus.exercise.runs import FOLDER as EXERCISES
from impetus.exercise.runs import run_folder
from impetus.model import SystemClock, Unavailable
from impetus.sdk import load_tool
from impetus.settings import default_home, read_settings
from impetus.store import open_store
from impetus.ui.review_page import review_html
from impetus.ui.review_pdf import comparison, review_pdf


async def run_and_review(
    name: str, *, speed: float, variant: int, folder: Path | None, tools: Collection[str] | None
) -> None:
    """`impetus exercise run`."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    played = await run_exercise(name, folder=folder, variant=variant, speed=speed, tools=tools, console=console)
    console.print(
        f"{played.scenario.title}: {played.played_s / 60:.1f} of {played.scenario.minutes:g} minutes in "
        f"{played.took_s:g} s, after {played.prepared_s:g} s of preparation. Kept in {played.folder}"
    )
    if not played.whole:
        console.print("It was broken off: what follows is of the part that was played.", style="red")
    await report(str(played.folder), folder=played.folder / "report", console=console)


async def report(
    name: str | None, *, folder: Path | None = None, against: str | None = None, console: Console | None = None
) -> None:
    """`impetus exercise report`: the review of a run as JSON, HTML and PDF; `against` is a run to compare with.

    Raises `NotFound` for a run that does not exist.
    """
    console = console or Console(stderr=True, soft_wrap=True, highlight=False)
    exercises = default_home() / EXERCISES
    home = run_folder(exercises, name)
    told = await _reviewed(home)
    other = await _reviewed(run_folder(exercises, against)) if against is not None else None
    target = folder or home / "report"
    await asyncio.to_thread(_write_report, told, other, target)
    review = told.review
    table = Table("planted", "tool", "outcome", "after", box=None, padding=(0, 3, 0, 0))
    for truth in review.truths:
        delay = f"{truth.delay_s:.0f} s" if truth.delay_s is not None else "-"
        table.add_row(escape(truth.title), truth.tool, truth.outcome.value, delay)
    console.print(table)
    console.print(
        f"{review.alerts} alerts, {review.alerts_an_hour:g} an hour; {len(review.unexplained)} that nothing planted "
        f"explains; score {review.score.total:g} of 100"
    )
    for alert in review.unexplained:
        console.print(f"  {alert.elapsed_s:7.0f} s  {alert.tool:10} {escape(alert.headline)}")
    if other is not None:
        compared = Table("", "this run", "the other", box=None, padding=(0, 3, 0, 0))
        for line in comparison(review, other.review, str):
            compared.add_row(*(escape(one) for one in line))
        console.print(compared)
    console.print(f"Report: {target}")


async def replay_period(
    tool: str, *, since: datetime, until: datetime, changes: Sequence[str], organisation: str
) -> Sequence[Comparison]:
    """`impetus exercise replay`: what a tool told of a period, tells of it as it is set up now, and would tell with
    other settings; printed, and returned. It only reads.

    Raises `InvalidInput` for a change that is no `name=value`, and what `impetus.exercise.replay.replay` raises.
    """
    app.configure_logging()
    settings = read_settings()
    installed = load_tool(tool)
    own = settings.tools.get(tool, {})
    since, until = (moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in (since, until))
    async with app.opened_store(settings, SystemClock()) as store:
        then = await recorded(store, organisation, tool, since, until)
        now = await replay(installed, store, organisation, since, until, own, address=settings.store_url)
        joined = await incidents_of(store, organisation, then)
        found = [compare(then, now.alerts, since, names=("recorded", "as set up now"), incidents=joined)]
        if changes:
            wanted = {**own, **changed(changes)}
            other = await replay(installed, store, organisation, since, until, wanted, address=settings.store_url)
            words = ", ".join(changes)
            found.append(compare(now.alerts, other.alerts, since, names=("as set up now", words)))
            if joined:
                found.append(compare(then, other.alerts, since, names=("recorded", words), incidents=joined))
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{now.readings:,} readings in {now.took_s:.1f} s")
    for one in found:
        later = f"; the second {one.median_later_s:+g} s later" if one.median_later_s is not None else ""
        console.print(
            f"{escape(one.first)}: {one.first_alerts} alerts | {escape(one.second)}: {one.second_alerts} | "
            f"both: {one.both}{later}"
        )
        for name, only in ((one.first, one.only_first), (one.second, one.only_second)):
            for alert in only:
                console.print(f"  only {escape(name)}: {escape(alert.headline)}")
        for incident in one.incidents:
            told = "none of them would have come from this tool"
            if incident.second_s is not None:
                told = f"the first after {incident.second_s:.0f} s instead of {incident.first_s:.0f} s"
            console.print(f"  incident {escape(incident.title)}: {incident.kept} of {incident.alerts} alerts, {told}")
    return found


async def _reviewed(home: Path) -> Reviewed:
    store = await open_store(f"sqlite:///{home / 'store.sqlite'}", SystemClock())
    try:
        return await reviewed(home, store)
    finally:
        await store.close()


def _write_report(told: Reviewed, other: Reviewed | None, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "review.json").write_text(told.model_dump_json(indent=1), encoding="utf-8")
        (folder / "report.html").write_text(review_html(told, other), encoding="utf-8")
        (folder / "report.pdf").write_bytes(review_pdf(told, str, other))
    except OSError as error:
        raise Unavailable(f"the report cannot be written to {folder}: {error}", hint="name another folder") from error
