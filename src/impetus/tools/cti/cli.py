"""`impetus cti ...`: a report in, indicators, techniques, a STIX bundle or its relevance out; no server needed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from impetus.model import ImpetusError, InvalidInput
from impetus.tools.cti.documents import read_file
from impetus.tools.cti.extraction import TEXT_LIMIT, extract
from impetus.tools.cti.indicators import find_indicators
from impetus.tools.cti.items import Item, read_feed, read_posts
from impetus.tools.cti.misp import event_of
from impetus.tools.cti.relevance import Matcher, Relevance
from impetus.tools.cti.stix import Tlp, bundle, report_objects
from impetus.tools.cti.techniques import load_classifier, technique_names
from impetus.tools.cti.watch import read_watch

app = typer.Typer(help="Threat intelligence: what reports say, and what of it concerns you.", no_args_is_help=True)

Report = Annotated[str, typer.Argument(help="HTML, PDF, Markdown or text; - is standard input.", metavar="FILE|-")]
AsJson = Annotated[bool, typer.Option("--json/--text", help="JSON, or a short text for people.")]


class Form(StrEnum):
    """In what form `extract` writes."""

    STIX = "stix"
    MISP = "misp"


@app.command()
def iocs(
    file: Report,
    named: Annotated[
        bool, typer.Option("--named", help="File names, packages, registry keys and techniques' numbers too.")
    ] = False,
) -> None:
    """Indicators of a report as JSON Lines: type, value (refanged), start and end in the text."""
    with _told():
        text = read_file(file).text[:TEXT_LIMIT]
        for one in find_indicators(text, named=named):
            _print({"type": one.type.value, "value": one.value, "start": one.start, "end": one.end})


@app.command()
def techniques(
    file: Report,
    minimum: Annotated[float, typer.Option("--minimum", min=0, max=1, help="Leave out scores below this.")] = 0.05,
) -> None:
    """ATT&CK techniques that sentences describe, as JSON Lines; below 0.7 a technique is only suggested."""
    with _told():
        text = read_file(file).text[:TEXT_LIMIT]
        for one in load_classifier().find(text, minimum=minimum):
            _print(
                {
                    "technique": one.technique,
                    "score": round(one.score, 4),
                    "sentence": " ".join(text[one.start : one.end].split()),
                    "name": technique_names().get(one.technique),
                    "status": "suggested" if one.suggested else "found",
                }
            )


@app.command("extract")
def extract_file(
    file: Report,
    as_json: AsJson = True,
    form: Annotated[Form, typer.Option("--form", help="STIX 2.1 bundle or MISP event.")] = Form.STIX,
    tlp: Annotated[Tlp, typer.Option("--tlp", help="Marking of what is written (TLP 2.0).")] = Tlp.AMBER,
    minimum: Annotated[float, typer.Option("--minimum", min=0, max=1, help="Leave out techniques below this.")] = 0.5,
) -> None:
    """Everything of a report as a STIX 2.1 bundle: observables, names, techniques; nothing is an indicator yet."""
    with _told():
        document = read_file(file)
        found = extract(document.text, minimum=minimum)
        if not as_json:
            for indicator in found.indicators:
                typer.echo(f"{indicator.type.value:14} {indicator.value}")
            for entity in found.entities:
                typer.echo(f"{entity.kind.value:14} {entity.name}")
            for technique in found.techniques:
                typer.echo(f"{technique.technique:14} {technique_names().get(technique.technique, '')}")
            return
        objects = report_objects(
            title=document.title or Path(file).name,
            text=document.text,
            time=datetime.now(UTC),
            indicators=found.indicators,
            entities=found.entities,
            techniques=found.techniques,
            tlp=tlp,
        )
        written = bundle(objects)
        typer.echo(json.dumps(written if form is Form.STIX else event_of(written), indent=2, ensure_ascii=False))


@app.command()
def match(
    watch: Annotated[
        Path, typer.Option("--watch", help="YAML: domains, addresses, brands, venues, software, roles ...")
    ],
    file: Annotated[list[str], typer.Argument(help="Reports, feeds (RSS, Atom) or JSON lists of posts; - is input.")],
    as_json: AsJson = True,
    minimum: Annotated[float, typer.Option("--minimum", min=0, max=1, help="Leave out items below this.")] = 0.0,
) -> None:
    """Items with their relevance to a watch and the reasons, the most relevant first, as JSON Lines."""
    failed = False
    with _told():
        matcher = Matcher(read_watch(watch))
        judged: list[tuple[str, Item, Relevance]] = []
        for name in file:
            try:
                judged += [(name, item, matcher.judge(item.whole)) for item in _items(name)]
            except ImpetusError as error:
                # One item that cannot be read does not keep the others from being judged.
                typer.echo(f"Error: {error}", err=True)
                failed = True
        judged.sort(key=lambda entry: (-entry[2].score, -len(entry[2].matches)))
        for name, item, relevance in judged:
            if relevance.score < minimum:
                continue
            if as_json:
                _print(_match_line(name, item, relevance))
            else:
                typer.echo(f"{relevance.score:.2f}  {item.title}: {'; '.join(relevance.reasons) or 'nothing watched'}")
    if failed:
        raise typer.Exit(2)


@app.command()
def train(
    tram: Annotated[Path, typer.Argument(help="TRAM's single_label.json.")],
    output: Annotated[
        Path | None, typer.Option("--output", help="Where to write the weights; without it, those of the tool.")
    ] = None,
) -> None:
    """Train the technique classifier anew and say what cross-validation by report finds. Needs scikit-learn."""
    from impetus.tools.cti.techniques import save_classifier
    from impetus.tools.cti.training import read_tram
    from impetus.tools.cti.training import train as train_classifier

    output = output or Path(__file__).parent / "data/techniques.npz"
    with _told():
        classifier, checked = train_classifier(read_tram(tram))
        save_classifier(classifier, output)
        _print(
            {
                "macro_f1": round(checked.macro_f1, 4),
                "macro_f1_mean_of_folds": round(checked.macro_f1_of_folds, 4),
                "accuracy": round(checked.accuracy, 4),
                "bytes": output.stat().st_size,
            }
        )


def _items(name: str) -> list[Item]:
    """The items in a file: entries of a feed, posts of a JSON list, or the one report that it is."""
    suffix = Path(name).suffix.lower()
    if suffix in (".json", ".jsonl", ".ndjson", ".xml", ".rss", ".atom"):
        try:
            data = Path(name).read_bytes()
        except OSError as error:
            raise InvalidInput(f"{name} cannot be read: {error.strerror}", hint="name a readable file") from error
        return read_posts(data, name) if "js" in suffix or suffix == ".ndjson" else read_feed(data, name)
    document = read_file(name)
    title = document.title or Path(name).name
    return [Item(id=name, title=title, text=document.text)]


def _match_line(name: str, item: Item, relevance: Relevance) -> dict[str, object]:
    return {
        "file": name,
        "item": item.id,
        "title": item.title,
        "relevance": relevance.score,
        "relevant": relevance.relevant,
        "kind": relevance.kind,
        "reasons": list(relevance.reasons),
        "matches": [
            {
                "watch": one.item.name,
                "kind": one.item.kind.value,
                "way": one.way.value,
                "text": one.text,
                "strength": round(one.strength, 3),
            }
            for one in relevance.matches[:100]
        ],
    }


def _print(line: dict[str, object]) -> None:
    typer.echo(json.dumps(line, ensure_ascii=False))


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
