"""Whether a tool may run for an organisation: only with a valid approval of its entry in the data-protection
register."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from impetus.model import Clock
from impetus.model.data_protection import CLOCK_TOLERANCE, DataProtectionRecord, RecordState
from impetus.sdk.manifest import Manifest
from impetus.store import Store

LOOK_S: Final = 1.0
"""An approval that is withdrawn ends the tool after about so long."""

AHEAD: Final = "its approval lies in the future: the clock of this machine was set back"

ABOUT_DATA: Final = frozenset(
    {"id", "purposes", "personal_data", "data_classes", "retention_days", "ai_act_class", "inputs", "evidence", "own"}
)
"""Fields of a manifest that an approval is about: when one of them changes, a person has to look again."""


def fingerprint(manifest: Manifest) -> str:
    """SHA-256, hexadecimal, over what a manifest says of data; titles, limits and versions leave it alone."""
    content = manifest.model_dump(mode="json", include=set(ABOUT_DATA))
    content["detectors"] = sorted(detector.id for detector in manifest.detectors)
    content["results"] = sorted((kind.id, kind.data_class.value) for kind in manifest.results)
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def obstacle(manifest: Manifest, record: DataProtectionRecord | None, now: datetime) -> str | None:
    """Why the tool may not run, in plain words; None if it may."""
    if record is None:
        return "the data-protection officer has not approved it yet: nobody has filled in its worksheet"
    if record.tool != manifest.id:
        return f"the approval is another tool's: {record.tool}"
    decision = record.decision
    match record.state(now):
        case RecordState.DRAFT:
            lacking = ", ".join(record.draft.lacking())
            return "the data-protection officer has not approved it yet" + (f"; missing: {lacking}" if lacking else "")
        case RecordState.REFUSED:
            return f"the data-protection officer refused it: {decision.reason if decision else ''}"
        case RecordState.WITHDRAWN:
            return f"the data-protection officer withdrew the approval: {decision.reason if decision else ''}"
        case RecordState.LAPSED:
            until = decision.until if decision else None
            return f"its approval lapsed{f' on {until:%Y-%m-%d %H:%M} UTC' if until else ''}"
        case RecordState.APPROVED:
            pass
    if decision is not None and decision.time > now + CLOCK_TOLERANCE:
        return AHEAD
    if record.approved is None or record.approved.lacking():
        return "its approved worksheet is incomplete"
    if record.fingerprint != fingerprint(manifest):
        return "what its manifest says of data changed since it was approved: it needs a new approval"
    return None


class Approvals:
    """What the register says of one tool, looked up every second; between two looks, time alone ends an approval."""

    def __init__(self, store: Store, manifest: Manifest, clock: Clock) -> None:
        self._store = store
        self._manifest = manifest
        self._clock = clock
        self._records: Mapping[str, DataProtectionRecord] = {}
        self._newest = clock.now()

    async def look(self) -> bool:
        """Read the register; whether it says something else than before. Raises `impetus.model.Unavailable`; then what
        was read last counts, until it lapses."""
        async with self._store.view() as view:
            records = await view.data_protection.of_tool_in_installation(self._manifest.id)
        before, self._records = self._records, {record.tenant: record for record in records}
        return before != self._records

    def obstacle(self, tenant: str) -> str | None:
        """Why the tool may not run for an organisation now; None if it may. A clock that is set back gives an approval
        no more time, and takes none away: the latest time that it showed counts."""
        self._newest = max(self._newest, self._clock.now())
        return obstacle(self._manifest, self._records.get(tenant), self._newest)
