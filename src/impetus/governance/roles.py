"""Which role may do what. What is not listed is denied."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from impetus.model import Permission, Role

_WATCH: Final = frozenset(
    {
        Permission.OBSERVATIONS_READ,
        Permission.ALERTS_READ,
        Permission.INCIDENTS_READ,
        Permission.TOOLS_READ,
    }
)
_OPERATE: Final = _WATCH | {
    Permission.ALERTS_DECIDE,
    Permission.INCIDENTS_DECIDE,
    Permission.EVIDENCE_READ,
    Permission.SHARING_READ,
    Permission.NOTIFICATIONS_READ,
}
_USE_TOOLS: Final = frozenset({Permission.TOOLS_READ, Permission.TOOLS_ASK, Permission.RESULTS_READ})
"""Every role; each tool's manifest says which of its results and tasks are for whom."""
_GOVERN: Final = frozenset({Permission.DATA_PROTECTION_READ, Permission.CASES_READ})
"""Every role may know what is processed and why, and has its checklists."""
_CARRY_OUT: Final = frozenset({Permission.PROCEDURES_READ, Permission.TASKS_DECIDE}) | _USE_TOOLS | _GOVERN
"""Every role has its part in some procedure."""
_START: Final = _CARRY_OUT | {Permission.PROCEDURES_START}
_SHARE: Final = frozenset({Permission.SHARING_READ, Permission.SHARING_DECIDE})
_NOTIFY: Final = frozenset({Permission.NOTIFICATIONS_READ, Permission.NOTIFICATIONS_MANAGE})
_RULE: Final = frozenset({Permission.RULES_DECIDE})
_WRITE_SHEETS: Final = frozenset({Permission.DATA_PROTECTION_WRITE})
_REVEAL: Final = frozenset({Permission.IDENTITIES_REVEAL, Permission.EVIDENCE_UNMASK})
_PUBLISH: Final = frozenset({Permission.STATISTICS_RELEASE})
_MEND: Final = frozenset({Permission.DEAD_LETTERS_READ, Permission.DEAD_LETTERS_DECIDE})

ROLE_PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = MappingProxyType(
    {
        Role.OPERATOR: _OPERATE | _START,
        Role.SUPERVISOR: _RULE
        | _REVEAL
        | _PUBLISH
        | _WRITE_SHEETS
        | _OPERATE
        | _MEND
        | _NOTIFY
        | _SHARE
        | _START
        | {Permission.ALERTS_ASSIGN, Permission.PROCEDURES_PUBLISH},
        Role.IT_SECURITY: _OPERATE | _MEND | _START,
        Role.ANALYST: _WATCH | _CARRY_OUT | {Permission.ALERTS_DECIDE, Permission.EVIDENCE_READ} | _REVEAL,
        Role.PLANNER: _WATCH | _START | _PUBLISH,
        # Sees how data is used, not the data.
        Role.DATA_PROTECTION_OFFICER: frozenset({Permission.TOOLS_READ, Permission.AUDIT_READ, Permission.SHARING_READ})
        | _CARRY_OUT
        | _WRITE_SHEETS
        | {Permission.DATA_PROTECTION_DECIDE},
        # Keeps the system running; what it finds about people is not an administrator's business.
        Role.ADMINISTRATOR: _MEND
        | _WRITE_SHEETS
        | _RULE
        | _NOTIFY
        | _SHARE
        | _CARRY_OUT
        | {
            Permission.ADMINISTRATION,
            Permission.PROCEDURES_PUBLISH,
            Permission.AUDIT_READ,
            Permission.OBSERVATIONS_READ,
            Permission.TOOLS_READ,
        },
    }
)

MACHINE_PERMISSIONS: Final = frozenset(
    {
        Permission.OBSERVATIONS_READ,
        Permission.OBSERVATIONS_WRITE,
        Permission.ALERTS_READ,
        Permission.ALERTS_WRITE,
        Permission.INCIDENTS_READ,
        Permission.PROCEDURES_READ,
        Permission.EVIDENCE_READ,
        Permission.TOOLS_READ,
        Permission.RESULTS_READ,
        Permission.DEAD_LETTERS_READ,
        Permission.AUDIT_READ,
        Permission.SHARING_READ,
        Permission.NOTIFICATIONS_READ,
    }
)
"""What a machine's token may be given. Deciding and administration are left out: those are a named person's."""
