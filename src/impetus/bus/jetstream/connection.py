"""One connection to the NATS servers: made when first needed, with the streams that the bus uses, errors in words."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError, NoRespondersError
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeout

from impetus.bus.jetstream.settings import JetStreamSettings
from impetus.bus.jetstream.wire import Names
from impetus.model import ConfigurationError, Conflict, ImpetusError, Unavailable

Result = TypeVar("Result")
_log = structlog.get_logger("impetus.bus")
_REQUEST_S = 5.0
_ANSWER_S = 2.0
_RETRY_S = 0.1
_NANOSECONDS = 1_000_000_000
_WRONG_LAST_SEQUENCE = 10071
_NOT_FOUND = 404
_STREAM_EXISTS = (10058, 10065)
_FULL = (10023, 10047, 10077)
"""No resources, no storage, the stream is full."""
EXPECTED_LAST = "Nats-Expected-Last-Subject-Sequence"


class Refused(Exception):
    """JetStream answered with an error."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        self.code = int(error.get("code", 0))
        self.number = int(error.get("err_code", 0))
        self.text = str(error.get("description", "no reason given"))
        super().__init__(self.text)

    def plain(self) -> ImpetusError:
        """In words for a caller."""
        if self.number in _FULL:
            return Unavailable(
                f"the NATS servers have no room for more messages: {self.text}",
                hint="free disk space there, or raise the limit of the stream",
            )
        return Unavailable(f"the NATS servers refused: {self.text}", hint="look at the servers' log")


class Connection:
    """See the module. One object belongs to one event loop."""

    def __init__(self, servers: Sequence[str], settings: JetStreamSettings) -> None:
        """Raises ConfigurationError when certificates or password cannot be read."""
        self.settings = settings
        self.names = Names(settings.name)
        self.partitions = settings.partitions
        """As the log has it, once connected."""
        self.breaks = 0
        """Grows when the connection was lost: what servers had sent may be lost then."""
        self._servers = list(servers)
        self._tls = _tls_of(settings)
        self._password = _password_of(settings)
        self._api = f"$JS.{settings.domain}.API" if settings.domain else "$JS.API"
        self._client: Client | None = None
        self._lock = asyncio.Lock()
        self._up = False
        self._closed = False
        self._last_error = ""
        self._acknowledgements: dict[str, asyncio.Future[Msg]] = {}
        self._inbox = ""
        self._number = 0
        self.on_notice: Callable[[str], None] = lambda durable: None
        """Called with the name of a durable consumer whose members should look."""

    async def client(self) -> Client:
        """The connection, made if there is none. Raises Unavailable."""
        if self._closed:
            raise Unavailable("the bus is closed", hint="open it again")
        client = self._client
        if client is None or client.is_closed:
            async with self._lock:
                client = self._client
                if client is None or client.is_closed:
                    client = await self._connect()
                    if self._client is not None:
                        _log.info("connected to the NATS servers again")
                    self._client = client
                    self._up = True
        return client

    async def _connect(self) -> Client:
        deadline = time.monotonic() + self.settings.wait_s
        while True:
            client = Client()
            try:
                await self._open(client)
            except (NatsError, OSError, TimeoutError, Unavailable) as error:
                await _abandon(client)
                if self._closed or time.monotonic() >= deadline:
                    raise Unavailable(
                        f"no NATS server answers at {', '.join(self._servers)}: {self._last_error or error}",
                        hint="start nats-server with JetStream, or mend `bus` and `nats` in the settings",
                    ) from error
                await asyncio.sleep(_RETRY_S)
            except BaseException:
                await _abandon(client)
                raise
            else:
                return client

    async def _open(self, client: Client) -> None:
        options: dict[str, Any] = {}
        if self._tls is not None:
            options["tls"] = self._tls
        if self.settings.user:
            options |= {"user": self.settings.user, "password": self._password}
        # The library does not connect again by itself: `client` makes a new connection for whoever needs one next.
        attempt = client.connect(
            self._servers,
            name="impetus",
            connect_timeout=2,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            error_cb=self._note_error,
            disconnected_cb=self._note_break,
            # A line that is cut without a word is noticed after three of these; TCP by itself takes longer and longer.
            ping_interval=3,
            max_outstanding_pings=2,
            **options,
        )
        async with asyncio.timeout(_REQUEST_S):
            await attempt
        self._inbox = client.new_inbox()
        await client.subscribe(f"{self._inbox}.*", cb=self._take_acknowledgement)
        await client.subscribe(f"{self.names.prefix}.n.*", cb=self._take_notice)
        await self._make_streams(client)

    async def _make_streams(self, client: Client) -> None:
        settings, names = self.settings, self.names
        common: dict[str, Any] = {
            "retention": "limits",
            "storage": "file",
            "num_replicas": settings.replicas,
            "allow_direct": False,
            "max_msgs_per_subject": -1,
            "discard": "new",
        }
        limit = {} if settings.size_limit_bytes is None else {"max_bytes": settings.size_limit_bytes}
        window_ns = int(settings.duplicate_window_s * _NANOSECONDS)
        for name, config in (
            (names.log, {"subjects": [f"{names.prefix}.m.>"], "duplicate_window": window_ns, **limit}),
            (names.state, {"subjects": [f"{names.prefix}.s.>"], "max_msgs_per_subject": 1, "discard": "old"}),
            (
                names.letters,
                {
                    "subjects": [f"{names.prefix}.d.>"],
                    "max_msgs_per_subject": settings.dead_letters_per_tenant,
                    "discard": "old",
                },
            ),
        ):
            try:
                await self._ask(client, f"STREAM.INFO.{name}")
            except Refused as error:
                if error.code != _NOT_FOUND:
                    raise self._no_streams(error) from error
                try:
                    await self._ask(client, f"STREAM.CREATE.{name}", {**common, **config, "name": name})
                except Refused as refusal:
                    if refusal.number not in _STREAM_EXISTS:
                        raise self._no_streams(refusal) from refusal
        await self._agree_on_partitions(client)

    def _no_streams(self, error: Refused) -> Unavailable:
        return Unavailable(
            f"the NATS servers make no stream: {error.text}",
            hint="turn JetStream on there, allow this account enough of it, and have as many servers as replicas",
        )

    async def _agree_on_partitions(self, client: Client) -> None:
        """The first process writes the number down; all others keep to it."""
        subject = self.names.setting
        for _ in range(2):
            try:
                answer = await self._ask(client, f"STREAM.MSG.GET.{self.names.state}", {"last_by_subj": subject})
            except Refused:
                body = json.dumps({"partitions": self.settings.partitions}).encode()
                with suppress(NatsError):
                    await client.request(subject, body, timeout=_REQUEST_S, headers={EXPECTED_LAST: "0"})
                continue
            self.partitions = int(json.loads(decoded(answer["message"]))["partitions"])
            return
        raise Unavailable("the NATS servers did not keep the number of partitions", hint="try again")

    # ---- requests --------------------------------------------------------------------------------------------------

    async def ask(
        self, what: str, question: Mapping[str, Any] | None = None, *, patience_s: float | None = None
    ) -> dict[str, Any]:
        """Answer of the JetStream API. Raises Refused for an error that it states, and Unavailable.

        Asked again for `patience_s` (or `wait_s` of the settings) while a cluster finds out who leads it.
        """
        deadline = time.monotonic() + (self.settings.wait_s if patience_s is None else patience_s)
        while True:
            client = await self.client()
            try:
                return await self._translated(self._ask(client, what, question))
            except Unavailable:
                if self._closed or time.monotonic() + _RETRY_S >= deadline:
                    raise
                await asyncio.sleep(_RETRY_S)

    async def _ask(self, client: Client, what: str, question: Mapping[str, Any] | None = None) -> dict[str, Any]:
        body = json.dumps(question).encode() if question is not None else b""
        answer: dict[str, Any] = json.loads((await client.request(f"{self._api}.{what}", body, timeout=_ANSWER_S)).data)
        if "error" in answer:
            raise Refused(answer["error"])
        return answer

    async def pull(self, stream: str, consumer: str, question: Mapping[str, Any], inbox: str) -> None:
        """Ask a consumer for messages; they come to `inbox`."""
        client = await self.client()
        body = json.dumps(question).encode()
        await self._translated(client.publish(f"{self._api}.CONSUMER.MSG.NEXT.{stream}.{consumer}", body, inbox))

    async def tell(self, what: str) -> None:
        """Ask for something of the JetStream API without waiting for the answer."""
        client = await self.client()
        await self._translated(client.publish(f"{self._api}.{what}"))

    async def notify(self, durable: str) -> None:
        """Tell the members of a durable consumer, in all processes, to look."""
        client = await self.client()
        await self._translated(client.publish(self.names.notice(durable)))

    async def _translated(self, work: Awaitable[Result]) -> Result:
        try:
            return await work
        except (NatsError, OSError) as error:
            raise self.trouble(error) from error

    def trouble(self, error: BaseException) -> Unavailable:
        """What went wrong with the servers, in words."""
        away = isinstance(error, NatsTimeout | NoRespondersError)
        text = "do not answer" if away else f"cannot be used: {str(error) or type(error).__name__}"
        where = f" of the domain {self.settings.domain}, over the line to them," if self.settings.domain else ""
        return Unavailable(
            f"the NATS servers{where} {text}",
            hint="look whether they run and most of the cluster is there; impetus goes on by itself",
        )

    # ---- publishing ------------------------------------------------------------------------------------------------

    async def send(self, subject: str, body: bytes, headers: Mapping[str, str]) -> asyncio.Future[Msg]:
        """Publish, in the order of the calls; the future is the servers' acknowledgement (see `acknowledged`)."""
        client = await self.client()
        self._number += 1
        token = str(self._number)
        future: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        self._acknowledgements[token] = future
        future.add_done_callback(lambda _: self._acknowledgements.pop(token, None))
        try:
            await self._translated(client.publish(subject, body, f"{self._inbox}.{token}", dict(headers)))
        except BaseException:
            future.cancel()
            raise
        return future

    async def acknowledged(self, future: asyncio.Future[Msg], timeout_s: float) -> int:
        """Sequence under which the message is kept. Raises Refused, Unavailable; Conflict if another was faster."""
        try:
            async with asyncio.timeout(max(0.001, timeout_s)):
                answer = await future
        except TimeoutError as error:
            raise self.trouble(NatsTimeout()) from error
        except NatsError as error:
            raise self.trouble(error) from error
        if not answer.data:
            raise self.trouble(NoRespondersError())
        content = json.loads(answer.data)
        if "error" in content:
            refused = Refused(content["error"])
            if refused.number == _WRONG_LAST_SEQUENCE:
                raise Conflict("somebody else wrote in the meantime")
            raise refused
        return int(content["seq"])

    async def put(self, subject: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Publish one message and wait until it is kept; see `acknowledged`."""
        try:
            return await self.acknowledged(await self.send(subject, body, headers), _REQUEST_S)
        except Refused as error:
            raise error.plain() from error

    async def _take_acknowledgement(self, message: Msg) -> None:
        future = self._acknowledgements.get(message.subject.rsplit(".", 1)[1])
        if future is not None and not future.done():
            future.set_result(message)

    async def _take_notice(self, message: Msg) -> None:
        self.on_notice(message.subject.rsplit(".", 1)[1])

    # ---- the connection itself -------------------------------------------------------------------------------------

    async def _note_error(self, error: Exception) -> None:
        self._last_error = str(error) or type(error).__name__

    async def _note_break(self) -> None:
        self.breaks += 1
        for future in list(self._acknowledgements.values()):
            if not future.done():
                future.set_exception(ConnectionClosedError())
                future.exception()  # somebody may wait for it, or nobody
        if self._up and not self._closed:
            self._up = False
            _log.warning("the connection to the NATS servers was lost", error=self._last_error)

    async def close(self) -> None:
        """Let go of the connection."""
        self._closed = True
        if self._client is not None:
            with suppress(NatsError, OSError, TimeoutError):
                async with asyncio.timeout(self.settings.wait_s):
                    await self._client.close()

    @property
    def closed(self) -> bool:
        return self._closed


async def _abandon(client: Client) -> None:
    with suppress(Exception):
        async with asyncio.timeout(1.0):
            await client.close()


def decoded(message: Mapping[str, Any]) -> bytes:
    """Body of a message as the JetStream API returns it."""
    from base64 import b64decode

    return b64decode(message.get("data") or "")


def _password_of(settings: JetStreamSettings) -> str:
    if settings.password_file is None:
        return settings.password.get_secret_value()
    try:
        return settings.password_file.read_text().strip()
    except OSError as error:
        raise ConfigurationError(
            f"the password file {settings.password_file} cannot be read: {error.strerror}",
            hint="mend nats.password_file in the settings, or the file's permissions",
        ) from error


def _tls_of(settings: JetStreamSettings) -> ssl.SSLContext | None:
    files: dict[str, Path | None] = {"nats.certificate": settings.certificate, "nats.key": settings.key}
    if settings.certificate_authority is None and not any(files.values()):
        return None
    try:
        context = ssl.create_default_context(
            cafile=None if settings.certificate_authority is None else str(settings.certificate_authority)
        )
        if settings.certificate is not None:
            context.load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"the certificates for NATS cannot be used: {error}",
            hint="nats.certificate_authority, nats.certificate and nats.key name PEM files that impetus may read",
        ) from error
    return context
