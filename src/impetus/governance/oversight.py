"""Does it work for everybody, and do people still look: performance by place and hour, haste, appeals, model cards.

Protected characteristics are not collected; places, hours and device types show most of what would be unfair. Haste
is told of the shift as a whole and of detectors, never of one person: it is a question about screens and manning.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from impetus.governance.principal import Principal
from impetus.model import AlertState, Assessment, Clock, NotFound, Permission, SubjectKind
from impetus.model.case import Case, CaseKind, CaseState
from impetus.sdk import InstalledTool
from impetus.sdk.card import CARD_NAME
from impetus.store import Store
from impetus.store.governance_documents import GovernanceDocument

SPAN: Final = timedelta(days=90)
DECISIONS_SPAN: Final = timedelta(days=30)
DECISIONS_LIMIT: Final = 1_000
VERDICTS_LIMIT: Final = 20_000
UNREAD_S: Final = 10.0
"""Who takes an alert and settles it within so many seconds has hardly read why it was raised."""
FEWEST: Final = 10
"""With fewer verdicts a group is not compared."""
CARD: Final = "model-card"
CARD_LIMIT: Final = 200_000


@dataclass(frozen=True, slots=True)
class Group:
    """How one detector does at one place or time of day."""

    tool: str
    detector: str
    group: str
    """Name of the place, or `day` (06 to 22 UTC) or `night`."""
    verdicts: int
    true: int
    low: float
    """Wilson 95 % interval of the share that was true."""
    high: float
    differs: bool
    """Its interval and that of all others of the detector do not overlap."""


@dataclass(frozen=True, slots=True)
class Haste:
    """How one detector's alerts were settled."""

    tool: str
    detector: str
    settled: int
    unread: int
    """Settled within ten seconds of being taken, or of arriving if nobody took them first."""
    accepted_unread: int
    """Those of them that were confirmed or escalated."""


@dataclass(frozen=True, slots=True)
class CardVersion:
    """A tool's card as it was when a version of it was first here."""

    tool: str
    title: str
    version: str
    sha256: str
    since: datetime
    current: bool


@dataclass(frozen=True, slots=True)
class Oversight:
    """What an officer, a council or the shift looks through every quarter."""

    since: datetime
    places: Sequence[Group]
    hours: Sequence[Group]
    haste: Sequence[Haste]
    appeals: Mapping[str, int]
    """By state; `late` counts the open ones whose time is over."""
    cards: Sequence[CardVersion]


class OversightService:
    """Figures of the own organisation."""

    def __init__(self, store: Store, clock: Clock, tools: Mapping[str, InstalledTool]) -> None:
        self._store = store
        self._clock = clock
        self._tools = tools

    async def overview(self, by: Principal) -> Oversight:
        """The last three months. Raises `NotAllowed`."""
        by.require(Permission.DATA_PROTECTION_READ)
        now = self._clock.now()
        since = now - SPAN
        async with self._store.view() as view:
            verdicts = [
                one for one in await view.verdicts.newest(by.tenant, limit=VERDICTS_LIMIT) if one.decided >= since
            ]
            alerts = await view.alerts.many(by.tenant, {one.alert for one in verdicts})
            page = await view.assessments.list(by.tenant, since=now - DECISIONS_SPAN, limit=DECISIONS_LIMIT)
            decisions = [one for one in page.items if one.subject_kind is SubjectKind.ALERT]
            decided = await view.alerts.many(by.tenant, {one.subject for one in decisions})
            appeals = [
                Case.model_validate_json(one.content)
                for one in await view.governance_documents.list(by.tenant, CaseKind.APPEAL.value)
            ]
            cards = await view.governance_documents.list(by.tenant, CARD)
        named = []
        hourly = []
        for one in verdicts:
            record = alerts.get(one.alert)
            place = record.alert.place if record else None
            named.append((one.tool, one.detector, (place.name if place else None) or one.source, one.correct))
            onset = record.alert.onset if record else one.decided
            hourly.append((one.tool, one.detector, "day" if 6 <= onset.hour < 22 else "night", one.correct))
        times = {id: (record.received, record.alert.tool, record.alert.detector) for id, record in decided.items()}
        states: dict[str, int] = {state.value: 0 for state in CaseState} | {"late": 0}
        for case in appeals:
            states[case.state.value] += 1
            states["late"] += case.state is CaseState.OPEN and case.due is not None and case.due < now
        return Oversight(since, groups(named), groups(hourly), haste(decisions, times), states, self._versions(cards))

    async def note_cards(self, tenants: Iterable[str]) -> None:
        """Keep the cards of all installed tools as they are now; a card that is known is left alone."""
        cards = []
        for tool in self._tools.values():
            if tool.manifest is None or tool.folder is None:
                continue
            try:
                written = (tool.folder / CARD_NAME).read_bytes()[:CARD_LIMIT]
            except OSError:
                continue
            cards.append((tool.manifest, written.decode(errors="replace"), hashlib.sha256(written).hexdigest()))
        now = self._clock.now()
        for tenant in tenants:
            async with self._store.transaction() as transaction:
                for manifest, text, sha256 in cards:
                    id = f"{manifest.id}@{sha256[:32]}"
                    try:
                        await transaction.governance_documents.get(tenant, CARD, id)
                    except NotFound:
                        await transaction.governance_documents.add(
                            GovernanceDocument(tenant, id, CARD, manifest.version[:16], 1, now, None, text)
                        )

    async def card(self, by: Principal, id: str) -> Mapping[str, Any]:
        """A card as it was. Raises `NotAllowed` and `NotFound`."""
        by.require(Permission.DATA_PROTECTION_READ)
        async with self._store.view() as view:
            document = await view.governance_documents.get(by.tenant, CARD, id)
        return {"id": id, "version": document.state, "since": document.opened.isoformat(), "text": document.content}

    def _versions(self, documents: Sequence[GovernanceDocument]) -> Sequence[CardVersion]:
        newest: set[str] = set()
        found = []
        for document in documents:  # newest first
            tool, _, sha256 = document.id.partition("@")
            manifest = self._tools[tool].manifest if tool in self._tools else None
            current = manifest is not None and tool not in newest
            newest.add(tool)
            title = manifest.title if manifest else tool
            found.append(CardVersion(tool, title, document.state, sha256, document.opened, current))
        return sorted(found, key=lambda one: (one.tool, not one.current, one.version))


def groups(verdicts: Iterable[tuple[str, str, str, bool]]) -> Sequence[Group]:
    """Share of true alerts by group (tool, detector, group, whether it was true), the greatest groups first."""
    counted: defaultdict[tuple[str, str], defaultdict[str, list[int]]] = defaultdict(
        lambda: defaultdict(lambda: [0, 0])
    )
    for tool, detector, group, correct in verdicts:
        cell = counted[tool, detector][group]
        cell[0] += 1
        cell[1] += correct
    found = []
    for (tool, detector), cells in counted.items():
        all_count, all_true = (sum(cell[number] for cell in cells.values()) for number in (0, 1))
        for group, (count, true) in cells.items():
            low, high = wilson(true, count)
            rest_low, rest_high = wilson(all_true - true, all_count - count)
            comparable = min(count, all_count - count) >= FEWEST
            differs = comparable and (high < rest_low or low > rest_high)
            found.append(Group(tool, detector, group, count, true, low, high, differs))
    return sorted(found, key=lambda one: (not one.differs, -one.verdicts, one.tool, one.detector, one.group))


def wilson(true: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927, *Journal of the American Statistical Association* 22)."""
    if count == 0:
        return 0.0, 1.0
    z = 1.96
    share = true / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def haste(decisions: Sequence[Assessment], alerts: Mapping[str, tuple[datetime, str, str]]) -> Sequence[Haste]:
    """How fast alerts were settled, by detector; `alerts`: when each arrived, its tool and its detector."""
    settled_states = (AlertState.CONFIRMED, AlertState.ESCALATED, AlertState.DISMISSED)
    taken: dict[str, datetime] = {}
    counts: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for one in sorted(decisions, key=lambda one: (one.decided, one.version)):
        if one.subject not in alerts:
            continue
        received, tool, detector = alerts[one.subject]
        if one.state_after == AlertState.ACKNOWLEDGED:
            taken[one.subject] = one.decided
        elif one.state_after in settled_states and one.state_before not in settled_states:
            cell = counts[tool, detector]
            quick = (one.decided - taken.get(one.subject, received)).total_seconds() < UNREAD_S
            cell[0] += 1
            cell[1] += quick
            cell[2] += quick and one.state_after != AlertState.DISMISSED
    return [Haste(tool, detector, *cell) for (tool, detector), cell in sorted(counts.items())]
