"""The second factor of the person who is logged in, and the own password."""

from __future__ import annotations

from typing import Annotated

import segno
from fastapi import Depends
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.responses import Response

from impetus.api.access import Caller, Hub, Open
from impetus.api.body import json_body
from impetus.api.listing import plain
from impetus.api.resource import Resource
from impetus.model import UtcTime

resource = Resource("/session", "session")

NOT_KEPT = {"Cache-Control": "no-store"}
Password = Annotated[SecretStr, Field(max_length=1_000)]


class SecondFactorView(BaseModel):
    """Whether the person has a second factor."""

    since: UtcTime | None
    """Since when it is asked for; none: it is not set up."""
    recovery_codes: int
    """How many codes for a lost app are left."""


class PasswordShown(BaseModel):
    """The own password, again."""

    model_config = ConfigDict(extra="forbid")

    password: Password


class CodeShown(BaseModel):
    """A code of the app."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[str, Field(max_length=64)]


class EnrolmentView(BaseModel):
    """What the app has to know; shown this once."""

    secret: str
    """In base 32, to be typed in."""
    address: str
    """An `otpauth:` address."""
    picture: str
    """The address as a QR code: a `data:` address of an SVG."""


class RecoveryCodes(BaseModel):
    """Each is good once, for a day when the app is lost; shown this once."""

    recovery_codes: list[str]


class PasswordChange(BaseModel):
    """The present password and the new one."""

    model_config = ConfigDict(extra="forbid")

    old: Password
    new: Password


@resource.get("/second-factor", Open.AUTHENTICATED, SecondFactorView)
async def read_second_factor(caller: Caller, hub: Hub) -> Response:
    """Whether the caller has a second factor."""
    found = await hub.governance.second_factors.state(caller)
    since = None if found is None else found.confirmed
    left = 0 if found is None else len(found.recovery)
    return plain({"since": None if since is None else since.isoformat(), "recovery_codes": left})


@resource.post("/second-factor", Open.AUTHENTICATED, EnrolmentView, body=PasswordShown)
async def begin_second_factor(
    caller: Caller, hub: Hub, shown: Annotated[PasswordShown, Depends(json_body(PasswordShown))]
) -> Response:
    """Begin to set up a second factor: time-based codes (RFC 6238). It counts once a code was confirmed."""
    begun = await hub.governance.second_factors.begin(caller, shown.password.get_secret_value())
    picture = segno.make(begun.address, error="m", micro=False).svg_data_uri(scale=4, dark="#000", light="#fff")
    return plain({"secret": begun.secret, "address": begun.address, "picture": picture}, status=201, headers=NOT_KEPT)


@resource.post("/second-factor/confirm", Open.AUTHENTICATED, RecoveryCodes, body=CodeShown, status=200)
async def confirm_second_factor(
    caller: Caller, hub: Hub, shown: Annotated[CodeShown, Depends(json_body(CodeShown))]
) -> Response:
    """Put the second factor into use with its first code; the caller's other sessions end."""
    codes = await hub.governance.second_factors.confirm(caller, shown.code)
    return plain({"recovery_codes": list(codes)}, headers=NOT_KEPT)


@resource.post("/second-factor/remove", Open.AUTHENTICATED, body=PasswordShown, status=204)
async def remove_second_factor(
    caller: Caller, hub: Hub, shown: Annotated[PasswordShown, Depends(json_body(PasswordShown))]
) -> Response:
    """Take away the own second factor."""
    await hub.governance.second_factors.remove(caller, shown.password.get_secret_value())
    return Response(status_code=204)


@resource.post("/password", Open.AUTHENTICATED, body=PasswordChange, status=204)
async def change_password(
    caller: Caller, hub: Hub, change: Annotated[PasswordChange, Depends(json_body(PasswordChange))]
) -> Response:
    """Change the own password; all of the caller's sessions and tokens end, this session too."""
    await hub.governance.accounts.change_own_password(
        caller, change.old.get_secret_value(), change.new.get_secret_value()
    )
    return Response(status_code=204)
