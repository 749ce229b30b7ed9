"""Protects that messages arrive through real services, and that one that hangs holds up nothing and tells no secret."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from impetus.connectors.notify import ChannelSender, service_of
from impetus.connectors.notify.child import Guard, harmless
from impetus.connectors.notify.sender import check_scheme
from impetus.connectors.notify.tests.servers import mail_sink, webhook_receiver
from impetus.model import InvalidInput


@pytest.fixture
async def sender() -> AsyncIterator[ChannelSender]:
    sender = ChannelSender(processes=1, timeout_s=6, internal_addresses=("127.0.0.1",))
    yield sender
    await sender.close()


async def test_a_message_arrives_by_webhook_and_by_mail(sender: ChannelSender) -> None:
    async with webhook_receiver() as hook, mail_sink() as sink:
        assert (await sender.send(hook.webhook, "Smoke", "At the station")).sent
        assert hook.got[0]["title"] == "Smoke"
        assert hook.got[0]["message"] == "At the station"
        assert (await sender.send(sink.mail, "Smoke", "At the station")).sent
        assert "Subject: Smoke" in sink.got[0]


async def test_a_channel_that_hangs_is_given_up_and_the_others_go_on(sender: ChannelSender) -> None:
    async with webhook_receiver() as hanging, webhook_receiver() as well:
        hanging.hangs = True
        first = await sender.send(hanging.webhook, "a", "b")
        assert not first.sent
        assert first.hung
        assert sender.killed == 1
        # Known to hang, it waits in a lane of its own.
        stuck = asyncio.create_task(sender.send(hanging.webhook, "a", "b", suspect=True))
        assert (await sender.send(well.webhook, "c", "d")).sent
        assert not stuck.done() or (await stuck).hung
        stuck.cancel()
        await asyncio.gather(stuck, return_exceptions=True)


async def test_what_a_service_refuses_is_said_without_its_secrets(sender: ChannelSender) -> None:
    async with webhook_receiver() as hook:
        hook.status = 500
        outcome = await sender.send(hook.webhook, "a", "b")
    assert not outcome.sent
    assert outcome.reason
    assert "top-secret-word" not in outcome.reason
    nobody = await sender.send("json://me:top-secret-word@127.0.0.1:9/", "a", "b")
    assert not nobody.sent
    assert "top-secret-word" not in nobody.reason


async def test_a_channel_leads_inside_the_own_network_only_where_that_was_named() -> None:
    """Whoever may enter a channel must not reach what the machine reaches: cloud metadata, a database, the hub."""
    guarded = ChannelSender(processes=1, timeout_s=6, internal_addresses=("127.0.0.1:9", "localhost:10"))
    try:
        async with webhook_receiver() as hook:
            port = hook.webhook.rsplit(":", 1)[1].partition("/")[0]
            inside = ("127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.1", "0.0.0.0")
            for host in inside:
                outcome = await guarded.send(f"json://{host}:{port}/", "a", "b")
                assert not outcome.sent, host
                assert "internal_addresses" in outcome.reason, (host, outcome.reason)
            assert hook.got == []
    finally:
        await guarded.close()


async def test_a_redirect_does_not_lead_inside(sender: ChannelSender) -> None:
    async with webhook_receiver() as hook, webhook_receiver("127.0.0.2") as inside:
        hook.status, hook.location = 307, f"http://127.0.0.2:{inside.port}/"
        outcome = await sender.send(hook.webhook, "a", "b")
        assert not outcome.sent
        assert (hook.asked, inside.asked) == (1, 0)


def test_the_guard_lets_named_places_through_and_starts_no_program() -> None:
    guard = Guard()
    guard.begin(["127.0.0.1:25", "localhost", "no such host.invalid:80"])
    guard("socket.connect", (None, ("127.0.0.1", 25)))
    guard("socket.connect", (None, ("9.9.9.9", 443)))
    for place in (("10.0.0.1", 25), ("intranet", 80), "/run/docker.sock", b"\0abstract", ("fe80::1%eth0", 80, 0, 1)):
        with pytest.raises(PermissionError):
            guard("socket.connect", (None, place))
    found = [guard.refused]
    guard.begin([])
    assert [*found, guard.refused] == [True, False]
    with pytest.raises(PermissionError):
        guard("socket.connect", (None, ("127.0.0.1", 25)))
    with pytest.raises(PermissionError, match="program"):
        guard("subprocess.Popen", ("sh", [], None, None))


async def test_an_address_is_checked_before_it_is_kept(sender: ChannelSender) -> None:
    await sender.check("ntfys://ntfy.example/topic")
    with pytest.raises(InvalidInput, match="cannot be used"):
        await sender.check("nosuchservice://somewhere/x")


@pytest.mark.parametrize(
    "address", ["", "hello", "://x", "json://", "syslog://x", "dbus://", "windows://x", "json://a\nb", "a b://c"]
)
def test_an_address_that_is_none_or_acts_on_this_machine_is_refused(address: str) -> None:
    with pytest.raises(InvalidInput):
        check_scheme(address)


def test_reasons_carry_nothing_of_the_address() -> None:
    said = harmless("404 of https://api.example/v1/TOKEN12345 for bob", "tgram://TOKEN12345/bob?x=api.example")
    assert "TOKEN12345" not in said
    assert "api.example" not in said
    assert service_of("MATRIX://u:p@h") == "matrix"


def test_a_process_ends_with_its_parent() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "impetus.connectors.notify.child"], input=b"", capture_output=True, timeout=60
    )
    assert done.returncode == 0
    assert done.stdout == b'{"ready": true}\n'
