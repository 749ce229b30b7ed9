"""A durable consumer as one record: who is a member, who has which slots, how far each slot is.

Pure: the record is read, changed here, and written back on condition that nobody else wrote meanwhile. That makes each
change a transaction, and what a member does to a slot counts only as long as the slot is its own (fencing).

Whether a member lives is told by its beat, a number that it raises: who sees no new one for the member's lease, on its
own monotonic clock, buries it. No two machines' clocks are ever compared.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from impetus.bus.membership import Member, Progress, Renewal, SlotState
from impetus.bus.subjects import parse_patterns


@dataclass(slots=True)
class GroupSlot:
    """One slot of a durable consumer."""

    cursor: int
    """All up to it is dealt with."""
    member: str | None = None
    epoch: int = 0
    delivered: int = 0
    attempts: int = 0
    beyond: set[int] = field(default_factory=set)
    """Dealt with past the cursor."""

    def state(self, number: int) -> SlotState:
        return SlotState(number, self.epoch, self.cursor, self.delivered, self.attempts, frozenset(self.beyond))


@dataclass(slots=True)
class GroupMember:
    """One member of a durable consumer."""

    beat: int
    lease_s: float


@dataclass(slots=True)
class Group:
    """A durable consumer and its members."""

    patterns: list[str]
    slots: list[GroupSlot]
    generation: int = 1
    """Grows when slots are shared anew."""
    members: dict[str, GroupMember] = field(default_factory=dict)

    @classmethod
    def create(cls, patterns: Sequence[str], slots: int, cursor: int) -> Group:
        """A new one that begins past `cursor`."""
        return cls(list(patterns), [GroupSlot(cursor) for _ in range(slots)])

    @classmethod
    def decode(cls, data: bytes) -> Group:
        """From its bytes."""
        raw: dict[str, Any] = json.loads(data)
        return cls(
            raw["patterns"],
            [
                GroupSlot(cursor, member, epoch, delivered, attempts, set(beyond))
                for cursor, member, epoch, delivered, attempts, beyond in raw["slots"]
            ],
            raw["generation"],
            {name: GroupMember(*values) for name, values in raw["members"].items()},
        )

    def encode(self) -> bytes:
        """As bytes."""
        return json.dumps(
            {
                "patterns": self.patterns,
                "generation": self.generation,
                "members": {name: [member.beat, member.lease_s] for name, member in self.members.items()},
                "slots": [
                    [slot.cursor, slot.member, slot.epoch, slot.delivered, slot.attempts, sorted(slot.beyond)]
                    for slot in self.slots
                ],
            },
            separators=(",", ":"),
        ).encode()

    def subscribe(self, patterns: Sequence[str]) -> None:
        """It takes on these subjects."""
        if self.patterns != list(patterns):
            self.patterns = list(patterns)
            self.generation += 1

    def orphans(self, dead: Collection[str]) -> list[int]:
        """Slots whose member is dead or unknown: what it had fetched comes again."""
        return [
            number
            for number, slot in enumerate(self.slots)
            if slot.member is not None and (slot.member in dead or slot.member not in self.members)
        ]

    def record(self, me: Member, progress: Progress) -> frozenset[int]:
        """Write down what was dealt with; returns the slots that are the member's. In others nothing is changed."""
        held = frozenset(number for number, slot in enumerate(self.slots) if slot.member == me.name)
        for number, sequence in progress.beyond:
            if number in held:
                self.slots[number].beyond.add(sequence)
        for number, cursor in progress.cursors.items():
            if number in held:
                self.slots[number].cursor = max(self.slots[number].cursor, cursor)
        for number in held:
            slot = self.slots[number]
            if slot.beyond:
                slot.beyond = {sequence for sequence in slot.beyond if sequence > slot.cursor}
        if me.name in self.members:
            self.members[me.name].beat += 1
        return held

    def renew(
        self,
        me: Member,
        *,
        dead: Collection[str] = (),
        progress: Progress,
        idle: Collection[int] = (),
        forced: Sequence[SlotState] = (),
        firsts: Mapping[int, int],
    ) -> Renewal:
        """Say that the member lives, bury dead ones, and share the slots evenly.

        `idle`: its slots in which nothing is unacknowledged. `forced`: slots to give up in any case. `firsts`: of the
        orphaned slots, the first message that is not dealt with.
        """
        self.record(me, progress)
        changed = False
        for name in [name for name in dead if name in self.members and name != me.name]:
            del self.members[name]
            changed = True
        if me.name not in self.members:
            self.members[me.name] = GroupMember(1, me.lease_s)
            changed = True
        for state in forced:
            changed = self._release(me, state) or changed
        names = sorted(self.members)
        quota, remainder = divmod(len(self.slots), len(names))
        quota += names.index(me.name) < remainder
        mine = [number for number, slot in enumerate(self.slots) if slot.member == me.name]
        for number in [number for number in mine if number in idle][: max(0, len(mine) - quota)]:
            changed = self._release(me, SlotState(number, 0, self.slots[number].cursor)) or changed
            mine.remove(number)
        forced_slots = {state.slot for state in forced}
        for number, slot in enumerate(self.slots):
            if len(mine) < quota and slot.member not in self.members and number not in forced_slots:
                self._take(me, number, firsts)
                mine.append(number)
                changed = True
        if changed:
            self.generation += 1
        states = [self.slots[number].state(number) for number in sorted(mine)]
        return Renewal(self.generation, parse_patterns(self.patterns), states, len(mine) - quota, changed)

    def leave(self, me: Member, progress: Progress, states: Sequence[SlotState]) -> None:
        """Let go of all slots and be a member no more."""
        self.record(me, progress)
        for state in states:
            self._release(me, state)
        self.members.pop(me.name, None)
        self.generation += 1

    def _release(self, me: Member, state: SlotState) -> bool:
        slot = self.slots[state.slot]
        if slot.member != me.name:
            return False
        slot.member, slot.delivered, slot.attempts = None, state.delivered, state.attempts
        return True

    def _take(self, me: Member, number: int, firsts: Mapping[int, int]) -> None:
        slot = self.slots[number]
        if slot.member is not None and (first := firsts.get(number)) is not None:
            # Who had the slot died or hung, most likely over the first message that it had not acknowledged.
            slot.attempts = slot.attempts + 1 if slot.delivered > slot.cursor else 1
            slot.delivered = max(first, slot.delivered)
        slot.member = me.name
        slot.epoch += 1
