"""Finds cameras that speak ONVIF in a network that a person names, and asks them for the addresses of their streams.

A Probe of WS-Discovery 1.0 (OASIS 2009; April 2005 names, which ONVIF Core 2.6 uses) goes to each host of the network
itself and to nobody else: no multicast that would leave it. What answers is foreign: bounded, parsed without entities,
and believed only about itself. Of ONVIF's Media service, `GetProfiles` and `GetStreamUri` are asked.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import ipaddress
import secrets
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit
from uuid import uuid4
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

import defusedxml.ElementTree

from impetus.model import InvalidInput, Unavailable

PORT = 3_702
MOST_HOSTS = 1_024
MOST_ANSWERS = 1_024
MOST_BYTES = 65_536
MOST_SOAP_BYTES = 1_000_000
MOST_PROFILES = 16
ANSWER_S = 5.0
SOAP = "http://www.w3.org/2003/05/soap-envelope"
DISCOVERY = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
MEDIA = "http://www.onvif.org/ver10/media/wsdl"
SCHEMA = "http://www.onvif.org/ver10/schema"
SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity"
NAME, HARDWARE = "onvif://www.onvif.org/name/", "onvif://www.onvif.org/hardware/"


@dataclass(frozen=True)
class Device:
    """A camera that answered."""

    host: str
    name: str
    hardware: str
    services: tuple[str, ...]
    """Addresses of its device service, all on `host`."""


def discover(network: str, *, wait_s: float = 3.0, port: int = PORT) -> Iterator[Device]:
    """The cameras of an IPv4 network (as in `10.0.5.0/24`), each once.

    Raises `InvalidInput` for what is no network or one of more than 1,024 hosts.
    """
    try:
        hosts = ipaddress.IPv4Network(network, strict=False)
    except ValueError as error:
        raise InvalidInput(f"{network!r} is no IPv4 network", hint="write it as in 10.0.5.0/24") from error
    if hosts.num_addresses > MOST_HOSTS:
        raise InvalidInput(f"{network} has more than {MOST_HOSTS} hosts", hint="ask for parts of it")
    seen: set[str] = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for host in hosts.hosts():
            try:
                asking.sendto(_probe(), (str(host), port))
            except OSError:
                continue
        end_s = time.monotonic() + wait_s
        for _ in range(MOST_ANSWERS):
            asking.settimeout(max(0.01, end_s - time.monotonic()))
            try:
                data, (host_said, _) = asking.recvfrom(MOST_BYTES)
            except TimeoutError:
                return
            except OSError:
                continue
            if host_said in seen or ipaddress.IPv4Address(host_said) not in hosts:
                continue
            device = answered(data, host_said)
            if device is not None:
                seen.add(host_said)
                yield device


def answered(data: bytes, host: str) -> Device | None:
    """The camera of a ProbeMatch from a host; None where it is none. What it says of other hosts is passed over."""
    root = _parsed(data)
    if root is None:
        return None
    match = next(root.iter(f"{{{DISCOVERY}}}ProbeMatch"), None)
    if match is None:
        return None
    services = tuple(each for each in _text(match, "XAddrs").split()[:10] if _is_of(each, host))
    scopes = _text(match, "Scopes").split()[:100]
    if not services:
        return None
    return Device(host, _scope(scopes, NAME), _scope(scopes, HARDWARE), services)


def streams(device: Device, user: str = "", password: str = "") -> list[str]:
    """The addresses of a camera's streams, without user and password.

    Raises `Unavailable` where it does not answer or refuses the user.
    """
    service = device.services[0]
    profiles = _asked(service, f'<GetProfiles xmlns="{MEDIA}"/>', user, password)
    tokens = [each.get("token", "") for each in profiles.iter(f"{{{MEDIA}}}Profiles")][:MOST_PROFILES]
    found: list[str] = []
    for token in tokens:
        answer = _asked(
            service,
            f'<GetStreamUri xmlns="{MEDIA}"><StreamSetup><Stream xmlns="{SCHEMA}">RTP-Unicast</Stream>'
            f'<Transport xmlns="{SCHEMA}"><Protocol>RTSP</Protocol></Transport></StreamSetup>'
            f"<ProfileToken>{escape(token)}</ProfileToken></GetStreamUri>",
            user,
            password,
        )
        address = next((each.text or "" for each in answer.iter(f"{{{SCHEMA}}}Uri")), "").strip()
        if _is_of(address, device.host, ("rtsp", "rtsps")) and "@" not in address:
            found.append(address[:1_000])
    return found


def _probe() -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><e:Envelope xmlns:e="{SOAP}" xmlns:d="{DISCOVERY}" '
        'xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
        'xmlns:n="http://www.onvif.org/ver10/network/wsdl"><e:Header>'
        f"<w:MessageID>uuid:{uuid4()}</w:MessageID>"
        "<w:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To>"
        f"<w:Action>{DISCOVERY}/Probe</w:Action></e:Header>"
        "<e:Body><d:Probe><d:Types>n:NetworkVideoTransmitter</d:Types></d:Probe></e:Body></e:Envelope>"
    ).encode()


def _asked(service: str, body: str, user: str, password: str) -> Element:
    """The answer to a SOAP request."""
    parts = urlsplit(service)
    message = f'<e:Envelope xmlns:e="{SOAP}">{_header(user, password)}<e:Body>{body}</e:Body></e:Envelope>'
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=ANSWER_S)
    try:
        connection.request(
            "POST", parts.path or "/", message.encode(), {"Content-Type": "application/soap+xml; charset=utf-8"}
        )
        response = connection.getresponse()
        data = response.read(MOST_SOAP_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"{parts.hostname} does not answer: {error}", hint="check the camera") from error
    finally:
        connection.close()
    root = _parsed(data)
    if response.status != 200 or root is None:
        raise Unavailable(
            f"{parts.hostname} refuses to name its streams (HTTP {response.status})", hint="name its user and password"
        )
    return root


def _header(user: str, password: str) -> str:
    """A UsernameToken with a digest (WS-Security UsernameToken Profile 1.0): the password itself is not sent."""
    if not user:
        return ""
    nonce = secrets.token_bytes(16)
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    # The profile prescribes SHA-1.
    digest = hashlib.sha1(nonce + created.encode() + password.encode(), usedforsecurity=False).digest()
    return (
        f'<e:Header><s:Security xmlns:s="{SECURITY}-secext-1.0.xsd" xmlns:u="{SECURITY}-utility-1.0.xsd">'
        f"<s:UsernameToken><s:Username>{escape(user)}</s:Username>"
        '<s:Password Type="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0'
        f'#PasswordDigest">{base64.b64encode(digest).decode()}</s:Password>'
        f"<s:Nonce>{base64.b64encode(nonce).decode()}</s:Nonce><u:Created>{created}</u:Created>"
        "</s:UsernameToken></s:Security></e:Header>"
    )


def _parsed(data: bytes) -> Element | None:
    try:
        root: Element = defusedxml.ElementTree.fromstring(data, forbid_dtd=True)
    except Exception:
        # Whatever a stranger sends that is no XML, or XML that attacks, is no answer.
        return None
    return root


def _text(match: Element, name: str) -> str:
    return next((each.text or "" for each in match.iter(f"{{{DISCOVERY}}}{name}")), "")[:10_000]


def _scope(scopes: list[str], prefix: str) -> str:
    return next((unquote(each[len(prefix) :])[:100] for each in scopes if each.startswith(prefix)), "")


def _is_of(address: str, host: str, schemes: tuple[str, ...] = ("http", "https")) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in schemes and parts.hostname == host and (parts.port or 1) > 0
    except ValueError:
        return False
