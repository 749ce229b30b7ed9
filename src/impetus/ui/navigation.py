"""Where one can go: the entries of the left side, each for those who may see what lies behind it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from impetus.model import Permission


def _(text: str) -> str:
    """Marks a text for translation; the template translates it."""
    return text


@dataclass(frozen=True, slots=True)
class Entry:
    """One place to go."""

    page: str
    """Name of the page, as the page itself knows it."""
    path: str
    title: str
    icon: str
    permission: Permission
    key: str = ""
    """Pressed after `g`, goes there."""


@dataclass(frozen=True, slots=True)
class Section:
    """Places under one heading."""

    title: str
    entries: Sequence[Entry]


SECTIONS: Sequence[Section] = (
    Section(
        _("Operations"),
        (
            Entry("live", "/", _("Live"), "live", Permission.ALERTS_READ, "l"),
            Entry("dashboards", "/dashboards", _("Dashboards"), "board", Permission.TOOLS_READ, "b"),
            Entry("incidents", "/incidents", _("Incidents"), "incident", Permission.INCIDENTS_READ, "i"),
            Entry("procedures", "/procedures", _("Tasks"), "procedure", Permission.PROCEDURES_READ, "p"),
            Entry("agreements", "/agreements", _("Sharing"), "share", Permission.SHARING_READ, "h"),
            Entry("notifications", "/notifications", _("Notification"), "bell", Permission.NOTIFICATIONS_READ, "n"),
            Entry("shift", "/shift", _("Shift"), "person", Permission.ALERTS_DECIDE, "f"),
            Entry("scenarios", "/scenarios", _("Scenarios"), "rules", Permission.ALERTS_ASSIGN, "x"),
            Entry("sensors", "/sensors", _("Sensors"), "sensor", Permission.OBSERVATIONS_READ, "s"),
        ),
    ),
    Section(
        _("Rights"),
        (
            Entry(
                "data-protection",
                "/data-protection",
                _("Data protection"),
                "audit",
                Permission.DATA_PROTECTION_READ,
                "o",
            ),
            Entry("cases", "/cases", _("Cases"), "letter", Permission.CASES_READ, "c"),
            Entry("oversight", "/oversight", _("Oversight"), "board", Permission.DATA_PROTECTION_READ, "e"),
            Entry("statistics", "/statistics", _("Statistics"), "sensor", Permission.DATA_PROTECTION_READ, "k"),
            Entry(
                "access-review", "/access-review", _("Access review"), "audit", Permission.DATA_PROTECTION_DECIDE, "w"
            ),
            Entry("guides", "/guides", _("Guides"), "rules", Permission.CASES_READ, "u"),
        ),
    ),
    Section(
        _("System"),
        (
            Entry("tools", "/tools", _("Status"), "status", Permission.TOOLS_READ, "t"),
            Entry("rules", "/rules", _("Rules"), "rules", Permission.RULES_DECIDE, "r"),
            Entry("dead-letters", "/dead-letters", _("Dead letters"), "letter", Permission.DEAD_LETTERS_READ, "d"),
            Entry("audit", "/audit", _("Audit log"), "audit", Permission.AUDIT_READ, "a"),
            Entry(
                "administration",
                "/administration",
                _("Administration"),
                "administration",
                Permission.ADMINISTRATION,
                "m",
            ),
        ),
    ),
)


def sections_for(permissions: Collection[str]) -> Sequence[Section]:
    """The sections with what these permissions open; empty ones are left out."""
    found = (
        Section(section.title, tuple(entry for entry in section.entries if entry.permission in permissions))
        for section in SECTIONS
    )
    return [section for section in found if section.entries]


def first_page(permissions: Collection[str]) -> str:
    """Where a person begins: the first place that is open to them."""
    return next((entry.path for section in sections_for(permissions) for entry in section.entries), "/profile")
