"""Tells people: hears of alerts and incidents, climbs the chains, sends, and keeps what became of each message.

All state is in the store. What a restart interrupts is taken up where it was: steps that fell due meanwhile are taken,
messages that were being sent are sent again (twice rather than never), and no step is taken twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Annotated, Final

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from impetus.bus import Delivery
from impetus.connectors.notify import ChannelSender, Outcome
from impetus.governance.audit import append
from impetus.governance.principal import Principal
from impetus.model import (
    Category,
    Clock,
    DataClass,
    Health,
    HealthState,
    ImpetusError,
    Incident,
    NotAllowed,
    Place,
    Severity,
    Slug,
    Status,
    SubjectKind,
    Urgency,
    UtcTime,
    joint_status,
    new_id,
)
from impetus.model.notification import (
    Channel,
    Escalation,
    EscalationState,
    Notification,
    NotificationState,
    Subject,
)
from impetus.model.scrubbing import scrub
from impetus.response.escalation import DATA_CLASSES, climb, ended, heard, hindrance, joined_text
from impetus.response.notification_settings import NotificationSettings
from impetus.response.plans import Plans, chains_of, channels_of, rosters_of
from impetus.store import Store, Transaction
from impetus.store.notification import CHANNEL

DURABLE: Final = "response-notification"
SUBJECTS: Final = ("*.alert-view.>", "*.incident.>")
INTERVAL_S: Final = 1.0
JOINED_LIMIT: Final = 500
FORGET_INTERVAL_S: Final = 600.0

Refuse = Callable[[Delivery, str], None]
"""Sets a message aside that nobody can use."""

log = structlog.get_logger(__name__)


class AlertNews(BaseModel):
    """What is read of an alert's view message."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    version: int
    revision: int
    state: Slug
    severity: Severity
    urgency: Urgency
    category: Category
    status: Status
    tool: Slug
    headline: Annotated[str, Field(min_length=1, max_length=300)]
    description: str = ""
    instruction: str = ""
    place: Place | None = None
    onset: UtcTime
    data_classes: tuple[DataClass, ...] = ()

    def subject(self) -> Subject:
        """What people are told of."""
        return Subject(
            kind=SubjectKind.ALERT,
            id=self.id,
            version=self.version,
            revision=self.revision,
            state=self.state,
            severity=self.severity,
            urgency=self.urgency,
            category=self.category,
            status=self.status,
            tool=self.tool,
            headline=self.headline,
            place=self.place.name if self.place is not None else None,
            description=self.description[:2_000],
            instruction=self.instruction[:2_000],
            data_class=max(self.data_classes, key=DATA_CLASSES.index, default=DataClass.OPERATIONAL),
            began=self.onset,
        )


class NotificationService:
    """What may be done with notifications, and the work behind it."""

    def __init__(
        self, store: Store, clock: Clock, settings: NotificationSettings, sender: ChannelSender | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._sender = sender or ChannelSender(
            processes=settings.processes,
            timeout_s=settings.send_timeout_s,
            internal_addresses=settings.internal_addresses,
        )
        self.plans = Plans(store, clock, self._sender)
        self._sending: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._sent_s: dict[tuple[str, str], float] = {}

    async def handle(self, deliveries: Sequence[Delivery], refuse: Refuse) -> None:
        """Take in how alerts and incidents stand now; repetitions are harmless. A handler for the bus."""
        by_tenant: dict[str, list[Subject | Incident]] = {}
        for delivery in deliveries:
            envelope = delivery.envelope
            try:
                news: Subject | Incident
                if envelope.kind == "incident":
                    news = envelope.open(Incident)
                else:
                    news = envelope.open(AlertNews).subject()
            except ValidationError as error:
                refuse(delivery, f"cannot be read: {error.error_count()} fields do not fit")
                continue
            by_tenant.setdefault(envelope.tenant, []).append(news)
        for tenant, all_news in by_tenant.items():
            async with self._store.view() as view:
                if not await chains_of(view, tenant):
                    continue
            async with self._store.transaction() as transaction:
                await self._hear(transaction, tenant, all_news)

    async def _hear(self, transaction: Transaction, tenant: str, all_news: Sequence[Subject | Incident]) -> None:
        now = self._clock.now()
        chains = [kept.plan for kept in await chains_of(transaction, tenant)]
        known = dict(
            await transaction.notification.escalations_about(tenant, list({news.id for news in all_news}))
        )  # fmt: skip
        for news in all_news:
            subject = await _incident_subject(transaction, news) if isinstance(news, Incident) else news
            if self._settings.exercise:
                # An incident that somebody opened by hand has no alert that would say so.
                subject = subject.model_copy(update={"status": Status.EXERCISE})
            for chain in chains:
                last = known.get((subject.id, chain.id))
                following = heard(tenant, chain, last, subject, now)
                if following is None:
                    continue
                known[subject.id, chain.id] = following
                await transaction.notification.put_escalation(following)
                if following.ended is not None and (last is None or last.ended is None):
                    await self._stop_messages(transaction, following)

    async def acknowledge(self, by: Principal, id: str) -> Escalation:
        """A named person takes it on: the climb stops. Again, or when it is over anyway, it changes nothing.

        Raises `NotFound`, and `NotAllowed` for a machine.
        """
        if by.user is None:
            raise NotAllowed("a machine cannot acknowledge", hint="Log in as a person, or use a personal token.")
        now = self._clock.now()
        async with self._store.transaction() as transaction:
            escalation = await transaction.notification.escalation(by.tenant, id)
            if escalation.state not in (EscalationState.CLIMBING, EscalationState.EXHAUSTED):
                return escalation
            escalation = ended(escalation, EscalationState.ACKNOWLEDGED, by.name, now)
            await transaction.notification.put_escalation(escalation)
            await self._stop_messages(transaction, escalation)
            await append(
                transaction,
                tenant=by.tenant,
                time=now,
                actor=by.actor,
                action="escalation.acknowledge",
                subject=f"{escalation.subject.kind.value}:{escalation.subject.id}",
                detail={"escalation": id, "chain": escalation.chain, "step": escalation.step},
            )
        return escalation

    async def test_channel(self, by: Principal, channel: str) -> Notification:
        """Put a test message for a channel into the queue; the log says what became of it. Raises `NotFound`."""
        now = self._clock.now()
        async with self._store.transaction() as transaction:
            await transaction.notification.plan(by.tenant, CHANNEL, channel)
            message = Notification(
                id=new_id(),
                tenant=by.tenant,
                channel=channel,
                subject_kind="test",
                status=Status.TEST,
                title="TEST - impetus can reach this channel",
                body=f"This is a test. Nothing is real. It was asked for by {by.name}.",
                created=now,
                due=now,
            )
            await transaction.notification.add_notifications([message])
            await append(
                transaction,
                tenant=by.tenant,
                time=now,
                actor=by.actor,
                action="notification-channel.test",
                subject=f"notification-channel:{channel}",
            )
        return message

    async def health(self, tenant: str) -> Sequence[Health]:
        """How each channel of an organisation is doing, by what became of the last messages through it."""
        found = []
        async with self._store.view() as view:
            waiting = await view.notification.waiting(tenant)
            for kept in await channels_of(view, tenant):
                channel = kept.plan
                tried = await view.notification.last_tried(tenant, channel.id)
                found.append(_channel_health(channel, tried, waiting.get(channel.id, 0), kept.updated))
        return found

    async def forget_old(self) -> int:
        """Remove what is older than the delivery log is kept, in every organisation; how many messages."""
        before = self._clock.now() - timedelta(days=self._settings.log_days)
        async with self._store.view() as view:
            organisations = await view.organisations.list_in_installation()
        removed = 0
        for organisation in organisations:
            while True:
                async with self._store.transaction() as transaction:
                    step = await transaction.notification.forget_notifications(organisation.id, before)
                if not step:
                    break
                removed += step
        if removed:
            log.info("messages removed from the delivery log", removed=removed)
        return removed

    async def run(self) -> None:
        """Climb, send and forget until cancelled; what is being sent then is sent again after the next start."""
        forgot_s = -FORGET_INTERVAL_S
        try:
            while True:
                await self.climb_due()
                await self.send_due()
                if self._clock.monotonic_s() - forgot_s >= FORGET_INTERVAL_S:
                    forgot_s = self._clock.monotonic_s()
                    await self.forget_old()
                await asyncio.sleep(INTERVAL_S)
        finally:
            for task in self._sending.values():
                task.cancel()
            await asyncio.gather(*self._sending.values(), return_exceptions=True)
            self._sending.clear()
            await self._sender.close()

    async def close(self) -> None:
        """End the processes that send."""
        await self._sender.close()

    async def climb_due(self) -> int:
        """Take each step that is due; how many climbs went on or ended."""
        async with self._store.view() as view:
            waiting = await view.notification.due_escalations_in_installation(self._clock.now())
        for found in waiting:
            async with self._store.transaction() as transaction:
                await self._climb(transaction, found.tenant, found.id)
        return len(waiting)

    async def _climb(self, transaction: Transaction, tenant: str, id: str) -> None:
        now = self._clock.now()
        repository = transaction.notification
        escalation = await repository.escalation(tenant, id)
        if escalation.due is None or escalation.due > now:
            return
        chain = next(
            (kept.plan for kept in await chains_of(transaction, tenant) if kept.plan.id == escalation.chain), None
        )
        if chain is None or not chain.active:
            why = "the chain was removed" if chain is None else "the chain was switched off"
            escalation = ended(escalation, EscalationState.OVER, why, now)
            await repository.put_escalation(escalation)
            await self._stop_messages(transaction, escalation)
            return
        rosters = {kept.plan.id: kept.plan for kept in await rosters_of(transaction, tenant)}
        channels = {kept.plan.id: kept.plan for kept in await channels_of(transaction, tenant)}
        following, messages = climb(escalation, chain, rosters, channels, now, self._settings.address)
        await repository.put_escalation(following)
        await repository.add_notifications(messages)

    async def _stop_messages(self, transaction: Transaction, escalation: Escalation) -> None:
        for message in await transaction.notification.notifications_of(escalation.tenant, escalation.id):
            if message.state is NotificationState.WAITING:
                await transaction.notification.put_notification(
                    message.model_copy(
                        update={
                            "state": NotificationState.STOPPED,
                            "due": None,
                            "outcome": f"{escalation.state.value}: {escalation.ended_by}"[:400],
                        }
                    )
                )

    async def send_due(self, *, wait: bool = False) -> int:
        """Begin to send what is due, each channel for itself; how many channels were begun with.

        What is due for one channel goes out together. With `wait` this returns when all is done.
        """
        for key in [key for key, task in self._sending.items() if task.done()]:
            del self._sending[key]
        async with self._store.view() as view:
            due = await view.notification.due_notifications_in_installation(self._clock.now())
        groups: dict[tuple[str, str], dict[tuple[bool, str], list[Notification]]] = {}
        for message in due:
            kinds = groups.setdefault((message.tenant, message.channel), {})
            # What is real and what is an exercise never share a message, and what a person approved goes out as it is.
            alone = message.id if message.run is not None else ""
            kinds.setdefault((message.status is not Status.ACTUAL, alone), []).append(message)
        begun = []
        for key, kinds in groups.items():
            if key in self._sending:
                continue
            # What is real goes first; otherwise what has waited longest.
            group = kinds[min(kinds, key=lambda kind: kind[0])]
            self._sending[key] = asyncio.create_task(self._send(key, group[:JOINED_LIMIT]), name=f"notify-{key[1]}")
            begun.append(self._sending[key])
        if wait:
            await asyncio.gather(*begun)
        return len(begun)

    async def _send(self, key: tuple[str, str], group: Sequence[Notification]) -> None:
        try:
            await self._send_group(key, group)
        except ImpetusError as error:
            # The store will answer again: what was begun is still in the log and falls due again.
            log.warning("message not sent", tenant=key[0], channel=key[1], error=str(error))

    async def _send_group(self, key: tuple[str, str], group: Sequence[Notification]) -> None:
        tenant, name = key
        now = self._clock.now()
        async with self._store.transaction() as transaction:
            repository = transaction.notification
            channel = next((kept.plan for kept in await channels_of(transaction, tenant) if kept.plan.id == name), None)
            address = await repository.address(tenant, name)
            last_s = self._sent_s.get(key)
            if channel is not None and last_s is not None and self._clock.monotonic_s() - last_s < channel.gap_s:
                return
            claimed = []
            lease = timedelta(seconds=2 * self._settings.send_timeout_s + 60)
            for message in group:
                message = await repository.notification(tenant, message.id)
                if message.state is not NotificationState.WAITING or message.due is None or message.due > now:
                    continue
                # A channel may be switched off, removed or marked otherwise while a message waits for it.
                why = "" if message.subject_kind == "test" and channel else hindrance(channel, message.status)
                if why or address is None:
                    update = {"state": NotificationState.WITHHELD, "due": None, "outcome": why or "it has no address"}
                    await repository.put_notification(message.model_copy(update=update))
                    continue
                # Should this process die while it sends, the message falls due again after the lease.
                attempt = {"attempts": message.attempts + 1, "tried": now, "due": now + lease}
                claimed.append(message.model_copy(update=attempt))
                await repository.put_notification(claimed[-1])
            suspect = any(message.hung for message in await repository.last_tried(tenant, name, 3))
        if not claimed or address is None:
            return
        # Phones, mail boxes and chat rooms are outside: no name, number or plate goes there.
        title, body = (scrub(text) for text in joined_text(claimed))
        self._sent_s[key] = self._clock.monotonic_s()
        outcome = await self._sender.send(address, title, body, suspect=suspect)
        async with self._store.transaction() as transaction:
            for message in claimed:
                await self._settle(transaction, message, outcome, len(claimed))
        if not outcome.sent:
            log.warning("a channel did not take a message", tenant=tenant, channel=name, hung=outcome.hung)

    async def _settle(self, transaction: Transaction, tried: Notification, outcome: Outcome, together: int) -> None:
        now = self._clock.now()
        repository = transaction.notification
        message = await repository.notification(tried.tenant, tried.id)
        update: dict[str, object] = {"attempts": tried.attempts, "tried": tried.tried, "hung": outcome.hung}
        if outcome.sent:
            text = f"together with {together - 1} more" if together > 1 else ""
            update |= {"state": NotificationState.SENT, "due": None, "outcome": text, "tried": now}
        elif message.state is not NotificationState.WAITING:
            update |= {"outcome": f"{message.outcome}; {outcome.reason}"[:400]}
        elif tried.attempts >= self._settings.attempts:
            update |= {"state": NotificationState.FAILED, "due": None, "outcome": outcome.reason[:400]}
        else:
            pause_s = self._settings.retry_first_s * 2 ** (tried.attempts - 1)
            update |= {"due": now + timedelta(seconds=pause_s), "outcome": outcome.reason[:400]}
        message = message.model_copy(update=update)
        await repository.put_notification(message)
        if message.state is NotificationState.FAILED and message.escalation is not None:
            await self._hurry(transaction, message)

    async def _hurry(self, transaction: Transaction, failed: Notification) -> None:
        """When nobody of the present step could be told, the next step need not wait."""
        repository = transaction.notification
        escalation = await repository.escalation(failed.tenant, str(failed.escalation))
        if escalation.state is not EscalationState.CLIMBING or escalation.step != failed.step + 1:
            return
        of_step = [
            message
            for message in await repository.notifications_of(failed.tenant, escalation.id)
            if message.step == failed.step
        ]
        hopeful = (NotificationState.WAITING, NotificationState.SENT)
        if not any(message.state in hopeful for message in of_step):
            await repository.put_escalation(escalation.model_copy(update={"due": self._clock.now()}))


async def _incident_subject(transaction: Transaction, incident: Incident) -> Subject:
    alerts = [record.alert for record in (await transaction.alerts.many(incident.tenant, incident.alerts)).values()]
    classes = [one for alert in alerts for one in alert.data_classes]
    return Subject(
        kind=SubjectKind.INCIDENT,
        id=incident.id,
        version=incident.version,
        state=incident.state.value,
        severity=incident.severity,
        urgency=Urgency.IMMEDIATE,
        status=joint_status(alert.status for alert in alerts),
        headline=incident.title,
        place=incident.place.name if incident.place is not None else None,
        description=incident.summary[:2_000],
        data_class=max(classes, key=DATA_CLASSES.index, default=DataClass.OPERATIONAL),
        began=incident.opened,
    )


def _channel_health(channel: Channel, tried: Sequence[Notification], waiting: int, updated: UtcTime) -> Health:
    failures = 0
    for message in tried:
        if message.state is NotificationState.SENT:
            break
        failures += 1
    if not channel.active:
        state, text = HealthState.STOPPED, "switched off"
    elif not tried:
        state, text = HealthState.STARTING, "not used yet: send a test"
    elif failures:
        state = HealthState.DEGRADED
        which = "the last message" if failures == 1 else f"the last {failures} messages"
        text = f"{which} did not get through: {tried[0].outcome or 'under way'}"
        if failures == 1 and tried[0].state is NotificationState.WAITING and not tried[0].outcome:
            state, text = HealthState.RUNNING, "a message is under way"
    else:
        state, text = HealthState.RUNNING, f"{waiting} waiting" if waiting else ""
    return Health(
        part=f"channel-{channel.id}"[:64],
        state=state,
        text=text,
        time=tried[0].tried or updated if tried else updated,
        handled=sum(message.state is NotificationState.SENT for message in tried),
    )
