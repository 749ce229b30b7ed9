"""The demo city's data-protection register: what an officer would have decided before the city went live."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from impetus.governance import Principal
from impetus.governance.data_protection import DataProtection, RegisterEntry
from impetus.model import Clock
from impetus.model.data_protection import LegalBasis, Outcome, Risk, Worksheet

APPROVED_FOR: Final = timedelta(days=365)


async def approve_all(register: DataProtection, officer: Principal, clock: Clock) -> None:
    """Fill in the worksheet of each tool that may not run, and approve it for a year."""
    for entry in await register.register(officer):
        decided = entry.record is not None and entry.record.decision is not None
        if entry.obstacle is None or (
            decided and "changed since" not in entry.obstacle and "lapsed" not in entry.obstacle
        ):
            continue  # it runs, or somebody who tries the demo refused it
        version = entry.record.version if entry.record else 0
        written = await register.write(officer, entry.tool, worksheet_of(entry), version)
        await register.decide(
            officer,
            entry.tool,
            Outcome.APPROVED,
            reason="The demo city: invented data of invented people.",
            until=clock.now() + APPROVED_FOR,
            version=written.record.version if written.record else 1,
        )


def worksheet_of(entry: RegisterEntry) -> Worksheet:
    """A complete worksheet, in the words of the demo city."""
    personal = entry.manifest.personal_data
    risks = tuple(
        risk.model_copy(update={"measure": risk.measure or _MEASURES.get(risk.title, "Reviewed every quarter.")})
        for risk in entry.worksheet.risks
    )
    if personal and not risks:
        risks = (Risk(title="Somebody reads it without need", likelihood=2, severity=3, measure=_READ),)
    return entry.worksheet.model_copy(
        update={
            "purposes": entry.manifest.purposes,
            "data_classes": entry.manifest.data_classes,
            "retention_days": entry.manifest.retention_days,
            "legal_basis": (
                LegalBasis.CONSENT
                if entry.manifest.own
                else LegalBasis.PUBLIC_TASK
                if personal
                else LegalBasis.NO_PERSONAL_DATA
            ),
            "legal_reference": "Public Safety Ordinance of Aurelia, section 4" if personal else "",
            "persons": "People in the public spaces named here, and the staff of the control room" if personal else "",
            "necessity": "Without it the control room would learn of such situations minutes later, from calls only.",
            "proportionality": (
                "It reads only what its manifest names, keeps it no longer than stated, and a person decides."
                if personal
                else ""
            ),
            "sources": entry.worksheet.sources or ("what people ask it",),
            "risks": risks,
            "responsible": "Head of the control room, City of Aurelia",
            "contact": "privacy@aurelia.example",
        }
    )


_READ: Final = "Access by role, with a purpose, in the audit log; unusual access is reviewed."
_MEASURES: Final = {
    "People act on a false alert": "Each alert says why it was raised and how sure; a named person decides.",
    "Somebody reads personal data without need": _READ,
    "Special categories of data become known": "Kept apart, for the person's own eyes; shared by nobody else.",
    "A person is recognised behind a pseudonym": "Keyed pseudonyms; keys by purpose, rotated; two people to compare.",
    "Pictures show people who have nothing to do with it": "Pictures are masked until an alert is confirmed.",
    "Staff feel watched, or do not dare to refuse": "Only by consent, for one shift; a supervisor sees the team only.",
}
