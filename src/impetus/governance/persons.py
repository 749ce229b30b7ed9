"""Requests of people: what is known of them, a copy of it, and taking it out (GDPR articles 15, 17 and 20; LED 14, 16).

Each is done within an open case of the kind `subject-request` by a data-protection officer, who sees how often and
where a word occurs; the texts themselves are in the copy that the person gets. The audit log keeps counts and a
digest of the words, not the words.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from impetus.governance import audit
from impetus.governance.cases import OPEN_STATES, Cases, holds_of
from impetus.governance.principal import Principal
from impetus.model import Clock, Conflict, InvalidInput, Permission
from impetus.model.case import Case, CaseKind
from impetus.store import Store, Transaction
from impetus.store.persons import EDITED, Mention

SHORTEST: Final = 4
"""A shorter word would find half of the house."""
LONGEST: Final = 200
REMOVED: Final = "[removed]"


@dataclass(frozen=True, slots=True)
class Found:
    """Where a word occurs."""

    counts: Mapping[str, int]
    """Rows, by what they are."""
    kept: int
    """Rows of them that erasure leaves alone: decisions and steps of procedures are kept as they were made."""


class Persons:
    """Answers to people within the own organisation."""

    def __init__(self, store: Store, clock: Clock, cases: Cases) -> None:
        self._store = store
        self._clock = clock
        self._cases = cases

    async def search(self, by: Principal, case_id: str, word: str) -> Found:
        """How often and where a word occurs. Raises `Conflict`, `InvalidInput`, `NotAllowed` and `NotFound`."""
        case, word = await self._permitted(by, case_id, word)
        async with self._store.transaction() as transaction:
            mentions = await transaction.persons.mentions(by.tenant, word)
            found = _found(mentions)
            await self._note(transaction, by, case, "search", word, {"found": dict(found.counts)})
        return found

    async def export(self, by: Principal, case_id: str, word: str) -> Mapping[str, Sequence[Any]]:
        """All rows with the word, for the person who asked. Raises as `search` does."""
        case, word = await self._permitted(by, case_id, word)
        async with self._store.transaction() as transaction:
            mentions = await transaction.persons.mentions(by.tenant, word)
            await self._note(transaction, by, case, "export", word, {"found": dict(_found(mentions).counts)})
        given: dict[str, list[Any]] = {}
        for mention in mentions:
            given.setdefault(mention.table, []).append(json.loads(mention.content))
        return given

    async def erase(self, by: Principal, case_id: str, word: str) -> Found:
        """Take the word out wherever it occurs. Raises `Conflict` too when a legal hold is in force."""
        case, word = await self._permitted(by, case_id, word)
        pattern = re.compile(re.escape(word), re.IGNORECASE)
        now = self._clock.now()
        async with self._store.transaction() as transaction:
            holds = await holds_of(transaction, by.tenant, now)
            if holds:
                raise Conflict(
                    f"a legal hold is in force until {max(hold.due for hold in holds if hold.due):%Y-%m-%d}",
                    hint="Tell the person so, unless the law forbids telling; erase when it is released.",
                )
            mentions = await transaction.persons.mentions(by.tenant, word)
            before = _digest(mentions)
            await transaction.persons.rewrite(by.tenant, mentions, lambda text: _without(pattern, text))
            left = await transaction.persons.mentions(by.tenant, word)
            detail = {"found": dict(_found(mentions).counts), "left": dict(_found(left).counts), "sha256": before}
            await self._note(transaction, by, case, "erase", word, detail)
        return _found(left)

    async def _permitted(self, by: Principal, case_id: str, word: str) -> tuple[Case, str]:
        by.require(Permission.DATA_PROTECTION_DECIDE)
        case = await self._cases.get(by, case_id)
        if case.kind is not CaseKind.SUBJECT_REQUEST or case.state.value not in OPEN_STATES:
            raise Conflict("this is done within an open request of a person", hint="Open a case of that kind.")
        word = word.strip()
        if not SHORTEST <= len(word) <= LONGEST:
            raise InvalidInput(f"word: {SHORTEST} to {LONGEST} characters", hint="Take a full name, number or plate.")
        return case, word

    async def _note(
        self, transaction: Transaction, by: Principal, case: Case, verb: str, word: str, detail: Mapping[str, Any]
    ) -> None:
        await audit.append(
            transaction,
            tenant=by.tenant,
            time=self._clock.now(),
            actor=by.actor,
            action=f"subject-request.{verb}",
            subject=f"case:{case.id}",
            # Of a short word even a digest can be guessed: salted with the case, it proves and does not join.
            detail={"word": hashlib.sha256(f"{case.id}\0{word}".encode()).hexdigest(), **detail},
        )


def _found(mentions: Sequence[Mention]) -> Found:
    counts = Counter(mention.table for mention in mentions)
    return Found(dict(counts), sum(count for table, count in counts.items() if table not in EDITED))


def _digest(mentions: Sequence[Mention]) -> str:
    """SHA-256 over what was there before: proof of what was removed, for whoever has a copy."""
    digest = hashlib.sha256()
    for mention in sorted(mentions, key=lambda one: (one.table, one.id)):
        digest.update(f"{mention.table}\0{mention.id}\0{mention.content}\0".encode())
    return digest.hexdigest()


def _without(pattern: re.Pattern[str], text: str) -> str:
    """The text, or the values of the JSON in it, without the word; names of fields and identifiers stay."""
    try:
        content = json.loads(text)
    except ValueError:
        return pattern.sub(REMOVED, text)
    return json.dumps(_value_without(pattern, content), ensure_ascii=False, separators=(",", ":"))


def _value_without(pattern: re.Pattern[str], value: Any, name: str = "") -> Any:
    if isinstance(value, str):
        return value if name in ("id", "tenant", "source", "tool") else pattern.sub(REMOVED, value)
    if isinstance(value, list):
        return [_value_without(pattern, one, name) for one in value]
    if isinstance(value, dict):
        return {key: _value_without(pattern, one, key) for key, one in value.items()}
    return value
