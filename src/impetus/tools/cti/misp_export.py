"""Promoted intelligence sent to the city's own MISP server, as far as its marking goes.

Nothing is lost: what could not be sent waits, also over a restart, and is tried again less and less often.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from impetus.model import Clock, ImpetusError, ToolResult, Unavailable
from impetus.tools.cti.fetching import BadStatus, Credentials, Fetcher
from impetus.tools.cti.misp import event_of
from impetus.tools.cti.settings import CtiSettings
from impetus.tools.cti.stix import Tlp, bundle

RETRY_S, LONGEST_RETRY_S = 10.0, 3_600.0
MOST_WAITING = 5_000
GIVEN_UP = timedelta(days=7)
"""What is in no store for so long has passed its retention time."""
_JSON = {"Accept": "application/json", "Content-Type": "application/json"}


class MispExport:
    """What waits to be sent."""

    def __init__(self, settings: CtiSettings, clock: Clock) -> None:
        self._address = settings.misp_address.rstrip("/")
        self._key = settings.misp_key.get_secret_value() if settings.misp_key else ""
        self._strictest = settings.misp_tlp
        self._clock = clock
        self._failures = 0
        self._next_s = 0.0
        self._known: dict[str, ToolResult] = {}
        """What was promoted by this process: it may not be in the store yet."""
        self.waiting: dict[str, str] = {}
        """Identifiers of results, and when each was promoted."""
        self.problem = ""
        """Why nothing can be sent now; empty if it can."""

    def add(self, intelligence: ToolResult) -> None:
        """Send it with the next turn, if a server is set and its marking lets it go there."""
        order = list(Tlp)
        if not self._address or order.index(Tlp(str(intelligence.content["tlp"]))) > order.index(self._strictest):
            return
        self.waiting[intelligence.id] = intelligence.time.isoformat()
        self._known[intelligence.id] = intelligence
        for oldest in list(self.waiting)[:-MOST_WAITING]:
            self._forget(oldest)

    def restore(self, kept: object) -> None:
        """Take up what waited before a restart. Raises ValueError if it is not what was kept."""
        if not isinstance(kept, Mapping):
            raise ValueError("what waits for MISP cannot be read")
        self.waiting = {str(id): datetime.fromisoformat(str(moment)).isoformat() for id, moment in kept.items()}

    async def send(self, fetcher: Fetcher, stored: Sequence[ToolResult]) -> bool:
        """Send what waits, as it was promoted or is in the store; whether anything changed."""
        now_s = self._clock.monotonic_s()
        if not self.waiting or now_s < self._next_s:
            return False
        by_id = {one.id: one for one in stored} | self._known
        before = len(self.waiting)
        problem = ""
        for id, promoted in list(self.waiting.items()):
            intelligence = by_id.get(id)
            if intelligence is None:
                if self._clock.now() - datetime.fromisoformat(promoted) > GIVEN_UP:
                    self._forget(id)
                problem = "MISP: something that was promoted is not in the store yet"
                continue
            objects = cast(list[dict[str, Any]], intelligence.content["objects"])
            try:
                await push(fetcher, self._address, self._key, event_of(bundle(objects)))
            except ImpetusError as error:
                problem = f"MISP: {error}"[:500]
                break
            self._forget(id)
        self.problem = problem
        self._failures = self._failures + 1 if problem else 0
        self._next_s = now_s + min(RETRY_S * 2 ** min(self._failures, 9), LONGEST_RETRY_S) if problem else 0.0
        return len(self.waiting) != before

    def _forget(self, id: str) -> None:
        self.waiting.pop(id, None)
        self._known.pop(id, None)


async def push(fetcher: Fetcher, address: str, key: str, event: Mapping[str, Any]) -> None:
    """Add an event to a MISP server, or bring it up to date. Raises `Unavailable` or `NotAllowed`."""
    uuid = str(event["Event"]["uuid"])
    credentials = Credentials(token=key, scheme="")
    try:
        await fetcher.get(f"{address}/events/view/{uuid}", headers=_JSON, credentials=credentials)
        path = f"/events/edit/{uuid}"
    except BadStatus as error:
        if error.answered != 404:
            raise
        path = "/events/add"
    # It is told to this server and no other: a redirect is not followed.
    answer = await fetcher.post(
        address + path, json.dumps(event).encode(), headers=_JSON, credentials=credentials, follow=False
    )
    try:
        kept = json.loads(answer.body)["Event"]["uuid"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unavailable("the MISP server did not say that it kept the event", hint="look at its log") from error
    if kept != uuid:
        raise Unavailable("the MISP server kept another event than was sent", hint="look at its log")
