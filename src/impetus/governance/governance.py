"""All services of governance, put together."""

from __future__ import annotations

from impetus.governance.accounts import Accounts
from impetus.governance.agreements import Agreements
from impetus.governance.audit import AuditVerification, verify
from impetus.governance.passkeys import Passkeys
from impetus.governance.passwords import Passwords
from impetus.governance.principal import Principal
from impetus.governance.proof import PasswordProof
from impetus.governance.sealing import Seal
from impetus.governance.second_factor import SecondFactors
from impetus.governance.sessions import Sessions
from impetus.governance.settings import AccessSettings
from impetus.governance.single_sign_on import SingleSignOn
from impetus.governance.tokens import PREFIX, Tokens
from impetus.model import Clock, NotAuthenticated, Permission
from impetus.store import AuditRecord, Page, Store


class Governance:
    """Who may do what, and who did."""

    def __init__(self, store: Store, clock: Clock, settings: AccessSettings, seal: Seal | None = None) -> None:
        """Without a `seal`, secrets that are sealed here can be opened as long as this lives, not afterwards."""
        self._store = store
        seal = seal or Seal()
        passwords = Passwords(settings.password)
        proof = PasswordProof(store, clock, passwords, settings.throttle)
        self.accounts = Accounts(store, clock, passwords, proof)
        self.passkeys = Passkeys(store, clock, proof, seal, settings)
        self.sessions = Sessions(store, clock, passwords, self.passkeys, seal, settings)
        self.second_factors = SecondFactors(store, clock, proof, seal, settings)
        self.single_sign_on = SingleSignOn(store, clock, passwords, self.sessions, settings.single_sign_on)
        self.tokens = Tokens(store, clock)
        self.agreements = Agreements(store, clock)

    async def authenticate(
        self, *, session: str | None = None, bearer: str | None = None, touch: bool = True
    ) -> Principal:
        """Who is behind a session's cookie or a bearer token; the token counts where both came.

        Without `touch` this does not count as use. Raises `NotAuthenticated`.
        """
        if bearer is not None:
            return await self.tokens.authenticate(bearer, touch=touch)
        if session is not None:
            return await self.sessions.authenticate(session, touch=touch)
        raise NotAuthenticated(
            "the request carries neither a session nor a token",
            hint=f"Log in, or send `Authorization: Bearer {PREFIX}...`.",
        )

    async def audit_records(
        self,
        by: Principal,
        *,
        actor: str | None = None,
        action: str | None = None,
        subject: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> Page[AuditRecord]:
        """A page of the own organisation's audit log, newest first. Raises `NotAllowed` and `InvalidInput`."""
        by.require(Permission.AUDIT_READ)
        async with self._store.view() as view:
            return await view.audit.list(
                by.tenant, actor=actor, action=action, subject=subject, limit=limit, after=after
            )

    async def verify_audit(self, by: Principal) -> AuditVerification:
        """Check the own organisation's audit log; the installation's command line checks all. Raises `NotAllowed`."""
        by.require(Permission.AUDIT_READ)
        return await verify(self._store, None if by.installation else by.tenant)
