"""What a member of a durable consumer keeps in memory of the slots that it has."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from impetus.bus.membership import Progress, SlotState
from impetus.bus.protocol import Delivery


@dataclass(slots=True)
class Slot:
    """One slot: what was read of it, and which of that is dealt with."""

    epoch: int
    cursor: int
    """Dealt with up to here, as the file has it."""
    position: int
    """Read up to here."""
    delivered: int
    attempts: int
    known: set[int]
    """Acknowledged before, beyond the cursor: not to be handed out again."""
    open: dict[int, bool] = field(default_factory=dict)
    """Sequences past the cursor in order, and whether each is dealt with."""
    draining: bool = False
    """It is to go to another member: nothing more is read of it."""

    @classmethod
    def of(cls, state: SlotState) -> Slot:
        return cls(state.epoch, state.cursor, state.cursor, state.delivered, state.attempts, set(state.acknowledged))

    def take(self, delivery: Delivery) -> Delivery | None:
        """Note a message that was read; None if it was acknowledged before."""
        if delivery.sequence in self.known:
            self.known.discard(delivery.sequence)
            self.open[delivery.sequence] = True
            return None
        self.open[delivery.sequence] = False
        return replace(delivery, attempt=self.attempts + 1) if delivery.sequence <= self.delivered else delivery

    def cursor_after(self, done: Collection[int]) -> int:
        """Where the cursor will be once these, too, are dealt with: past all that is, and past what did not match."""
        for sequence, is_done in self.open.items():
            if not is_done and sequence not in done:
                return sequence - 1
        return self.position

    def mark(self, done: Iterable[int], cursor: int) -> None:
        """These are dealt with."""
        for sequence in done:
            self.open[sequence] = True
        while self.open and (first := next(iter(self.open))) <= cursor:
            del self.open[first]
        self.cursor = max(self.cursor, cursor)

    @property
    def idle(self) -> bool:
        """Nothing that was handed out is unacknowledged."""
        return all(self.open.values())

    def state(self, slot: int) -> SlotState:
        """What the next member must know: unacknowledged messages were handed out once more."""
        waiting = [sequence for sequence, done in self.open.items() if not done]
        if not waiting:
            return SlotState(slot, self.epoch, self.cursor)
        again = waiting[0] <= self.delivered
        attempts = self.attempts + 1 if again else 1
        return SlotState(slot, self.epoch, self.cursor, max(waiting[-1], self.delivered), attempts)


class Slots(dict[int, Slot]):
    """The slots of one member by number."""

    def adopt(self, states: Sequence[SlotState]) -> None:
        """Have exactly these; what is known of those stays that no other member had in the meantime."""
        kept = {}
        for state in states:
            known = self.get(state.slot)
            kept[state.slot] = known if known is not None and known.epoch == state.epoch else Slot.of(state)
        self.clear()
        self.update(kept)

    def next_group(self, newest: int) -> tuple[int, int, int] | None:
        """What to read next: the slots (bit mask) that are furthest behind, from where, and up to where.

        They are read up to where the next slots stand, so that nothing is read twice and the log's order is kept.
        """
        positions = {number: slot.position for number, slot in self.items() if not slot.draining}
        if not positions or (low := min(positions.values())) >= newest:
            return None
        mask = sum(1 << number for number, position in positions.items() if position == low)
        return mask, low, min([newest, *(position for position in positions.values() if position > low)])

    def advance(self, mask: int, position: int) -> None:
        """These were read up to there."""
        for number, slot in self.items():
            if mask >> number & 1:
                slot.position = position

    def progress_of_idle(self) -> Progress:
        """Cursors that may move past what does not match."""
        return Progress(
            {number: slot.position for number, slot in self.items() if slot.idle and slot.position > slot.cursor}
        )

    def plan(self, done: Mapping[int, Collection[int]]) -> Progress:
        """What to write down when these sequences are dealt with, by slot."""
        cursors = {number: self[number].cursor_after(sequences) for number, sequences in done.items()}
        beyond = [(number, seq) for number, sequences in done.items() for seq in sequences if seq > cursors[number]]
        return Progress({number: cursor for number, cursor in cursors.items() if cursor > self[number].cursor}, beyond)

    def apply(self, done: Mapping[int, Collection[int]], progress: Progress) -> None:
        """The plan was written down."""
        for number in {*done, *progress.cursors}:
            if number in self:
                self[number].mark(done.get(number, ()), progress.cursors.get(number, self[number].cursor))

    def drain(self, count: int) -> None:
        """Stop reading so many slots, those with the least in them."""
        busiest_last = sorted(self.items(), key=lambda item: (not item[1].draining, len(item[1].open)))
        for place, (_, slot) in enumerate(busiest_last):
            slot.draining = place < count
