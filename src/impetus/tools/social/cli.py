"""`impetus social ...`: posts in, scores or events out as JSON Lines; training and the table of figures."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from impetus.model import ImpetusError, InvalidInput
from impetus.tools.social.files import LINE_LIMIT, read_posts

app = typer.Typer(help="Public posts: what is being said that a city must know.", no_args_is_help=True)

AT_ONCE = 256
Posts = Annotated[str, typer.Argument(help='JSON Lines, each with "text"; - is standard input.', metavar="FILE|-")]
Data = Annotated[Path, typer.Option("--data", help="Folder with the research data (offensive-train.jsonl.xz, ...).")]
GateOnly = Annotated[bool, typer.Option("--gate-only", help="Without the sentence model: quicker, less sure.")]
Cache = Annotated[
    Path | None, typer.Option("--cache", help="Folder that keeps embeddings for the next time; else one of your own.")
]
TASK = 32
"""Signs of the table's first column."""


@app.command()
def score(
    file: Posts,
    gate_only: GateOnly = False,
    reasons: Annotated[bool, typer.Option("--reasons/--no-reasons", help="Say why; takes longer.")] = True,
) -> None:
    """Each line again, with language, offensive, hateful, sentiment, threat, eyewitness and reasons."""
    failed = False
    with _told():
        from impetus.tools.social.judging import Judge, written
        from impetus.tools.social.languages import language_of
        from impetus.tools.social.plain_text import readable

        judge = Judge.load(second_stage=not gate_only, local=local_folder())
        for rows in _in_batches(_rows(file)):
            good: list[dict[str, Any]] = []
            for row, problem in rows:
                if problem:
                    typer.echo(f"Error: {problem}", err=True)
                    failed = True
                elif row is not None:
                    good.append(row)
            texts = [readable(str(row["text"])) for row in good]
            languages = [
                language_of(text, told=str(row.get("lang") or "")) for text, row in zip(texts, good, strict=True)
            ]
            found = judge.full(texts, languages)
            for row, text, language, one in zip(good, texts, languages, found, strict=True):
                why = judge.reasons(text, language, one) if reasons else []
                _print({**row, "language": language, **written(one), "reasons": why})
    if failed:
        raise typer.Exit(2)


@app.command()
def events(
    file: Posts,
    gate_only: GateOnly = False,
    threshold: Annotated[
        float, typer.Option("--threshold", min=0, max=1, help="Relevance from which a post begins an event.")
    ] = 0.85,
) -> None:
    """Bursts, and events of threat-relevant posts, in a file of posts with "time", as JSON Lines in time order."""
    with _told():
        from impetus.tools.social.finding import events_of

        given = read_posts(Path("/dev/stdin") if file == "-" else Path(file))
        for problem in given.problems:
            typer.echo(f"Error: {problem}", err=True)
        for line in events_of(given.posts, gate_only=gate_only, threshold=threshold, local=local_folder()):
            _print(line)
    if given.problems:
        raise typer.Exit(2)


@app.command()
def train(
    data: Data,
    output: Annotated[
        Path | None, typer.Option("--output", help="Folder for the weights; else the tool's own.")
    ] = None,
    noncommercial: Annotated[
        bool,
        typer.Option(
            "--noncommercial",
            help="Train Norwegian sentiment too, from NoReC (CC BY-NC 4.0): kept in your own folder, for who may.",
        ),
    ] = False,
    cache: Cache = None,
) -> None:
    """Train all models anew. Deterministic; takes some ten minutes of one core."""
    with _told():
        from impetus.tools.social import models, training
        from impetus.tools.social.sentence_model import SentenceModel

        def say(line: str) -> None:
            typer.echo(line, err=True)

        folder = output or models.GATE_FILE.parent
        encode = training.cached(SentenceModel().encode, cache or embeddings_folder(), say)
        gate, second = training.train(data, encode=encode, say=say)
        folder.mkdir(parents=True, exist_ok=True)
        models.save_gate(gate, folder / models.GATE_FILE.name)
        models.save_second(second, folder / models.SECOND_FILE.name)
        sizes = {name: (folder / name).stat().st_size for name in (models.GATE_FILE.name, models.SECOND_FILE.name)}
        if noncommercial:
            local = local_folder()
            local.mkdir(parents=True, exist_ok=True)
            models.save_gate(training.train_norwegian(data), local / models.LOCAL_FILE)
            sizes[models.LOCAL_FILE] = (local / models.LOCAL_FILE).stat().st_size
        _print({"bytes": sizes})


@app.command()
def evaluate(
    data: Data,
    cache: Cache = None,
    as_json: Annotated[bool, typer.Option("--json/--table", help="JSON Lines, or a table for people.")] = False,
    groups: Annotated[
        bool, typer.Option("--groups/--no-groups", help="Also leave groups out, which trains anew: some minutes.")
    ] = True,
) -> None:
    """The table of figures on the validation parts, with leave-one-group-out where the issue is new groups."""
    with _told():
        from impetus.tools.social.evaluation import evaluate as measured

        def say(line: str) -> None:
            typer.echo(line, err=True)

        if not as_json:
            typer.echo(f"{'task':{TASK}}  {'measure':28} {'asked':>6} {'reached':>8}  note")
        for row in measured(data, cache=cache or embeddings_folder(), groups=groups, say=say):
            if as_json:
                _print(row.line())
            else:
                asked = f"{row.asked:.3f}" if row.asked is not None else "-"
                typer.echo(f"{row.task:{TASK}}  {row.measure:28} {asked:>6} {row.reached:8.3f}  {row.note}")


def local_folder() -> Path:
    """Where weights lie that were trained here and are not shipped."""
    home = Path(os.environ.get("IMPETUS_HOME", "~/.impetus")).expanduser()
    return home / "social"


def embeddings_folder() -> Path:
    """Where embeddings of the research data are kept."""
    return local_folder() / "embeddings"


def _rows(file: str) -> Iterator[tuple[dict[str, Any] | None, str]]:
    """Each line as an object, or what is wrong with it."""
    name = "standard input" if file == "-" else file
    try:
        stream = sys.stdin if file == "-" else Path(file).open(encoding="utf-8-sig", errors="replace", newline="\n")  # noqa: SIM115
        with stream:
            number = 0
            while line := stream.readline(LINE_LIMIT + 1):
                number += 1
                if len(line) > LINE_LIMIT and not line.endswith("\n"):
                    while line and not line.endswith("\n"):
                        line = stream.readline(LINE_LIMIT)
                    yield None, f"{name}, line {number} is longer than {LINE_LIMIT} signs"
                    continue
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError) as error:
                    yield None, f"{name}, line {number} is no JSON: {str(error)[:100]}"
                    continue
                if not isinstance(row, dict) or not isinstance(row.get("text"), str):
                    yield None, f'{name}, line {number} has no "text"'
                    continue
                yield row, ""
    except OSError as error:
        raise InvalidInput(f"{name} cannot be read: {error.strerror or error}", hint="name a readable file") from error


def _in_batches(
    rows: Iterator[tuple[dict[str, Any] | None, str]],
) -> Iterator[Sequence[tuple[dict[str, Any] | None, str]]]:
    batch: list[tuple[dict[str, Any] | None, str]] = []
    for row in rows:
        batch.append(row)
        if len(batch) >= AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _print(line: dict[str, Any]) -> None:
    # Lone surrogates of a broken file would break the output too.
    typer.echo(json.dumps(line, ensure_ascii=False).encode("utf-8", "replace").decode())


@contextmanager
def _told() -> Iterator[None]:
    """Errors as one line, exit code 2; a reader that goes away is no error."""
    try:
        yield
    except ImpetusError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from error
    except BrokenPipeError:
        sys.stderr.close()
        raise typer.Exit(0) from None


if __name__ == "__main__":
    app()
