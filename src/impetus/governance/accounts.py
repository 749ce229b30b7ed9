"""Organisations and the people in them: made, changed and shut out by administrators, with an audit record each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from impetus.governance import agreements, audit
from impetus.governance.passwords import Passwords
from impetus.governance.principal import Principal
from impetus.governance.proof import PasswordProof
from impetus.model import (
    SYSTEM_TENANT,
    Clock,
    Conflict,
    InvalidInput,
    NotAllowed,
    Permission,
    Role,
    Tenant,
    User,
    new_id,
)
from impetus.store import Store, Transaction

ModelType = TypeVar("ModelType", bound=BaseModel)


class Accounts:
    """An administrator works within the own organisation; `installation_principal()` within all."""

    def __init__(self, store: Store, clock: Clock, passwords: Passwords, proof: PasswordProof) -> None:
        self._store = store
        self._clock = clock
        self._passwords = passwords
        self._proof = proof

    async def create_organisation(self, by: Principal, id: str, name: str) -> Tenant:
        """A new organisation. Raises `Conflict` if the id is taken, `InvalidInput`, `NotAllowed`."""
        by.require(Permission.ADMINISTRATION)
        if id == SYSTEM_TENANT:
            raise InvalidInput(f"{SYSTEM_TENANT!r} is the system itself", hint="Choose another id.")
        organisation = _valid(Tenant, id=id, name=name, created=self._clock.now())
        async with self._store.transaction() as transaction:
            await transaction.organisations.add(organisation)
            await self._note(transaction, by, id, "organisation.create", f"organisation:{id}", {"name": name})
        return organisation

    async def organisations(self, by: Principal) -> Sequence[Tenant]:
        """All organisations of the installation. Raises `NotAllowed`."""
        by.require(Permission.ADMINISTRATION)
        async with self._store.view() as view:
            return await view.organisations.list_in_installation()

    async def set_organisation_active(self, by: Principal, id: str, active: bool) -> Tenant:
        """Shut out all people and machines of an organisation, or let them in again; for the installation's command
        line only. What it shares and what is shared with it ends at once. Raises `NotAllowed` and `NotFound`."""
        by.require(Permission.ADMINISTRATION)
        if not by.installation:
            raise NotAllowed("an organisation is shut out on the command line of the installation only")
        async with self._store.transaction() as transaction:
            organisation = (await transaction.organisations.get(id)).model_copy(update={"active": active})
            await transaction.organisations.change(organisation)
            if not active:
                await transaction.sessions.revoke_tenant(id)
                await agreements.end_all_of(transaction, id, by, self._clock.now())
            action = "organisation.activate" if active else "organisation.deactivate"
            await self._note(transaction, by, id, action, f"organisation:{id}")
        return organisation

    async def create_user(
        self,
        by: Principal,
        tenant: str,
        *,
        name: str,
        full_name: str,
        role: Role,
        password: str,
        language: str = "en",
    ) -> User:
        """A new account. Raises `Conflict` if the name is taken, `InvalidInput` (also for a password that breaks the
        rules), `NotAllowed` and `NotFound`."""
        self._require(by, tenant)
        user = _valid(
            User,
            id=new_id(),
            tenant=tenant,
            name=name,
            full_name=full_name,
            role=role,
            language=language,
            created=self._clock.now(),
        )
        self._passwords.check_rules(password, name=user.name, full_name=user.full_name)
        password_hash = await self._passwords.hash(password)
        async with self._store.transaction() as transaction:
            await transaction.users.add(user, password_hash)
            detail = {"name": user.name, "role": role.value}
            await self._note(transaction, by, tenant, "user.create", f"user:{user.id}", detail)
        return user

    async def users(self, by: Principal, tenant: str) -> Sequence[User]:
        """All accounts of the organisation. Raises `NotAllowed`."""
        self._require(by, tenant)
        async with self._store.view() as view:
            return await view.users.list(tenant)

    async def change_role(self, by: Principal, tenant: str, user: str, role: Role) -> User:
        """Give another role; the person has to log in anew. Raises `Conflict` for the last administrator, `NotAllowed`
        and `NotFound`."""
        self._require(by, tenant)
        async with self._store.transaction() as transaction:
            old = await transaction.users.get(tenant, user)
            new = old.model_copy(update={"role": role})
            await self._keep_an_administrator(transaction, old, new)
            await transaction.users.change(new)
            await transaction.sessions.revoke_user(tenant, user)
            detail = {"before": old.role.value, "after": role.value}
            await self._note(transaction, by, tenant, "user.change-role", f"user:{user}", detail)
        return new

    async def set_active(self, by: Principal, tenant: str, user: str, active: bool) -> User:
        """Shut a person out at once, sessions and tokens too, or let the person in again. Raises `Conflict` for the
        last administrator, `NotAllowed` and `NotFound`."""
        self._require(by, tenant)
        async with self._store.transaction() as transaction:
            old = await transaction.users.get(tenant, user)
            new = old.model_copy(update={"active": active})
            await self._keep_an_administrator(transaction, old, new)
            await transaction.users.change(new)
            if not active:
                await self._shut_out(transaction, new)
            action = "user.activate" if active else "user.deactivate"
            await self._note(transaction, by, tenant, action, f"user:{user}")
        return new

    async def change_own_password(self, by: Principal, old: str, new: str) -> None:
        """Change one's own password; all own sessions and tokens end. Raises `NotAllowed` if `old` is wrong,
        `LogInThrottled`, and `InvalidInput` if `new` breaks the rules."""
        if by.user is None:
            raise NotAllowed("a machine has no password")
        if by.token is not None:
            raise NotAllowed("a token is not enough to change a password", hint="Log in with name and password.")
        await self._proof.require(by.user, old)
        await self._set_password(by, by.user, new)

    async def reset_password(self, by: Principal, tenant: str, user: str, new: str) -> None:
        """Give a person a new password; all the person's sessions and tokens end. Raises `InvalidInput`,
        `NotAllowed` and `NotFound`."""
        self._require(by, tenant)
        async with self._store.view() as view:
            found = await view.users.get(tenant, user)
        await self._set_password(by, found, new)

    async def _set_password(self, by: Principal, user: User, new: str) -> None:
        self._passwords.check_rules(new, name=user.name, full_name=user.full_name)
        password_hash = await self._passwords.hash(new)
        async with self._store.transaction() as transaction:
            await transaction.users.set_password_hash(user.tenant, user.id, password_hash)
            await self._shut_out(transaction, user)
            await self._note(transaction, by, user.tenant, "user.change-password", f"user:{user.id}")

    async def _shut_out(self, transaction: Transaction, user: User) -> None:
        await transaction.sessions.revoke_user(user.tenant, user.id)
        await transaction.tokens.revoke_user(user.tenant, user.id, self._clock.now())

    def _require(self, by: Principal, tenant: str) -> None:
        by.require(Permission.ADMINISTRATION)
        if by.tenant != tenant and not by.installation:
            raise NotAllowed("an administrator works within the own organisation only")

    async def _keep_an_administrator(self, transaction: Transaction, old: User, new: User) -> None:
        def administers(user: User) -> bool:
            return user.active and user.role is Role.ADMINISTRATOR

        if not administers(old) or administers(new):
            return
        if not any(administers(user) for user in await transaction.users.list(old.tenant) if user.id != old.id):
            raise Conflict(
                "this is the organisation's last administrator", hint="Make another person an administrator first."
            )

    async def _note(
        self,
        transaction: Transaction,
        by: Principal,
        tenant: str,
        action: str,
        subject: str,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        await audit.append(
            transaction,
            tenant=tenant,
            time=self._clock.now(),
            actor=by.actor,
            action=action,
            subject=subject,
            detail=detail,
        )


def _valid(model: type[ModelType], **fields: Any) -> ModelType:
    """Make a value of the model. Raises `InvalidInput` in plain words."""
    try:
        return model(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInput(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
