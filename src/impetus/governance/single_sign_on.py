"""People who come by the organisation's single sign-on: which account they have, and what they may do."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any

from impetus.connectors.openid import Departure, Provider
from impetus.governance import audit
from impetus.governance.passwords import Passwords
from impetus.governance.principal import Principal
from impetus.governance.sessions import LogIn, Sessions
from impetus.governance.settings import SingleSignOnSettings
from impetus.model import (
    Clock,
    ConfigurationError,
    InvalidInput,
    NotAllowed,
    NotAuthenticated,
    Permission,
    Role,
    User,
    new_id,
)
from impetus.store import IdentityRecord, Store, Transaction

BACK = "/login/single-sign-on/back"
"""Where the provider sends the browser back to."""
ACTOR = "system:single-sign-on"


class SingleSignOn:
    """The provider says who somebody is and in which groups; the settings say what the groups may do here."""

    def __init__(
        self, store: Store, clock: Clock, passwords: Passwords, sessions: Sessions, settings: SingleSignOnSettings
    ) -> None:
        self._store = store
        self._clock = clock
        self._passwords = passwords
        self._sessions = sessions
        self._settings = settings
        self._provider: Provider | None = None

    @property
    def title(self) -> str | None:
        """What its button says; none: there is no single sign-on."""
        return self._settings.title if self._settings.issuer else None

    async def depart(self) -> Departure:
        """Where to send a browser, and what it has to bring back. Raises `InvalidInput` where there is no single
        sign-on, `ConfigurationError` and `Unavailable`."""
        return await self._known().depart()

    async def arrive(self, code: str, departure: Departure, *, address: str) -> LogIn:
        """Begin the session of a person whom the provider sent back with a code.

        The account is made at the first time; name and role follow the provider's at each. Raises `NotAuthenticated`
        for whoever is not known there, is in no group that may do anything here, or is shut out.
        """
        claims = await self._known().arrive(code, departure)
        issuer, subject = self._settings.issuer, str(claims["sub"])
        role = role_of(claims, self._settings)
        now = self._clock.now()
        unused = await self._passwords.hash(secrets.token_urlsafe(32))
        refused = "none of your groups may do anything here"
        async with self._store.transaction() as transaction:
            known = await transaction.identities.find_in_installation(issuer, subject)
            user = None
            if known is not None and known.tenant == self._settings.organisation:
                user = await self._kept(transaction, known, role)
                refused = refused if role is None else "your account here is shut out"
            elif role is not None and known is None:
                user = await self._made(transaction, claims, role, unused)
                if user is None:
                    refused = "somebody else's account here has your log-in name"
                else:
                    await transaction.identities.add(
                        IdentityRecord(issuer=issuer, subject=subject, tenant=user.tenant, user=user.id)
                    )
            if user is not None:
                return await self._sessions.begin(transaction, user, address, now, by="single-sign-on")
            await self._note(transaction, "session.refuse", known.user if known else "unknown", {"address": address})
        raise NotAuthenticated(f"the single sign-on knows you, but {refused}", hint="Ask your administrator.")

    async def join(self, by: Principal, name: str, subject: str) -> User:
        """Let a person of the single sign-on in with an account that was there before; for the installation's command
        line. Raises `Conflict`, `InvalidInput`, `NotAllowed`."""
        by.require(Permission.ADMINISTRATION)
        if not by.installation:
            raise NotAllowed("accounts are joined on the command line of the installation only")
        if not self._settings.issuer:
            raise _none()
        async with self._store.transaction() as transaction:
            found = await transaction.users.find_by_name_in_installation(name)
            if found is None or found.user.tenant != self._settings.organisation:
                raise InvalidInput(
                    f"nobody of {self._settings.organisation} logs in as {name!r}", hint="See `impetus user list`."
                )
            await transaction.identities.add(
                IdentityRecord(
                    issuer=self._settings.issuer, subject=subject, tenant=found.user.tenant, user=found.user.id
                )
            )
            await self._note(transaction, "user.join", found.user.id, {"subject": subject}, actor=by.actor)
        return found.user

    async def _kept(self, transaction: Transaction, known: IdentityRecord, role: Role | None) -> User | None:
        """The account with the role that the groups give it now; none if nobody may come in with it."""
        user = await transaction.users.get(known.tenant, known.user)
        organisation = await transaction.organisations.get(known.tenant)
        if role is None or not user.active or not organisation.active:
            await transaction.sessions.revoke_user(user.tenant, user.id)
            await transaction.tokens.revoke_user(user.tenant, user.id, self._clock.now())
            return None
        if user.role is role:
            return user
        changed = user.model_copy(update={"role": role})
        await transaction.users.change(changed)
        await transaction.sessions.revoke_user(user.tenant, user.id)
        await self._note(transaction, "user.change-role", user.id, {"before": user.role.value, "after": role.value})
        return changed

    async def _made(
        self, transaction: Transaction, claims: Mapping[str, Any], role: Role, password_hash: str
    ) -> User | None:
        """A new account; none if its name is somebody's already: a name alone does not make it the same person."""
        name = name_of(claims, self._settings)
        if await transaction.users.find_by_name_in_installation(name) is not None:
            return None
        full_name = " ".join(str(claims.get(self._settings.full_name_claim) or name).split())[:200] or name
        user = User(
            id=new_id(),
            tenant=self._settings.organisation,
            name=name,
            full_name=full_name,
            role=role,
            created=self._clock.now(),
        )
        await transaction.users.add(user, password_hash)
        await self._note(transaction, "user.create", user.id, {"name": name, "role": role.value})
        return user

    def _known(self) -> Provider:
        settings = self._settings
        if not settings.issuer:
            raise _none()
        if self._provider is None:
            self._provider = Provider(
                settings.issuer,
                settings.client_id,
                self._secret(),
                settings.address.rstrip("/") + BACK,
                settings.scope,
            )
        return self._provider

    def _secret(self) -> str:
        if self._settings.client_secret_file is None:
            return ""
        try:
            return self._settings.client_secret_file.read_text(encoding="utf-8").partition("\n")[0].strip()
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                "the file with the single sign-on's secret cannot be read",
                hint="Mend access.single_sign_on.client_secret_file or the file's permissions.",
            ) from error

    async def _note(
        self, transaction: Transaction, action: str, user: str, detail: Mapping[str, Any], *, actor: str = ACTOR
    ) -> None:
        await audit.append(
            transaction,
            tenant=self._settings.organisation,
            time=self._clock.now(),
            actor=actor,
            action=action,
            subject=f"user:{user}",
            detail=detail,
        )


def role_of(claims: Mapping[str, Any], settings: SingleSignOnSettings) -> Role | None:
    """The role of the first of the settings' groups that the person is in; none without any.

    >>> settings = SingleSignOnSettings(roles={"soc-leads": Role.SUPERVISOR, "soc": Role.OPERATOR})
    >>> role_of({"groups": ["soc", "soc-leads"]}, settings)
    <Role.SUPERVISOR: 'supervisor'>
    >>> role_of({"groups": "soc"}, settings), role_of({"groups": [["soc"]]}, settings)
    (<Role.OPERATOR: 'operator'>, None)
    """
    said = claims.get(settings.groups_claim)
    listed = said if isinstance(said, list) else [said]
    groups = {one for one in listed if isinstance(one, str)}
    return next((role for group, role in settings.roles.items() if group in groups), None)


def name_of(claims: Mapping[str, Any], settings: SingleSignOnSettings) -> str:
    """A log-in name as ours are, from the provider's. Raises `NotAuthenticated` when nothing is left of it.

    >>> name_of({"preferred_username": "Anna.Berg@city.example"}, SingleSignOnSettings())
    'anna-berg-city-example'
    """
    said = str(claims.get(settings.name_claim) or "").casefold()
    name = re.sub(r"[^a-z0-9]+", "-", said).strip("-")[:64].strip("-")
    if not name:
        raise NotAuthenticated("the single sign-on does not say what you log in with", hint="Ask your administrator.")
    return name


def _none() -> InvalidInput:
    return InvalidInput("there is no single sign-on here", hint="Log in with name and password.")
