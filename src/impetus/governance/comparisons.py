"""Comparing a pseudonym with an identifier that somebody already has: two people, a reason, one hour, and a record.

Nothing here turns a pseudonym into a name: there is no table that could. A case of the kind `re-identification` names
the purpose whose key is used, one entitled person opens it with a reason, another agrees, and then either of the two
may compare until the hour is over. Each comparison stands in the audit log with the pseudonym and its outcome; the
identifier that it was compared with does not.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Final

from impetus.governance import audit
from impetus.governance.cases import Cases
from impetus.governance.principal import Principal
from impetus.model import Clock, Conflict, InvalidInput, NotAllowed, Permission
from impetus.model.case import CaseAction, CaseKind, CaseState
from impetus.sdk.pseudonyms import Pseudonyms
from impetus.store import Store

SUBJECT: Final = re.compile(r"pseudonyms:([a-z0-9][a-z0-9-]{0,63})")
"""What such a case is about: the purpose, as `pseudonyms:PURPOSE`."""
PSEUDONYM: Final = re.compile(r"p-[0-9a-f]{4}-[0-9a-f]{32}")
IDENTIFIER_LIMIT: Final = 300


class Comparisons:
    """Comparisons within the own organisation."""

    def __init__(self, store: Store, clock: Clock, home: Path, cases: Cases) -> None:
        self._store = store
        self._clock = clock
        self._home = home
        self._cases = cases

    async def compare(self, by: Principal, case_id: str, pseudonym: str, identifier: str) -> bool:
        """Whether the pseudonym stands for the identifier; false too when its key is destroyed.

        Raises `Conflict` where nobody else agreed or the hour is over, `ConfigurationError` when the key is lost,
        `InvalidInput`, `NotAllowed` and `NotFound`.
        """
        by.require(Permission.IDENTITIES_REVEAL)
        case = await self._cases.get(by, case_id)
        now = self._clock.now()
        if case.kind is not CaseKind.RE_IDENTIFICATION:
            raise Conflict("this case is about something else", hint="Open one for a comparison of pseudonyms.")
        purpose = SUBJECT.fullmatch(case.subject)
        if purpose is None:
            raise InvalidInput(
                "subject: the case does not say whose key is needed", hint="Open one about pseudonyms:PURPOSE."
            )
        agreed = next((event for event in case.events if event.action is CaseAction.AGREE), None)
        if case.state is not CaseState.AGREED or agreed is None:
            raise Conflict("nobody has agreed to this comparison", hint="Another entitled person has to agree first.")
        if case.due is None or now >= case.due or now < agreed.time:
            # A clock that was set back does not begin the hour anew.
            raise Conflict("the time for this comparison is over", hint="Open a new case.")
        if by.user is None or by.user.id not in (case.opened_by, agreed.person):
            raise NotAllowed("only the two people who agreed on it may compare")
        if not PSEUDONYM.fullmatch(pseudonym) or not 0 < len(identifier) <= IDENTIFIER_LIMIT:
            raise InvalidInput("a pseudonym looks like p-KEY-DIGEST, and an identifier has at most 300 characters")
        keys = Pseudonyms(self._home, by.tenant, purpose[1], self._clock)
        same = await asyncio.to_thread(keys.matches, pseudonym, identifier)
        async with self._store.transaction() as transaction:
            await audit.append(
                transaction,
                tenant=by.tenant,
                time=now,
                actor=by.actor,
                action="re-identification.compare",
                subject=f"case:{case.id}",
                detail={"purpose": purpose[1], "pseudonym": pseudonym, "same": same},
            )
        return same
