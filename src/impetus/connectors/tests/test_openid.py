"""Protects: nobody is taken for somebody by an ID token that is not the provider's, for us, now and for this log-in."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from impetus.connectors.openid import Departure, Provider
from impetus.model import ConfigurationError, ImpetusError, NotAuthenticated, Unavailable

SECRET = "the client's secret, long enough for HS256"
DEPARTURE = Departure("", "a-state", "a-nonce", "v" * 43)


class Office:
    """An OpenID provider that says what the test wants, over HTTP."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, parameters={"kid": "first"})
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "first"}
        self.signed_with: Any = None
        self.userinfo: Any = {}
        self.discovery: dict[str, Any] = {}
        self.id_token: Any = None
        self.asked: list[str] = []
        office = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(office.answer(self.path))

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self._answer(office.answer(self.path))

            def _answer(self, content: bytes | None) -> None:
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, path: str) -> bytes | None:
        """What is sent for a path."""
        self.asked.append(path)
        match path:
            case "/.well-known/openid-configuration":
                known = {
                    "issuer": self.issuer,
                    "authorization_endpoint": f"{self.issuer}/authorize",
                    "token_endpoint": f"{self.issuer}/token",
                    "jwks_uri": f"{self.issuer}/keys",
                    "userinfo_endpoint": f"{self.issuer}/userinfo",
                }
                return json.dumps(known | self.discovery).encode()
            case "/keys":
                return json.dumps({"keys": [self.key.as_dict(private=False)]}).encode()
            case "/token":
                return json.dumps({"access_token": "a", "token_type": "Bearer", "id_token": self._id_token()}).encode()
            case "/userinfo":
                return json.dumps(self.userinfo).encode()
            case _:
                return None

    def _id_token(self) -> Any:
        if self.id_token is not None:
            return self.id_token
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": "impetus", "sub": "anna", "nonce": "a-nonce", "iat": now, "exp": now + 300}
        said = {name: value for name, value in (claims | self.claims).items() if value is not None}
        return jwt.encode(self.header, said, self.signed_with or self.key, algorithms=[self.header["alg"]])

    def provider(self) -> Provider:
        """As an installation knows it."""
        return Provider(self.issuer, "impetus", SECRET, "https://city.example/back")


@pytest.fixture
def office() -> Iterator[Office]:
    made = Office()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


async def test_a_person_is_known_by_a_good_token(office: Office) -> None:
    office.userinfo = {"sub": "anna", "groups": ["soc"], "name": "Anna"}
    office.claims = {"name": "Anna Berg"}
    claims = await office.provider().arrive("code", DEPARTURE)
    assert (claims["sub"], claims["name"], claims["groups"]) == ("anna", "Anna Berg", ["soc"])


async def test_a_browser_goes_there_with_a_challenge(office: Office) -> None:
    departure = await office.provider().depart()
    assert departure.address.startswith(f"{office.issuer}/authorize?")
    for part in (f"state={departure.state}", f"nonce={departure.nonce}", "code_challenge_method=S256"):
        assert part in departure.address
    assert departure.verifier not in departure.address
    assert SECRET not in departure.address


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "somebody-else"},
        {"aud": None},
        {"aud": ["impetus", "somebody-else"]},
        {"exp": 1_700_000_000},
        {"exp": None},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
    ],
    ids=str,
)
async def test_whatever_is_wrong_in_a_token_nobody_comes_in(office: Office, claims: dict[str, Any]) -> None:
    office.claims = claims
    with pytest.raises(NotAuthenticated):
        await office.provider().arrive("code", DEPARTURE)


@pytest.mark.parametrize("id_token", ["", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm5hIn0.", {"sub": "anna"}, 7])
async def test_what_is_no_signed_token_is_refused(office: Office, id_token: Any) -> None:
    office.id_token = id_token
    with pytest.raises(NotAuthenticated):
        await office.provider().arrive("code", DEPARTURE)


async def test_a_token_signed_by_somebody_else_is_refused(office: Office) -> None:
    office.signed_with = RSAKey.generate_key(2048, parameters={"kid": "first"})
    with pytest.raises(NotAuthenticated):
        await office.provider().arrive("code", DEPARTURE)


async def test_a_signature_with_the_shared_secret_is_not_taken(office: Office) -> None:
    """Or else whoever knows the public key, or our secret, could sign."""
    office.header, office.signed_with = {"alg": "HS256"}, OctKey.import_key(SECRET)
    with pytest.raises(NotAuthenticated):
        await office.provider().arrive("code", DEPARTURE)


async def test_the_providers_new_keys_are_fetched(office: Office) -> None:
    provider = office.provider()
    await provider.arrive("code", DEPARTURE)
    office.key = RSAKey.generate_key(2048, parameters={"kid": "second"})
    office.header = {"alg": "RS256", "kid": "second"}
    assert (await provider.arrive("code", DEPARTURE))["sub"] == "anna"
    assert office.asked.count("/keys") == 2
    assert office.asked.count("/.well-known/openid-configuration") == 1


async def test_a_userinfo_of_somebody_else_is_not_used(office: Office) -> None:
    office.userinfo = {"sub": "mallory", "groups": ["administrators"]}
    assert "groups" not in await office.provider().arrive("code", DEPARTURE)


@pytest.mark.parametrize("userinfo", [[], "text", None, 7])
async def test_a_userinfo_that_is_none_is_not_used(office: Office, userinfo: Any) -> None:
    office.userinfo = userinfo
    assert (await office.provider().arrive("code", DEPARTURE))["sub"] == "anna"


@pytest.mark.parametrize(
    ("discovery", "error"),
    [
        ({"issuer": "https://evil.example"}, ConfigurationError),
        ({"token_endpoint": "http://169.254.169.254/latest/meta-data"}, ConfigurationError),
        ({"jwks_uri": "file:///etc/passwd"}, ConfigurationError),
        ({"userinfo_endpoint": "http://internal.example/"}, ConfigurationError),
        ({"padding": "x" * 1_000_001}, Unavailable),
    ],
    ids=["issuer", "token", "keys", "userinfo", "length"],
)
async def test_a_provider_does_not_send_us_elsewhere(
    office: Office, discovery: dict[str, Any], error: type[ImpetusError]
) -> None:
    """No secret goes over a line that can be read, nor to an address inside (SSRF)."""
    office.discovery = discovery
    with pytest.raises(error):
        await office.provider().arrive("code", DEPARTURE)


async def test_a_provider_that_is_away_is_told() -> None:
    provider = Provider("http://127.0.0.1:1", "impetus", "", "https://city.example/back")
    with pytest.raises(Unavailable, match="single sign-on"):
        await provider.depart()


@pytest.mark.parametrize("issuer", ["http://login.example", "ftp://localhost", "login.example", ""])
def test_only_https_is_asked(issuer: str) -> None:
    with pytest.raises(ConfigurationError, match="https"):
        Provider(issuer, "impetus", "", "https://city.example/back")
