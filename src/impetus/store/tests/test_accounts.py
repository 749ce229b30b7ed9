"""Protects: accounts, sessions and tokens stay within their organisation, and end when they are ended."""

from __future__ import annotations

import pytest

from impetus.model import Conflict, Datastream, NotFound, Permission, Role, Tenant, User
from impetus.store import SessionRecord, Store, ThrottleRecord, TokenRecord
from impetus.store.tests.conftest import NOW
from impetus.store.tests.samples import later


def user(**fields: object) -> User:
    values = {"id": "anna", "tenant": "police", "name": "anna", "full_name": "Anna Berg", "role": Role.OPERATOR}
    return User.model_validate(values | {"created": NOW} | fields)


def session(**fields: object) -> SessionRecord:
    values = {"hash": "a" * 64, "tenant": "police", "user": "anna", "csrf": "c", "created": NOW, "used": NOW}
    return SessionRecord.model_validate(values | {"expires": later(3_600)} | fields)


def token(**fields: object) -> TokenRecord:
    values = {"id": "token-1", "hash": "b" * 64, "tenant": "police", "title": "Gateway", "created": NOW}
    scopes = (Permission.OBSERVATIONS_WRITE, Permission.ALERTS_READ)
    return TokenRecord.model_validate(values | {"created_by": "Anna", "scopes": scopes} | fields)


@pytest.fixture
async def peopled(store: Store) -> Store:
    async with store.transaction() as transaction:
        for tenant in ("police", "fire"):
            await transaction.organisations.add(Tenant(id=tenant, name=tenant.title(), created=NOW))
        await transaction.users.add(user(), "hash-1")
        await transaction.users.add(user(id="bo", name="bo", tenant="fire"), "hash-2")
    return store


async def test_names_are_unique_in_the_installation(peopled: Store) -> None:
    async with peopled.transaction() as transaction:
        with pytest.raises(Conflict):
            await transaction.users.add(user(id="other", tenant="fire"), "hash")
        with pytest.raises(Conflict):
            await transaction.organisations.add(Tenant(id="police", name="Again", created=NOW))
        with pytest.raises(NotFound):
            await transaction.users.add(user(id="eve", name="eve", tenant="nowhere"), "hash")
    async with peopled.view() as view:
        found = await view.users.find_by_name_in_installation("anna")
        assert found is not None
        assert (found.user, found.password_hash) == (user(), "hash-1")
        assert await view.users.find_by_name_in_installation("nobody") is None
        assert [tenant.id for tenant in await view.organisations.list_in_installation()] == ["fire", "police"]


async def test_a_user_is_changed_within_the_own_organisation_only(peopled: Store) -> None:
    async with peopled.transaction() as transaction:
        await transaction.users.change(user(role=Role.SUPERVISOR, full_name="Anna B."))
        await transaction.users.set_password_hash("police", "anna", "hash-9")
        with pytest.raises(NotFound):
            await transaction.users.change(user(tenant="fire"))
        with pytest.raises(NotFound):
            await transaction.users.set_password_hash("fire", "anna", "stolen")
    async with peopled.view() as view:
        assert await view.users.list("police") == [user(role=Role.SUPERVISOR, full_name="Anna B.")]
        found = await view.users.credentials("police", "anna")
        assert found is not None
        assert found.password_hash == "hash-9"
        with pytest.raises(NotFound):
            await view.users.get("fire", "anna")


async def test_sessions_end(peopled: Store) -> None:
    async with peopled.transaction() as transaction:
        await transaction.sessions.add(session())
        await transaction.sessions.add(session(hash="d" * 64))
        await transaction.sessions.add(session(hash="e" * 64, user="bo", tenant="fire"))
        await transaction.sessions.touch("police", "a" * 64, later(5))
        await transaction.sessions.touch("fire", "d" * 64, later(5))
    async with peopled.view() as view:
        assert await view.sessions.find_in_installation("a" * 64) == (session(used=later(5)), user())
        assert await view.sessions.find_in_installation("d" * 64) == (session(hash="d" * 64), user())
        assert await view.sessions.find_in_installation("0" * 64) is None
    async with peopled.transaction() as transaction:
        assert not await transaction.sessions.revoke("fire", "a" * 64)
        assert await transaction.sessions.revoke("police", "a" * 64)
        assert await transaction.sessions.revoke_user("fire", "anna") == 0
        assert await transaction.sessions.revoke_user("police", "anna") == 1
        assert await transaction.sessions.forget_expired_in_installation(later(3_600), NOW) == 1


async def test_nobody_comes_in_while_the_account_or_the_organisation_is_not_active(peopled: Store) -> None:
    async with peopled.transaction() as transaction:
        await transaction.sessions.add(session())
        await transaction.tokens.add(token(user="anna"))
        await transaction.tokens.add(token(id="machine", hash="f" * 64))
    organisation = Tenant(id="police", name="Police", created=NOW)
    for account_active, organisation_active in ((False, True), (True, False)):
        async with peopled.transaction() as transaction:
            await transaction.users.change(user(active=account_active))
            await transaction.organisations.change(organisation.model_copy(update={"active": organisation_active}))
        async with peopled.view() as view:
            assert await view.sessions.find_in_installation("a" * 64) is None
            assert await view.tokens.find_in_installation("b" * 64) is None
            assert (await view.tokens.find_in_installation("f" * 64) is None) == (not organisation_active)


async def test_tokens_end(peopled: Store) -> None:
    async with peopled.transaction() as transaction:
        await transaction.tokens.add(token())
        await transaction.tokens.add(token(id="token-2", hash="c" * 64, user="anna", created=later(1)))
        with pytest.raises(Conflict):
            await transaction.tokens.add(token(hash="d" * 64))
        await transaction.tokens.touch("police", "token-1", later(3))
    async with peopled.view() as view:
        assert await view.tokens.find_in_installation("b" * 64) == (token(used=later(3)), None)
        assert [kept.id for kept in await view.tokens.list("police")] == ["token-2", "token-1"]
        assert await view.tokens.list("fire") == []
    async with peopled.transaction() as transaction:
        with pytest.raises(NotFound):
            await transaction.tokens.revoke("fire", "token-1", later(4))
        assert (await transaction.tokens.revoke("police", "token-1", later(4))).revoked == later(4)
        assert (await transaction.tokens.revoke("police", "token-1", later(9))).revoked == later(4)
        assert await transaction.tokens.revoke_user("police", "anna", later(5)) == 1
        assert await transaction.tokens.revoke_user("police", "anna", later(5)) == 0


async def test_failed_log_ins_are_counted_per_name_and_address(store: Store) -> None:
    record = ThrottleRecord(kind="name", key="anna", failures=1, last_failure=NOW, blocked_until=NOW)
    async with store.transaction() as transaction:
        await transaction.throttles.put_in_installation(record)
        await transaction.throttles.put_in_installation(record.model_copy(update={"failures": 2}))
        found = await transaction.throttles.find_in_installation("name", "anna")
        assert found is not None
        assert found.failures == 2
        assert await transaction.throttles.find_in_installation("address", "anna") is None
        assert await transaction.throttles.forget_in_installation(NOW) == 0
        assert await transaction.throttles.forget_in_installation(later(1)) == 1


async def test_datastreams_are_replaced_and_listed_by_organisation(store: Store) -> None:
    def described(id: str, name: str = "Traffic") -> Datastream:
        return Datastream(id=id, name=name, thing="Loop", observed_property="traffic-flow", unit="1/h")

    async with store.transaction() as transaction:
        await transaction.datastreams.put("police", [described(f"loop-{number}") for number in range(5)])
        await transaction.datastreams.put("police", [described("loop-1", "First"), described("loop-1", "Second")])
        await transaction.datastreams.put("fire", [described("mast")])
        await transaction.datastreams.put("fire", [])
    async with store.view() as view:
        assert (await view.datastreams.get("police", "loop-1")).name == "Second"
        assert list(await view.datastreams.all("police")) == [f"loop-{number}" for number in range(5)]
        page = await view.datastreams.list("police", limit=3)
        rest = await view.datastreams.list("police", limit=3, after=page.next)
        assert [kept.id for kept in (*page.items, *rest.items)] == [f"loop-{number}" for number in range(5)]
        assert rest.next is None
        assert await view.datastreams.count("police") == 5
        with pytest.raises(NotFound):
            await view.datastreams.get("fire", "loop-1")
