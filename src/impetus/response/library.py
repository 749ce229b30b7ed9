"""The procedures that an organisation has: those that come with impetus, and its own texts in their place."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from functools import cache

from impetus.model import Clock, NotFound
from impetus.response.definition import Procedure
from impetus.response.engine import load
from impetus.response.reading import read_procedure, shipped
from impetus.store import Store, Transaction
from impetus.store.procedures import ProcedureText

READ_LIMIT = 200
"""Texts that are kept read."""


@cache
def shipped_procedures() -> Mapping[str, Procedure]:
    """The procedures that come with impetus, by id, checked."""
    return {procedure.id: procedure for procedure in map(load, shipped())}


class Library:
    """Reads each text once. What is in the store was checked before it came there."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._read: OrderedDict[str, Procedure] = OrderedDict()

    async def current(self, tenant: str) -> Mapping[str, tuple[Procedure, ProcedureText | None]]:
        """By id: what would be started now, and the organisation's own text if it has one."""
        async with self._store.view() as view:
            own = await view.procedures.published(tenant)
        found: dict[str, tuple[Procedure, ProcedureText | None]] = {
            id: (procedure, None) for id, procedure in shipped_procedures().items()
        }
        found |= {text.procedure: (self._procedure(text), text) for text in own}
        return found

    async def get(self, tenant: str, id: str, digest: str | None = None) -> Procedure:
        """The procedure, or its text with that hash. Raises `NotFound`."""
        if digest is None:
            found = (await self.current(tenant)).get(id)
            if found is None:
                raise NotFound(f"there is no procedure {id}", hint="Look at the list of procedures.")
            return found[0]
        known = shipped_procedures().get(id)
        if known is not None and known.hash == digest:
            return known
        async with self._store.view() as view:
            return await self.text(view, tenant, id, digest)

    async def text(self, transaction: Transaction, tenant: str, id: str, digest: str) -> Procedure:
        """The text that a run was started with. Raises `NotFound`."""
        return self._procedure(await transaction.procedures.text(tenant, id, digest))

    async def keep(
        self,
        transaction: Transaction,
        tenant: str,
        procedure: Procedure,
        *,
        published: datetime | None = None,
        published_by: str | None = None,
    ) -> None:
        """Keep a text, so that runs of it can go on whatever is published or updated later."""
        text = ProcedureText(procedure.id, procedure.hash, procedure.content, published, published_by)
        await transaction.procedures.keep(tenant, text, now=self._clock.now())

    def _procedure(self, text: ProcedureText) -> Procedure:
        procedure = self._read.get(text.hash)
        if procedure is None:
            procedure = self._read[text.hash] = read_procedure(text.content)
            while len(self._read) > READ_LIMIT:
                self._read.popitem(last=False)
        return procedure
