"""Passkeys (Web Authentication Level 2, https://www.w3.org/TR/webauthn-2/): keys of a telephone, a computer or a stick.

The authenticator signs a challenge of ours and the address of the page, so that nothing can be guessed, passed on or
typed into a forged page. With the password a passkey is the second factor. Alone it lets in only where it has verified
the person (by PIN, finger or face, which stay on the device): then it is two factors itself.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from impetus.governance import audit
from impetus.governance.principal import Principal
from impetus.governance.proof import PasswordProof
from impetus.governance.sealing import Seal, SealBroken
from impetus.governance.settings import AccessSettings
from impetus.model import (
    Clock,
    Conflict,
    InvalidInput,
    NotAllowed,
    NotFound,
    User,
    to_microseconds,
)
from impetus.store import PasskeyRecord, Store, Transaction

CHALLENGE_S: Final = 300
ANSWER_LIMIT: Final = 20_000
"""Characters of what an authenticator answers."""
MOST: Final = 20
"""Passkeys of one person."""
NAME: Final = "impetus"


@dataclass(frozen=True, slots=True)
class Site:
    """The address of the pages as browsers have it: passkeys are good for its host alone."""

    origin: str
    """`https://city.example`, with a port that is not the usual one."""
    host: str
    """`city.example`: the relying party's identifier."""


class Passkeys:
    """Sets up passkeys, takes them away, and says whose one is that was shown. Logging in asks for them."""

    def __init__(self, store: Store, clock: Clock, proof: PasswordProof, seal: Seal, settings: AccessSettings) -> None:
        self._store = store
        self._clock = clock
        self._proof = proof
        self._seal = seal
        self._settings = settings

    def site(self, origin: str) -> Site:
        """The site of the settings; without one, that of the request. Raises `InvalidInput`."""
        given = self._settings.address or self._settings.single_sign_on.address
        try:
            parts = urlsplit(given or origin)
            return Site(f"{parts.scheme}://{parts.netloc}", parts.hostname or "")
        except ValueError as error:
            raise InvalidInput("the browser names no address of this site") from error

    async def list(self, by: Principal) -> Sequence[PasskeyRecord]:
        """The person's own. Raises `NotAllowed` for machines."""
        user = _person(by)
        async with self._store.view() as view:
            return await view.passkeys.list(user.tenant, user.id)

    async def begin(self, by: Principal, password: str, site: Site) -> dict[str, Any]:
        """What the browser needs to make a passkey (`PublicKeyCredentialCreationOptions` as JSON).

        Raises `NotAllowed` for a wrong password, `Conflict` where there are too many, and `LogInThrottled`.
        """
        user = _person(by)
        await self._proof.require(user, password)
        known = await self.list(by)
        if len(known) >= MOST:
            raise Conflict(f"you have {MOST} passkeys already", hint="Take away one that you no longer use.")
        from impetus.governance import web_authentication

        return web_authentication.question_to_make(
            host=site.host or NAME,
            site_name=NAME,
            user_handle=hashlib.sha256(user.id.encode()).digest(),
            name=user.name,
            full_name=user.full_name,
            challenge=self._challenge(f"register {user.id}"),
            timeout_s=CHALLENGE_S,
            known=[one.credential for one in known],
        )

    async def finish(self, by: Principal, title: str, answer: str, site: Site) -> PasskeyRecord:
        """Keep the passkey that the browser has made; the person's other sessions end.

        Raises `InvalidInput` where the answer is not one to `begin`, and `Conflict` for one that is known already.
        """
        user = _person(by)
        found = _parsed(answer)
        challenge = _challenge_of(found)
        self._made_at(challenge, f"register {user.id}")
        from impetus.governance import web_authentication

        try:
            made = web_authentication.made(found, challenge=challenge, host=site.host, origin=site.origin)
        except Exception as error:  # whatever hostile bytes do to their parser
            raise InvalidInput("this passkey cannot be used here", hint="Try again, or take another one.") from error
        record = PasskeyRecord(
            id=_id(made.credential),
            user=user.id,
            tenant=user.tenant,
            credential=made.credential,
            public_key=made.public_key,
            uses=made.uses,
            site=site.host,
            title=" ".join(title.split())[:100] or "passkey",
            created=self._clock.now(),
        )
        async with self._store.transaction() as transaction:
            await transaction.passkeys.add(record)
            # Whoever holds a session that was begun with the password alone has to come again.
            await transaction.sessions.revoke_others(user.tenant, user.id, by.session or "")
            if by.session is not None:
                await transaction.sessions.note_second_factor(user.tenant, by.session)
            await self._note(transaction, by, "passkey.set-up", user)
        return record

    async def remove(self, by: Principal, id: str, password: str) -> None:
        """Take away one's own. Raises `NotFound`, `NotAllowed` for a wrong password or for the last factor of a role
        that must have one, and `LogInThrottled`."""
        user = _person(by)
        await self._proof.require(user, password)
        async with self._store.transaction() as transaction:
            factor = await transaction.second_factors.find(user.tenant, user.id)
            if not await transaction.passkeys.remove(user.tenant, user.id, id):
                raise NotFound("there is no such passkey of yours")
            left = await transaction.passkeys.list(user.tenant, user.id) or (factor and factor.confirmed)
            if user.role in self._settings.second_factor_roles and not left:
                raise NotAllowed("this role must have a second factor", hint="Set up another one first.")
            await self._note(transaction, by, "passkey.remove", user)

    def ask(self, site: Site) -> dict[str, Any]:
        """What the browser needs to show a passkey (`PublicKeyCredentialRequestOptions` as JSON): it asks the person
        which; nothing is told of who has one."""
        from impetus.governance import web_authentication

        return web_authentication.question_to_show(
            host=site.host or NAME, challenge=self._challenge("log-in"), timeout_s=CHALLENGE_S
        )

    async def shown(self, transaction: Transaction, answer: str, site: Site, *, alone: bool) -> PasskeyRecord | None:
        """The passkey that was shown, as it is after this use (the caller keeps that); None if it is none of ours, or
        what was shown is old, was used before, or, `alone`, did not verify the person."""
        from impetus.governance import web_authentication

        try:
            found = _parsed(answer)
            challenge = _challenge_of(found)
            made_us = self._made_at(challenge, "log-in")
            record = await transaction.passkeys.find_in_installation(_id(str(found.get("id"))), to_change=True)
            if record is None or record.site != site.host or made_us <= record.last_challenge:
                return None
            uses = web_authentication.uses_when_shown(
                found,
                challenge=challenge,
                host=record.site,
                origin=site.origin,
                public_key=record.public_key,
                uses=record.uses,
                person_verified=alone,
            )
        except Exception:  # whatever hostile bytes do to their parser
            return None
        return record.model_copy(update={"uses": uses, "used": self._clock.now(), "last_challenge": made_us})

    def _challenge(self, purpose: str) -> bytes:
        """Sealed and dated, so that any hub knows it again and none has to be kept."""
        now = self._clock.now()
        return self._seal.close(f"{purpose}\n{to_microseconds(now)}\n{secrets.token_hex(16)}", now).encode()

    def _made_at(self, challenge: bytes, purpose: str) -> int:
        """When a challenge of ours was made, in microseconds since 1970. Raises `InvalidInput`."""
        try:
            opened = self._seal.open_young(challenge.decode("ascii", "replace"), CHALLENGE_S, self._clock.now())
        except SealBroken as error:
            raise InvalidInput(error.message, hint=error.hint) from error
        said, made_us, *_ = [*opened.split("\n"), ""]
        if said != purpose or not made_us.isdecimal():
            raise InvalidInput("this answers another question", hint="Begin anew.")
        return int(made_us)

    async def _note(self, transaction: Transaction, by: Principal, action: str, user: User) -> None:
        await audit.append(
            transaction,
            tenant=user.tenant,
            time=self._clock.now(),
            actor=by.actor,
            action=action,
            subject=f"user:{user.id}",
        )


def _parsed(answer: str) -> dict[str, Any]:
    """What a browser answers, as JSON. Raises `InvalidInput`."""
    try:
        found = json.loads(answer) if len(answer) <= ANSWER_LIMIT else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("response"), dict):
        raise InvalidInput("this is no answer of a passkey", hint="Try again.")
    return found


def _challenge_of(answer: dict[str, Any]) -> bytes:
    """The challenge that an answer says it answers. Raises `InvalidInput`."""
    from impetus.governance import web_authentication

    try:
        return web_authentication.challenge_of(answer)
    except Exception as error:  # whatever hostile bytes do to their parser
        raise InvalidInput("this is no answer of a passkey", hint="Try again.") from error


def _id(credential: str) -> str:
    return hashlib.sha256(credential.encode(errors="replace")).hexdigest()


def _person(by: Principal) -> User:
    if by.user is None or by.token is not None:
        raise NotAllowed("a passkey is a person's own", hint="Log in with name and password.")
    return by.user
