"""The doctor is content with the demo city, and finds each thing that is wrong with words that help."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from impetus.bus import open_bus
from impetus.bus.tests.messages import message
from impetus.exercise.seed import seed_demo
from impetus.governance import Governance, installation_principal
from impetus.governance.sealing import Seal, new_key
from impetus.model import ManualClock, Permission, SystemClock
from impetus.operations import doctor
from impetus.operations.doctor import Finding, Verdict, examine
from impetus.sdk import load_tool
from impetus.settings import Settings
from impetus.store import SecondFactorRecord, open_store
from impetus.store.tests.conftest import walled_database  # noqa: F401
from tests.servers import free_port

HTTP = {"host": "127.0.0.1"}


@pytest.fixture(autouse=True)
def one_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing all tools takes long on a busy machine; each has its own test of that."""
    monkeypatch.setattr(doctor, "load_tools", lambda: {"anomaly": load_tool("anomaly")})


@pytest.fixture(scope="module")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo city as it is before its processes start; made once, copied for each test."""
    home = tmp_path_factory.mktemp("demo")
    clock = SystemClock()

    async def seed() -> None:
        store = await open_store(f"sqlite:///{home}/store.sqlite", clock)
        access = Settings(home=home).access
        await seed_demo(store, clock, home=home, url="http://127.0.0.1", access=access, load_readings_per_s=0)
        await store.close()

    asyncio.run(seed())
    return home


@pytest.fixture
def home(demo_home: Path, tmp_path: Path) -> Path:
    """A copy of the demo's folder, to be spoilt."""
    copy = tmp_path / "home"
    shutil.copytree(demo_home, copy)
    return copy


def settings_of(home: Path, **changes: Any) -> Settings:
    """Settings of the demo, with changes."""
    connection = {"kind": "embedded", "tenant": "municipality", "port": free_port()}
    values = {"http": {**HTTP, "port": free_port()}, "mqtt": {"connections": [connection]}, **changes}
    return Settings.model_validate({"home": home, **values})


async def wrong(settings: Settings, clock: Any = None) -> list[Finding]:
    return [one for one in await examine(settings, clock or SystemClock()) if one.verdict is Verdict.WRONG]


async def only_wrong(settings: Settings, check: str, text: str, mend: str, clock: Any = None) -> None:
    """Exactly this is found, and it says what to do."""
    found = await wrong(settings, clock)
    assert [one.check for one in found] == [check], found
    assert text in found[0].text
    assert mend in found[0].mend


async def test_the_demo_is_well(home: Path) -> None:
    """Nothing is wrong with it, and every check has something to say."""
    found = await examine(settings_of(home), SystemClock())
    assert [one for one in found if one.verdict is Verdict.WRONG] == []
    assert {one.check for one in found} == set(doctor.CHECKS) == set(doctor.WELL)


async def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    await only_wrong(settings_of(tmp_path / "file"), "folder", "cannot be written", "folder of its own")


async def test_secrets_that_others_may_read(home: Path) -> None:
    (home / "secrets").mkdir(exist_ok=True)
    (home / "secrets").chmod(0o755)
    await only_wrong(settings_of(home), "folder", "others may read", "chmod 700")


async def test_a_full_disk(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LOW_BYTES", 2**62)
    await only_wrong(settings_of(home), "disk", "are free", "free some")


async def test_a_clock_that_is_wrong(home: Path) -> None:
    """The machine believes that it is a year ago."""
    yesterday = ManualClock(SystemClock().now() - timedelta(days=365))
    found = await wrong(settings_of(home), yesterday)
    assert {one.check for one in found} == {"time"}
    assert "timedatectl" in found[0].mend


async def test_pages_without_https(home: Path) -> None:
    settings = settings_of(home, http={"host": "0.0.0.0", "port": free_port()})
    await only_wrong(settings, "web", "passwords can be read", "SECURE_COOKIES")


async def test_a_port_that_something_else_uses(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        await only_wrong(settings_of(home, http={**HTTP, "port": port}), "web", f"port {port}", "IMPETUS_HTTP__PORT")


async def test_a_base_map_that_is_not_there(home: Path) -> None:
    settings = settings_of(home, api={"map": {"base": str(home / "absent.json")}})
    await only_wrong(settings, "web", "absent.json", "IMPETUS_API__MAP__BASE")


async def test_a_tool_that_is_not_installed(home: Path) -> None:
    await only_wrong(settings_of(home, tools={"anomly": {}}), "tools", "'anomly'", "installed: ")


async def test_a_database_that_does_not_answer(home: Path) -> None:
    settings = settings_of(home, store=f"postgresql://impetus@127.0.0.1:{free_port()}/impetus")
    await only_wrong(settings, "store", "does not answer", "database server")


@pytest.mark.postgresql
async def test_a_superuser_of_the_database(home: Path, fresh_database: str, walled_database: str) -> None:  # noqa: F811
    found = await wrong(settings_of(home, store=fresh_database.replace("+psycopg", "")))
    assert [(one.check, "second wall" in one.text) for one in found if one.check == "store"] == [("store", True)]
    found = await wrong(settings_of(home, store=walled_database.replace("+psycopg", "")))
    assert [one for one in found if one.check == "store"] == []


async def test_a_token_that_ends_soon_and_a_secret_that_is_not_there(home: Path) -> None:
    clock = SystemClock()
    store = await open_store(f"sqlite:///{home}/store.sqlite", clock)
    tokens = Governance(store, clock, Settings(home=home).access).tokens
    for days in (5, 50):
        await tokens.create_machine(
            installation_principal(),
            f"gateway of {days} days",
            [Permission.ALERTS_READ],
            tenant="municipality",
            expires=clock.now() + timedelta(days=days),
        )
    await store.close()
    sign_on = {
        "issuer": "https://login.example",
        "address": "https://city.example",
        "organisation": "municipality",
        "roles": {"soc": "operator"},
        "client_secret_file": home / "absent",
    }
    settings = settings_of(home, access={"single_sign_on": sign_on})
    await only_wrong(settings, "people", "absent", "CLIENT_SECRET_FILE")
    ending = [one for one in await examine(settings, clock) if "impetus token rotate" in one.mend]
    assert ["of 5 days" in one.text for one in ending] == [True]


async def test_second_factors_that_were_sealed_with_another_key(home: Path) -> None:
    store = await open_store(settings_of(home).store_url, SystemClock())
    async with store.transaction() as transaction:
        (organisation, *_) = await transaction.organisations.list_in_installation()
        (person, *_) = await transaction.users.list(organisation.id)
        record = SecondFactorRecord(
            user=person.id, tenant=organisation.id, secret=Seal().close("GEZDGNBV"), begun=SystemClock().now()
        )
        await transaction.second_factors.put(record)
    await store.close()
    keys = home / "keys"
    keys.write_text(new_key())
    keys.chmod(0o644)
    others, sealed = await wrong(settings_of(home, access={"keys_file": keys}))
    assert (others.mend, others.check) == (f"chmod 600 {keys}", "people")
    assert "1 second factors were sealed with another key" in sealed.text
    assert "IMPETUS_ACCESS__KEYS_FILE" in sealed.mend


async def test_a_bus_that_does_not_answer(home: Path) -> None:
    settings = settings_of(home, bus=f"nats://127.0.0.1:{free_port()}", nats={"wait_s": 0.3})
    await only_wrong(settings, "bus", "no NATS server answers", "start nats-server")


async def test_an_organisation_that_does_not_exist(home: Path) -> None:
    connections = [{"kind": "embedded", "tenant": "harbour", "port": free_port()}]
    settings = settings_of(home, mqtt={"connections": connections})
    await only_wrong(settings, "sensors", "'harbour'", "impetus organisation add harbour")


async def test_sensors_without_tls(home: Path) -> None:
    connections = [{"kind": "embedded", "tenant": "municipality", "host": "0.0.0.0", "port": free_port()}]
    settings = settings_of(home, mqtt={"connections": connections})
    await only_wrong(settings, "sensors", "in the clear", "certificate_file")


async def test_a_certificate_that_ran_out(home: Path) -> None:
    certificate = trustme.CA().issue_cert("localhost", not_after=SystemClock().now() - timedelta(days=1))
    certificate.cert_chain_pems[0].write_to_path(str(home / "chain.pem"))
    certificate.private_key_pem.write_to_path(str(home / "key.pem"))
    connection = {
        "kind": "embedded",
        "tenant": "municipality",
        "port": free_port(),
        "certificate_file": str(home / "chain.pem"),
        "key_file": str(home / "key.pem"),
    }
    await only_wrong(settings_of(home, mqtt={"connections": [connection]}), "sensors", "ran out", "renew")


async def test_a_consumer_that_nobody_reads(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tool that was removed holds up the log for all."""
    settings = settings_of(home)
    bus = open_bus(settings.bus_url, SystemClock())
    await (await bus.subscribe("tool-removed", [">"])).close()
    await bus.publish([message(number) for number in range(10)])
    await bus.close()
    monkeypatch.setattr(doctor, "BEHIND", 10)
    await only_wrong(settings, "bus", "tool-removed is 10 messages behind", "impetus serve")


async def test_an_audit_log_that_was_changed(home: Path) -> None:
    import sqlite3

    connection = sqlite3.connect(home / "store.sqlite")
    connection.execute("UPDATE audit SET action = 'nothing' WHERE sequence = 1")
    connection.commit()
    connection.close()
    found = await wrong(settings_of(home))
    assert {one.check for one in found} == {"audit"}
    assert "backup" in found[0].mend


def test_findings_can_be_read_by_machines() -> None:
    finding = doctor.note("disk", "little room", "free some")
    assert json.loads(finding.model_dump_json())["verdict"] == "note"
