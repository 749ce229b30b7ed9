"""What runs in the processes that send: one request a line on standard input, one answer a line on standard output.

Apprise and all its services are only ever loaded here. The address of a channel comes through the pipe and is never
part of a command line, an environment or a log.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from typing import Any, Final

import apprise

READY: Final = "ready"
LONGEST_S: Final = 300
"""A process that its parent forgot ends itself after this many seconds on one request."""


def main() -> None:
    """Serve until standard input ends."""
    # Whatever a service prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    sys.stdout = sys.stderr
    os.dup2(2, 1)
    asset = apprise.AppriseAsset(secure_logging=True, plugin_paths=[], allow_templates=False)
    apprise.Apprise(asset=asset).add("json://127.0.0.1")  # loads the services, which takes seconds
    print(json.dumps({READY: True}), file=answers, flush=True)
    for line in sys.stdin:
        signal.alarm(LONGEST_S)
        print(json.dumps(answer(json.loads(line), asset)), file=answers, flush=True)
        signal.alarm(0)


def answer(request: dict[str, Any], asset: apprise.AppriseAsset) -> dict[str, Any]:
    """Check an address, or send one message through it."""
    address = str(request["address"])
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
