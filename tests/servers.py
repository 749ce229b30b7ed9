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
from collections.abc import Iterator
from contextlib import contextmanager
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


def wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
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
    _process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where clients connect: host and port."""
        return f"localhost:{self.port}"

    @property
    def url(self) -> str:
        """For `open_bus`."""
        return f"nats://{self.address}"

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "nats.conf"
        domain = f", domain: {self.domain}" if self.domain else ""
        configuration.write_text(
            f'listen: "127.0.0.1:{self.port}"\nserver_name: {self.name}\nmax_payload: 8454144\n'
            f'jetstream {{ store_dir: "{self.folder}/data"{domain} }}\n{self.more}\n'
        )
        log = self.folder / "nats.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [program("nats-server"), "-c", str(configuration)], stdout=output, stderr=output
            )
        wait_until_listening(self._process, self.port, log)

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


def _postgresql_programs() -> Path:
    versions = sorted(POSTGRESQL_FOLDER.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not versions:
        pytest.fail("PostgreSQL is not installed; run scripts/install_test_packages.sh")
    return versions[-1].parent


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The SQLAlchemy address of a PostgreSQL cluster made for this test run. For a database of your own, ask for
    `fresh_database` instead."""
    programs = _postgresql_programs()
    folder = Path(tempfile.mkdtemp(prefix="impetus-postgresql-"))
    # PostgreSQL refuses to run as root; Debian's package made it a user.
    identity: dict[str, Any] = {}
    if os.geteuid() == 0:
        identity = {"user": "postgres", "group": "postgres", "extra_groups": []}
        shutil.chown(folder, "postgres", "postgres")
    data, log, port = folder / "data", folder / "postgresql.log", free_port()
    try:
        subprocess.run(
            [str(programs / "initdb"), *f"-D {data} -U impetus -A trust -E UTF8 --locale=C --no-sync".split()],
            check=True,
            capture_output=True,
            cwd=folder,
            **identity,
        )
        # Nothing here has to survive, so nothing waits for the disk.
        hurry = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off"
        with log.open("wb") as output:
            process: subprocess.Popen[bytes] = subprocess.Popen(
                [str(programs / "postgres"), *f"-D {data} -p {port} -k {folder} -h 127.0.0.1 {hurry}".split()],
                stdout=output,
                stderr=output,
                cwd=folder,
                **identity,
            )
        wait_until_listening(process, port, log)
        try:
            _wait_until_answering(f"postgresql://impetus@127.0.0.1:{port}/postgres")
            yield f"postgresql+psycopg://impetus@127.0.0.1:{port}/postgres"
        finally:
            # For PostgreSQL an interrupt means: end the sessions, then stop in good order.
            stop(process, signal.SIGINT)
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
