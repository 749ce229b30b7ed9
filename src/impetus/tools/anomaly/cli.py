"""`impetus anomaly ...`: a file in, JSON Lines out, with no server running."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress

from impetus.model import ImpetusError, InvalidInput
from impetus.tools.anomaly.backtest import THRESHOLDS, History
from impetus.tools.anomaly.backtest import Outcome as StreamOutcome
from impetus.tools.anomaly.backtest import backtest as judge_histories
from impetus.tools.anomaly.close_watch import ALERT_SCORE, CloseWatch, Judgement, score_of_evidence
from impetus.tools.anomaly.monitor import Outcome
from impetus.tools.anomaly.readings_file import Row, read_rows
from impetus.tools.anomaly.wide import judge as judge_wide
from impetus.tools.anomaly.wide_file import read_graph, read_wide

NOTES = {
    Outcome.DUPLICATE: "same time as the row before, not scored",
    Outcome.LATE: "older than a row before, not scored",
    Outcome.MISSING: "no value",
    Outcome.IMPOSSIBLE: "too large a number, not scored",
}

app = typer.Typer(help="Unusual readings of city sensors.", no_args_is_help=True)


@app.callback()
def commands() -> None:
    """Unusual readings of city sensors."""


@app.command()
def detect(
    file: Annotated[str, typer.Argument(help="CSV file with the columns timestamp and value; - reads standard input.")],
    as_json: Annotated[
        bool, typer.Option("--json/--text", help="JSON Lines, one a row; or a short text of the rows with an alert.")
    ] = True,
    wide: Annotated[
        bool, typer.Option("--wide", help="Many streams: first column timestamp, one column a stream; a line an alert.")
    ] = False,
    graph: Annotated[
        Path | None, typer.Option(help="With --wide: CSV matrix of how close streams lie; learnt where none is given.")
    ] = None,
    false_alerts_a_day: Annotated[
        float, typer.Option(min=0.001, max=10_000, help="With --wide: false alerts a day borne over all streams.")
    ] = 1.0,
) -> None:
    """Score a file of readings, each row by the rows before it only."""
    with _one_line_for_an_error():
        if wide:
            _detect_wide(file, graph, false_alerts_a_day, as_json=as_json)
        elif graph is not None:
            raise InvalidInput("--graph says which streams lie beside which", hint="use it with --wide")
        else:
            _detect_one(file, as_json=as_json)


@app.command()
def backtest(
    files: Annotated[list[Path], typer.Argument(help="CSV files with the columns timestamp and value, a stream each.")],
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Processes on this machine.")] = 1,
    cluster: Annotated[str | None, typer.Option(help="Address of a Dask scheduler, as in tcp://host:8786.")] = None,
    wide: Annotated[bool, typer.Option("--wide", help="The files have one column a stream.")] = False,
) -> None:
    """Say how many alerts the past would have had, a JSON line a stream; a bar shows how far it is."""
    with _one_line_for_an_error():
        histories = [history for file in files for history in _histories(file, wide=wide)]
        total: Counter[float] = Counter()
        days = 0.0
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            bar = progress.add_task("Streams", total=len(histories))
            for outcome in judge_histories(histories, jobs=jobs, cluster=cluster):
                progress.advance(bar)
                total.update(outcome.alerts)
                days = max(days, outcome.days)
                typer.echo(json.dumps(_outcome_line(outcome)))
        a_day = ", ".join(f"{total[threshold] / max(days, 1e-9):.2f} from {threshold}" for threshold in THRESHOLDS)
        typer.echo(f"{len(histories)} streams, {days:.1f} days; alerts a day by score: {a_day}.", err=True)


def _outcome_line(outcome: StreamOutcome) -> dict[str, object]:
    return {
        "stream": outcome.stream,
        "readings": outcome.readings,
        "days": round(outcome.days, 3),
        "alerts": {str(threshold): count for threshold, count in outcome.alerts.items()},
        "times": [datetime.fromtimestamp(time_s, UTC).isoformat() for time_s in outcome.times_s],
    }


def _histories(file: Path, *, wide: bool) -> list[History]:
    if wide:
        names, read = read_wide(_lines(str(file)), str(file))
        rows = list(read)
        values = np.array([row.values for row in rows]).reshape(len(rows), len(names))
        time_s, offset_s = (np.array([getattr(row, name) for row in rows]) for name in ("time_s", "offset_s"))
        return [History(name, time_s, offset_s, values[:, place]) for place, name in enumerate(names)]
    single = list(_rows(str(file)))
    columns = [np.array([getattr(row, name) for row in single]) for name in ("time_s", "offset_s", "value")]
    return [History(str(file), *columns)]


@contextmanager
def _one_line_for_an_error() -> Iterator[None]:
    try:
        yield
    except ImpetusError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from error
    except BrokenPipeError:
        # Whoever read the lines has seen enough.
        sys.stderr.close()
        raise typer.Exit(0) from None


def _detect_one(file: str, *, as_json: bool) -> None:
    outcomes: Counter[Outcome] = Counter()
    for line in _results(file, outcomes):
        if as_json:
            typer.echo(json.dumps(line))
        elif line["alert"]:
            typer.echo(f"{line['timestamp']}  {line['value']:g}  score {line['score']:.3f}")
    not_scored = sum(outcomes[outcome] for outcome in NOTES)
    if not_scored:
        what = ", ".join(f"{outcomes[outcome]} {note}" for outcome, note in NOTES.items() if outcomes[outcome])
        typer.echo(f"{not_scored} of {outcomes.total()} rows have no score of their own: {what}.", err=True)


def _detect_wide(file: str, graph: Path | None, false_alerts_a_day: float, *, as_json: bool) -> None:
    names, read = read_wide(_lines(file), file)
    # The whole file first, so that one with an error gives that error and not half a result.
    rows = list(read)
    beside = None if graph is None else read_graph(graph, names)
    for alert in judge_wide(rows, names, beside, false_alerts_a_day=false_alerts_a_day):
        if as_json:
            typer.echo(json.dumps(asdict(alert)))
        else:
            typer.echo(f"{alert.start} to {alert.end}  {alert.kind}  {alert.explanation}")


def score_rows(rows: Iterable[Row]) -> Iterator[tuple[Row, float, Judgement]]:
    """Each row with its score in 0..1 and the judgement behind it, known before the next row is read.

    >>> rows = [Row("t", 60.0 * minute, 0.0, float(minute % 3)) for minute in range(5)]
    >>> [score for _, score, _ in score_rows(rows)]
    [0.0, 0.0, 0.0, 0.0, 0.0]
    """
    stream = CloseWatch()
    for row in rows:
        judgement = stream.update(row.time_s, row.offset_s, row.value)
        yield row, 0.0 if judgement.evidence is None else score_of_evidence(judgement.evidence.news), judgement


def _results(file: str, outcomes: Counter[Outcome]) -> Iterator[dict[str, object]]:
    for row, score, judgement in score_rows(_rows(file)):
        outcomes[judgement.outcome] += 1
        result: dict[str, object] = {
            "timestamp": row.timestamp,
            "value": row.value if math.isfinite(row.value) else None,
            "score": round(score, 6),
            "alert": score >= ALERT_SCORE,
        }
        notes = [NOTES[judgement.outcome]] if judgement.outcome in NOTES else []
        if judgement.stuck:
            notes.append("the same value for longer than this stream repeats by nature: stuck?")
        if judgement.unit is not None:
            notes.append(f"reads as if its unit had changed: {judgement.unit.words}")
        if notes:
            result["note"] = "; ".join(notes)
        yield result


def _rows(file: str) -> Iterable[Row]:
    # A file as a whole first, so that one with an error gives that error and not half a result.
    return read_rows(sys.stdin, "standard input") if file == "-" else list(read_rows(_lines(file), file))


def _lines(file: str) -> Iterator[str]:
    if file == "-":
        yield from sys.stdin
        return
    try:
        with Path(file).open(encoding="utf-8", newline="") as lines:
            yield from lines
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}", hint="name a CSV file, or -") from error


if __name__ == "__main__":
    app()
