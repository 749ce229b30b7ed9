"""Who may do what, and who did: organisations, people, roles, sessions, tokens, the audit log."""

from impetus.governance.accounts import Accounts
from impetus.governance.audit import AuditFinding, AuditVerification
from impetus.governance.governance import Governance
from impetus.governance.passwords import Passwords
from impetus.governance.principal import Principal, installation_principal, principal_of
from impetus.governance.roles import MACHINE_PERMISSIONS, ROLE_PERMISSIONS
from impetus.governance.second_factor import SecondFactorNeeded
from impetus.governance.sessions import LogIn, Sessions
from impetus.governance.settings import AccessSettings, PasswordSettings, SessionSettings, ThrottleSettings
from impetus.governance.throttle import LogInThrottled
from impetus.governance.tokens import Tokens

__all__ = [
    "MACHINE_PERMISSIONS",
    "ROLE_PERMISSIONS",
    "AccessSettings",
    "Accounts",
    "AuditFinding",
    "AuditVerification",
    "Governance",
    "LogIn",
    "LogInThrottled",
    "PasswordSettings",
    "Passwords",
    "Principal",
    "SecondFactorNeeded",
    "SessionSettings",
    "Sessions",
    "ThrottleSettings",
    "Tokens",
    "installation_principal",
    "principal_of",
]
