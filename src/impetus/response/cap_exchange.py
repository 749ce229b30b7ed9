"""CAP messages to and from other houses: each has a name, and an Update or a Cancel names what it is about."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

from impetus.connectors.cap import (
    TOOL,
    CapMessage,
    Heading,
    MessageType,
    Reference,
    alert_to_cap,
    cap_to_alert,
    incident_to_cap,
    read_cap,
    write_cap,
)
from impetus.governance.audit import append
from impetus.governance.principal import Principal
from impetus.model import (
    Alert,
    AlertState,
    Clock,
    Envelope,
    Incident,
    IncidentState,
    InvalidInput,
    Status,
    SubjectKind,
    Urgency,
    derived_id,
    joint_status,
)
from impetus.response.notification_settings import NotificationSettings
from impetus.store import Store, Transaction
from impetus.store.notification import CapRecord

OUT = "out"
IN = "in"
Build = Callable[[Heading], CapMessage]


class CapExchange:
    """Issues CAP messages about alerts and incidents, and takes in those of others."""

    def __init__(self, store: Store, clock: Clock, settings: NotificationSettings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings

    async def alert(self, tenant: str, id: str) -> bytes:
        """The message about an alert as it stands now: `Alert` the first time, then `Update`, `Cancel` when people
        dismissed it. While nothing changes it is the same message. Raises `NotFound`."""
        async with self._store.transaction() as transaction:
            record = await transaction.alerts.get(tenant, id)
            dismissed = record.state is AlertState.DISMISSED
            incidents = (record.incident,) if record.incident is not None else ()

            def build(heading: Heading) -> CapMessage:
                return alert_to_cap(record.alert, replace(heading, incidents=incidents))

            return await self._issue(transaction, tenant, SubjectKind.ALERT, id, build, over=dismissed)

    async def incident(self, tenant: str, id: str) -> bytes:
        """The message about an incident as it stands now; `Cancel` once it is closed. Raises `NotFound`."""
        async with self._store.transaction() as transaction:
            incident = await transaction.incidents.get(tenant, id)
            return await self._incident(transaction, tenant, incident)

    async def _incident(self, transaction: Transaction, tenant: str, incident: Incident) -> bytes:
        found = await transaction.alerts.many(tenant, incident.alerts)
        alerts = [record.alert for record in found.values()]
        over = incident.state in (IncidentState.CLOSED, IncidentState.REVIEWED)

        def build(heading: Heading) -> CapMessage:
            return incident_to_cap(
                incident,
                replace(heading, incidents=(incident.id,)),
                status=Status.EXERCISE if self._settings.exercise else joint_status(alert.status for alert in alerts),
                categories=[alert.category for alert in alerts],
            )

        return await self._issue(transaction, tenant, SubjectKind.INCIDENT, incident.id, build, over=over)

    async def _issue(
        self, transaction: Transaction, tenant: str, kind: SubjectKind, id: str, build: Build, *, over: bool
    ) -> bytes:
        earlier = await transaction.cap.about(tenant, OUT, id)
        sender = f"{tenant}@{self._settings.cap_domain}"
        organisation = await transaction.organisations.find(tenant)
        number = len(earlier) + 1
        heading = Heading(
            identifier=f"{kind.value}-{id}-{number}",
            sender=sender,
            sender_name=organisation.name if organisation is not None else tenant,
            sent=self._clock.now(),
            type=MessageType.ALERT if not earlier else MessageType.CANCEL if over else MessageType.UPDATE,
            references=[
                Reference(sender=one.sender, identifier=one.identifier, sent=one.sent.replace(microsecond=0))
                for one in earlier
            ],
            note="This is over." if over else "",
        )
        message = build(heading)
        said = message.model_dump_json(include={"status", "infos", "note", "incidents"})
        digest = hashlib.sha256(said.encode()).hexdigest()
        if earlier and earlier[-1].digest == digest:
            return earlier[-1].content.encode()
        content = write_cap(message)
        record = CapRecord(
            direction=OUT,
            sender=sender,
            identifier=heading.identifier,
            subject_kind=kind.value,
            subject=id,
            number=number,
            sent=message.sent,
            digest=digest,
            content=content.decode(),
        )
        await transaction.cap.add(tenant, record)
        return content

    async def take_in(self, by: Principal, content: bytes, check: Callable[[Alert], None]) -> str:
        """Make an alert of a message of another house, or bring one up to date; the alert's id. On disk when this
        returns. The same message again changes nothing.

        `check` raises for an alert whose times cannot be real. Raises `InvalidInput` for what is no CAP 1.2 message,
        for acknowledgements and error reports, and for a Cancel of what never came here.
        """
        message, unknown = read_cap(content)
        tenant = by.tenant
        if message.type in (MessageType.ACK, MessageType.ERROR):
            raise InvalidInput(
                f"msgType: {message.type.value} tells of no event", hint="Send Alert, Update or Cancel messages."
            )
        if message.sender == f"{tenant}@{self._settings.cap_domain}":
            raise InvalidInput("sender: this message is the organisation's own", hint="Do not send messages back.")
        async with self._store.transaction() as transaction:
            known = await transaction.cap.find(tenant, IN, message.sender, message.identifier)
            if known is not None:
                return known.subject
            subject = await self._subject(transaction, tenant, message)
            revision = len(await transaction.cap.about(tenant, IN, subject))
            record = await transaction.alerts.find(tenant, subject)
            if record is not None:
                revision = max(revision, record.alert.revision + 1)
            if message.infos:
                alert = cap_to_alert(message, id=subject, revision=revision, unknown=unknown)
            elif message.type is MessageType.CANCEL and record is not None:
                over = {"revision": revision, "urgency": Urgency.PAST, "sent": message.sent, "status": message.status}
                alert = record.alert.model_copy(update={**over, "ended": max(message.sent, record.alert.onset)})
            else:
                raise InvalidInput(
                    "info: the message says nothing, and nothing that it refers to came here",
                    hint="Send the message that it refers to first.",
                )
            check(alert)
            now = self._clock.now()
            await transaction.cap.add(
                tenant,
                CapRecord(
                    direction=IN,
                    sender=message.sender,
                    identifier=message.identifier,
                    subject_kind=SubjectKind.ALERT.value,
                    subject=subject,
                    number=revision + 1,
                    sent=message.sent,
                    digest=hashlib.sha256(content).hexdigest(),
                    content=content.decode("utf-8", "replace").replace("\0", ""),
                ),
            )
            await transaction.outbox.add(
                [
                    Envelope.wrap(
                        alert,
                        kind="alert",
                        tenant=tenant,
                        origin=TOOL,
                        time=now,
                        partition=alert.source,
                        id=derived_id("alert", tenant, alert.id, str(alert.revision)),
                    )
                ]
            )
            await append(
                transaction,
                tenant=tenant,
                time=now,
                actor=by.actor,
                action="cap.receive",
                subject=f"alert:{alert.id}",
                detail={"sender": message.sender, "identifier": message.identifier, "type": message.type.value},
            )
        return alert.id

    async def _subject(self, transaction: Transaction, tenant: str, message: CapMessage) -> str:
        """The alert that a message is about: that of the first message it refers to that is known, or a new one.

        Only a sender's own earlier messages count: nobody takes back what another one said.
        """
        for reference in message.references:
            if reference.sender == message.sender:
                earlier = await transaction.cap.find(tenant, IN, reference.sender, reference.identifier)
                if earlier is not None:
                    return earlier.subject
        return derived_id("cap", tenant, message.sender, message.identifier)
