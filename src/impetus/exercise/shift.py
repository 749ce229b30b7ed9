"""The operators of the demo's shift: invented people who agreed to the tool `workload`, so that a team can be shown.

Their signals are invented as well (`source = "simulator"`): their hearts follow what waits and what they hold. Beats
are found and load is estimated as for anybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from impetus.model import Clock, User
from impetus.sdk import OwnFolders

TOOL: Final = "workload"
OPERATORS: Sequence[tuple[str, str]] = (
    ("operator-2", "Aino Laine"),
    ("operator-3", "Tomás Rivera"),
    ("operator-4", "Leyla Demir"),
    ("operator-5", "Henk de Vries"),
    ("operator-6", "Chiara Fontana"),
)
"""Log-in name and full name. The operator whom one logs in as is left to agree by oneself."""
SHARES: Final = "operator-3"
"""Who lets the supervisor see their own state, too."""
HOURS: Final = 12.0
SETTINGS: Mapping[str, Any] = {
    "works_agreement": "Works agreement 4 of the City of Aurelia, 3 February 2026 (invented)",
    "source": "simulator",
    "rest_s": 45,
    "sustained_s": 30,
    "rating_every_min": 15,
    "time_zone": "Europe/Rome",
}
"""Shorter times than in earnest, so that one sees something within minutes."""


async def agree(home: Path, tenant: str, users: Mapping[str, User], clock: Clock) -> None:
    """Give the operators' consent for a shift."""
    folders, now = OwnFolders(home, TOOL, tenant), clock.now()
    for name, _ in OPERATORS:
        user = users[name]
        await folders.open(
            user.id,
            user.full_name,
            now=now,
            until=now + timedelta(hours=HOURS),
            shared=name == SHARES,
            terms={"device": "simulated", "console": True, "keep_baseline": False},
        )
