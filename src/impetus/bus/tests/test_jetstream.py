"""What only the bus on JetStream does: restarts, a cluster, TLS, accounts, leaf nodes, other people's messages."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import nats
import pytest
import trustme

from impetus.bus import Bus, Delivery, JetStreamSettings, Subscription, open_bus
from impetus.bus.jetstream.bus import JetStreamBus
from impetus.bus.jetstream.neighbours import is_gone, new_member_name
from impetus.bus.jetstream.reader import Found, LogReader
from impetus.bus.jetstream.subscription import JetStreamSubscription
from impetus.bus.tests.messages import START, by_partition, drain, ids, message, number_of
from impetus.bus.tests.process import DURABLE, started
from impetus.model import SYSTEM_TENANT, ConfigurationError, SystemClock, Unavailable
from tests.servers import NatsServer, free_port

LIMIT_S = 60.0


def opened(url: str, **changes: object) -> Bus:
    return open_bus(url, SystemClock(), jetstream=JetStreamSettings.model_validate(changes))


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A server that the test may stop."""
    server = NatsServer(tmp_path / "nats")
    server.start()
    yield server
    server.stop()


async def collect(subscription: Subscription, count: int) -> list[Delivery]:
    """Fetch and acknowledge until there are `count`, through whatever failures."""
    found: list[Delivery] = []
    waiting: list[Delivery] = []
    async with asyncio.timeout(LIMIT_S):
        while len(set(ids(found))) < count or waiting:
            with suppress(Unavailable):
                waiting += await subscription.fetch(timeout_s=0.5)
                await subscription.acknowledge(waiting)
                found += waiting
                waiting.clear()
    return found


async def test_a_server_that_is_killed_and_started_again_loses_nothing(own_server: NatsServer) -> None:
    """Publishers and a consumer go on by themselves; what was published is there, in order, once."""
    bus, other = opened(own_server.url, wait_s=30), opened(own_server.url, wait_s=30)
    subscription = await bus.subscribe("reader", [">"])

    async def publish() -> None:
        for number in range(60):
            await other.publish([message(number)])
            await asyncio.sleep(0.01)

    publishing = asyncio.create_task(publish())
    first = await collect(subscription, 5)
    own_server.kill()
    await asyncio.sleep(0.3)
    own_server.start()
    rest = await collect(subscription, 60 - len(first))
    async with asyncio.timeout(LIMIT_S):
        await publishing
    numbers = [number_of(delivery) for delivery in [*first, *rest]]
    assert sorted(set(numbers)) == list(range(60))
    assert list(dict.fromkeys(numbers)) == list(range(60))
    await bus.close()
    await other.close()


async def test_no_server_is_said_plainly(tmp_path: Path) -> None:
    """Nobody waits for ever, and the message says where a server was looked for."""
    port = free_port()
    bus = opened(f"nats://127.0.0.1:{port}", wait_s=0.3)
    with pytest.raises(Unavailable, match=str(port)):
        await bus.publish([message(1)])
    await bus.close()


async def test_a_message_that_is_none_of_impetus_holds_nobody_up(nats_server: NatsServer) -> None:
    """Whatever somebody else publishes into the log is set aside where the system's people see it."""
    name = f"test-{secrets.token_hex(6)}"
    bus = opened(nats_server.url, name=name)
    await bus.publish([message(1)])
    stranger = await nats.connect(nats_server.url)
    await stranger.publish(f"{name}.m.3.police.alert.anomaly", b"hello")
    await stranger.flush()
    await bus.publish([message(2)])
    subscription = await bus.subscribe("reader", [">"])
    assert [number_of(delivery) for delivery in await drain(subscription)] == [1, 2]
    (letter,) = await bus.dead_letters(SYSTEM_TENANT)
    assert letter.body == b"hello"
    await stranger.close()
    await bus.close()


async def test_a_member_reads_as_much_as_holds_what_it_asked_for(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of what two members read is the other's: each asks for twice as much, so that its batches are no smaller,
    and what is beyond its limit comes next time. All of it comes once, in the order of its source."""
    pages: list[int] = []
    read = LogReader.read

    async def noted(self: LogReader, after: int, limit: int, wait_s: float) -> list[Found]:
        pages.append(limit)
        return await read(self, after, limit, wait_s)

    name = f"test-{secrets.token_hex(6)}"
    buses = [opened(nats_server.url, name=name), opened(nats_server.url, name=name)]
    members = [await bus.subscribe("reader", [">"], lease_s=60) for bus in buses]
    async with asyncio.timeout(LIMIT_S):
        while [len(slots_of(member)) for member in members] != [8, 8]:
            for member in members:
                await member.fetch(timeout_s=0.05)
    await buses[0].publish([message(number, partition=f"source-{number % 40}") for number in range(400)])
    monkeypatch.setattr(LogReader, "read", noted)
    found: list[Delivery] = []
    async with asyncio.timeout(LIMIT_S):
        while len(found) < 400:
            for member in members:
                deliveries = await member.fetch(7, timeout_s=0.2)
                assert len(deliveries) <= 7
                await member.acknowledge(deliveries)
                found += deliveries
    assert set(pages) == {14}
    assert len(set(ids(found))) == 400
    assert all(numbers == sorted(numbers) for numbers in by_partition(found).values())
    for bus in buses:
        await bus.close()


async def test_a_neighbour_that_was_killed_is_not_waited_for(nats_server: NatsServer) -> None:
    """What it had fetched comes again at once, to the part that is started in its place, however long its lease."""
    address = f"{nats_server.url}/test-{secrets.token_hex(6)}"
    bus = open_bus(address, SystemClock())
    await bus.publish([message(number) for number in range(7)])
    async with started("hoard", address, lease_s=600.0) as hoarder, asyncio.timeout(LIMIT_S):
        assert await hoarder.line() == "ready"
        for _ in range(7):
            await hoarder.line()
        successor = await bus.subscribe(DURABLE, [">"], lease_s=600.0)
        assert not await successor.fetch(timeout_s=0.5)  # it lives
        await hoarder.kill()
        found = await collect(await _again(bus, successor), 7)
    assert sorted(map(number_of, found)) == list(range(7))
    await bus.close()


async def _again(bus: Bus, before: Subscription) -> Subscription:
    await before.close()
    return await bus.subscribe(DURABLE, [">"], lease_s=600.0)


def test_a_name_says_of_which_process_it_is() -> None:
    own = new_member_name()
    machine, process, started_at, rest = own.split(".")
    assert not is_gone(own)
    assert is_gone(f"{machine}.{process}.{int(started_at) - 1}.{rest}")  # its process id was given anew
    assert is_gone(f"{machine}.4194305.{started_at}.{rest}")  # beyond what the kernel gives
    for another in (f"{'0' * 12}.{process}.1.{rest}", rest, "...", f"{machine}.x.1.{rest}", f".{process}.1.{rest}"):
        assert not is_gone(another)


def slots_of(subscription: Subscription) -> Sequence[int]:
    """The slots that a member has, and is to keep."""
    assert isinstance(subscription, JetStreamSubscription)
    return [number for number, slot in subscription._slots.items() if not slot.draining]


async def test_the_number_of_partitions_is_that_of_the_log(nats_server: NatsServer) -> None:
    """A process with other settings keeps to it, or else two members would read the same source."""
    name = f"test-{secrets.token_hex(6)}"
    first, second = opened(nats_server.url, name=name, partitions=4), opened(nats_server.url, name=name, partitions=9)
    await first.position()
    await second.position()
    assert isinstance(second, JetStreamBus)
    assert second.connection.partitions == 4
    await first.close()
    await second.close()


async def test_tls_and_password(tmp_path: Path) -> None:
    """With certificate authority and password it gets in; with a wrong one, or without, it does not."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    folder = tmp_path / "certificates"
    folder.mkdir()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    certificate.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    (folder / "password").write_text("correct horse\n")
    server = NatsServer(
        tmp_path / "nats",
        more=f'tls {{ cert_file: "{folder}/server.pem", key_file: "{folder}/server.pem" }}\n'
        'authorization { user: impetus, password: "correct horse" }',
    )
    server.start()
    try:
        right = {"certificate_authority": folder / "authority.pem", "user": "impetus", "wait_s": 1}
        bus = opened(f"tls://{server.address}", **right, password_file=folder / "password")
        await bus.publish([message(1)])
        assert await bus.position() == 1
        await bus.close()
        for wrong in ({**right, "password": "guess"}, {"user": "impetus", "password": "correct horse", "wait_s": 1}):
            bus = opened(f"tls://{server.address}", **wrong)
            with pytest.raises(Unavailable):
                await bus.position()
            await bus.close()
    finally:
        server.stop()
    with pytest.raises(ConfigurationError, match="password"):
        opened(server.url, password_file=tmp_path / "absent")


async def test_organisations_with_accounts_of_their_own_see_nothing_of_each_other(tmp_path: Path) -> None:
    """An account of the servers is a wall: the same names, two logs."""
    server = NatsServer(
        tmp_path / "nats",
        more="accounts { POLICE { jetstream: enabled, users: [{user: police, password: p}] }\n"
        "FIRE { jetstream: enabled, users: [{user: fire, password: f}] } }",
    )
    server.start()
    try:
        police = opened(server.url, user="police", password="p")
        fire = opened(server.url, user="fire", password="f")
        reader = await fire.subscribe("reader", [">"])
        await police.publish([message(1)])
        assert await police.position() == 1
        assert await fire.position() == 0
        assert await drain(reader) == []
        assert [state.durable for state in await police.consumers()] == []
        await police.close()
        await fire.close()
    finally:
        server.stop()


async def test_two_control_rooms_over_a_leaf_node(tmp_path: Path) -> None:
    """Each room has a log of its own, which works while the line is cut; over the line one reads the other's."""
    leaf_port = free_port()
    centre = NatsServer(
        tmp_path / "centre",
        name="centre",
        more=f'leafnodes {{ listen: "127.0.0.1:{leaf_port}" }}',
    )
    harbour = NatsServer(
        tmp_path / "harbour",
        name="harbour",
        more=f'leafnodes {{ remotes: [{{ url: "nats://127.0.0.1:{leaf_port}" }}], reconnect: 1 }}',
    )
    for server, domain in ((centre, "centre"), (harbour, "harbour")):
        server.domain = domain
        server.start()
    try:
        at_centre = opened(centre.url, domain="centre", name="centre", wait_s=20)
        at_harbour = opened(harbour.url, domain="harbour", name="harbour", wait_s=20)
        over_the_line = opened(harbour.url, domain="centre", name="centre", wait_s=20)
        reader = await over_the_line.subscribe("reader", ["*.alert.>"])
        await at_centre.publish([message(1)])
        assert [number_of(delivery) for delivery in await collect(reader, 1)] == [1]
        centre.kill()
        await at_harbour.publish([message(2)])
        assert await at_harbour.position() == 1
        centre.start()
        await at_centre.publish([message(3)])
        assert [number_of(delivery) for delivery in await collect(reader, 1)] == [3]
        for bus in (at_centre, at_harbour, over_the_line):
            await bus.close()
    finally:
        centre.stop()
        harbour.stop()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[list[NatsServer]]:
    """Three servers that keep each message three times."""
    routes = [free_port() for _ in range(3)]
    listed = ", ".join(f'"nats-route://127.0.0.1:{route}"' for route in routes)
    servers = [
        NatsServer(
            tmp_path / f"nats-{number}",
            name=f"server-{number}",
            more=f'cluster {{ name: city, listen: "127.0.0.1:{route}", routes: [{listed}] }}',
        )
        for number, route in enumerate(routes)
    ]
    with ExitStack() as stack:
        for server in servers:
            server.start()
            stack.callback(server.stop)
        yield servers


@pytest.mark.slow
async def test_a_cluster_of_three_loses_one_and_nothing_else(cluster: list[NatsServer]) -> None:
    """While a server is killed, publishing and reading go on; every message that was acknowledged arrives, in order."""
    address = "nats://" + ",".join(server.address for server in cluster)
    bus, other = opened(address, replicas=3, wait_s=60), opened(address, replicas=3, wait_s=60)
    subscription = await bus.subscribe("reader", [">"], lease_s=2)
    published: list[str] = []

    async def publish() -> None:
        for number in range(120):
            one = message(number, partition=f"source-{number % 3}")
            await other.publish([one])
            published.append(one.id)

    publishing = asyncio.create_task(publish())
    first = await collect(subscription, 20)
    cluster[0].kill()
    rest = await collect(subscription, 120 - len(set(ids(first))))
    async with asyncio.timeout(LIMIT_S):
        await publishing
    found = [*first, *rest]
    assert set(ids(found)) == set(published)
    for part in range(3):
        numbers = [number_of(one) for one in found if one.envelope.partition == f"source-{part}"]
        assert list(dict.fromkeys(numbers)) == list(range(part, 120, 3))
    replayed = [delivery async for delivery in bus.replay([">"], since=START)]
    assert sorted(ids(replayed)) == sorted(published)
    await bus.close()
    await other.close()
