"""What an organisation set up: its channels, rosters and chains. Every change has a name in the audit log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Generic, TypeVar

from impetus.connectors.notify import ChannelSender
from impetus.governance.audit import append
from impetus.governance.principal import Principal
from impetus.model import Clock, Conflict, InvalidInput, Permission, UtcTime, Value
from impetus.model.notification import Chain, Channel, Roster
from impetus.store import Store, Transaction
from impetus.store.notification import CHAIN, CHANNEL, ROSTER, PlanRecord

PlanType = TypeVar("PlanType", bound=Value)
LIMIT = 200
"""Of each kind, in one organisation."""


@dataclass(frozen=True, slots=True)
class Kept(Generic[PlanType]):
    """A channel, a roster or a chain, and who changed it last."""

    plan: PlanType
    version: int
    updated: UtcTime
    updated_by: str
    service: str
    """Of a channel: the kind of service, such as `mailtos`."""


async def channels_of(transaction: Transaction, tenant: str) -> Sequence[Kept[Channel]]:
    """The channels of an organisation, by id."""
    return [_kept(record, Channel) for record in await transaction.notification.plans(tenant, CHANNEL)]


async def rosters_of(transaction: Transaction, tenant: str) -> Sequence[Kept[Roster]]:
    """The rosters of an organisation, by id."""
    return [_kept(record, Roster) for record in await transaction.notification.plans(tenant, ROSTER)]


async def chains_of(transaction: Transaction, tenant: str) -> Sequence[Kept[Chain]]:
    """The chains of an organisation, by id."""
    return [_kept(record, Chain) for record in await transaction.notification.plans(tenant, CHAIN)]


class Plans:
    """Sets up channels, rosters and chains."""

    def __init__(self, store: Store, clock: Clock, sender: ChannelSender) -> None:
        self._store = store
        self._clock = clock
        self._sender = sender

    async def put_channel(self, by: Principal, channel: Channel, *, version: int, address: str | None) -> Kept[Channel]:
        """Make or change a channel. A new one needs its address; without one the present address stays.

        Raises `InvalidInput` for an address that no service understands, `Conflict` when somebody else was first.
        """
        if address is None and version == 0:
            raise InvalidInput("a new channel needs an address", hint="Write it as Apprise does: ntfys://HOST/TOPIC.")
        if address is not None:
            await self._sender.check(address)
        return _kept(await self._put(by, CHANNEL, channel.id, channel, version, address), Channel)

    async def put_roster(self, by: Principal, roster: Roster, *, version: int) -> Kept[Roster]:
        """Make or change a roster. Raises `InvalidInput` for a channel that is not there, and `Conflict`."""
        used = {name for member in roster.members for name in member.channels}
        return _kept(await self._put(by, ROSTER, roster.id, roster, version, None, channels=used), Roster)

    async def put_chain(self, by: Principal, chain: Chain, *, version: int) -> Kept[Chain]:
        """Make or change a chain. Raises `InvalidInput` for a roster or channel that is not there, and `Conflict`."""
        channels = {name for step in chain.steps for name in step.channels}
        rosters = {name for step in chain.steps for name in step.rosters}
        return _kept(
            await self._put(by, CHAIN, chain.id, chain, version, None, channels=channels, rosters=rosters), Chain
        )

    async def remove(self, by: Principal, kind: str, id: str) -> None:
        """Forget one. Raises `NotFound`, and `Conflict` while a roster or a chain still uses it."""
        by.require(Permission.NOTIFICATIONS_MANAGE)
        async with self._store.transaction() as transaction:
            users: list[str] = []
            if kind == CHANNEL:
                rosters = [kept.plan for kept in await rosters_of(transaction, by.tenant)]
                users += [one.title for one in rosters if any(id in member.channels for member in one.members)]
            chains = [kept.plan for kept in await chains_of(transaction, by.tenant)]
            for chain in chains:
                named = [step.channels if kind == CHANNEL else step.rosters for step in chain.steps]
                if kind != CHAIN and any(id in names for names in named):
                    users.append(chain.title)
            if users:
                raise Conflict(f"{', '.join(users)} still uses it", hint="Take it out there first.")
            await transaction.notification.remove_plan(by.tenant, kind, id)
            await self._audit(transaction, by, kind, id, "remove", {})

    async def _put(
        self,
        by: Principal,
        kind: str,
        id: str,
        plan: Value,
        version: int,
        secret: str | None,
        *,
        channels: Set[str] = frozenset(),
        rosters: Set[str] = frozenset(),
    ) -> PlanRecord:
        by.require(Permission.NOTIFICATIONS_MANAGE)
        async with self._store.transaction() as transaction:
            repository = transaction.notification
            known = {record.id for record in await repository.plans(by.tenant, kind)}
            if id not in known and len(known) >= LIMIT:
                raise InvalidInput(f"there are {LIMIT} of this kind already", hint="Remove one that is not used.")
            for wanted, among in ((channels, CHANNEL), (rosters, ROSTER)):
                missing = wanted - {record.id for record in await repository.plans(by.tenant, among)}
                if missing:
                    raise InvalidInput(f"there is no {among} {', '.join(sorted(missing))}", hint="Make it first.")
            record = await repository.put_plan(
                by.tenant,
                kind,
                id,
                plan.model_dump_json(),
                version=version,
                time=self._clock.now(),
                by=by.name,
                secret=secret,
            )
            detail = {"version": record.version, "address_changed": secret is not None}
            await self._audit(transaction, by, kind, id, "change" if version else "create", detail)
        return record

    async def _audit(
        self, transaction: Transaction, by: Principal, kind: str, id: str, verb: str, detail: Mapping[str, object]
    ) -> None:
        await append(
            transaction,
            tenant=by.tenant,
            time=self._clock.now(),
            actor=by.actor,
            action=f"notification-{kind}.{verb}",
            subject=f"notification-{kind}:{id}",
            detail=detail,
        )


def _kept(record: PlanRecord, plan_type: type[PlanType]) -> Kept[PlanType]:
    return Kept(
        plan=plan_type.model_validate_json(record.content),
        version=record.version,
        updated=record.updated,
        updated_by=record.updated_by,
        service=record.service,
    )
