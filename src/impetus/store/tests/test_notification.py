"""Protects: channels with their secrets, climbs and the delivery log on each database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from impetus.model import Conflict, NotFound, Severity, SubjectKind
from impetus.model.notification import (
    Escalation,
    EscalationState,
    Notification,
    NotificationRule,
    NotificationState,
    Subject,
)
from impetus.store import Store
from impetus.store.notification import CHANNEL, ROSTER
from impetus.store.tests.conftest import NOW


def message(id: str, **changes: Any) -> Notification:
    return Notification(
        **{
            "id": id,
            "tenant": "police",
            "channel": "duty",
            "subject_kind": "test",
            "title": "A title",
            "body": "A body",
            "created": NOW,
            "due": NOW,
            **changes,
        }
    )


def climb(**changes: Any) -> Escalation:
    subject = Subject(
        kind=SubjectKind.ALERT, id="alert-1", version=1, state="new", severity=Severity.SEVERE, headline="x", began=NOW
    )
    return Escalation(
        **{
            "id": "climb-1",
            "tenant": "police",
            "chain": "fire",
            "subject": subject,
            "state": EscalationState.CLIMBING,
            "rule": NotificationRule(states=("new",)),
            "started": NOW,
            "due": NOW,
            **changes,
        }
    )


async def put(store: Store, tenant: str, id: str, version: int, secret: str | None = None, by: str = "Anna") -> int:
    async with store.transaction() as transaction:
        record = await transaction.notification.put_plan(
            tenant, CHANNEL, id, "{}", version=version, time=NOW, by=by, secret=secret
        )
    assert secret is None or secret not in repr(record)
    return record.version


async def test_a_channel_keeps_its_address_until_another_is_given_and_nobody_is_overwritten(store: Store) -> None:
    assert await put(store, "police", "duty", 0, "ntfys://host/secret") == 1
    assert await put(store, "police", "duty", 1) == 2
    for version in (0, 1):
        with pytest.raises(Conflict):
            await put(store, "police", "duty", version, by="Bo")
    async with store.view() as view:
        assert await view.notification.address("police", "duty") == "ntfys://host/secret"
        assert await view.notification.address("fire", "duty") is None
        assert await view.notification.plans("fire", CHANNEL) == []
        assert await view.notification.plans("police", ROSTER) == []
        (record,) = await view.notification.plans("police", CHANNEL)
        assert (record.version, record.updated_by, record.service) == (2, "Anna", "ntfys")
        with pytest.raises(NotFound):
            await view.notification.plan("fire", CHANNEL, "duty")
    async with store.transaction() as transaction:
        with pytest.raises(NotFound):
            await transaction.notification.remove_plan("fire", CHANNEL, "duty")
        await transaction.notification.remove_plan("police", CHANNEL, "duty")
        assert await transaction.notification.address("police", "duty") is None


async def test_what_is_due_is_found_in_every_organisation_and_what_is_settled_is_not(store: Store) -> None:
    async with store.transaction() as transaction:
        repository = transaction.notification
        await repository.add_notifications([message("a"), message("b", due=NOW + timedelta(seconds=1))])
        await repository.add_notifications([message("a", title="Other"), message("a", tenant="fire")])
        await repository.add_notifications([message("c", due=None, state=NotificationState.SENT, tried=NOW)])
        await repository.put_escalation(climb())
        await repository.put_escalation(climb(tenant="fire", due=None, state=EscalationState.EXHAUSTED))
    async with store.view() as view:
        repository = view.notification
        due = await repository.due_notifications_in_installation(NOW)
        assert sorted((one.tenant, one.id, one.title) for one in due) == [
            ("fire", "a", "A title"),
            ("police", "a", "A title"),
        ]
        assert [one.tenant for one in await repository.due_escalations_in_installation(NOW)] == ["police"]
        assert await repository.waiting("police") == {"duty": 2}
        assert [one.id for one in await repository.last_tried("police", "duty")] == ["c"]
        assert list(await repository.escalations_about("police", ["alert-1"])) == [("alert-1", "fire")]
        assert await repository.escalations_about("police", ["alert-2"]) == {}
        with pytest.raises(NotFound):
            await repository.notification("fire", "b")


async def test_the_log_is_paged_and_forgets_only_what_is_settled(store: Store) -> None:
    async with store.transaction() as transaction:
        for number in range(12):
            done = number % 2 == 0
            await transaction.notification.add_notifications(
                [
                    message(
                        f"m{number}",
                        created=NOW + timedelta(minutes=number // 2),
                        due=None if done else NOW,
                        state=NotificationState.SENT if done else NotificationState.WAITING,
                        channel="duty" if number % 3 else "other",
                    )
                ]
            )
        await transaction.notification.add_notifications([message("m0", tenant="fire", due=None)])
    async with store.view() as view:
        found, after = [], None
        while True:
            page = await view.notification.notifications("police", limit=5, after=after)
            found += [one.id for one in page.items]
            after = page.next
            if after is None:
                break
        assert len(found) == len(set(found)) == 12
        assert len((await view.notification.notifications("police", channel="other")).items) == 4
    async with store.transaction() as transaction:
        repository = transaction.notification
        before = NOW + timedelta(minutes=4)
        steps = [await repository.forget_notifications("police", before, rows=3) for _ in range(3)]
        assert steps == [3, 1, 0]
        left = {one.id for one in (await repository.notifications("police")).items}
        assert left == {"m1", "m3", "m5", "m7", "m8", "m9", "m10", "m11"}
        assert len((await repository.notifications("fire")).items) == 1
