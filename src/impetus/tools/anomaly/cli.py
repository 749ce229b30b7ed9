"""`impetus anomaly ...`: a file in, JSON Lines out, with no server running."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from impetus.model import ImpetusError, InvalidInput
from impetus.tools.anomaly.close_watch import ALERT_SCORE, CloseWatch, score_of_evidence
from impetus.tools.anomaly.monitor import Outcome
from impetus.tools.anomaly.readings_file import Row, read_rows

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
) -> None:
    """Score a file of readings, each row by the rows before it only."""
    outcomes: Counter[Outcome] = Counter()
    try:
        for line in _results(file, outcomes):
            if as_json:
                typer.echo(json.dumps(line))
            elif line["alert"]:
                typer.echo(f"{line['timestamp']}  {line['value']:g}  score {line['score']:.3f}")
    except ImpetusError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from error
    except BrokenPipeError:
        # Whoever read the lines has seen enough.
        sys.stderr.close()
        raise typer.Exit(0) from None
    not_scored = sum(outcomes[outcome] for outcome in NOTES)
    if not_scored:
        what = ", ".join(f"{outcomes[outcome]} {note}" for outcome, note in NOTES.items() if outcomes[outcome])
        typer.echo(f"{not_scored} of {outcomes.total()} rows have no score of their own: {what}.", err=True)


def score_rows(rows: Iterable[Row]) -> Iterator[tuple[Row, float, Outcome]]:
    """Each row with its score in 0..1 and what became of it; a score is known before the next row is read.

    >>> rows = [Row("t", 60.0 * minute, 0.0, float(minute % 3)) for minute in range(5)]
    >>> [score for _, score, _ in score_rows(rows)]
    [0.0, 0.0, 0.0, 0.0, 0.0]
    """
    stream = CloseWatch()
    for row in rows:
        outcome, evidence = stream.update(row.time_s, row.offset_s, row.value)
        yield row, 0.0 if evidence is None else score_of_evidence(evidence.news), outcome


def _results(file: str, outcomes: Counter[Outcome]) -> Iterator[dict[str, object]]:
    for row, score, outcome in score_rows(_rows(file)):
        outcomes[outcome] += 1
        result: dict[str, object] = {
            "timestamp": row.timestamp,
            "value": row.value if math.isfinite(row.value) else None,
            "score": round(score, 6),
            "alert": score >= ALERT_SCORE,
        }
        if outcome in NOTES:
            result["note"] = NOTES[outcome]
        yield result


def _rows(file: str) -> Iterable[Row]:
    if file == "-":
        return read_rows(sys.stdin, "standard input")
    try:
        with Path(file).open(encoding="utf-8", newline="") as lines:
            # The whole file first, so that one with an error gives that error and not half a result.
            return list(read_rows(lines, file))
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}", hint="name a CSV file, or -") from error


if __name__ == "__main__":
    app()
