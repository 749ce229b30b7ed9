"""Dashboards: the layout of a role, what an organisation composed over it, and what a person made of that.

A layout is looked for from the person outwards: what the person arranged, else what the organisation composed for that
name, else the layout that is shipped for the role. A dashboard decides what a person sees first, never what the person
may see: every panel asks for its data in the person's own name (docs/adr/0014).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from impetus.governance import Principal
from impetus.governance.audit import append
from impetus.model import (
    Clock,
    Identifier,
    InvalidInput,
    Line,
    NotAllowed,
    NotFound,
    Permission,
    Role,
    Slug,
    Text,
    User,
    UtcTime,
    Value,
)
from impetus.model.dashboard import GRID_COLUMNS, LARGEST_HEIGHT, Dashboard, PanelName, Placement
from impetus.store import Store, Transaction
from impetus.store.dashboards import ORGANISATION, DashboardRecord

COMPOSED_LIMIT = 100
"""Dashboards that one organisation may compose."""
RESERVED = frozenset({"panels", "people", "compose"})
"""Names that addresses need for something else."""


class PanelKind(Value):
    """A panel that can be placed on a dashboard."""

    id: PanelName
    title: Line
    summary: Text = ""
    tool: Slug | None = None
    """The tool that the panel is of; None for the shell's own."""
    permissions: tuple[Permission, ...] = ()
    """All that a person needs to see anything in it."""
    roles: tuple[Role, ...] = ()
    """Who sees it; empty: everybody with the permissions."""
    width: Annotated[int, Field(ge=2, le=GRID_COLUMNS)] = 4
    """How large it is when it is added."""
    height: Annotated[int, Field(ge=2, le=LARGEST_HEIGHT)] = 5
    several: bool = False
    """Whether it can stand on one dashboard more than once."""
    sensor: bool = False
    """Whether it can be tied to one datastream."""

    def visible(self, role: str | None, permissions: Collection[str]) -> bool:
        """Whether this person would see anything in it."""
        return all(one in permissions for one in self.permissions) and (not self.roles or role in self.roles)


class RoleDashboard(Value):
    """The layout that is shipped for a role."""

    role: Role
    start: bool = False
    """Whether people of this role begin here; whoever may read alerts begins on the live page all the same."""
    dashboard: Dashboard


class Origin(StrEnum):
    """Whose arrangement a dashboard is."""

    SHIPPED = "shipped"
    ORGANISATION = "organisation"
    PERSON = "person"


class DashboardEntry(Value):
    """One dashboard in the list of those that a person may open."""

    name: Slug
    title: Line
    summary: Text = ""
    origin: Origin
    """Whose arrangement this person sees."""
    own_role: bool = False
    """Whether it is the one of the person's role."""
    assigned: bool = False
    """Whether an administrator gave it to the person."""
    start: bool = False
    """Whether the person begins here."""


class DashboardView(Value):
    """One dashboard as a person sees it."""

    name: Slug
    origin: Origin
    dashboard: Dashboard
    own_version: Annotated[int, Field(ge=0)] = 0
    """Version of the person's arrangement, to be sent with a change; 0 before the first."""
    version: Annotated[int, Field(ge=0)] = 0
    """Version of what the organisation composed under this name; 0 before the first."""
    updated: UtcTime | None = None
    updated_by: Line | None = None
    shipped: bool
    """Whether a layout for this name is shipped, to which the organisation's can be reset."""


class AssignedPerson(Value):
    """A person of the organisation and the dashboard that the person was given."""

    id: Identifier
    name: Slug
    full_name: Line
    role: Role
    dashboard: Slug | None = None


@dataclass(slots=True)
class Dashboards:
    """What is known of dashboards; the pages say with `show` which panels they can draw."""

    store: Store
    clock: Clock
    kinds: Mapping[str, PanelKind] = field(default_factory=dict)
    roles: Mapping[str, RoleDashboard] = field(default_factory=dict)

    def show(self, kinds: Sequence[PanelKind], roles: Sequence[RoleDashboard]) -> None:
        """Take these panels and layouts as what there is. Raises `InvalidInput` for a layout that does not fit."""
        self.kinds = {kind.id: kind for kind in kinds}
        for one in roles:
            self.check(one.dashboard)
        self.roles = {one.role.value: one for one in roles}

    def check(self, dashboard: Dashboard) -> None:
        """Raises `InvalidInput` for a panel that does not exist or stands there too often."""
        seen: set[str] = set()
        for placement in dashboard.panels:
            kind = self.kinds.get(placement.panel)
            if kind is None:
                raise InvalidInput(
                    f"there is no panel {placement.panel!r}", hint="GET /dashboards/panels lists those there are."
                )
            if kind.id in seen and not kind.several:
                raise InvalidInput(f"the panel {kind.id!r} can stand on a dashboard only once", hint="Remove one.")
            if placement.datastream is not None and not kind.sensor:
                raise InvalidInput(f"the panel {kind.id!r} shows no single sensor", hint="Leave out 'datastream'.")
            seen.add(kind.id)

    def panels(self, by: Principal) -> Sequence[PanelKind]:
        """The panels that this caller would see anything in; an administrator, who composes for others, gets all."""
        if by.may(Permission.ADMINISTRATION):
            return list(self.kinds.values())
        role = by.user.role if by.user is not None else None
        return [kind for kind in self.kinds.values() if kind.visible(role, by.permissions)]

    async def list(self, by: Principal) -> Sequence[DashboardEntry]:
        """The dashboards that this person may open: of the own role, given by an administrator, and for an
        administrator all of the organisation. The one where the person begins is marked."""
        user = _person(by)
        role = user.role.value
        async with self.store.view() as view:
            composed = {one.name: one for one in await view.dashboards.list(by.tenant, ORGANISATION)}
            own = {one.name: one for one in await view.dashboards.list(by.tenant, user.id)}
            assigned = await view.dashboards.assigned_to(by.tenant, user.id)
        names = [name for name in dict.fromkeys((assigned, role)) if name in composed or name in self.roles]
        if by.may(Permission.ADMINISTRATION):
            names += [name for name in (*self.roles, *composed) if name not in names]
        start = self._start(by, role, assigned, own, composed)
        entries = []
        for name in dict.fromkeys(name for name in names if name is not None):
            origin, dashboard = self._effective(name, own.get(name), composed.get(name))
            entries.append(
                DashboardEntry(
                    name=name,
                    title=dashboard.title,
                    summary=dashboard.summary,
                    origin=origin,
                    own_role=name == role,
                    assigned=name == assigned,
                    start=name == start,
                )
            )
        return entries

    async def get(self, by: Principal, name: str, *, composed_only: bool = False) -> DashboardView:
        """One dashboard as this person sees it; with `composed_only` without what the person arranged.

        Raises `NotFound` for one that is not there, and `NotAllowed` for one of another role.
        """
        user = _person(by)
        async with self.store.view() as view:
            organisation = await view.dashboards.find(by.tenant, ORGANISATION, name)
            own = await view.dashboards.find(by.tenant, user.id, name)
            await self._require_open(view, by, name)
        composed = organisation if organisation is not None and organisation.dashboard is not None else None
        arranged = own if own is not None and own.dashboard is not None and not composed_only else None
        if composed is None and name not in self.roles:
            raise NotFound(f"there is no dashboard {name}", hint="It may have been removed.")
        origin, dashboard = self._effective(name, arranged, composed)
        last = arranged or composed
        return DashboardView(
            name=name,
            origin=origin,
            dashboard=dashboard,
            own_version=0 if own is None else own.version,
            version=0 if organisation is None else organisation.version,
            updated=None if last is None else last.updated,
            updated_by=None if last is None else last.updated_by,
            shipped=name in self.roles,
        )

    async def arrange(
        self, by: Principal, name: str, panels: Sequence[Placement] | None, version: int
    ) -> DashboardView:
        """Keep how this person arranged a dashboard, or go back to the role's with None.

        Raises `Conflict` when the person arranged it elsewhere in the meantime, `InvalidInput`, and as `get` does.
        """
        user = _person(by)
        before = await self.get(by, name)
        dashboard = None
        if panels is not None:
            dashboard = before.dashboard.model_copy(update={"panels": tuple(panels)})
            self.check(dashboard)
        async with self.store.transaction() as transaction:
            await self._put(transaction, by, user.id, name, dashboard, version)
        return await self.get(by, name)

    async def compose(self, by: Principal, name: str, dashboard: Dashboard, version: int) -> DashboardView:
        """Keep what an administrator composed for a role, an existing or a new one.

        Raises `Conflict` when somebody else changed it, `InvalidInput` and `NotAllowed`.
        """
        by.require(Permission.ADMINISTRATION)
        _person(by)
        if name in RESERVED:
            raise InvalidInput(f"{name!r} cannot be the name of a role", hint="Choose another one.")
        self.check(dashboard)
        async with self.store.transaction() as transaction:
            known = await transaction.dashboards.list(by.tenant, ORGANISATION)
            if version == 0 and len(known) >= COMPOSED_LIMIT:
                raise InvalidInput(
                    f"there are {COMPOSED_LIMIT} dashboards already", hint="Remove one that nobody needs any more."
                )
            kept = await self._put(transaction, by, ORGANISATION, name, dashboard, version)
            await self._note(transaction, by, "dashboard.compose", name, {"version": kept.version})
        return await self.get(by, name, composed_only=True)

    async def remove(self, by: Principal, name: str, version: int) -> None:
        """Remove what an administrator composed: a shipped layout comes back, and whoever was given a dashboard that is
        gone has the one of the own role again. Raises as `compose` does, and `NotFound`."""
        by.require(Permission.ADMINISTRATION)
        async with self.store.transaction() as transaction:
            found = await transaction.dashboards.find(by.tenant, ORGANISATION, name)
            if found is None or found.dashboard is None:
                raise NotFound(f"nobody composed a dashboard {name}", hint="Look at the list of dashboards again.")
            kept = await self._put(transaction, by, ORGANISATION, name, None, version)
            detail: dict[str, object] = {"version": kept.version}
            if name not in self.roles:
                detail["unassigned"] = await transaction.dashboards.unassign_all(by.tenant, name)
            await self._note(transaction, by, "dashboard.remove", name, detail)

    async def people(self, by: Principal) -> Sequence[AssignedPerson]:
        """The active people of the organisation, and the dashboards they were given. Raises `NotAllowed`."""
        by.require(Permission.ADMINISTRATION)
        async with self.store.view() as view:
            users = await view.users.list(by.tenant)
            assigned = await view.dashboards.assigned(by.tenant)
        return [
            AssignedPerson(
                id=user.id,
                name=user.name,
                full_name=user.full_name,
                role=user.role,
                dashboard=assigned.get(user.id),
            )
            for user in users
            if user.active
        ]

    async def assign(self, by: Principal, name: str, person: str, *, assigned: bool, before: str | None) -> None:
        """Give a person a dashboard to begin on, or take it away. Raises `Conflict` when the person has not `before`
        any more, `NotAllowed` and `NotFound`."""
        by.require(Permission.ADMINISTRATION)
        async with self.store.transaction() as transaction:
            await transaction.users.get(by.tenant, person)
            found = await transaction.dashboards.find(by.tenant, ORGANISATION, name)
            if name not in self.roles and (found is None or found.dashboard is None):
                raise NotFound(f"there is no dashboard {name}", hint="Compose it first.")
            if not assigned and before != name:
                raise InvalidInput("only a dashboard that the person has can be taken away")
            await transaction.dashboards.assign(by.tenant, person, name if assigned else None, before=before)
            action = "dashboard.assign" if assigned else "dashboard.unassign"
            await self._note(transaction, by, action, name, {"user": person, "before": before})

    async def _note(
        self, transaction: Transaction, by: Principal, action: str, name: str, detail: Mapping[str, object]
    ) -> None:
        await append(
            transaction,
            tenant=by.tenant,
            time=self.clock.now(),
            actor=by.actor,
            action=action,
            subject=f"dashboard:{name}",
            detail=detail,
        )

    async def _put(
        self,
        transaction: Transaction,
        by: Principal,
        owner: str,
        name: str,
        dashboard: Dashboard | None,
        version: int,
    ) -> DashboardRecord:
        return await transaction.dashboards.put(
            by.tenant,
            owner,
            name,
            dashboard,
            expected_version=version,
            updated=self.clock.now(),
            updated_by=by.name,
        )

    async def _require_open(self, view: Transaction, by: Principal, name: str) -> None:
        user = _person(by)
        if by.may(Permission.ADMINISTRATION) or name == user.role.value:
            return
        if await view.dashboards.assigned_to(by.tenant, user.id) != name:
            raise NotAllowed(
                f"the dashboard {name} is not for your role", hint="Ask an administrator to give it to you."
            )

    def _effective(
        self, name: str, own: DashboardRecord | None, composed: DashboardRecord | None
    ) -> tuple[Origin, Dashboard]:
        if own is not None and own.dashboard is not None:
            # The name and the summary stay the organisation's.
            beneath = self._effective(name, None, composed)[1] if composed or name in self.roles else own.dashboard
            return Origin.PERSON, own.dashboard.model_copy(update={"title": beneath.title, "summary": beneath.summary})
        if composed is not None and composed.dashboard is not None:
            return Origin.ORGANISATION, composed.dashboard
        return Origin.SHIPPED, self.roles[name].dashboard

    def _start(
        self, by: Principal, role: str, assigned: str | None, own: Collection[str], composed: Collection[str]
    ) -> str | None:
        """The dashboard to begin on; None for the live page, where readers of alerts begin who were given none."""
        if assigned is not None and (assigned in composed or assigned in self.roles):
            return assigned
        if by.may(Permission.ALERTS_READ):
            return None
        known = self.roles.get(role)
        return role if role in own or role in composed or (known is not None and known.start) else None


def _person(by: Principal) -> User:
    if by.user is None:
        raise NotAllowed("a machine has no dashboards", hint="Log in, or use a person's own token.")
    return by.user
