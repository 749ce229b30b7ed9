"""Requests that the API's description allows, and as many that it does not: none may end in a server error or a hang.

`python -m benchmarks hostile_requests` sends some thousands; `python -m benchmarks.hostile_requests --requests 50000`
what was asked for, or in eight pieces `--requests 6250 --part 1/8` and so on. They are made by Schemathesis from the
OpenAPI document, with an administrator's session and without.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx

from benchmarks.reporting import Figure, report
from impetus.api.app import create_api
from impetus.api.tests.conftest import Api, services_of
from impetus.api.tests.test_hostile_requests import SERVER_ERROR, cases_of, operations, send
from impetus.situation.tests.house import opened_house

HANG_S = 10.0
WAYS = 4
"""Each case is sent twice, and cases are made in two ways."""
SENDABLE = 0.9
"""Of what is made so much can be sent, and not every route has a way to break its description."""


async def run(requests: int, folder: Path, part: tuple[int, int] = (1, 1)) -> tuple[int, Counter[str], int, float]:
    """Requests sent, server errors by route, hangs, and the longest in seconds.

    Of the routes, `part` (2, 8) takes the second eighth.
    """
    sent, hangs, longest_s = 0, 0, 0.0
    errors: Counter[str] = Counter()
    async with opened_house(folder) as house:
        services = services_of(house, folder)
        api = Api(house, services, create_api(services))
        person, nobody = await api.person("ada"), api.client()
        routes = list(operations(api.app))[part[0] - 1 :: part[1]]
        each = math.ceil(requests / len(routes) / WAYS / SENDABLE)
        while sent < requests:
            before = sent
            for operation in routes:
                for case in cases_of(operation, each):
                    if case.path.endswith(("/session", "/session/password")) and case.method != "GET":
                        continue  # it would log out, or change the password that the next one needs
                    for client in (person, nobody):
                        began_s = time.perf_counter()
                        try:
                            async with asyncio.timeout(HANG_S):
                                answer = await send(client, case)
                        except (httpx.InvalidURL, UnicodeError, ValueError):
                            continue  # no client can send that
                        except TimeoutError:
                            hangs += 1
                            print(f"hang: {case.method} {case.path}", file=sys.stderr)
                            continue
                        sent += 1
                        longest_s = max(longest_s, time.perf_counter() - began_s)
                        if answer.status_code >= SERVER_ERROR:
                            errors[f"{case.method} {case.path} {answer.status_code}"] += 1
            if sent == before:
                break
            each *= 2  # the generator is derandomised: fewer would be the same again
    return sent, errors, hangs, longest_s


def main() -> int:
    """Send and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=3_000)
    parser.add_argument("--part", default="1/1", help="2/8: the second eighth of the routes, to send them in pieces")
    arguments = parser.parse_args()
    number, _, parts = arguments.part.partition("/")
    with tempfile.TemporaryDirectory(prefix="impetus-requests-") as folder:
        sent, errors, hangs, longest_s = asyncio.run(run(arguments.requests, Path(folder), (int(number), int(parts))))
    report(
        "Requests made from the API's description",
        [
            Figure("requests", "", arguments.requests, sent),
            Figure("server errors", "", 0, errors.total(), at_most=True),
            Figure("hangs", "", 0, hangs, at_most=True),
            Figure("longest", "s", HANG_S, longest_s, at_most=True),
        ],
        notes=[f"{route}: {count}" for route, count in errors.most_common(20)],
    )
    return 1 if errors or hangs else 0


if __name__ == "__main__":
    sys.exit(main())
