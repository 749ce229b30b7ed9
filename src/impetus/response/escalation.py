"""When a chain begins to climb, what each step sends, and when it ends: pure, from what is known to what follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from impetus.model import DataClass, Severity, Status, SubjectKind, derived_id
from impetus.model.notification import (
    Chain,
    Channel,
    Detail,
    Escalation,
    EscalationState,
    Notification,
    NotificationRule,
    NotificationState,
    Roster,
    Serves,
    Subject,
)
from impetus.response.rosters import on_duty

SEVERITIES = (Severity.EXTREME, Severity.SEVERE, Severity.MODERATE, Severity.MINOR, Severity.UNKNOWN)
DATA_CLASSES = tuple(DataClass)
REHEARSALS = (Status.EXERCISE, Status.TEST)


def matching_rule(chain: Chain, subject: Subject) -> NotificationRule | None:
    """The first rule of the chain that is for this subject."""
    if not chain.active or subject.status in (Status.SYSTEM, Status.DRAFT):
        return None
    return next((rule for rule in chain.rules if _fits(rule, subject)), None)


def _fits(rule: NotificationRule, subject: Subject) -> bool:
    return (
        rule.subject is subject.kind
        and subject.state in rule.states
        and SEVERITIES.index(subject.severity) <= SEVERITIES.index(rule.lowest_severity)
        and (not rule.categories or subject.kind is SubjectKind.INCIDENT or subject.category in rule.categories)
        and (not rule.tools or subject.tool in rule.tools)
    )


def heard(tenant: str, chain: Chain, last: Escalation | None, subject: Subject, now: datetime) -> Escalation | None:
    """What follows from how a subject stands now: a new climb, one that ends, or None for nothing to do.

    `last` is the chain's latest climb for it. The same news again, or older news, changes nothing.
    """
    if last is not None and _is_old(subject, last.subject):
        return None
    rule = matching_rule(chain, subject)
    if last is None or (rule is not None and not last.matches):
        if rule is None:
            return None
        episode = 1 if last is None else last.episode + 1
        return Escalation(
            id=derived_id("escalation", tenant, chain.id, subject.kind.value, subject.id, str(episode)),
            tenant=tenant,
            chain=chain.id,
            subject=subject,
            episode=episode,
            state=EscalationState.CLIMBING,
            rule=rule,
            started=now,
            due=now,
        )
    changed = last.model_copy(update={"subject": subject, "matches": rule is not None})
    if last.state is EscalationState.CLIMBING:
        if rule is None:
            return ended(changed, EscalationState.OVER, f"it is {subject.state} now", now)
        return changed.model_copy(update={"rule": rule})
    return changed


def ended(escalation: Escalation, state: EscalationState, by: str, now: datetime) -> Escalation:
    """The climb at its end."""
    return escalation.model_copy(update={"state": state, "due": None, "ended": now, "ended_by": by[:300]})


def climb(
    escalation: Escalation,
    chain: Chain,
    rosters: Mapping[str, Roster],
    channels: Mapping[str, Channel],
    now: datetime,
    address: str,
) -> tuple[Escalation, Sequence[Notification]]:
    """Take the next step: the climb as it is afterwards, and the messages of the step.

    A step that can tell nobody is followed by the next one at once.
    """
    number = escalation.step
    if number >= len(chain.steps) * chain.rounds:
        return ended(escalation, EscalationState.EXHAUSTED, "everybody was told, nobody acknowledged", now), ()
    step = chain.steps[number % len(chain.steps)]
    messages: list[Notification] = []
    for name in step.rosters:
        roster = rosters.get(name)
        people = on_duty(roster, now) if roster is not None else ()
        if not people:
            why = "nobody is on duty in this roster" if roster is not None else "there is no such roster"
            messages.append(_message(escalation, number, name, None, why, now, address))
        for person in people:
            for channel in person.channels:
                why = hindrance(channels.get(channel), escalation.subject.status)
                messages.append(_message(escalation, number, channel, person.name, why, now, address))
    for channel in step.channels:
        why = hindrance(channels.get(channel), escalation.subject.status)
        messages.append(_message(escalation, number, channel, None, why, now, address))
    unique = list({message.id: message for message in messages}.values())
    told = any(message.state is NotificationState.WAITING for message in unique)
    due = now + timedelta(seconds=step.wait_s) if told else now
    return escalation.model_copy(update={"step": number + 1, "due": due}), unique


def text_of(subject: Subject, rule: NotificationRule, address: str) -> tuple[str, str]:
    """Title and body of a message: as much as the rule lets out, less if the subject is more personal than it allows.

    `address` is where the pages are served, for a link; empty for none.
    """
    detail = rule.detail
    if DATA_CLASSES.index(subject.data_class) > DATA_CLASSES.index(rule.allowed):
        detail = Detail.MINIMAL
    kind = "Incident" if subject.kind is SubjectKind.INCIDENT else "Alert"
    category = f", {subject.category.value}" if subject.category is not None else ""
    lines = [f"{subject.severity.value}{category}, began {subject.began:%Y-%m-%d %H:%M} UTC"]
    title = f"{subject.severity.value} {kind.lower()}"
    if detail is not Detail.MINIMAL:
        title = f"{subject.severity.value}: {subject.headline}"
        if subject.place:
            lines.append(f"Where: {subject.place}")
    if detail is Detail.FULL:
        lines += [text for text in (subject.description, subject.instruction) if text]
    path = "incidents/" if subject.kind is SubjectKind.INCIDENT else "#"
    lines.append(f"Acknowledge: {address.rstrip('/')}/{path}{subject.id}" if address else f"{kind} {subject.id}")
    title, body = marked(subject.status, title, "\n".join(lines))
    return " ".join(title.split())[:300], body[:4_000]


def joined_text(messages: Sequence[Notification]) -> tuple[str, str]:
    """One text for several messages to the same channel."""
    if len(messages) == 1:
        return messages[0].title, messages[0].body
    shown = "\n".join(f"- {message.title}" for message in messages[:10])
    more = f"\n... and {len(messages) - 10} more" if len(messages) > 10 else ""
    return f"{len(messages)} notices: {messages[0].title}"[:300], f"{shown}{more}\n\n{messages[0].body}"[:8_000]


def _message(
    escalation: Escalation,
    step: int,
    channel: str,
    recipient: str | None,
    hindrance: str,
    now: datetime,
    address: str,
) -> Notification:
    subject = escalation.subject
    title, body = text_of(subject, escalation.rule, address)
    return Notification(
        id=derived_id("notification", escalation.tenant, escalation.id, str(step), channel, recipient or ""),
        tenant=escalation.tenant,
        escalation=escalation.id,
        chain=escalation.chain,
        step=step,
        channel=channel,
        recipient=recipient,
        subject_kind=subject.kind,
        subject=subject.id,
        status=subject.status,
        title=title,
        body=body,
        state=NotificationState.WITHHELD if hindrance else NotificationState.WAITING,
        created=now,
        due=None if hindrance else now,
        outcome=hindrance,
    )


def hindrance(channel: Channel | None, status: Status) -> str:
    """Why a channel may not carry something of this status; empty when it may."""
    if channel is None:
        return "there is no such channel"
    if not channel.active:
        return "the channel is switched off"
    if status in REHEARSALS and channel.serves is Serves.REAL:
        return f"{status.value.lower()}: the channel is not marked for exercises"
    if status is Status.ACTUAL and channel.serves is Serves.EXERCISES:
        return "the channel is for exercises only"
    if status not in (Status.ACTUAL, *REHEARSALS):
        return f"{status.value.lower()}: it is not for people"
    return ""


def marked(status: Status, title: str, body: str) -> tuple[str, str]:
    """Title and body that say what is not real in their first words."""
    if status not in REHEARSALS:
        return title, body
    what = "an exercise" if status is Status.EXERCISE else "a test"
    return f"{status.value.upper()} - {title}", f"This is {what}. Nothing is real.\n{body}"


def _is_old(news: Subject, known: Subject) -> bool:
    if (news.version, news.revision) == (known.version, known.revision):
        return True
    return news.version < known.version or news.revision < known.revision
