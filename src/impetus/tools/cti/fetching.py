"""Web addresses read politely and within limits: no address inside the own network, no endless answer, no archive.

The guard sits where the connection is made, after the name was resolved, so that a name that changes its address
between check and use (DNS rebinding) or a redirect gets nowhere.
"""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from urllib.robotparser import RobotFileParser

import httpcore

from impetus.model import ConfigurationError, InvalidInput, NotAllowed, Unavailable
from impetus.model.network_address import is_public

REDIRECTS = 5
ROBOTS_LIMIT_BYTES = 500_000
ROBOTS_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    url: str
    """Where it came from in the end."""

    @property
    def media_type(self) -> str:
        """Without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Credentials:
    """What proves to a server who asks."""

    user: str = ""
    password: str = ""
    token: str = ""
    scheme: str = "Bearer "

    def header(self) -> dict[str, str]:
        """The header `Authorization`, if any."""
        if self.token:
            return {"Authorization": f"{self.scheme}{self.token}"}
        if self.user:
            pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        return {}


class BadStatus(Unavailable):
    """A server answered, and not with what was asked for."""

    def __init__(self, message: str, *, answered: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.answered = answered


class _Refused(Exception):
    """The guard lets nobody connect there."""


class _GuardedBackend(httpcore.AnyIOBackend):
    """Connects to public addresses only, and to the internal ones that were named."""

    def __init__(self, allowed: frozenset[str]) -> None:
        super().__init__()
        self._allowed = allowed

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (the signature of the base class)
        local_address: str | None = None,
        socket_options: typing.Iterable[typing.Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host} is not known") from error
        addresses = list(dict.fromkeys(entry[4][0] for entry in found))
        if f"{host}:{port}" not in self._allowed:
            for address in addresses:
                if not is_public(str(address)):
                    raise _Refused(f"{host} is {address}, an address that is not on the public internet")
        failure: Exception | None = None
        for address in addresses[:4]:
            try:
                return await super().connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError(f"{host} has no address")


@dataclass
class Fetcher:
    """Fetches for all sources of one organisation. Close it at the end."""

    user_agent: str
    limit_s: float = 30.0
    limit_bytes: int = 10_000_000
    socks_proxy: str = ""
    internal_addresses: Sequence[str] = ()
    certificate_authorities: Path | None = None
    _direct: httpcore.AsyncConnectionPool | None = None
    _proxied: httpcore.AsyncConnectionPool | None = None
    _robots: dict[str, tuple[float, RobotFileParser]] = field(default_factory=dict)

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        credentials: Credentials | None = None,
        through_proxy: bool = False,
    ) -> Answer:
        """Read an address, following redirects within limits; credentials stay with the host that they are for.

        Raises `Unavailable` when there is no good answer, `NotAllowed` when the guard refuses, `InvalidInput` when the
        answer is too long or no address.
        """
        return await self._ask("GET", url, headers or {}, credentials, through_proxy, None)

    async def post(
        self,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str],
        credentials: Credentials | None = None,
        follow: bool = True,
    ) -> Answer:
        """Send a body; raises as `get`, and `BadStatus` for a redirect that is not to be followed."""
        return await self._ask("POST", url, headers, credentials, False, body, follow=follow)

    async def allowed_by_robots(self, url: str, *, through_proxy: bool = False) -> bool:
        """Whether the site's robots.txt (RFC 9309) lets this program read the address; one that is missing does."""
        parts = urlsplit(url)
        site = f"{parts.scheme}://{parts.netloc}"
        now_s = asyncio.get_running_loop().time()
        known = self._robots.get(site)
        if known is None or now_s - known[0] > ROBOTS_DAY_S:
            rules = RobotFileParser()
            try:
                answer = await self.get(f"{site}/robots.txt", through_proxy=through_proxy)
                rules.parse(answer.body[:ROBOTS_LIMIT_BYTES].decode("utf-8", "replace").splitlines())
            except Unavailable as error:
                missing = isinstance(error, BadStatus) and 400 <= error.answered < 500
                # RFC 9309, 2.3.1: what is not there (4xx) forbids nothing; what cannot be reached (5xx) forbids all.
                rules.parse([] if missing else ["User-agent: *", "Disallow: /"])
            known = self._robots[site] = (now_s, rules)
        return known[1].can_fetch(self.user_agent.partition("/")[0], url)

    async def close(self) -> None:
        """Let go of all connections."""
        for pool in (self._direct, self._proxied):
            if pool is not None:
                await pool.aclose()
        self._direct = self._proxied = None

    async def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        credentials: Credentials | None,
        through_proxy: bool,
        body: bytes | None,
        *,
        follow: bool = True,
    ) -> Answer:
        try:
            async with asyncio.timeout(self.limit_s):
                first = url
                for _ in range(REDIRECTS + 1):
                    own = _same_server(first, url) and (
                        credentials is None or url.startswith("https") or _is_local(url)
                    )
                    proof = credentials.header() if credentials is not None and own else {}
                    answer = await self._once(method, url, {**headers, **proof}, through_proxy, body)
                    if not follow or answer.status not in (301, 302, 303, 307, 308):
                        return _checked(answer)
                    url = _joined(url, answer.headers.get("location", ""))
                raise Unavailable(f"{url} redirects again and again")
        except TimeoutError as error:
            raise Unavailable(f"{_shown(url)} took longer than {self.limit_s:g} s") from error

    async def _once(
        self, method: str, url: str, headers: Mapping[str, str], through_proxy: bool, body: bytes | None
    ) -> Answer:
        parts = _address(url)
        pool = self._pool(parts.hostname or "", through_proxy)
        sent = {
            "Host": parts.netloc.rpartition("@")[2],
            "User-Agent": self.user_agent,
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            **headers,
        }
        if body is not None:
            sent["Content-Length"] = str(len(body))
        target = parts._replace(fragment="").geturl()
        try:
            async with pool.stream(
                method,
                target,
                headers=[(name.encode(), value.encode()) for name, value in sent.items()],
                content=body,
                extensions={
                    "timeout": {
                        "connect": self.limit_s,
                        "read": self.limit_s,
                        "write": self.limit_s,
                        "pool": self.limit_s,
                    }
                },
            ) as response:
                found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
                if found.get("content-encoding", "identity").lower() != "identity":
                    raise InvalidInput(f"{_shown(url)} answers compressed, which was not asked for")
                parts_read: list[bytes] = []
                size = 0
                async for chunk in response.aiter_stream():
                    size += len(chunk)
                    if size > self.limit_bytes:
                        raise InvalidInput(
                            f"{_shown(url)} answers with more than {self.limit_bytes / 1e6:g} MB",
                            hint="raise fetch_limit_mb if that is right",
                        )
                    parts_read.append(chunk)
                return Answer(response.status, found, b"".join(parts_read), url)
        except _Refused as error:
            raise NotAllowed(str(error), hint="name it in internal_addresses if it is yours") from error
        except ssl.SSLError as error:
            raise Unavailable(f"{_shown(url)}: its certificate is wrong: {error.reason or error}") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, httpcore.ProxyError) as error:
            text = str(error) or type(error).__name__
            what = "its certificate is wrong: " if "CERTIFICATE" in text.upper() else ""
            raise Unavailable(f"{_shown(url)} cannot be read: {what}{text}"[:500]) from error
        except (OSError, ValueError, UnicodeError) as error:
            raise Unavailable(f"{_shown(url)} cannot be read: {error}"[:500]) from error

    def _pool(self, host: str, through_proxy: bool) -> httpcore.AsyncConnectionPool:
        if host.endswith(".onion") or through_proxy:
            if not self.socks_proxy:
                raise ConfigurationError(
                    f"{host} is read through a SOCKS proxy, and none is set", hint="set socks_proxy"
                )
            if _is_internal_name(host):
                raise NotAllowed(f"{host} is not on the public internet")
            if self._proxied is None:
                self._proxied = httpcore.AsyncSOCKSProxy(
                    proxy_url=self.socks_proxy.replace("socks5h://", "socks5://"), ssl_context=self._tls()
                )
            return self._proxied
        if self._direct is None:
            allowed = frozenset(self.internal_addresses)
            self._direct = httpcore.AsyncConnectionPool(
                ssl_context=self._tls(), network_backend=_GuardedBackend(allowed), max_connections=20
            )
        return self._direct

    def _tls(self) -> ssl.SSLContext:
        file = self.certificate_authorities
        try:
            return ssl.create_default_context(cafile=str(file) if file else None)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(f"the certificate authorities in {file} cannot be read: {error}") from error


def _checked(answer: Answer) -> Answer:
    if answer.status == 304 or 200 <= answer.status < 300:
        return answer
    hint = "check its log-in" if answer.status in (401, 403) else ""
    text = f"{_shown(answer.url)} answers with status {answer.status}"
    raise BadStatus(text, answered=answer.status, hint=hint)


def _address(url: str) -> typing.Any:
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or (parts.port or 80) < 1:
            raise ValueError("it needs http or https and a host")
        if not url.isascii():
            raise ValueError("it holds characters that no address has")
        return parts
    except ValueError as error:
        raise InvalidInput(f"{_shown(url)} is no web address: {error}") from error


def _shown(url: str) -> str:
    """Without a log-in that may stand in it, and not endless."""
    head, at, tail = url.rpartition("@")
    return (
        f"{head.partition('://')[0]}://{tail}" if at and "://" in head and "/" not in head.partition("://")[2] else url
    )[:200]


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise InvalidInput(f"{_shown(url)} redirects to what is no web address: {error}") from error


def _same_server(first: str, other: str) -> bool:
    """Whether another address is of the same host and port; from http to https, at their usual ports, is no change."""
    ports = {"http": 80, "https": 443}
    one, two = _address(first), _address(other)
    before, after = (each.port or ports.get(each.scheme, 0) for each in (one, two))
    return one.hostname == two.hostname and (before == after or (before, after, two.scheme) == (80, 443, "https"))


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "127.0.0.1", "::1")


def _is_internal_name(host: str) -> bool:
    if host == "localhost" or host.endswith((".local", ".internal", ".lan", ".localhost")):
        return True
    try:
        return not is_public(host.strip("[]"))
    except ValueError:
        return False
