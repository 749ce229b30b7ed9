"""The servers that the other tests lean on do what they promise."""

from __future__ import annotations

import ssl

import aiomqtt
import psycopg
import pytest

from tests.servers import Mosquitto


async def exchange(broker: Mosquitto, **options: object) -> bytes:
    async with aiomqtt.Client("localhost", broker.port, **options) as client:  # type: ignore[arg-type]
        await client.subscribe("greeting")
        await client.publish("greeting", b"hello", qos=1)
        message = await anext(aiter(client.messages))
        assert isinstance(message.payload, bytes)
        return message.payload


async def test_mosquitto_passes_a_message_on_before_and_after_a_restart(mosquitto_server: Mosquitto) -> None:
    assert await exchange(mosquitto_server) == b"hello"
    mosquitto_server.kill()
    mosquitto_server.start()
    assert await exchange(mosquitto_server) == b"hello"


async def test_secure_mosquitto_asks_for_the_password(secure_mosquitto_server: Mosquitto) -> None:
    broker = secure_mosquitto_server
    context = ssl.create_default_context(cafile=str(broker.certificate_authority))
    answer = await exchange(broker, username=broker.username, password=broker.password, tls_context=context)
    assert answer == b"hello"
    with pytest.raises(aiomqtt.MqttError):
        await exchange(broker, username=broker.username, password="wrong", tls_context=context)


def test_each_fresh_database_is_empty_and_usable(fresh_database: str) -> None:
    with psycopg.connect(fresh_database.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE reading (value double precision)")
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert tables == [("reading",)]
