"""One reader of the bus for all live streams of this process: each event is written once, whoever is listening.

The newest events of each organisation are kept, so that a client that was away for a while gets what it missed in
order and without a gap. A client that was away for longer, or that reads too slowly, is told to reload (`reset`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import orjson
import structlog

from impetus.api.settings import StreamSettings
from impetus.bus import Bus, Delivery
from impetus.model import (
    SYSTEM_TENANT,
    Assessment,
    IncidentMessage,
    Permission,
    SharedIncident,
    SubjectKind,
    Unavailable,
)

log = structlog.get_logger(__name__)

Changes = Mapping[str, Mapping[str, tuple[int, float]]]
"""By tenant and datastream: the newest reading, as (milliseconds since 1970-01-01 UTC, value)."""


class Topic(StrEnum):
    """What a stream may carry."""

    ALERTS = "alerts"
    INCIDENTS = "incidents"
    READINGS = "readings"
    HEALTH = "health"
    TASKS = "tasks"
    """Procedures under way and their tasks."""
    SHARING = "sharing"
    """How agreements with other organisations stand."""
    SHIFT = "shift"
    """Hand-overs between shifts."""
    RESULTS = "results"
    """That tools published something, or did what they were asked for."""


TOPIC_PERMISSION: Mapping[Topic, Permission] = {
    Topic.ALERTS: Permission.ALERTS_READ,
    Topic.INCIDENTS: Permission.INCIDENTS_READ,
    Topic.READINGS: Permission.OBSERVATIONS_READ,
    Topic.HEALTH: Permission.TOOLS_READ,
    Topic.TASKS: Permission.PROCEDURES_READ,
    Topic.SHARING: Permission.SHARING_READ,
    Topic.RESULTS: Permission.RESULTS_READ,
    # As for reading hand-overs: they are for those who work on alerts.
    Topic.SHIFT: Permission.ALERTS_DECIDE,
}

SUBJECTS = (
    "*.alert-view.>",
    "*.incident.>",
    "*.assessment.>",
    "*.health.>",
    "*.task.>",
    "*.procedure.>",
    "*.shared-incident.>",
    "*.incident-share.>",
    "*.incident-message.>",
    "*.agreement.>",
    "*.result-notice.>",
    "*.request-notice.>",
    "*.handover.>",
)
_RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class Event:
    """One event, ready for the wire."""

    sequence: int
    topic: Topic
    frame: bytes
    share: str | None = None
    """The shared incident that it shows something of."""


def frame(event: str, data: bytes, sequence: int | None = None) -> bytes:
    """One server-sent event. A line break inside `data` would end it early, so none may be there."""
    if b"\n" in data or b"\r" in data:
        data = orjson.dumps(orjson.loads(data))
    head = b"" if sequence is None else b"id: %d\n" % sequence
    return b"%sevent: %s\ndata: %s\n\n" % (head, event.encode(), data)


class Client:
    """One listener with its bounded queue."""

    def __init__(self, tenant: str, topics: frozenset[Topic], since: int, limit: int) -> None:
        """`since` is the sequence up to which the client knows everything, or gets it from what was kept."""
        self.tenant = tenant
        self.topics = topics
        self.since = since
        self._limit = limit
        self._waiting: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self.closed = False

    def push(self, event_frame: bytes, sequence: int) -> None:
        """Queue one event; a full queue is emptied and replaced by a `reset` at `sequence`."""
        if len(self._waiting) >= self._limit:
            self.reset("This client reads more slowly than events arrive.", sequence)
            return
        self._waiting.append(event_frame)
        self._wake.set()

    def reset(self, reason: str, sequence: int) -> None:
        """Tell the client that it has missed something and must load the present state afresh."""
        self._waiting.clear()
        self._waiting.append(frame("reset", orjson.dumps({"reason": reason, "position": sequence}), sequence))
        self._wake.set()

    def close(self) -> None:
        """End the stream after what is queued."""
        self.closed = True
        self._wake.set()

    async def take(self, timeout_s: float) -> bytes:
        """All that waits, in one piece; waits up to `timeout_s` for the first event, may be empty."""
        if not self._waiting and not self.closed:
            self._wake.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._wake.wait()
            except TimeoutError:
                return b""
        piece = b"".join(self._waiting)
        self._waiting.clear()
        return piece


class _Kept:
    """The newest events of one tenant, and from where on they are complete."""

    def __init__(self, floor: int, limit: int) -> None:
        self.floor = floor
        self.events: deque[Event] = deque()
        self._limit = limit

    def forget(self, share: str) -> None:
        """What was shown of an incident that is shared no more is not shown again to anyone who comes back."""
        if any(event.share == share for event in self.events):
            self.events = deque(event for event in self.events if event.share != share)

    def add(self, event: Event) -> None:
        self.events.append(event)
        if len(self.events) > self._limit:
            self.floor = self.events.popleft().sequence


class Broadcaster:
    """Reads the bus once and hands each event to the clients of its tenant that asked for its topic."""

    def __init__(self, bus: Bus, settings: StreamSettings, take_changes: Callable[[], Changes]) -> None:
        """`take_changes` returns the readings that are new since it was last called."""
        self._bus = bus
        self._settings = settings
        self._take_changes = take_changes
        self._clients: set[Client] = set()
        self._kept: dict[str, _Kept] = {}
        self._floor = 0
        self._start = 0
        self._read = 0
        self._closed = False

    @property
    def position(self) -> int:
        """Sequence up to which events were handed out; a page that loads now may resume from here."""
        return max(self._start, self._read)

    @property
    def clients(self) -> int:
        """How many listen."""
        return len(self._clients)

    async def start(self) -> None:
        """Find the place in the log from which events are kept. Call before `run` and before any client."""
        self._start = await self._bus.position()
        self._floor = self._read = max(0, self._start - self._settings.replayed_messages)

    async def run(self) -> None:
        """Hand out events until cancelled; a bus that fails is tried again, from where it failed."""
        while True:
            try:
                async for delivery in self._bus.tail(SUBJECTS, after=self._read):
                    self._hand_out(delivery)
                    self._read = delivery.sequence
            except Exception:
                # Losing the live stream would leave every screen blind: report, wait, go on where it stopped.
                log.exception("live stream interrupted", after=self._read)
            await asyncio.sleep(_RETRY_S)

    async def run_readings(self) -> None:
        """Send what is new among the readings, at a steady pace, until cancelled."""
        while True:
            await asyncio.sleep(self._settings.readings_interval_s)
            for tenant, readings in self._take_changes().items():
                listening = [
                    client for client in self._clients if client.tenant == tenant and Topic.READINGS in client.topics
                ]
                if listening and readings:
                    # No id: readings are not resumed, the next ones come in a moment anyway.
                    event_frame = frame("readings", orjson.dumps(readings))
                    for client in listening:
                        client.push(event_frame, self.position)

    def attach(self, tenant: str, topics: frozenset[Topic], after: int | None) -> Client:
        """A new listener; with `after` it first gets what it missed since that sequence. `detach` it at the end.

        Raises `Unavailable` if too many listen already.
        """
        if len(self._clients) >= self._settings.clients or self._closed:
            raise Unavailable("No more live streams can be served.", hint="Close other pages or try again later.")
        if after is None:
            client = Client(tenant, topics, self.position, self._settings.client_queue)
        else:
            client = Client(tenant, topics, max(after, self._read), self._settings.client_queue)
            self._catch_up(client, after)
        self._clients.add(client)
        return client

    def detach(self, client: Client) -> None:
        """Forget a listener."""
        self._clients.discard(client)

    def close(self) -> None:
        """End all streams, so that a server that shuts down need not wait for them."""
        self._closed = True
        for client in self._clients:
            client.close()

    def _catch_up(self, client: Client, after: int) -> None:
        kept = self._kept.get(client.tenant)
        floor = kept.floor if kept is not None else self._floor
        if after > self.position:
            client.reset("The log began anew.", self.position)
        elif after < floor:
            client.reset("Too much has happened since.", self.position)
        elif kept is not None:
            missed = [event for event in kept.events if event.sequence > after and event.topic in client.topics]
            if len(missed) >= self._settings.client_queue:
                client.reset("Too much has happened since.", self.position)
                return
            for event in missed:
                client.push(event.frame, event.sequence)

    def _hand_out(self, delivery: Delivery) -> None:
        envelope = delivery.envelope
        try:
            name, topic = _event_of(envelope.kind, envelope.data)
            share, over = _share_of(envelope.kind, envelope.data)
            event = Event(delivery.sequence, topic, frame(name, envelope.data, delivery.sequence), share)
        except ValueError as error:
            # The service that owns this kind sets it aside with its reason; the screens just do not get it.
            log.warning("event not shown", subject=envelope.subject, id=envelope.id, error=str(error))
            return
        everyone = envelope.tenant == SYSTEM_TENANT
        if topic is not Topic.HEALTH:
            kept = self._kept.get(envelope.tenant)
            if kept is None:
                kept = self._kept[envelope.tenant] = _Kept(self._floor, self._settings.kept_events)
            if share is not None and delivery.sequence <= self._start:
                # From before this process started: whether it is still shared is not known here. Who was away for so
                # long loads the present state instead.
                kept.floor = delivery.sequence
                for client in self._clients:
                    if client.tenant == envelope.tenant and topic in client.topics and client.since < event.sequence:
                        client.reset("Too much has happened since.", self.position)
                return
            if share is not None and over:
                kept.forget(share)
            kept.add(event)
            everyone = False
        elif delivery.sequence <= self._start:
            # Left over from before this process started: the board on the page is newer.
            return
        for client in self._clients:
            wanted = topic in client.topics and event.sequence > client.since
            if wanted and (everyone or client.tenant == envelope.tenant):
                client.push(event.frame, event.sequence)


def _event_of(kind: str, data: bytes) -> tuple[str, Topic]:
    if kind == "alert-view":
        return "alert", Topic.ALERTS
    if kind == "incident":
        return "incident", Topic.INCIDENTS
    if kind == "health":
        return "health", Topic.HEALTH
    if kind in ("task", "procedure"):
        return kind, Topic.TASKS
    if kind in ("shared-incident", "incident-share", "incident-message"):
        return kind, Topic.INCIDENTS
    if kind in ("result-notice", "request-notice"):
        return kind.removesuffix("-notice"), Topic.RESULTS
    if kind == "agreement":
        return kind, Topic.SHARING
    if kind == "handover":
        return kind, Topic.SHIFT
    assessment = Assessment.model_validate_json(data)
    return "assessment", Topic.ALERTS if assessment.subject_kind is SubjectKind.ALERT else Topic.INCIDENTS


def _share_of(kind: str, data: bytes) -> tuple[str | None, bool]:
    """The shared incident that an event shows something of, and whether this is the end of it."""
    if kind == "shared-incident":
        view = SharedIncident.model_validate_json(data)
        return view.id, view.ended is not None
    if kind == "incident-message":
        return IncidentMessage.model_validate_json(data).incident, False
    return None, False


async def frames(
    client: Client, position: Callable[[], int], ping_interval_s: float, step_s: float
) -> AsyncIterator[bytes]:
    """What goes to the client: events as they come, and a ping now and then while there are none.

    Yields at least every `step_s` (an empty piece if nothing came), so that the caller can check the client's access.
    The ping carries the present `position` as id: a client that only rarely gets an event can still resume.
    """
    yield b"retry: 2000\n\n"
    silent_s = 0.0
    while True:
        # Read before waiting: whatever is handed out later has a greater sequence.
        reached = max(position(), client.since)
        piece = await client.take(step_s)
        if piece:
            silent_s = 0.0
            yield piece
        elif client.closed:
            return
        else:
            silent_s += step_s
            if silent_s >= ping_interval_s:
                silent_s = 0.0
                # An event beside the comment, because a page cannot see comments and wants to know that the line lives.
                yield b": ping\nid: %d\nevent: ping\ndata: {}\n\n" % reached
            else:
                yield b""
