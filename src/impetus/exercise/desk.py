"""The desk of an exercise: what the controller orders, what the director says, and the journal of what was played.

These are files in one folder of the exercise's own installation, so that the hub, the director and a report made later
all read the same. Lines are only ever added.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

from pydantic import Field, ValidationError

from impetus.exercise.clock import FASTEST
from impetus.model import Identifier, InvalidInput, Line, Slug, Text, UtcTime, Value, new_id

FOLDER: Final = "exercise"
"""Below the home of the exercise's installation."""
LINE_LIMIT_BYTES: Final = 100_000
JOURNAL_LIMIT: Final = 50_000


class Phase(StrEnum):
    """How far an exercise is."""

    PREPARING = "preparing"
    """The city's history is being filled in, and the tools read it."""
    READY = "ready"
    RUNNING = "running"
    ENDED = "ended"


class OrderKind(StrEnum):
    """What a controller may order."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    SPEED = "speed"
    INJECT = "inject"
    HOLD = "hold"
    RELEASE = "release"
    CUT = "cut"
    HINT = "hint"
    END = "end"


class Order(Value):
    """One order of the controller."""

    id: Identifier = Field(default_factory=new_id)
    kind: OrderKind
    by: Line = "controller"
    speed: Annotated[float, Field(ge=1, le=FASTEST)] | None = None
    """Of `speed`."""
    inject: dict[str, object] | None = None
    """Of `inject`: as it would stand in a scenario, without its time."""
    part: Annotated[str, Field(pattern=r"^(tool|connector):[a-z0-9-]{1,60}$")] | None = None
    """Of `hold` and `release`: what is to fail, or to work again."""
    site: Line | None = None
    """Of `cut`: whose sensors are cut off."""
    minutes: Annotated[float, Field(gt=0, le=600)] = 5.0
    """Of `cut` and `hold`."""


class EntryKind(StrEnum):
    """What the journal tells."""

    STARTED = "started"
    INJECT = "inject"
    SKIPPED = "skipped"
    OVER = "over"
    ORDER = "order"
    REFUSED = "refused"
    ENDED = "ended"


class Entry(Value):
    """One line of the journal."""

    run: Identifier
    kind: EntryKind
    time: UtcTime
    """By the clock of the exercise."""
    elapsed_s: float
    """Since the scenario began."""
    inject: Identifier | None = None
    inject_kind: str = ""
    title: Line
    text: Text = ""
    sources: tuple[Line, ...] = ()
    """The datastreams, hosts and so on on which it can be noticed."""
    role: str = ""
    """Of a message: to whom it goes."""
    by: str = ""
    hint: Text = ""


class State(Value):
    """How the exercise stands."""

    run: Identifier
    scenario: Slug
    variant: int = 0
    title: Line
    phase: Phase
    time: UtcTime
    started: UtcTime | None = None
    elapsed_s: float = 0.0
    length_s: float
    speed: float
    """That the controller chose."""
    paused: bool
    waiting: int = 0
    """Messages that the slowest tool has still to read."""
    held_back: bool = False
    """Time stands still until the tools have caught up."""
    next_inject: Line | None = None
    next_s: float | None = None
    """When it comes, in seconds since the start."""
    held: tuple[str, ...] = ()
    skipped: dict[str, str] = Field(default_factory=dict)
    """Injects that nobody can hear, and why."""


class Run(Value):
    """One time that the scenario was played."""

    id: Identifier
    title: Line
    started: UtcTime
    ended: UtcTime | None = None
    """None: it is under way, or was cut off."""
    played_s: float = 0.0
    """Seconds of the scenario."""
    why_ended: str = ""


class Answers(Value):
    """What a player answered after a run."""

    run: Identifier
    kind: Literal["usability", "impact"]
    person: Identifier
    role: str
    answers: Annotated[tuple[Annotated[int, Field(ge=1, le=5)], ...], Field(min_length=1, max_length=30)]
    remark: Annotated[str, Field(max_length=2_000)] = ""


Kept = TypeVar("Kept", bound=Value)


class Desk:
    """The folder of one exercise."""

    def __init__(self, home: Path) -> None:
        """`home` is the folder of all state of the exercise's installation."""
        self.folder = home / FOLDER
        self.clock = self.folder / "clock"
        self.scenario = self.folder / "scenario"
        self._orders = self.folder / "orders.jsonl"
        self._journal = self.folder / "journal.jsonl"
        self._state = self.folder / "state.json"
        self._held = self.folder / "held.json"
        self._answers = self.folder / "answers.jsonl"

    def order(self, order: Order) -> None:
        """Hand an order to the director. Raises `InvalidInput` for one that is too large."""
        self._append(self._orders, order)

    def orders(self, after: int = 0) -> tuple[Sequence[Order], int]:
        """The orders behind a position in the file, and the position to go on from."""
        return self._lines(self._orders, Order, after)

    def note(self, entry: Entry) -> None:
        """Write a line into the journal; on disk when this returns."""
        self._append(self._journal, entry)

    def journal(self, run: str | None = None) -> Sequence[Entry]:
        """What was played, of one run or of all, in order."""
        entries, _ = self._lines(self._journal, Entry, 0)
        return [entry for entry in entries[-JOURNAL_LIMIT:] if run in (None, entry.run)]

    def runs(self) -> Sequence[Run]:
        """Each time that the scenario was played here, the newest first."""
        found: dict[str, Run] = {}
        for entry in self.journal():
            if entry.kind is EntryKind.STARTED:
                found[entry.run] = Run(id=entry.run, title=entry.title, started=entry.time)
            elif entry.kind is EntryKind.ENDED and entry.run in found:
                found[entry.run] = found[entry.run].model_copy(
                    update={"ended": entry.time, "played_s": entry.elapsed_s, "why_ended": entry.title}
                )
        return list(reversed(found.values()))

    def answer(self, answers: Answers) -> None:
        """Keep what a player answered."""
        self._append(self._answers, answers)

    def answers(self, run: str) -> Sequence[Answers]:
        """What players answered after a run: of each person and questionnaire the last."""
        found, _ = self._lines(self._answers, Answers, 0)
        return list({(one.kind, one.person): one for one in found if one.run == run}.values())

    def say(self, state: State) -> None:
        """How the exercise stands now."""
        _replace(self._state, state.model_dump_json())

    def state(self) -> State | None:
        """How the exercise stands; None before its director has said anything."""
        try:
            return State.model_validate_json(self._state.read_bytes())
        except (OSError, ValidationError, ValueError):
            return None

    def hold(self, parts: Sequence[str]) -> None:
        """The parts that shall not run now, as the supervisor names them."""
        _replace(self._held, json.dumps(sorted(parts)))

    def held(self) -> frozenset[str]:
        """The parts that shall not run now."""
        try:
            found = json.loads(self._held.read_bytes())
        except (OSError, ValueError):
            return frozenset()
        return frozenset(part for part in found if isinstance(part, str)) if isinstance(found, list) else frozenset()

    def _append(self, path: Path, value: Value) -> None:
        line = value.model_dump_json().encode() + b"\n"
        if len(line) > LINE_LIMIT_BYTES:
            raise InvalidInput("that is too long", hint=f"keep it below {LINE_LIMIT_BYTES:,} bytes")
        self.folder.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    @staticmethod
    def _lines(path: Path, kind: type[Kept], after: int) -> tuple[list[Kept], int]:
        found: list[Kept] = []
        try:
            with path.open("rb") as file:
                file.seek(after)
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # it is being written
                    after += len(line)
                    try:
                        found.append(kind.model_validate_json(line))
                    except ValidationError:
                        continue  # a line cut off by a crash
        except FileNotFoundError:
            pass
        return found, after


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
