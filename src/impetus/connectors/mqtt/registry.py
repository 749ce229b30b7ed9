"""The datastreams that are registered, kept in memory and read again from the store now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType

import structlog

from impetus.model import Clock, Datastream

UNKNOWN_REFRESH_S = 1.0
"""Unknown datastreams make the registry be read again at most this often, whatever arrives."""

log = structlog.get_logger(__name__)

Loader = Callable[[str], Awaitable[Mapping[str, Datastream]]]
"""Reads all datastreams of an organisation, by id."""


class Registry:
    """What is registered for some organisations."""

    def __init__(self, load: Loader, tenants: Sequence[str], clock: Clock, *, refresh_s: float) -> None:
        self._load = load
        self._clock = clock
        self._refresh_s = refresh_s
        self._known: dict[str, Mapping[str, Datastream]] = {tenant: MappingProxyType({}) for tenant in tenants}
        self._read_at_s: dict[str, float] = {}
        self.trouble: str | None = None
        """Why the store could not be read the last time; what was known before stays in use."""

    def of(self, tenant: str) -> Mapping[str, Datastream]:
        """Registered datastreams of an organisation, by id."""
        return self._known[tenant]

    async def load(self) -> bool:
        """Read all organisations' datastreams; false if that failed."""
        return all([await self._read(tenant) for tenant in self._known])

    async def look_again(self, tenant: str) -> bool:
        """Read again because of an unknown datastream; false if that was done just now."""
        last_s = self._read_at_s.get(tenant)
        if last_s is not None and self._clock.monotonic_s() - last_s < UNKNOWN_REFRESH_S:
            return False
        return await self._read(tenant)

    async def keep_fresh(self) -> None:
        """Read again every few seconds, for ever."""
        while True:
            await asyncio.sleep(self._refresh_s)
            await self.load()

    async def _read(self, tenant: str) -> bool:
        self._read_at_s[tenant] = self._clock.monotonic_s()
        try:
            self._known[tenant] = await self._load(tenant)
        except Exception as error:  # whatever the store's trouble is, readings of known datastreams go on
            self.trouble = f"the datastreams of {tenant} cannot be read: {error}"
            log.warning("mqtt.registry.failed", tenant=tenant, reason=str(error))
            return False
        self.trouble = None
        return True
