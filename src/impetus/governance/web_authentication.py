"""Web Authentication by the package `webauthn`: questions for browsers, and whether an answer is a good one.

Imported where one is asked only: the package takes longer to load than the whole rest of governance, and most processes
never see a passkey.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, parse_client_data_json
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)


@dataclass(frozen=True, slots=True)
class Made:
    """A passkey that a browser has made; texts are base64url."""

    credential: str
    public_key: str
    uses: int


def question_to_make(
    *,
    host: str,
    site_name: str,
    user_handle: bytes,
    name: str,
    full_name: str,
    challenge: bytes,
    timeout_s: int,
    known: Sequence[str],
) -> dict[str, Any]:
    """`PublicKeyCredentialCreationOptions` as JSON; `known` are credentials that need not be made again."""
    options = generate_registration_options(
        rp_id=host,
        rp_name=site_name,
        user_id=user_handle,
        user_name=name,
        user_display_name=full_name,
        challenge=challenge,
        timeout=timeout_s * 1_000,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.PREFERRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in known],
    )
    return dict(json.loads(options_to_json(options)))


def question_to_show(*, host: str, challenge: bytes, timeout_s: int) -> dict[str, Any]:
    """`PublicKeyCredentialRequestOptions` as JSON."""
    options = generate_authentication_options(
        rp_id=host,
        challenge=challenge,
        timeout=timeout_s * 1_000,
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    return dict(json.loads(options_to_json(options)))


def challenge_of(answer: dict[str, Any]) -> bytes:
    """The challenge that an answer says it answers. Raises anything, as hostile bytes make their parser do."""
    return bytes(parse_client_data_json(base64url_to_bytes(str(answer["response"]["clientDataJSON"]))).challenge)


def made(answer: dict[str, Any], *, challenge: bytes, host: str, origin: str) -> Made:
    """The passkey in the answer to `question_to_make`. Raises anything where it is not a good one."""
    verified = verify_registration_response(
        credential=answer, expected_challenge=challenge, expected_rp_id=host, expected_origin=origin
    )
    return Made(
        bytes_to_base64url(verified.credential_id),
        bytes_to_base64url(verified.credential_public_key),
        verified.sign_count,
    )


def uses_when_shown(
    answer: dict[str, Any],
    *,
    challenge: bytes,
    host: str,
    origin: str,
    public_key: str,
    uses: int,
    person_verified: bool,
) -> int:
    """The authenticator's count in a good answer to `question_to_show`. Raises anything where it is not a good one."""
    verified = verify_authentication_response(
        credential=answer,
        expected_challenge=challenge,
        expected_rp_id=host,
        expected_origin=origin,
        credential_public_key=base64url_to_bytes(public_key),
        credential_current_sign_count=uses,
        require_user_verification=person_verified,
    )
    return verified.new_sign_count
