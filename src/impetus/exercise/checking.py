"""Checks a scenario while it is written: every problem with its line, and the timeline as far as it can be read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import Field, ValidationError

from impetus.exercise.scenario import Scenario, check_files, missing_tools, told
from impetus.model import InvalidInput, Value

MOST_PROBLEMS: Final = 20
TEXT_LIMIT: Final = 200_000
"""Characters of a scenario that is written in the browser."""
ScenarioText = Annotated[str, Field(max_length=TEXT_LIMIT)]


class Problem(Value):
    """What is wrong, and where."""

    text: str
    line: int | None = None
    """Counted from 1; None: it is about the whole."""


class Mark(Value):
    """One inject on the timeline."""

    id: str
    title: str
    kind: str
    at_s: float
    lasts_s: float
    truths: int
    """How many things that are true through it should be noticed."""


class Checked(Value):
    """What a check found."""

    title: str = ""
    minutes: float = 0.0
    problems: tuple[Problem, ...] = ()
    marks: tuple[Mark, ...] = ()
    skipped: dict[str, str] = {}
    """Injects that nobody here would hear, and why."""
    objectives: int = 0

    @property
    def valid(self) -> bool:
        """Whether it can be played."""
        return not self.problems


def check(text: str, folder: Path, tools: Sequence[str]) -> Checked:
    """Check a scenario's text, its data files lying in `folder`; `tools` are those that are installed."""
    _, checked = read(text, folder, tools)
    return checked


def read(text: str, folder: Path, tools: Sequence[str]) -> tuple[Scenario | None, Checked]:
    """The same, with the scenario where it is valid."""
    try:
        document = yaml.safe_load(text)
        root: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
        lines = _lines(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        return None, _failed(f"this is no YAML: {said}", mark.line + 1 if mark is not None else None)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        return None, _failed(f"this is no YAML: {' '.join(str(error).split())[:200]}")
    if not isinstance(document, dict):
        return None, _failed("this is no table of a scenario; begin with `format: 1`", 1)
    try:
        scenario = Scenario.model_validate(document)
    except ValidationError as error:
        found = tuple(_problems(error, document, lines))
        return None, Checked(title=str(document.get("title", ""))[:300], problems=found[:MOST_PROBLEMS])
    problems: list[Problem] = []
    skipped: dict[str, str] = {}
    attempts: tuple[Callable[[], None], ...] = (
        lambda: check_files(scenario, folder),
        lambda: skipped.update(missing_tools(scenario, tools)),
    )
    for attempt in attempts:
        try:
            attempt()
        except InvalidInput as error:
            problems.append(Problem(text=error.message, line=_line_of_name(error.message, lines)))
        except OSError as error:
            problems.append(Problem(text=f"a file cannot be read: {error.strerror}"))
    checked = Checked(
        title=scenario.title,
        minutes=scenario.minutes,
        problems=tuple(problems),
        marks=tuple(_marks(scenario)),
        skipped=skipped,
        objectives=len(scenario.objectives),
    )
    return (None if problems else scenario), checked


def _failed(text: str, line: int | None = None) -> Checked:
    return Checked(problems=(Problem(text=text[:500], line=line),))


def _marks(scenario: Scenario) -> Iterator[Mark]:
    for inject in scenario.injects:
        yield Mark(
            id=inject.id,
            title=inject.title,
            kind=inject.kind,
            at_s=inject.at,
            lasts_s=60 * float(getattr(inject, "minutes", 0.0)),
            truths=sum(truth.inject == inject.id for truth in scenario.truths),
        )


def _problems(error: ValidationError, document: Any, lines: dict[tuple[str | int, ...], int]) -> Iterator[Problem]:
    for problem in error.errors(include_url=False):
        where = tuple(problem["loc"])
        words = told(problem, document)
        if not where:
            # Several that are about how its parts fit together stand in one message.
            for part in words.split("; "):
                yield Problem(text=part, line=_line_of_name(part, lines))
            continue
        line = None
        parts = [part for part in where if not _names_a_kind(part, where)]
        while parts and line is None:
            line = lines.get(tuple(parts))
            parts.pop()
        yield Problem(text=words, line=line)


def _names_a_kind(part: str | int, where: tuple[str | int, ...]) -> bool:
    """Of an inject pydantic's place names the member of the union as well: `injects, 3, readings, at`."""
    return len(where) > 2 and where[0] == "injects" and part == where[2]


def _line_of_name(words: str, lines: dict[tuple[str | int, ...], int]) -> int | None:
    """The line of the first thing that a message names: `inject 'jam' ...`."""
    found = re.search(r"\b(inject|truth|objective) '([^']+)'", words)
    return lines.get((found[1], found[2])) if found is not None else None


def _lines(root: yaml.Node | None) -> dict[tuple[str | int, ...], int]:
    """The line of each place in a document, and of each inject, truth and objective by its name."""
    found: dict[tuple[str | int, ...], int] = {}
    waiting: list[tuple[tuple[str | int, ...], yaml.Node]] = [((), root)] if root is not None else []
    seen: set[int] = set()
    while waiting:
        place, node = waiting.pop()
        if id(node) in seen:
            continue  # an alias
        seen.add(id(node))
        found.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    continue
                found[(*place, key.value)] = key.start_mark.line + 1
                waiting.append(((*place, key.value), value))
                if key.value == "id" and len(place) == 2 and isinstance(value, yaml.ScalarNode):
                    found.setdefault((str(place[0]).removesuffix("s"), value.value), key.start_mark.line + 1)
        elif isinstance(node, yaml.SequenceNode):
            waiting += [((*place, number), one) for number, one in enumerate(node.value)]
    return found
