"""Durable consumers in the log: who is a member, who has which slots, and how far each slot is.

All functions run inside a write transaction. A slot belongs to one member at a time, so the order of a partition holds
with several members; what a member does to a slot counts only as long as the slot is its own (fencing).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from impetus.bus.protocol import Start
from impetus.bus.reading import Selection, head
from impetus.bus.subjects import SubjectPattern, parse_patterns


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a durable consumer."""

    durable: str
    name: str
    """Sorts by when the member joined."""
    instance: int
    """The opened bus that it lives in."""
    lease_s: float


@dataclass(frozen=True, slots=True)
class SlotState:
    """How far a slot is, as the file has it."""

    slot: int
    epoch: int
    """Grows each time a member takes the slot."""
    cursor: int
    delivered: int = 0
    attempts: int = 0
    acknowledged: frozenset[int] = frozenset()
    """Dealt with beyond the cursor."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a member has after a renewal of its lease."""

    generation: int
    patterns: tuple[SubjectPattern, ...]
    slots: Sequence[SlotState]
    excess: int
    """So many slots it should let go of as soon as nothing in them is unacknowledged."""
    changed: bool
    """Other members should look."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What was dealt with in some slots."""

    cursors: Mapping[int, int] = field(default_factory=dict)
    """Slot to sequence: all up to it is dealt with."""
    beyond: Iterable[tuple[int, int]] = ()
    """Slot and sequence of single messages past the cursor."""


def create(connection: sqlite3.Connection, durable: str, subjects: Sequence[str], start: Start, slots: int) -> None:
    """Make the durable consumer if it does not exist; if it does, it takes on these subjects."""
    patterns = json.dumps(list(subjects))
    row = connection.execute("SELECT patterns FROM consumer WHERE durable = ?", (durable,)).fetchone()
    if row is None:
        connection.execute("INSERT INTO consumer VALUES (?, ?, 1)", (durable, patterns))
        cursor = head(connection) if start is Start.LATEST else 0
        connection.executemany(
            "INSERT INTO assignment (durable, slot, cursor) VALUES (?, ?, ?)",
            [(durable, slot, cursor) for slot in range(slots)],
        )
    elif row[0] != patterns:
        connection.execute(
            "UPDATE consumer SET patterns = ?, generation = generation + 1 WHERE durable = ?", (patterns, durable)
        )


def renew(
    connection: sqlite3.Connection,
    me: Member,
    *,
    now: float,
    alive: Callable[[int], bool],
    progress: Progress,
    idle: Sequence[int],
    forced: Sequence[SlotState],
) -> Renewal | None:
    """Prolong the lease, bury dead members, and share the slots evenly; None if the durable consumer was removed.

    `idle`: slots of the member in which nothing is unacknowledged. `forced`: slots to give up in any case.
    """
    row = connection.execute("SELECT patterns, generation FROM consumer WHERE durable = ?", (me.durable,)).fetchone()
    if row is None:
        return None
    patterns = parse_patterns(json.loads(row[0]))
    record(connection, me, progress)
    members, buried = _living_members(connection, me, now, alive)
    changed = buried
    if me.name not in members:
        members = sorted([*members, me.name])
        changed = True
    connection.execute(
        "INSERT INTO member VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET expires = excluded.expires",
        (me.durable, me.name, me.instance, now + me.lease_s, me.lease_s),
    )
    for state in forced:
        changed = release(connection, me, state) or changed
    rows = connection.execute(
        "SELECT slot, member, epoch, cursor, delivered, attempts FROM assignment WHERE durable = ? ORDER BY slot",
        (me.durable,),
    ).fetchall()
    quota, remainder = divmod(len(rows), len(members))
    quota += members.index(me.name) < remainder
    mine = [SlotState(slot, *state) for slot, member, *state in rows if member == me.name]
    for state in [state for state in mine if state.slot in idle][: max(0, len(mine) - quota)]:
        changed = release(connection, me, state) or changed
        mine.remove(state)
    forced_slots = {state.slot for state in forced}
    for slot, member, *state in rows:
        if len(mine) < quota and member not in members and slot not in forced_slots:
            mine.append(_take(connection, me, SlotState(slot, *state), Selection(patterns), unclean=member is not None))
            changed = True
    if changed:
        connection.execute("UPDATE consumer SET generation = generation + 1 WHERE durable = ?", (me.durable,))
    return Renewal(row[1] + changed, patterns, _with_acknowledged(connection, me, mine), len(mine) - quota, changed)


def record(connection: sqlite3.Connection, me: Member, progress: Progress) -> frozenset[int]:
    """Write down what was dealt with; returns the slots that are the member's. In others nothing is changed."""
    row = connection.execute(
        "SELECT group_concat(slot) FROM assignment WHERE durable = ? AND member = ?", (me.durable, me.name)
    ).fetchone()
    held = frozenset(map(int, row[0].split(","))) if row[0] else frozenset[int]()
    cursors = [[slot, cursor] for slot, cursor in progress.cursors.items() if slot in held]
    if cursors:
        connection.execute(
            "UPDATE assignment SET cursor = max(cursor, json_extract(pair.value, '$[1]')) FROM json_each(?) AS pair"
            " WHERE durable = ? AND slot = json_extract(pair.value, '$[0]')",
            (json.dumps(cursors), me.durable),
        )
        connection.execute(
            "DELETE FROM acknowledged WHERE durable = ? AND EXISTS (SELECT 1 FROM assignment AS state"
            " WHERE state.durable = acknowledged.durable AND state.slot = acknowledged.slot"
            " AND acknowledged.sequence <= state.cursor)",
            (me.durable,),
        )
    beyond = [[slot, sequence] for slot, sequence in progress.beyond if slot in held]
    if beyond:
        connection.execute(
            "INSERT OR IGNORE INTO acknowledged SELECT ?, json_extract(value, '$[0]'), json_extract(value, '$[1]')"
            " FROM json_each(?)",
            (me.durable, json.dumps(beyond)),
        )
    return held


def release(connection: sqlite3.Connection, me: Member, state: SlotState) -> bool:
    """Let go of a slot, and note how often the messages in it were handed out; false if it is not the member's."""
    done = connection.execute(
        "UPDATE assignment SET member = NULL, delivered = ?, attempts = ?"
        " WHERE durable = ? AND slot = ? AND member = ?",
        (state.delivered, state.attempts, me.durable, state.slot, me.name),
    )
    return done.rowcount > 0


def leave(connection: sqlite3.Connection, me: Member, progress: Progress, states: Sequence[SlotState]) -> None:
    """Let go of all slots and be a member no more."""
    record(connection, me, progress)
    for state in states:
        release(connection, me, state)
    connection.execute("DELETE FROM member WHERE durable = ? AND member = ?", (me.durable, me.name))
    connection.execute("UPDATE consumer SET generation = generation + 1 WHERE durable = ?", (me.durable,))


def remove(connection: sqlite3.Connection, durable: str) -> None:
    """Forget a durable consumer and all about it."""
    for table in ("acknowledged", "assignment", "member", "consumer"):
        connection.execute(f"DELETE FROM {table} WHERE durable = ?", (durable,))  # noqa: S608 constants


def _living_members(
    connection: sqlite3.Connection, me: Member, now: float, alive: Callable[[int], bool]
) -> tuple[list[str], bool]:
    """Members in the order in which they joined, and whether others had to be buried.

    The lease of a process that died is over at once. A lease that ends later than it could comes from before a restart
    of the machine, whose clock began anew.
    """
    rows = connection.execute(
        "SELECT member, instance, expires, lease_s FROM member WHERE durable = ? ORDER BY member", (me.durable,)
    ).fetchall()
    living = [
        member
        for member, instance, expires, lease_s in rows
        if member == me.name or (now <= expires <= now + lease_s and alive(instance))
    ]
    dead = [(me.durable, row[0]) for row in rows if row[0] not in living]
    connection.executemany("DELETE FROM member WHERE durable = ? AND member = ?", dead)
    return living, bool(dead)


def _take(
    connection: sqlite3.Connection, me: Member, state: SlotState, selection: Selection, *, unclean: bool
) -> SlotState:
    delivered, attempts = state.delivered, state.attempts
    if unclean:
        # Who had the slot died or hung, most likely over the first message that it had not acknowledged.
        first = selection.first(connection, slot=state.slot, after=state.cursor)
        if first is not None:
            attempts = attempts + 1 if delivered > state.cursor else 1
            delivered = max(first, delivered)
    connection.execute(
        "UPDATE assignment SET member = ?, epoch = ?, delivered = ?, attempts = ? WHERE durable = ? AND slot = ?",
        (me.name, state.epoch + 1, delivered, attempts, me.durable, state.slot),
    )
    return SlotState(state.slot, state.epoch + 1, state.cursor, delivered, attempts)


def _with_acknowledged(connection: sqlite3.Connection, me: Member, states: Sequence[SlotState]) -> Sequence[SlotState]:
    beyond: dict[int, set[int]] = {}
    for slot, sequence in connection.execute(
        "SELECT slot, sequence FROM acknowledged WHERE durable = ?", (me.durable,)
    ):
        beyond.setdefault(slot, set()).add(sequence)
    return [replace(state, acknowledged=frozenset(beyond.get(state.slot, ()))) for state in states]
