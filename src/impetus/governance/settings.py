"""Settings of who gets in: sessions, log-in throttling, passwords."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from impetus.model import Role


class SessionSettings(BaseModel):
    """How long a log-in lasts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    idle_s: Annotated[
        float,
        Field(
            ge=300,
            le=7 * 86_400,
            title="Idle time of a session",
            description="Seconds without a request after which a person has to log in again.",
        ),
    ] = 8 * 3_600.0
    longest_s: Annotated[
        float,
        Field(
            ge=300,
            le=30 * 86_400,
            title="Longest session",
            description="Seconds after logging in at which a session ends, whatever is done: a shift and some more.",
        ),
    ] = 12 * 3_600.0


class ThrottleSettings(BaseModel):
    """How failed log-ins slow further ones down, for a name and for a network address separately."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    free_attempts_name: Annotated[
        int,
        Field(
            ge=1,
            le=100,
            title="Free attempts for a name",
            description="Failed log-ins with one name before the next one has to wait.",
        ),
    ] = 5
    free_attempts_address: Annotated[
        int,
        Field(
            ge=1,
            le=10_000,
            title="Free attempts from an address",
            description="Failed log-ins from one network address before the next one has to wait. Greater than for a "
            "name, since a whole control room may share an address.",
        ),
    ] = 20
    first_wait_s: Annotated[
        float,
        Field(
            gt=0,
            le=3_600,
            title="First wait",
            description="Seconds to wait after the first attempt that was not free; doubled with each further one.",
        ),
    ] = 2.0
    longest_wait_s: Annotated[
        float,
        Field(
            gt=0,
            le=86_400,
            title="Longest wait",
            description="Seconds that a wait never exceeds, so that nobody can shut a person out for long.",
        ),
    ] = 900.0
    forget_s: Annotated[
        float,
        Field(
            gt=0,
            le=30 * 86_400,
            title="Failed log-ins are forgotten",
            description="Seconds after the last failed log-in at which the count begins anew.",
        ),
    ] = 86_400.0


class PasswordSettings(BaseModel):
    """What a password must be, and how costly it is to guess one from its hash (argon2id, RFC 9106)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shortest: Annotated[
        int,
        Field(ge=8, le=64, title="Shortest password", description="Characters that a password must have at least."),
    ] = 12
    memory_kib: Annotated[
        int,
        Field(
            ge=8,
            le=4 * 1024 * 1024,
            title="Memory of the password hash",
            description="KiB of memory that checking a password takes. The default is RFC 9106's second choice.",
        ),
    ] = 65_536
    passes: Annotated[
        int,
        Field(ge=1, le=100, title="Passes of the password hash", description="Times that the memory is gone through."),
    ] = 3


class SingleSignOnSettings(BaseModel):
    """An OpenID provider whose people may come in; needs the extra `oidc`. It asks for second factors itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: Annotated[
        str,
        Field(
            title="Issuer",
            max_length=300,
            description="What the OpenID provider calls itself, an https address; empty: there is no single sign-on.",
        ),
    ] = ""
    title: Annotated[
        str, Field(title="Words on the button", max_length=100, description="What the log-in page calls it.")
    ] = "Log in with your organisation's account"
    client_id: Annotated[
        str, Field(title="Client", max_length=300, description="What the provider calls this installation.")
    ] = "impetus"
    client_secret_file: Annotated[
        Path | None,
        Field(title="File with the client's secret", description="Only its first line counts; none: a public client."),
    ] = None
    address: Annotated[
        str,
        Field(
            title="Address of this installation",
            max_length=300,
            description="As browsers reach it, e.g. `https://city.example`; the provider sends people back to "
            "`/login/single-sign-on/back` there.",
        ),
    ] = ""
    scope: Annotated[
        str, Field(title="Scope", max_length=300, description="What the provider is asked for, with spaces.")
    ] = "openid profile"
    organisation: Annotated[
        str, Field(title="Organisation", max_length=64, description="Short name of the organisation of these people.")
    ] = ""
    name_claim: Annotated[
        str, Field(title="Claim with the log-in name", max_length=100, description="In the ID token or in userinfo.")
    ] = "preferred_username"
    full_name_claim: Annotated[
        str, Field(title="Claim with the full name", max_length=100, description="In the ID token or in userinfo.")
    ] = "name"
    groups_claim: Annotated[
        str, Field(title="Claim with the groups", max_length=100, description="In the ID token or in userinfo.")
    ] = "groups"
    roles: Annotated[
        dict[str, Role],
        Field(
            title="Roles of groups",
            description="Role of each group; the first that fits counts, and whoever is in none is not let in.",
        ),
    ] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.issuer and not (self.address and self.organisation and self.roles):
            raise ValueError("a single sign-on needs address, organisation and roles as well")
        return self


class AccessSettings(BaseModel):
    """All settings of logging in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session: Annotated[SessionSettings, Field(title="Sessions", description="How long a log-in lasts.")] = (
        SessionSettings()
    )
    throttle: Annotated[
        ThrottleSettings, Field(title="Throttling", description="How failed log-ins slow further ones down.")
    ] = ThrottleSettings()
    password: Annotated[
        PasswordSettings, Field(title="Passwords", description="What a password must be and how it is kept.")
    ] = PasswordSettings()
    single_sign_on: Annotated[
        SingleSignOnSettings, Field(title="Single sign-on", description="An OpenID provider whose people may come in.")
    ] = SingleSignOnSettings()
    keys_file: Annotated[
        Path | None,
        Field(
            title="File with keys",
            description="Keys with which secrets of authenticator apps are sealed in the database, one a line, the "
            "newest first; several hubs have the same. None: `secrets/access.keys` in the folder of all state, "
            "made at the first start.",
        ),
    ] = None
    keys: Annotated[
        SecretStr,
        Field(
            title="Keys",
            description="The same as a word, with commas, where a file cannot be had; counts before the file.",
        ),
    ] = SecretStr("")
    address: Annotated[
        str,
        Field(
            title="Address for passkeys",
            max_length=300,
            pattern=r"^$|^https?://[^/\s]+/?$",
            description="As browsers reach the pages, e.g. `https://city.example`: passkeys are good there only. "
            "Empty: the single sign-on's, else the address that the browser names.",
        ),
    ] = ""
    second_factor_roles: Annotated[
        tuple[Role, ...],
        Field(
            title="Roles with a second factor",
            description="Roles whose people may do nothing but set up a second factor until they have one.",
        ),
    ] = ()


class StatisticsSettings(BaseModel):
    """What figures about people may cost in privacy before no more of them leave."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    budget: Annotated[
        float,
        Field(
            gt=0,
            le=10,
            title="Privacy budget",
            description="Sum of the epsilons that an organisation may spend within the window.",
        ),
    ] = 2.0
    window_days: Annotated[
        int,
        Field(
            ge=1,
            le=3_650,
            title="Window of the budget",
            json_schema_extra={"unit": "d"},
            description="What was released longer ago counts no longer.",
        ),
    ] = 30
    floor: Annotated[
        int,
        Field(ge=2, le=1_000, title="Floor", description="Figures of fewer people than this do not leave."),
    ] = 10


class KeepingSettings(BaseModel):
    """How long what people wrote about events is kept; how long alerts are, the officer approves tool by tool."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    incidents_days: Annotated[
        int,
        Field(
            ge=1,
            le=36_500,
            title="Incidents",
            json_schema_extra={"unit": "d"},
            description="How long an incident that is over is kept since its last change, with all that is of it; and "
            "handovers between shifts.",
        ),
    ] = 1_825
    backups_days: Annotated[
        int,
        Field(
            ge=1,
            le=3_650,
            title="Backups",
            json_schema_extra={"unit": "d"},
            description="How long a backup may be kept: what was removed since lives on in it so long.",
        ),
    ] = 35
