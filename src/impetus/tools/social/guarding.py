"""Web requests that reach public addresses only, and internal ones that were named.

The guard sits where a connection is made, after the name was resolved and again before anything is sent, so that a name
that changes its address between check and use (DNS rebinding), or a redirect, gets nowhere.
"""

from __future__ import annotations

import socket
from collections.abc import Collection
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from impetus.model import NotAllowed
from impetus.model.network_address import is_public


def session(internal: Collection[str]) -> requests.Session:
    """A session that keeps to it; `internal` holds `host:port` that may be inside."""
    made = requests.Session()
    for scheme in ("http://", "https://"):
        made.mount(scheme, _Guarded(frozenset(internal)))
    return made


class _Guarded(HTTPAdapter):
    def __init__(self, internal: frozenset[str]) -> None:
        self._internal = internal
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **more: Any) -> None:
        super().init_poolmanager(*arguments, **more)
        internal = self._internal

        class Connection(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return _checked(self, super()._new_conn, internal)

        class SecureConnection(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return _checked(self, super()._new_conn, internal)

        class Pool(HTTPConnectionPool):
            ConnectionCls = Connection

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = SecureConnection

        self.poolmanager.pool_classes_by_scheme = {"http": Pool, "https": SecurePool}


def _checked(connection: HTTPConnection, connect: Any, internal: frozenset[str]) -> socket.socket:
    host, port = connection.host.strip("[]"), connection.port
    if f"{host}:{port}" in internal:
        made: socket.socket = connect()
        return made
    refused = NotAllowed(f"{host} is inside a network", hint=f"name {host}:{port} under internal_addresses")
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if not all(is_public(str(entry[4][0])) for entry in found):
        raise refused
    made = connect()
    if not is_public(str(made.getpeername()[0])):
        made.close()
        raise refused
    return made
