"""Real servers for the tests: each on a free loopback port, in a folder of its own, stopped by its process id."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trustme

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0
# Debian keeps servers out of an ordinary user's search path, and PostgreSQL's in a folder of its version.
SERVER_FOLDERS = ("/usr/sbin", "/usr/local/sbin")
POSTGRESQL_FOLDER = Path("/usr/lib/postgresql")


def free_port() -> int:
    """A loopback port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def program(name: str) -> str:
    """The path of an installed program; the test that needs it fails with what to do where there is none."""
    search_path = os.pathsep.join([os.environ.get("PATH", os.defpath), *SERVER_FOLDERS])
    found = shutil.which(name, path=search_path)
    if found is None:
        pytest.fail(f"{name} is not installed; run scripts/install_test_packages.sh")
    return found


def wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path, *, host: str = "127.0.0.1") -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    stop(process)
    pytest.fail(f"{process.args!r} did not start to listen on port {port}:\n{log.read_text()[-2000:]}")


def stop(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    if process.poll() is None:
        process.send_signal(how)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass
class Mosquitto:
    """An MQTT broker. It keeps its port and its clients' sessions when it is stopped and started again."""

    folder: Path
    username: str = ""
    password: str = ""
    tls: bool = False
    port: int = field(default_factory=free_port)
    certificate_authority: Path | None = None
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The broker's address, without the log-in."""
        return f"{'mqtts' if self.tls else 'mqtt'}://localhost:{self.port}"

    def start(self) -> None:
        configuration = self.folder / "mosquitto.conf"
        if not configuration.exists():
            configuration.write_text("\n".join(self._configuration()) + "\n")
        log = self.folder / "mosquitto.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [program("mosquitto"), "-c", str(configuration)], stdout=output, stderr=output
            )
        wait_until_listening(self._process, self.port, log)

    def stop(self) -> None:
        """Stop in good order: sessions and queued messages are written down first."""
        if self._process is not None:
            stop(self._process)
            self._process = None

    def kill(self) -> None:
        """Stop as a power cut would."""
        if self._process is not None:
            stop(self._process, signal.SIGKILL)
            self._process = None

    def _configuration(self) -> Iterator[str]:
        yield f"listener {self.port} 127.0.0.1"
        # As root it would otherwise become a user who may not read this folder.
        yield f"user {pwd.getpwuid(os.geteuid()).pw_name}"
        yield "persistence true"
        yield f"persistence_location {self.folder}/"
        yield "log_dest stderr"
        if self.username:
            passwords = self.folder / "passwords"
            subprocess.run(
                [program("mosquitto_passwd"), "-b", "-c", str(passwords), self.username, self.password],
                check=True,
                capture_output=True,
            )
            yield f"password_file {passwords}"
        yield f"allow_anonymous {'false' if self.username else 'true'}"
        if self.tls:
            authority = trustme.CA()
            certificate = authority.issue_cert("localhost", "127.0.0.1")
            self.certificate_authority = self.folder / "authority.pem"
            authority.cert_pem.write_to_path(str(self.certificate_authority))
            chain, key = self.folder / "server.pem", self.folder / "server.key"
            for part in certificate.cert_chain_pems:
                part.write_to_path(str(chain), append=True)
            certificate.private_key_pem.write_to_path(str(key))
            yield f"certfile {chain}"
            yield f"keyfile {key}"


@dataclass
class NatsServer:
    """A NATS server with JetStream. It keeps its ports and its streams when it is stopped and started again."""

    folder: Path
    more: str = ""
    """Further lines of its configuration, for TLS, accounts, a cluster or leaf nodes."""
    name: str = "server"
    domain: str = ""
    port: int = field(default_factory=free_port)
    host: str = "127.0.0.1"
    before: Sequence[str] = ()
    """Words before its command line: what enters the network of another machine."""
    _process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where clients connect: host and port."""
        return f"{'localhost' if self.host == '127.0.0.1' else self.host}:{self.port}"

    @property
    def process_ids(self) -> Sequence[int]:
        """The processes that it consists of; none when it does not run."""
        return [] if self._process is None or self._process.poll() is not None else [self._process.pid]

    @property
    def url(self) -> str:
        """For `open_bus`."""
        return f"nats://{self.address}"

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "nats.conf"
        domain = f", domain: {self.domain}" if self.domain else ""
        configuration.write_text(
            f'listen: "{self.host}:{self.port}"\nserver_name: {self.name}\nmax_payload: 8454144\n'
            f'jetstream {{ store_dir: "{self.folder}/data"{domain} }}\n{self.more}\n'
        )
        log = self.folder / "nats.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*self.before, program("nats-server"), "-c", str(configuration)], stdout=output, stderr=output
            )
        wait_until_listening(self._process, self.port, log, host=self.host)

    def stop(self) -> None:
        """Stop in good order."""
        if self._process is not None:
            stop(self._process)
            self._process = None

    def kill(self) -> None:
        """Stop as a power cut would."""
        if self._process is not None:
            stop(self._process, signal.SIGKILL)
            self._process = None


@pytest.fixture(scope="session")
def nats_server() -> Iterator[NatsServer]:
    """A NATS server for this test run: have a name of your own in `JetStreamSettings` for an empty log."""
    folder = Path(tempfile.mkdtemp(prefix="impetus-nats-"))
    server = NatsServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(broker: Mosquitto) -> Iterator[Mosquitto]:
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def mosquitto_server(tmp_path: Path) -> Iterator[Mosquitto]:
    """A Mosquitto that lets everybody in."""
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    with running(Mosquitto(folder)) as broker:
        yield broker


@pytest.fixture
def secure_mosquitto_server(tmp_path: Path) -> Iterator[Mosquitto]:
    """A Mosquitto that asks for TLS, a user name and a password."""
    folder = tmp_path / "secure-mosquitto"
    folder.mkdir()
    with running(Mosquitto(folder, username="sensor", password=secrets.token_urlsafe(16), tls=True)) as broker:
        yield broker


@dataclass
class PostgresqlServer:
    """A PostgreSQL cluster. It keeps its port and its databases when it is stopped and started again."""

    folder: Path
    port: int = field(default_factory=free_port)
    host: str = "127.0.0.1"
    before: Sequence[str] = ()
    """Words before its command line, as root: what enters the network of another machine and becomes its user."""
    environment: Mapping[str, str] = field(default_factory=dict)
    options: Sequence[str] = ()
    """`NAME=VALUE` of its configuration."""
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The SQLAlchemy address of its own database, as its superuser."""
        return f"postgresql+psycopg://impetus@{self.host}:{self.port}/postgres"

    @property
    def process_ids(self) -> Sequence[int]:
        """The server and the processes that it made; none when it does not run."""
        if self._process is None or self._process.poll() is not None:
            return []
        return [self._process.pid, *_children(self._process.pid)]

    def create(self) -> None:
        """Make the cluster in its folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        data = self.folder / "data"
        subprocess.run(
            [_postgresql_program("initdb"), *f"-D {data} -U impetus -A trust -E UTF8 --locale=C --no-sync".split()],
            check=True,
            capture_output=True,
            cwd=self.folder,
            **_postgresql_identity(),
        )
        if self.host != "127.0.0.1":
            with (data / "pg_hba.conf").open("a") as rules:
                rules.write("host all all samenet trust\n")

    def start(self) -> None:
        options = [word for option in self.options for word in ("-c", option)]
        words = f"-D {self.folder / 'data'} -p {self.port} -k {self.folder} -h {self.host}".split()
        log = self.folder / "postgresql.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*self.before, _postgresql_program("postgres"), *words, *options],
                stdout=output,
                stderr=output,
                cwd=self.folder,
                env={**os.environ, **self.environment},
                **({} if self.before else _postgresql_identity()),
            )
        wait_until_listening(self._process, self.port, log, host=self.host)
        try:
            _wait_until_answering(self.url.replace("+psycopg", ""))
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the sessions, then stop in good order: for PostgreSQL that is an interrupt."""
        if self._process is not None:
            stop(self._process, signal.SIGINT)
            self._process = None

    def kill(self) -> None:
        """Stop as a power cut would."""
        if self._process is not None:
            for process in self.process_ids:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            self._process.wait()
            self._process = None


def _postgresql_program(name: str) -> str:
    versions = sorted(POSTGRESQL_FOLDER.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not versions:
        pytest.fail("PostgreSQL is not installed; run scripts/install_test_packages.sh")
    return str(versions[-1].parent / name)


def _postgresql_identity() -> dict[str, Any]:
    """PostgreSQL refuses to run as root; Debian's package made it a user."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


def _children(parent: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{parent}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, task.read_text().split())
    return found


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The SQLAlchemy address of a PostgreSQL cluster made for this test run. For a database of your own, ask for
    `fresh_database` instead."""
    folder = Path(tempfile.mkdtemp(prefix="impetus-postgresql-"))
    # Nothing here has to survive, so nothing waits for the disk.
    server = PostgresqlServer(folder, options=("fsync=off", "full_page_writes=off", "synchronous_commit=off"))
    try:
        server.create()
        server.start()
        try:
            yield server.url
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_answering(address: str) -> None:
    """It listens a moment before it answers: until then a client is told that the server is starting up."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            psycopg.connect(address).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


@pytest.fixture
def fresh_database(postgresql_server: str) -> Iterator[str]:
    """The SQLAlchemy address of an empty PostgreSQL database that no other test sees."""
    name = f"test_{secrets.token_hex(8)}"
    administration = postgresql_server.replace("+psycopg", "")
    with psycopg.connect(administration, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    yield postgresql_server.rsplit("/", 1)[0] + f"/{name}"
    with psycopg.connect(administration, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
