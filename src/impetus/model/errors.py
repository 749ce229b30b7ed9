"""The one root of all errors that impetus raises on purpose."""

from __future__ import annotations

from typing import ClassVar


class ImpetusError(Exception):
    """Something went wrong that a person can mend: `message` says what is wrong, `hint` what to do.

    The command line prints both on one line and exits with 2; the HTTP API answers with an RFC 9457 problem whose
    `type` is `code`, whose status is `status`, whose `detail` is the message and which carries the hint.
    """

    code: ClassVar[str] = "error"
    title: ClassVar[str] = "Something went wrong"
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InvalidInput(ImpetusError):
    """What came from outside does not have the form that is asked for."""

    code = "invalid-input"
    title = "The input is not valid"
    status = 422


class NotFound(ImpetusError):
    """The thing that is asked for does not exist, or not for this organisation."""

    code = "not-found"
    title = "Not found"
    status = 404


class Conflict(ImpetusError):
    """Somebody else changed the thing first; nothing was overwritten."""

    code = "conflict"
    title = "Changed by somebody else"
    status = 409


class NotAllowed(ImpetusError):
    """The person or machine is known but its role does not allow this."""

    code = "not-allowed"
    title = "Not allowed"
    status = 403


class NotAuthenticated(ImpetusError):
    """No valid session or token came with the request."""

    code = "not-authenticated"
    title = "Log in first"
    status = 401


class TooManyAttempts(ImpetusError):
    """Asked too often; wait before trying again."""

    code = "too-many-attempts"
    title = "Too many attempts"
    status = 429


class Unavailable(ImpetusError):
    """A part that is needed does not answer, or there is no room left; try again later."""

    code = "unavailable"
    title = "Not available at the moment"
    status = 503


class ConfigurationError(ImpetusError):
    """A setting, a manifest or a mapping is wrong."""

    code = "configuration"
    title = "The configuration is wrong"
    status = 500
