"""Settings of one camera: apart from the tool's, because a process of cameras needs no more."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from impetus.model import Line, Slug, Value

HOURS = re.compile(r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")
SCHEMES = frozenset({"rtsp", "rtsps", "http", "https", "scene", "file"})


class CameraSettings(Value):
    """One camera."""

    id: Slug
    """Its short name; alerts name it as their source."""
    title: Line
    """What people call it."""
    address: Annotated[str, Field(min_length=1, max_length=1_000)]
    """`rtsp://`, `http://`, the path of a video file or of a folder of pictures, or `scene:SEED` for a rendered scene
    (for exercises), as in `scene:3?armed_after_s=60`."""
    user: Annotated[str, Field(max_length=200)] = ""
    """Name with which to log in at the camera."""
    password: SecretStr = SecretStr("")
    """Password for that."""
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    """Where it hangs, in degrees (WGS 84)."""
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    """Where it hangs, in degrees (WGS 84)."""
    hours: str = ""
    """When it is watched, as in `07:00-23:00`, in the tool's time zone; empty: always."""

    @field_validator("address")
    @classmethod
    def _address_is_known(cls, address: str) -> str:
        scheme = urlsplit(address).scheme.lower()
        if len(scheme) > 1 and scheme not in SCHEMES:
            raise ValueError(f"{scheme}: is no kind of camera; use rtsp, http, a file or a folder")
        if "@" in urlsplit(address).netloc:
            raise ValueError("write user and password apart from the address, so that they stay secret")
        return address

    @field_validator("hours")
    @classmethod
    def _hours_are_hours(cls, hours: str) -> str:
        if hours and not HOURS.match(hours):
            raise ValueError("hours are written as in 07:00-23:00")
        return hours

    @model_validator(mode="after")
    def _place_is_whole(self) -> CameraSettings:
        if (self.longitude is None) != (self.latitude is None):
            raise ValueError("a place has longitude and latitude")
        return self

    def opened(self) -> str:
        """The address with user and password, for opening it only."""
        parts = urlsplit(self.address)
        if not self.user or not parts.netloc:
            return self.address
        secret = quote(self.password.get_secret_value(), safe="")
        return urlunsplit(parts._replace(netloc=f"{quote(self.user, safe='')}:{secret}@{parts.netloc}"))
