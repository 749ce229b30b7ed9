"""Promoted intelligence sent to the city's own MISP server, as far as its marking goes.

Nothing is lost: what could not be sent waits, also over a restart, and is tried again less and less often.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from impetus.model import Clock, ImpetusError, ToolResult, Unavailable
from impetus.tools.cti.fetching import BadStatus, Credentials, Fetcher
from impetus.tools.cti.misp import event_of
from impetus.tools.cti.settings import CtiSettings
from impetus.tools.cti.stix import Tlp, bundle

RETRY_S, LONGEST_RETRY_S = 10.0, 3_600.0
MOST_WAITING = 5_000
_JSON = {"Accept": "application/json", "Content-Type": "application/json"}


class MispExport:
    """What waits to be sent, by the identifiers of results."""

    def __init__(self, settings: CtiSettings, clock: Clock) -> None:
        self._address = settings.misp_address.rstrip("/")
        self._key = settings.misp_key.get_secret_value() if settings.misp_key else ""
        self._strictest = settings.misp_tlp
        self._clock = clock
        self._failures = 0
        self._next_s = 0.0
        self.waiting: list[str] = []
        self.problem = ""
        """Why nothing can be sent now; empty if it can."""

    def add(self, intelligence: ToolResult) -> None:
        """Send it with the next turn, if a server is set and its marking lets it go there."""
        order = list(Tlp)
        if self._address and order.index(Tlp(str(intelligence.content["tlp"]))) <= order.index(self._strictest):
            self.waiting = [*(id for id in self.waiting if id != intelligence.id), intelligence.id][-MOST_WAITING:]

    async def send(self, fetcher: Fetcher, known: Sequence[ToolResult]) -> bool:
        """Send what waits, out of the results that are known; whether anything changed."""
        now_s = self._clock.monotonic_s()
        if not self.waiting or now_s < self._next_s:
            return False
        by_id = {one.id: one for one in known}
        before = list(self.waiting)
        try:
            for id in before:
                intelligence = by_id.get(id)
                # One whose retention time has passed is not sent any more.
                if intelligence is not None:
                    objects = cast(list[dict[str, Any]], intelligence.content["objects"])
                    await push(fetcher, self._address, self._key, event_of(bundle(objects)))
                self.waiting.remove(id)
            self._failures, self.problem = 0, ""
        except ImpetusError as error:
            self._failures += 1
            self.problem = f"MISP: {error}"[:500]
            self._next_s = now_s + min(RETRY_S * 2 ** min(self._failures, 9), LONGEST_RETRY_S)
        return self.waiting != before


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
