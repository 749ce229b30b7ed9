"""Who works with the system: organisations (tenants), users, roles and what they may do."""

from __future__ import annotations

from enum import StrEnum

from impetus.model.base import Identifier, Line, Slug, UtcTime, Value


class Role(StrEnum):
    """What a person does in a control room or around it."""

    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    IT_SECURITY = "it-security"
    ANALYST = "analyst"
    PLANNER = "planner"
    DATA_PROTECTION_OFFICER = "data-protection-officer"
    ADMINISTRATOR = "administrator"


class Permission(StrEnum):
    """What a role or a token may do; also the scope words of machine tokens. What is not granted is denied."""

    OBSERVATIONS_READ = "observations:read"
    OBSERVATIONS_WRITE = "observations:write"
    ALERTS_READ = "alerts:read"
    ALERTS_WRITE = "alerts:write"
    ALERTS_DECIDE = "alerts:decide"
    ALERTS_ASSIGN = "alerts:assign"
    """Give any alert to anybody, and let somebody hold more than the cap."""
    INCIDENTS_READ = "incidents:read"
    INCIDENTS_DECIDE = "incidents:decide"
    PROCEDURES_READ = "procedures:read"
    PROCEDURES_START = "procedures:start"
    """Start a procedure for an incident, and cancel one."""
    PROCEDURES_PUBLISH = "procedures:publish"
    TASKS_DECIDE = "tasks:decide"
    """Take and complete tasks of the own role."""
    EVIDENCE_READ = "evidence:read"
    TOOLS_READ = "tools:read"
    TOOLS_ASK = "tools:ask"
    """Ask tools for what their manifests let the own role ask for."""
    RESULTS_READ = "results:read"
    """Read what tools publish for the own role."""
    RULES_DECIDE = "rules:decide"
    DEAD_LETTERS_READ = "dead-letters:read"
    DEAD_LETTERS_DECIDE = "dead-letters:decide"
    AUDIT_READ = "audit:read"
    DATA_PROTECTION_READ = "data-protection:read"
    """Read the data-protection register."""
    DATA_PROTECTION_WRITE = "data-protection:write"
    """Fill in worksheets."""
    DATA_PROTECTION_DECIDE = "data-protection:decide"
    """Approve, refuse and withdraw; review what others did with personal data."""
    CASES_READ = "cases:read"
    """See and open cases of one's own: requests of people, checklists."""
    IDENTITIES_REVEAL = "identities:reveal"
    """Ask for, or second, that a pseudonym is compared with a known identifier."""
    EVIDENCE_UNMASK = "evidence:unmask"
    """See the people in the evidence of a confirmed alert."""
    STATISTICS_RELEASE = "statistics:release"
    """Let figures about people leave the organisation, with noise and within the privacy budget."""
    SHARING_READ = "sharing:read"
    SHARING_DECIDE = "sharing:decide"
    NOTIFICATIONS_READ = "notifications:read"
    NOTIFICATIONS_MANAGE = "notifications:manage"
    ADMINISTRATION = "administration"


class Tenant(Value):
    """An organisation: police, municipality, fire service. Nothing crosses between two without an agreement."""

    id: Slug
    name: Line
    active: bool = True
    """Nobody of an organisation that is not active can log in."""
    created: UtcTime


class User(Value):
    """A person with an account in one organisation."""

    id: Identifier
    tenant: Slug
    name: Slug
    """What the person logs in with; unique in the installation."""
    full_name: Line
    role: Role
    language: Slug = "en"
    active: bool = True
    created: UtcTime
