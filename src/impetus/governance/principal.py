"""Who asks: a person or a machine, of one organisation, with what it may do."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from typing import Final, Self

from pydantic import model_validator

from impetus.governance.roles import ROLE_PERMISSIONS
from impetus.model import SYSTEM_TENANT, Line, NotAllowed, Permission, Slug, User, Value

EVERYTHING: Final = frozenset(Permission)


class Principal(Value):
    """The one on whose behalf something is done: exactly one of `user` and `machine` is set."""

    tenant: Slug
    permissions: frozenset[Permission]
    user: User | None = None
    machine: Line | None = None
    """What the machine is called: the title of its token."""
    token: str | None = None
    """Id of the token that was shown, if it was one."""
    session: str | None = None
    """SHA-256 of the session's secret, if there is a session."""
    csrf: str | None = None
    """What must come back in a header with every change, if there is a session."""
    second_factor_missing: bool = False
    """The person's role must have a second factor; until it is set up, nothing else is granted."""

    @model_validator(mode="after")
    def _person_or_machine(self) -> Self:
        if (self.user is None) == (self.machine is None):
            raise ValueError("a principal is a person or a machine")
        if self.user is not None and self.user.tenant != self.tenant:
            raise ValueError("a person acts for the own organisation only")
        return self

    @property
    def name(self) -> str:
        """What people read: the person's full name or the machine's."""
        return self.user.full_name if self.user is not None else str(self.machine)

    @property
    def actor(self) -> str:
        """What the audit log says: `user:ID`, `machine:TOKEN`, or `system:NAME` for the installation itself."""
        if self.user is not None:
            return f"user:{self.user.id}"
        return f"machine:{self.token}" if self.token else f"system:{self.machine}"

    @property
    def installation(self) -> bool:
        """Whether this is the installation itself (the command line), which may touch every organisation."""
        return self.tenant == SYSTEM_TENANT

    def may(self, permission: Permission) -> bool:
        """Whether this is granted."""
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raises `NotAllowed` when this is not granted."""
        if not self.may(permission):
            raise NotAllowed(
                f"this needs the permission {permission.value}, which {self.name} does not have",
                hint="Ask an administrator of your organisation.",
            )

    def require_csrf(self, header: str | None) -> None:
        """A change that comes with a session's cookie must show the session's CSRF token. Raises `NotAllowed`."""
        if self.session is None:
            return
        if header is None or self.csrf is None or not hmac.compare_digest(header.encode(), self.csrf.encode()):
            raise NotAllowed("the request does not come from our own page", hint="Reload the page and try again.")


def principal_of(user: User, *, scopes: Collection[Permission] | None = None) -> Principal:
    """The person with all that the role grants, or with those of `scopes` that it grants."""
    granted = ROLE_PERMISSIONS[user.role]
    return Principal(
        tenant=user.tenant, permissions=granted if scopes is None else granted & frozenset(scopes), user=user
    )


def installation_principal(name: str = "command-line") -> Principal:
    """The installation itself: whoever may run its command line. Not reachable over the network."""
    return Principal(tenant=SYSTEM_TENANT, permissions=EVERYTHING, machine=name)
