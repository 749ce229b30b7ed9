"""What runs in the processes that send: one request a line on standard input, one answer a line on standard output.

Apprise and all its services are only ever loaded here. The address of a channel comes through the pipe and is never
part of a command line, an environment or a log. What is sent goes to public addresses, unless an administrator named an
internal one.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import socket
import sys
from typing import Any, Final

import apprise

from impetus.model.network_address import is_public

READY: Final = "ready"
INSIDE: Final = (
    "it leads inside the own network: name its HOST:PORT under notification.internal_addresses, if that is meant"
)
LONGEST_S: Final = 300
"""A process that its parent forgot ends itself after this many seconds on one request."""


class Guard:
    """Lets this process connect to public addresses, and to internal ones that were named, and start no other.

    It hears of each connection from the interpreter itself (PEP 578), after names were resolved: a redirect, or a name
    that changes its address between check and use (DNS rebinding), gets nowhere.
    """

    def __init__(self) -> None:
        self._allowed: frozenset[tuple[str, int | None]] = frozenset()
        self.refused = False

    def begin(self, internal: list[str]) -> None:
        """For the next message: `internal` are `HOST:PORT`, or `HOST` with all its ports."""
        self._allowed = frozenset(itertools.chain.from_iterable(map(_places, internal)))
        self.refused = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """The hook: raises what a connection that fails raises."""
        if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"):
            raise PermissionError("a channel starts no program")
        if event in ("socket.connect", "socket.sendto"):
            address = arguments[1]
            if not self._lets(address):
                self.refused = True
                raise PermissionError("this address is inside the own network")

    def _lets(self, address: object) -> bool:
        if not isinstance(address, tuple) or len(address) < 2:
            return False  # of this machine alone
        host, port = str(address[0]), int(address[1])
        if (host, port) in self._allowed or (host, None) in self._allowed:
            return True
        try:
            return is_public(host)
        except ValueError:
            return False  # a name that is yet to be resolved


def _places(named: str) -> set[tuple[str, int | None]]:
    host, found, port = named.rpartition(":")
    if not found or not port.isdecimal():
        host, port = named, ""
    try:
        entries = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {(str(entry[4][0]), int(port) if port else None) for entry in entries}


def main() -> None:
    """Serve until standard input ends."""
    # Whatever a service prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    sys.stdout = sys.stderr
    os.dup2(2, 1)
    asset = apprise.AppriseAsset(secure_logging=True, plugin_paths=[], allow_templates=False)
    apprise.Apprise(asset=asset).add("json://127.0.0.1")  # loads the services, which takes seconds
    guard = Guard()
    sys.addaudithook(guard)
    print(json.dumps({READY: True}), file=answers, flush=True)
    for line in sys.stdin:
        signal.alarm(LONGEST_S)
        print(json.dumps(answer(json.loads(line), asset, guard)), file=answers, flush=True)
        signal.alarm(0)


def answer(request: dict[str, Any], asset: apprise.AppriseAsset, guard: Guard) -> dict[str, Any]:
    """Check an address, or send one message through it."""
    address = str(request["address"])
    guard.begin(list(request.get("internal", ())))
    sender = apprise.Apprise(asset=asset)
    said: list[str] = []
    try:
        sender.add(address)
        if len(sender) != 1:
            return {"sent": False, "reason": "no service can be reached by this address"}
        if request.get("check"):
            return {"sent": True, "reason": str(sender[0].service_name)}
        result = sender.notify(
            title=str(request["title"]),
            body=str(request["body"]),
            body_format=apprise.NotifyFormat.TEXT,
            log_callback=lambda entry, _: said.append(str(getattr(entry, "message", entry))),
            log_level=30,
        )
    except Exception as error:
        # A service may fail in any way: that is an outcome, and the process goes on.
        return {"sent": False, "reason": f"the service failed: {type(error).__name__}"}
    if result:
        return {"sent": True, "reason": ""}
    if guard.refused:
        return {"sent": False, "reason": INSIDE}
    return {"sent": False, "reason": harmless(said[-1] if said else "the service did not take it", address)}


def harmless(reason: str, address: str) -> str:
    """The reason without anything that stands in the address.

    >>> harmless("cannot reach hunter2@mail.example", "mailto://me:hunter2@mail.example")
    'cannot reach …@…'
    """
    for part in sorted(set(re.findall(r"[^\s:/?&=@,+]{4,}", address.partition("://")[2])), key=len, reverse=True):
        reason = reason.replace(part, "…")
    return " ".join(reason.split())[:300]


if __name__ == "__main__":
    main()
