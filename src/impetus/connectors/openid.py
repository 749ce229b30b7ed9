"""Single sign-on: the relying party's half of OpenID Connect Core 1.0, code flow with PKCE (RFC 7636).

Authlib and joserfc do what is cryptographic; they come with the extra `oidc`.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import urlsplit

from impetus.model import ConfigurationError, NotAuthenticated, Unavailable

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
"""Signatures that are taken: none that is made with a shared secret, and never `none`."""
TIMEOUT_S: Final = 10.0
ANSWER_LIMIT_BYTES: Final = 1_000_000
DISCOVERY_S: Final = 3_600.0
"""How long what the provider says of itself is believed without asking again."""
LEEWAY_S: Final = 60
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Departure:
    """What this browser has to bring back from the provider; it goes into a cookie of its own."""

    address: str
    """Where the browser is sent."""
    state: str
    nonce: str
    verifier: str


@dataclass(slots=True)
class Provider:
    """One OpenID provider, as this installation is known to it."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
    scope: str = "openid profile"
    _known: Mapping[str, Any] | None = None
    _known_at_s: float = 0.0
    _keys: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for address in (self.issuer, self.redirect_uri):
            check_address(address)
        if not all(find_spec(package) for package in ("authlib", "httpx2")):
            raise ConfigurationError(
                "the single sign-on needs Authlib, which is not installed", hint="pip install impetus[oidc]"
            )

    async def depart(self) -> Departure:
        """Send a browser there. Raises `Unavailable` when the provider does not answer."""
        oauth = _client(self)
        known = await self._discovery()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        async with oauth as client:
            address, _ = client.create_authorization_url(
                _endpoint(known, "authorization_endpoint"), state=state, nonce=nonce, code_verifier=verifier
            )
        return Departure(str(address), state, nonce, verifier)

    async def arrive(self, code: str, departure: Departure) -> Mapping[str, Any]:
        """What the provider says of the person: the claims of the ID token, and of userinfo where there is one.

        Raises `NotAuthenticated` for whatever is not as it must be, and `Unavailable`.
        """
        from authlib.common.errors import AuthlibBaseError
        from httpx2 import HTTPError

        known = await self._discovery()
        try:
            async with _client(self) as client:
                token = await client.fetch_token(
                    _endpoint(known, "token_endpoint"), code=code, code_verifier=departure.verifier
                )
                claims = await self._claims(token, known, departure.nonce)
                if "userinfo_endpoint" in known:
                    answer = await client.get(_endpoint(known, "userinfo_endpoint"))
                    more = answer.json() if answer.is_success and len(answer.content) < ANSWER_LIMIT_BYTES else {}
                    # Core 1.0, section 5.3.2: a userinfo of somebody else must not be used.
                    if isinstance(more, dict) and more.get("sub") == claims["sub"]:
                        claims = {**more, **claims}
        except AuthlibBaseError as error:
            raise _refused(f"the provider refused: {error.error}") from error
        except HTTPError as error:
            raise Unavailable("the single sign-on does not answer", hint="Log in with name and password.") from error
        except ValueError as error:
            raise _refused("the provider's answer cannot be read") from error
        return claims

    async def _claims(self, token: Mapping[str, Any], known: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import JoseError

        raw = token.get("id_token")
        if not isinstance(raw, str):
            raise _refused("the provider sent no ID token")
        try:
            try:
                decoded = jwt.decode(raw, await self._key_set(known), algorithms=list(ALGORITHMS))
            except (JoseError, ValueError):
                # The provider may have changed its keys since they were fetched.
                decoded = jwt.decode(raw, await self._key_set(known, anew=True), algorithms=list(ALGORITHMS))
            options = {
                "iss": {"essential": True, "value": self.issuer},
                "aud": {"essential": True, "value": self.client_id},
                "nonce": {"essential": True, "value": nonce},
            }
            claims = CodeIDToken(decoded.claims, decoded.header, options, {"nonce": nonce, "client_id": self.client_id})
            claims.validate(leeway=LEEWAY_S)
        except (JoseError, ValueError) as error:
            raise _refused("the provider's word about the person does not hold") from error
        if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:
            raise _refused("the provider does not say who the person is")
        return dict(claims)

    async def _discovery(self) -> Mapping[str, Any]:
        now = time.monotonic()
        if self._known is None or now - self._known_at_s > DISCOVERY_S:
            known = await _get_json(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            # Discovery 1.0, section 4.3: or else another provider could speak in this one's name.
            if known.get("issuer") != self.issuer:
                raise ConfigurationError(
                    f"the single sign-on calls itself {str(known.get('issuer'))[:200]!r}",
                    hint="Set access.single_sign_on.issuer to exactly that, if it is the right one.",
                )
            self._known, self._known_at_s, self._keys = known, now, None
        return self._known

    async def _key_set(self, known: Mapping[str, Any], *, anew: bool = False) -> Any:
        from joserfc.jwk import KeySet

        if self._keys is None or anew:
            self._keys = KeySet.import_key_set(await _get_json(_endpoint(known, "jwks_uri")))  # type: ignore[arg-type]
        return self._keys


def check_address(address: str) -> None:
    """Raises `ConfigurationError` for an address that is not HTTPS, but for this machine's own."""
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ConfigurationError(
            f"the single sign-on's address {address[:200]!r} is not https", hint="Secrets go there: use https."
        )


def _endpoint(known: Mapping[str, Any], name: str) -> str:
    """An address that the provider names: whatever it says, no secret goes over a line that can be read."""
    address = str(known.get(name, ""))
    check_address(address)
    return address


def _client(provider: Provider) -> Any:
    from authlib.integrations.httpx_client import AsyncOAuth2Client

    return AsyncOAuth2Client(
        provider.client_id,
        provider.client_secret,
        scope=provider.scope,
        redirect_uri=provider.redirect_uri,
        token_endpoint_auth_method="client_secret_basic" if provider.client_secret else "none",
        code_challenge_method="S256",
        timeout=TIMEOUT_S,
        follow_redirects=False,
        trust_env=False,
    )


async def _get_json(address: str) -> dict[str, Any]:
    from httpx2 import AsyncClient, HTTPError

    try:
        async with (
            AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client,
            client.stream("GET", address) as answer,
        ):
            answer.raise_for_status()
            content = b""
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > ANSWER_LIMIT_BYTES:
                    raise Unavailable("the single sign-on's answer is too long", hint="Tell the administrator.")
            found = json.loads(content)
    except (HTTPError, ValueError) as error:
        raise Unavailable(
            "the single sign-on does not answer as it should", hint="Log in with name and password."
        ) from error
    if not isinstance(found, dict):
        raise Unavailable("the single sign-on does not answer as it should", hint="Log in with name and password.")
    return found


def _refused(why: str) -> NotAuthenticated:
    return NotAuthenticated(f"the single sign-on failed: {why}", hint="Try again, or tell the administrator.")
