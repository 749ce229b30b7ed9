"""A second factor besides the password: time-based codes (TOTP, RFC 6238) from an app, and codes for a lost one."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pyotp

from impetus.governance import audit
from impetus.governance.principal import Principal
from impetus.governance.proof import PasswordProof
from impetus.governance.sealing import Seal, SealBroken
from impetus.governance.settings import AccessSettings
from impetus.model import Clock, Conflict, InvalidInput, NotAllowed, NotAuthenticated, Permission, User
from impetus.store import SecondFactorRecord, Store, Transaction

STEP_S: Final = 30
WINDOW: Final = 1
"""Time steps before and after the present one whose codes are taken too: clocks differ (RFC 6238, section 5.2)."""
RECOVERY_CODES: Final = 10
ISSUER: Final = "impetus"


class SecondFactorNeeded(NotAuthenticated):
    """The password is right, and a code of the second factor is asked for."""

    code = "second-factor"
    title = "A code is needed"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the person's app has to know, shown this once."""

    secret: str
    """In base 32, to be typed in."""
    address: str
    """The same as an `otpauth:` address, to be shown as a QR code."""


def new_step(secret: str, last_step: int, code: str, now: datetime) -> int | None:
    """The number of the time step that the code is of; None if it is of none, or of one that was used.

    >>> from datetime import UTC
    >>> new_step("GEZDGNBVGY3TQOJQ" * 2, 0, "287082", datetime.fromtimestamp(59, UTC))
    1
    >>> new_step("GEZDGNBVGY3TQOJQ" * 2, 1, "287082", datetime.fromtimestamp(59, UTC)) is None
    True
    """
    totp = pyotp.TOTP(secret, interval=STEP_S)
    present = int(now.timestamp()) // STEP_S
    found = None
    for step in range(max(0, present - WINDOW), present + WINDOW + 1):
        right = hmac.compare_digest(totp.generate_otp(step).encode(), _digits(code).encode(errors="replace"))
        if right and step > last_step:
            found = step
    return found


def shown(record: SecondFactorRecord, code: str, now: datetime, seal: Seal) -> tuple[SecondFactorRecord, str] | None:
    """The record after this code was used, and what it was: `code` or `recovery-code`. None if it is not right.

    Raises `SealBroken`."""
    step = new_step(seal.open(record.secret), record.last_step, code, now)
    if step is not None:
        return record.model_copy(update={"last_step": step}), "code"
    digest = _recovery_hash(code)
    if not any(hmac.compare_digest(digest, kept) for kept in record.recovery):
        return None
    return record.model_copy(update={"recovery": tuple(k for k in record.recovery if k != digest)}), "recovery-code"


class SecondFactors:
    """Sets up second factors and takes them away. Logging in asks for them."""

    def __init__(self, store: Store, clock: Clock, proof: PasswordProof, seal: Seal, settings: AccessSettings) -> None:
        self._store = store
        self._clock = clock
        self._proof = proof
        self._seal = seal
        self._settings = settings

    async def state(self, by: Principal) -> SecondFactorRecord | None:
        """The person's own, if there is one. Raises `NotAllowed` for machines."""
        user = _person(by)
        async with self._store.view() as view:
            return await view.second_factors.find(user.tenant, user.id)

    async def begin(self, by: Principal, password: str) -> Enrolment:
        """Make a secret for the person's app; it counts once `confirm` has seen a code.

        Raises `Conflict` if there is one in use, `NotAllowed` for a wrong password and `LogInThrottled`.
        """
        user = _person(by)
        await self._proof.require(user, password)
        secret = pyotp.random_base32()
        now = self._clock.now()
        async with self._store.transaction() as transaction:
            found = await transaction.second_factors.find(user.tenant, user.id, to_change=True)
            if found is not None and found.confirmed is not None:
                raise Conflict("there is a second factor already", hint="Take it away first, then set up another one.")
            record = SecondFactorRecord(user=user.id, tenant=user.tenant, secret=self._seal.close(secret), begun=now)
            await transaction.second_factors.put(record)
        totp = pyotp.TOTP(secret, interval=STEP_S)
        return Enrolment(secret, totp.provisioning_uri(name=user.name, issuer_name=ISSUER))

    async def confirm(self, by: Principal, code: str) -> Sequence[str]:
        """Put the second factor into use; the recovery codes, which are shown this once. All other sessions of the
        person end. Raises `Conflict` when none was begun, and `InvalidInput` for a wrong code."""
        user = _person(by)
        now = self._clock.now()
        codes = [_spaced(secrets.token_hex(8)) for _ in range(RECOVERY_CODES)]
        async with self._store.transaction() as transaction:
            found = await transaction.second_factors.find(user.tenant, user.id, to_change=True)
            if found is None or found.confirmed is not None:
                raise Conflict("no second factor is being set up", hint="Begin anew.")
            step = new_step(self._seal.open(found.secret), found.last_step, code, now)
            if step is None:
                raise InvalidInput(
                    "the code is not the one of this moment", hint="Check the app's clock, and type the newest code."
                )
            hashes = tuple(_recovery_hash(one) for one in codes)
            await transaction.second_factors.put(
                found.model_copy(update={"confirmed": now, "last_step": step, "recovery": hashes})
            )
            # Whoever holds a session that was begun with the password alone has to come again.
            await transaction.sessions.revoke_others(user.tenant, user.id, by.session or "")
            if by.session is not None:
                await transaction.sessions.note_second_factor(user.tenant, by.session)
            await self._note(transaction, by, user.tenant, "second-factor.set-up", user.id)
        return codes

    async def remove(self, by: Principal, password: str) -> None:
        """Take away one's own. Raises `NotAllowed` for a wrong password or where the role must have one, and
        `LogInThrottled`."""
        user = _person(by)
        if user.role in self._settings.second_factor_roles and not await self._has_passkey(user):
            raise NotAllowed(
                "this role must have a second factor", hint="An administrator can take it away, to set up another one."
            )
        await self._proof.require(user, password)
        await self._take_away(by, user.tenant, user.id)

    async def reset(self, by: Principal, tenant: str, user: str) -> None:
        """Take away all of a person's, passkeys too, who lost them; the person's sessions end.

        Raises `NotAllowed` and `NotFound`."""
        _require(by, tenant)
        async with self._store.view() as view:
            await view.users.get(tenant, user)
        await self._take_away(by, tenant, user, shut_out=True)

    async def holders(self, by: Principal, tenant: str) -> frozenset[str]:
        """Ids of the organisation's people who have one. Raises `NotAllowed`."""
        _require(by, tenant)
        async with self._store.view() as view:
            return await view.second_factors.holders(tenant) | await view.passkeys.holders(tenant)

    async def seal_anew(self) -> int:
        """Seal all secrets that are not sealed with the newest key, those of older versions as well; how many. To be
        called at each start. One that no key opens is left as it is."""
        count = 0
        async with self._store.transaction() as transaction:
            for record in await transaction.second_factors.list_in_installation():
                with contextlib.suppress(SealBroken):
                    sealed = self._seal.renewed(record.secret)
                    if sealed is not None:
                        await transaction.second_factors.put(record.model_copy(update={"secret": sealed}))
                        count += 1
        return count

    async def _has_passkey(self, user: User) -> bool:
        async with self._store.view() as view:
            return bool(await view.passkeys.list(user.tenant, user.id))

    async def _take_away(self, by: Principal, tenant: str, user: str, *, shut_out: bool = False) -> None:
        async with self._store.transaction() as transaction:
            removed = await transaction.second_factors.remove(tenant, user)
            if shut_out:
                removed = await transaction.passkeys.remove_user(tenant, user) > 0 or removed
            if not removed:
                return
            if shut_out:
                await transaction.sessions.revoke_user(tenant, user)
            await self._note(transaction, by, tenant, "second-factor.remove", user)

    async def _note(self, transaction: Transaction, by: Principal, tenant: str, action: str, user: str) -> None:
        await audit.append(
            transaction,
            tenant=tenant,
            time=self._clock.now(),
            actor=by.actor,
            action=action,
            subject=f"user:{user}",
        )


def _person(by: Principal) -> User:
    if by.user is None or by.token is not None:
        raise NotAllowed("a second factor is a person's own", hint="Log in with name and password.")
    return by.user


def _require(by: Principal, tenant: str) -> None:
    by.require(Permission.ADMINISTRATION)
    if by.tenant != tenant and not by.installation:
        raise NotAllowed("an administrator works within the own organisation only")


def _digits(code: str) -> str:
    return "".join(code.split())[:32]


def _spaced(code: str) -> str:
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def _recovery_hash(code: str) -> str:
    """SHA-256; the codes are random and long enough (64 bits) for a hash that is quick to make."""
    plain = "".join(letter for letter in code.casefold()[:64] if letter.isalnum())
    return hashlib.sha256(plain.encode(errors="replace")).hexdigest()
