"""What anybody may know without logging in: which tools run where, why, on what data, how well, and who answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from impetus.governance.data_protection import DataProtection, RegisterEntry
from impetus.governance.statistics import KIND as RELEASES
from impetus.model import Clock
from impetus.model.statistics import StatisticsRelease
from impetus.store import Store


class PublicRegister:
    """The approved entries of all active organisations."""

    def __init__(self, store: Store, clock: Clock, register: DataProtection) -> None:
        self._store = store
        self._clock = clock
        self._register = register

    async def read(self) -> Sequence[Mapping[str, Any]]:
        """Organisations with the tools that may run there now."""
        async with self._store.view() as view:
            organisations = [one for one in await view.organisations.list_in_installation() if one.active]
        found = []
        for organisation in organisations:
            entries = await self._register.of_organisation(organisation.id)
            tools = [_public(entry) for entry in entries if entry.obstacle is None]
            found.append({"id": organisation.id, "name": organisation.name, "tools": tools})
        return found

    async def statistics(self) -> Sequence[Mapping[str, Any]]:
        """Organisations with the figures that they released; nothing in them is a count of people as it was."""
        async with self._store.view() as view:
            organisations = [one for one in await view.organisations.list_in_installation() if one.active]
            return [
                {
                    "id": organisation.id,
                    "name": organisation.name,
                    "releases": [
                        StatisticsRelease.model_validate_json(document.content).model_dump(
                            mode="json", exclude={"released_by"}
                        )
                        for document in await view.governance_documents.list(organisation.id, RELEASES)
                    ],
                }
                for organisation in organisations
            ]


def _public(entry: RegisterEntry) -> Mapping[str, Any]:
    record = entry.record
    if record is None or record.approved is None or record.decision is None or record.decision.until is None:
        raise ValueError("only what was approved is public")
    sheet = record.approved
    return {
        "tool": entry.tool,
        "title": entry.manifest.title,
        "summary": entry.manifest.summary,
        "purposes": list(sheet.purposes),
        "legal_basis": sheet.legal_basis.value if sheet.legal_basis else "",
        "legal_reference": sheet.legal_reference,
        "data_classes": [one.value for one in sheet.data_classes],
        "persons": sheet.persons,
        "sources": list(sheet.sources),
        "recipients": list(sheet.recipients),
        "retention_days": sheet.retention_days,
        "necessity": sheet.necessity,
        "responsible": sheet.responsible,
        "contact": sheet.contact,
        "ai_act_class": entry.manifest.ai_act_class.value,
        "duties": list(entry.duties),
        # The officer's name is not the public's business; the office is.
        "since": record.decision.time.isoformat(),
        "until": record.decision.until.isoformat(),
        # Only what was measured: a manifest that says nothing of a detector gets a figure to calculate with.
        "figures": {
            detector.id: {"title": detector.title, "precision": detector.precision}
            for detector in entry.manifest.detectors
            if "precision" in detector.model_fields_set
        },
    }
