"""`impetus doctor`: looks at everything that an installation needs, and says what to mend.

Each check finds something or says that all is well; none changes anything, but that a store is brought up to date as at
every start. A check that fails itself is a finding.
"""

# A command of its own runs these, where nothing else waits.

from __future__ import annotations

import resource
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from pydantic import BaseModel, ConfigDict

from impetus.bus import Bus, open_bus
from impetus.connectors.mqtt.settings import EmbeddedListener
from impetus.governance.anchors import FILE_NAME as ANCHORS
from impetus.governance.anchors import check_anchors, read_anchors
from impetus.governance.audit import verify
from impetus.governance.sealing import SealBroken, open_seal
from impetus.model import Clock, ImpetusError, Role, from_microseconds
from impetus.sdk import load_tools
from impetus.sdk.approval import obstacle
from impetus.sdk.worker import consumers as consumers_of
from impetus.settings import Settings
from impetus.store import Store, open_store

Part = TypeVar("Part")
LOW_BYTES = 2 * 1024**3
LITTLE_BYTES = 10 * 1024**3
BEHIND = 50_000
FILES = 4_096
SOON = timedelta(days=21)
AHEAD = timedelta(minutes=2)
BACKUP_AGE = timedelta(days=7)
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Verdict(StrEnum):
    """How serious a finding is."""

    WELL = "well"
    NOTE = "note"
    """Worth to know; a city in service should mend it."""
    WRONG = "wrong"
    """Something does not work, or not safely."""


class Finding(BaseModel):
    """What a check found."""

    model_config = ConfigDict(frozen=True)

    verdict: Verdict
    check: str
    text: str
    mend: str = ""
    """What to do; empty where all is well."""


@dataclass(frozen=True, slots=True)
class Patient:
    """What there is to look at; a part that could not be opened is None, and has a finding of its own."""

    settings: Settings
    clock: Clock
    store: Store | None = None
    bus: Bus | None = None


Check = Callable[[Patient], AsyncIterator[Finding]]


def wrong(check: str, text: str, mend: str) -> Finding:
    """Something does not work, or not safely."""
    return Finding(verdict=Verdict.WRONG, check=check, text=text, mend=mend)


def note(check: str, text: str, mend: str) -> Finding:
    """Worth to know."""
    return Finding(verdict=Verdict.NOTE, check=check, text=text, mend=mend)


async def examine(settings: Settings, clock: Clock) -> Sequence[Finding]:
    """All findings, those of one check together; a check without any is well."""
    found: list[Finding] = []
    async with AsyncExitStack() as stack:
        home = [finding async for finding in _home(Patient(settings, clock))]
        store = bus = None
        if not any(finding.verdict is Verdict.WRONG for finding in home):
            store = await _opened(found, "store", open_store(settings.store_url, clock))
            bus = await _opened(found, "bus", _open_bus(settings, clock))
        if store is not None:
            stack.push_async_callback(store.close)
        if bus is not None:
            stack.push_async_callback(bus.close)
        patient = Patient(settings, clock, store, bus)
        for name, check in CHECKS.items():
            try:
                results = [finding async for finding in check(patient)]
            except ImpetusError as error:
                results = [wrong(name, error.message, error.hint or "see the handbook")]
            except Exception as error:  # a check that fails is a finding, and the others go on
                results = [wrong(name, f"could not be examined: {type(error).__name__}: {error}", "report this")]
            found += results or [Finding(verdict=Verdict.WELL, check=name, text=WELL[name])]
    return found


async def _opened(found: list[Finding], name: str, opening: Awaitable[Part]) -> Part | None:
    try:
        return await opening
    except ImpetusError as error:
        found.append(wrong(name, error.message, error.hint or "see the handbook"))
        return None


async def _open_bus(settings: Settings, clock: Clock) -> Bus:
    bus = open_bus(settings.bus_url, clock, jetstream=settings.nats)
    try:
        await bus.position()
    except BaseException:
        await bus.close()
        raise
    return bus


# ---- the checks ----------------------------------------------------------------------------------------------------


async def _home(patient: Patient) -> AsyncIterator[Finding]:
    home = patient.settings.home
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe = home / ".doctor"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        yield wrong("folder", f"{home} cannot be written: {error.strerror}", "give impetus a folder of its own there")
        return
    secrets = home / "secrets"
    for path in [secrets, *secrets.glob("*"), home / "store.sqlite", home / "impetus.toml"]:
        if path.exists() and path.stat().st_mode & 0o077:
            mode = "700" if path.is_dir() else "600"
            yield wrong("folder", f"others may read {path}", f"chmod {mode} {path}")


async def _disk(patient: Patient) -> AsyncIterator[Finding]:
    free = shutil.disk_usage(patient.settings.home).free
    text = f"{free / 1024**3:.1f} GiB are free on the disk of {patient.settings.home}"
    if free < LOW_BYTES:
        yield wrong("disk", text, "free some, or move IMPETUS_HOME; below nothing the log stops taking messages")
    elif free < LITTLE_BYTES:
        yield note("disk", text, "see that there is room for two weeks of readings")


async def _limits(patient: Patient) -> AsyncIterator[Finding]:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILES:
        yield note(
            "limits", f"a process may open {soft} files", f"LimitNOFILE={FILES} in the unit, or ulimit -n {FILES}"
        )


async def _time(patient: Patient) -> AsyncIterator[Finding]:
    """Nothing that was kept can be of later than now."""
    if patient.store is None:
        return
    now = patient.clock.now()
    async with patient.store.view() as view:
        for tenant in await view.audit.tenants_in_installation():
            head = await view.audit.head(tenant)
            for record in await view.audit.slice(tenant, after=max(head.sequence - 1, 0), limit=1):
                moment = from_microseconds(record.time_us)
                if moment > now + AHEAD:
                    yield wrong(
                        "time",
                        f"the last record of {tenant} is of {moment:%Y-%m-%d %H:%M} UTC, later than now",
                        "set the clock of this machine (timedatectl), and let chrony or systemd-timesyncd keep it",
                    )


async def _people(patient: Patient) -> AsyncIterator[Finding]:
    if patient.store is None:
        return
    async with patient.store.view() as view:
        organisations = [one for one in await view.organisations.list_in_installation() if one.active]
        if not organisations:
            yield wrong("people", "there is no organisation", "impetus organisation add ID NAME")
        for organisation in organisations:
            roles = {user.role for user in await view.users.list(organisation.id) if user.active}
            if not roles:
                yield note(
                    "people",
                    f"nobody of {organisation.id} may log in",
                    f"impetus user add NAME 'FULL NAME' --role operator --organisation {organisation.id}",
                )
                continue
            for role in (Role.ADMINISTRATOR, Role.DATA_PROTECTION_OFFICER):
                if role not in roles:
                    yield note(
                        "people",
                        f"{organisation.id} has no {role.value}",
                        f"impetus user add NAME 'FULL NAME' --role {role.value} --organisation {organisation.id}",
                    )

            for token in await view.tokens.list(organisation.id):
                ends = token.expires
                if ends is not None and token.good_at(patient.clock.now()) and ends - patient.clock.now() < SOON:
                    yield note(
                        "people",
                        f"the token of {token.title!r} ends on {ends:%Y-%m-%d}: what it is for stops then",
                        f"impetus token rotate {token.id} --organisation {organisation.id}",
                    )
    async for finding in _seals(patient, patient.store):
        yield finding
    secret = patient.settings.access.single_sign_on.client_secret_file
    if secret is not None and not secret.is_file():
        yield wrong(
            "people",
            f"the single sign-on's secret {secret} is not there",
            "mend IMPETUS_ACCESS__SINGLE_SIGN_ON__CLIENT_SECRET_FILE",
        )


async def _seals(patient: Patient, store: Store) -> AsyncIterator[Finding]:
    """Secrets of authenticator apps are sealed with keys that are here."""
    access = patient.settings.access
    if access.keys_file is not None and access.keys_file.exists() and access.keys_file.stat().st_mode & 0o077:
        yield wrong("people", f"others may read {access.keys_file}", f"chmod 600 {access.keys_file}")
    seal = open_seal(access, patient.settings.home)
    closed = 0
    async with store.transaction(across=True) as transaction:
        for record in await transaction.second_factors.list_in_installation():
            try:
                seal.open(record.secret)
            except SealBroken:
                closed += 1
    if closed:
        yield wrong(
            "people",
            f"{closed} second factors were sealed with another key: those people cannot log in with their app",
            "give this hub the keys that they were sealed with (IMPETUS_ACCESS__KEYS_FILE, the same at each hub)",
        )


async def _web(patient: Patient) -> AsyncIterator[Finding]:
    http, api = patient.settings.http, patient.settings.api
    if http.host not in LOOPBACK and not api.secure_cookies:
        yield wrong(
            "web",
            f"the pages are served to other machines ({http.host}) without HTTPS: passwords can be read on the way",
            "put a proxy with TLS in front, listen on 127.0.0.1, and set IMPETUS_API__SECURE_COOKIES=true",
        )
    if api.secure_cookies and not http.trusted_proxies:
        yield note(
            "web",
            "there is a proxy but none is trusted: all people seem to come from its address, and one who mistypes a "
            "password slows down all",
            "set IMPETUS_HTTP__TRUSTED_PROXIES to the proxy's address",
        )
    if (trouble := _port_trouble(http.host, http.port)) is not None:
        yield wrong("web", trouble, "stop what uses it, or set IMPETUS_HTTP__PORT")
    base = api.map.base
    if base is not None and not base.is_file():
        yield wrong("web", f"the base map {base} is not there", "mend IMPETUS_API__MAP__BASE")


def _port_trouble(host: str, port: int) -> str | None:
    """A port that something else than impetus listens on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            reason = error.strerror
        else:
            return None
    try:
        with socket.create_connection((host, port), timeout=2) as client:
            client.sendall(b"GET /api/v1/health HTTP/1.0\r\nHost: doctor\r\n\r\n")
            client.settimeout(3)
            answer = client.recv(4096)
            while b'"ok"' not in answer and (more := client.recv(4096)):
                answer += more
        if b'"status":"ok"' in answer.replace(b" ", b""):
            return None  # impetus runs already
    except OSError:
        pass
    return f"port {port} of {host} cannot be used: {reason}"


async def _tools(patient: Patient) -> AsyncIterator[Finding]:
    settings = patient.settings
    tools = {name: tool.imported() for name, tool in load_tools().items()}
    for name in (*settings.disabled_tools, *settings.tools):
        if name not in tools:
            yield wrong(
                "tools", f"the settings name a tool {name!r} that is not installed", f"installed: {', '.join(tools)}"
            )
    for name, tool in tools.items():
        if tool.broken and name not in settings.disabled_tools:
            yield wrong("tools", f"{name} cannot be loaded: {tool.error}", "reinstall it, or put it in disabled_tools")
    if patient.store is None:
        return
    now = patient.clock.now()
    async with patient.store.view() as view:
        for name, tool in tools.items():
            if tool.manifest is None or name in settings.disabled_tools:
                continue
            records = await view.data_protection.of_tool_in_installation(name)
            if all(obstacle(tool.manifest, record, now) is not None for record in records):
                yield note(
                    "tools",
                    f"{name} runs for nobody: no organisation has approved it",
                    "the data-protection officer approves it in the pages, or put it in disabled_tools",
                )


async def _sensors(patient: Patient) -> AsyncIterator[Finding]:
    settings = patient.settings
    if "mqtt" in settings.connectors and not settings.mqtt.connections:
        yield note("sensors", "no MQTT connection is set", "set IMPETUS_MQTT__CONNECTIONS, or leave mqtt out")
    known = None
    if patient.store is not None:
        async with patient.store.view() as view:
            known = {one.id for one in await view.organisations.list_in_installation()}
    for connection in settings.mqtt.connections:
        if known is not None and connection.tenant not in known:
            yield wrong(
                "sensors",
                f"an MQTT connection belongs to {connection.tenant!r}, which is no organisation",
                f"impetus organisation add {connection.tenant} NAME, or mend its `tenant`",
            )
        if isinstance(connection, EmbeddedListener):
            if connection.host not in LOOPBACK and connection.certificate_file is None:
                yield wrong(
                    "sensors",
                    f"sensors send their password in the clear to {connection.host}:{connection.port}",
                    "set certificate_file and key_file of the connection",
                )
            if connection.certificate_file is not None:
                for finding in _certificate("sensors", connection.certificate_file, patient.clock.now()):
                    yield finding
        elif connection.url.startswith("mqtt://"):
            yield note("sensors", f"the way to {connection.url} is not encrypted", "use mqtts:// where it can be")


def _certificate(check: str, file: Path, now: datetime) -> Sequence[Finding]:
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
    except (OSError, ValueError) as error:
        return [wrong(check, f"the certificate {file} cannot be read: {error}", "name a PEM file impetus may read")]
    until = certificate.not_valid_after_utc.astimezone(UTC)
    if until < now:
        return [wrong(check, f"the certificate {file} ran out on {until:%Y-%m-%d}", "renew it")]
    if until < now + SOON:
        return [note(check, f"the certificate {file} runs out on {until:%Y-%m-%d}", "renew it")]
    return []


async def _bus(patient: Patient) -> AsyncIterator[Finding]:
    if patient.bus is None:
        return
    tools = load_tools()
    wanted = {
        durable
        for name, tool in tools.items()
        if tool.manifest is not None and name not in patient.settings.disabled_tools
        for durable in consumers_of(tool.manifest)
    }
    for consumer in await patient.bus.consumers():
        if consumer.pending < BEHIND:
            continue
        text = f"{consumer.durable} is {consumer.pending:,} messages behind"
        if consumer.durable.startswith("tool-") and consumer.durable not in wanted:
            yield wrong("bus", f"{text}, and nobody reads it any more", "start `impetus serve` once: it forgets it")
        else:
            yield wrong("bus", text, "look why on the system page; more workers of a tool share its work on JetStream")
    nats = patient.settings.nats
    if nats.certificate is not None:
        for finding in _certificate("bus", nats.certificate, patient.clock.now()):
            yield finding
    url = patient.settings.bus_url
    if url.startswith("nats://") and nats.certificate_authority is None:
        hosts = url.removeprefix("nats://").split("/")[0].split(",")
        if any(host.rsplit(":", 1)[0].rsplit("@", 1)[-1] not in LOOPBACK for host in hosts):
            yield wrong(
                "bus", "the way to the NATS servers is not encrypted", "set IMPETUS_NATS__CERTIFICATE_AUTHORITY"
            )


async def _store(patient: Patient) -> AsyncIterator[Finding]:
    url = patient.settings.store_url
    if url.startswith("postgresql") and "sslmode=" not in url and "@" in url:
        host = url.split("@", 1)[1].split("/")[0].rsplit(":", 1)[0]
        if host not in LOOPBACK:
            yield wrong(
                "store", "the way to PostgreSQL need not be encrypted", "add ?sslmode=verify-full to the address"
            )
    if patient.store is not None and not await patient.store.wall_stands():
        yield wrong(
            "store",
            "impetus logs in to PostgreSQL as a superuser, whom no row-level security binds: the second wall between "
            "organisations is down",
            "let an ordinary user own the database (ALTER DATABASE ... OWNER TO, REASSIGN OWNED) and log in as it",
        )


async def _dead_letters(patient: Patient) -> AsyncIterator[Finding]:
    if patient.bus is None or patient.store is None:
        return
    async with patient.store.view() as view:
        organisations = [one.id for one in await view.organisations.list_in_installation()]
    for tenant in organisations:
        letters = await patient.bus.dead_letters(tenant, limit=1_000)
        if letters:
            many = "1,000 or more" if len(letters) == 1_000 else str(len(letters))
            yield note(
                "dead letters",
                f"{tenant} has {many} messages that nobody could use, the newest: {letters[0].reason[:200]}",
                "look at them on the system page, mend the sender, and discard them",
            )


async def _audit(patient: Patient) -> AsyncIterator[Finding]:
    if patient.store is None:
        return
    result = await verify(patient.store)
    anchors = read_anchors(patient.settings.home / ANCHORS)
    for finding in [*result.findings, *await check_anchors(patient.store, anchors)][:20]:
        yield wrong(
            "audit",
            f"{finding.tenant}, record {finding.sequence}: {finding.problem}",
            "compare with a backup, and tell the data-protection officer",
        )


async def _backup(patient: Patient) -> AsyncIterator[Finding]:
    from impetus.operations.backup import backups_made

    now = patient.clock.now()
    made = backups_made(patient.settings.home)
    if not made:
        yield note("backup", "no backup was ever made", "impetus backup FILE.tar.gz, every night")
        return
    last = max(one.made for one in made)
    if last < now - BACKUP_AGE:
        yield note("backup", f"the last backup is of {last:%Y-%m-%d}", "impetus backup FILE.tar.gz, every night")
    for one in made:
        if one.keep_until < now and Path(one.file).exists():  # noqa: ASYNC240 a command of its own
            yield note(
                "backup", f"{one.file} was to be deleted by {one.keep_until:%Y-%m-%d}", "delete it, and its copies"
            )


CHECKS: dict[str, Check] = {
    "folder": _home,
    "disk": _disk,
    "limits": _limits,
    "time": _time,
    "store": _store,
    "bus": _bus,
    "people": _people,
    "web": _web,
    "tools": _tools,
    "sensors": _sensors,
    "dead letters": _dead_letters,
    "audit": _audit,
    "backup": _backup,
}
WELL = {
    "folder": "The folder of all state can be written, and nobody else reads secrets.",
    "disk": "There is room on the disk.",
    "limits": "Processes may open enough files.",
    "time": "Nothing is of later than now.",
    "store": "The database answers and is up to date.",
    "bus": "The log answers, and nobody is far behind.",
    "people": "Each organisation has people, an administrator and a data-protection officer.",
    "web": "The pages can be served, and safely.",
    "tools": "All tools can be loaded, and each runs for somebody.",
    "sensors": "Sensors can connect, and safely.",
    "dead letters": "No message was set aside.",
    "audit": "The audit log holds, and goes through its anchors.",
    "backup": "A backup was made lately.",
}
