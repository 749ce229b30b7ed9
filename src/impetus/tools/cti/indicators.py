"""Indicators in a text: addresses, names, hashes and numbers that a machine can look for, with where they stand.

Nothing is left out because it is well known; warning lists annotate afterwards (`impetus.tools.cti.warnings`).
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from impetus.tools.cti.names import ascii_name, is_domain
from impetus.tools.cti.refanging import Refanged, refang


class IndicatorType(StrEnum):
    """What an indicator is."""

    URL = "url"
    DOMAIN = "domain"
    IPV4 = "ipv4"
    IPV6 = "ipv6"
    CIDR = "cidr"
    EMAIL = "email"
    MD5 = "md5"
    SHA1 = "sha1"
    SHA224 = "sha224"
    SHA256 = "sha256"
    SHA384 = "sha384"
    SHA512 = "sha512"
    CVE = "cve"
    BITCOIN = "bitcoin"
    ETHEREUM = "ethereum"
    ASN = "asn"
    FILE_NAME = "file-name"
    PACKAGE = "package"
    REGISTRY_KEY = "registry-key"
    TECHNIQUE = "technique"


NAMED_ONLY = frozenset(
    {
        IndicatorType.ASN,
        IndicatorType.FILE_NAME,
        IndicatorType.PACKAGE,
        IndicatorType.REGISTRY_KEY,
        IndicatorType.TECHNIQUE,
    }
)
"""Names of things rather than indicators: a file name alone tells little."""

HASHES = {
    32: IndicatorType.MD5,
    40: IndicatorType.SHA1,
    56: IndicatorType.SHA224,
    64: IndicatorType.SHA256,
    96: IndicatorType.SHA384,
    128: IndicatorType.SHA512,
}


@dataclass(frozen=True, slots=True, order=True)
class Indicator:
    """One indicator, at one place of the text."""

    start: int
    end: int
    type: IndicatorType
    value: str
    """Refanged and in its usual form: names in lower case and punycode, hashes in lower case."""


_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W])?"
_HOST = rf"(?:{_LABEL}\.){{1,12}}(?:[^\W\d_]{{2,24}}|xn--[a-z0-9-]{{2,59}})"
_OCTET = r"\d{1,3}"
_IPV4 = rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}"
_PATH_END = r"[^\s<>\"“”‘’«»|\\^`{}]"

_URL = re.compile(
    rf"(?<![A-Za-z0-9])(?:https?|ftps?|sftp|tcp|udp|ssh|wss?)://(?:[\w.%+-]{{1,64}}(?::[^\s@/]{{0,64}})?@)?"
    rf"(?:\[[0-9a-fA-F:.]{{2,45}}\]|{_IPV4}|{_HOST}|localhost)(?::\d{{1,5}})?(?:[/?#]{_PATH_END}{{0,2000}})?",
    re.IGNORECASE,
)
_EMAIL = re.compile(rf"(?<![\w.+%-])[A-Za-z0-9](?:[\w.+%-]{{0,62}}[\w])?@(?P<host>{_HOST})(?![\w-])")
_NETWORK = re.compile(
    rf"(?<![\w.])(?P<address>{_IPV4})(?P<tail>/\d{{1,2}}(?![\d/.])|/{_PATH_END}{{1,2000}})?(?![\w]|\.\d)"
)
_IPV6 = re.compile(
    r"(?<![\w:.])(?=[0-9a-fA-F:]*:[0-9a-fA-F:]*:)[0-9a-fA-F:]{3,39}(?:\.\d{1,3}){0,3}(?:/\d{1,3})?(?![\w:])"
)
_NAME = re.compile(
    rf"(?<![\w@.-])(?P<host>{_HOST})(?P<port>:\d{{2,5}}(?!\d))?(?P<path>/{_PATH_END}{{0,2000}})?(?![\w-]|\.\w)"
)
_HASH = re.compile(
    r"(?<![0-9A-Za-z])(?:[0-9a-fA-F]{128}|[0-9a-fA-F]{96}|[0-9a-fA-F]{64}|[0-9a-fA-F]{56}|[0-9a-fA-F]{40}|[0-9a-fA-F]{32})(?![0-9A-Za-z])"
)
_CVE = re.compile(
    r"(?<![A-Za-z0-9])CVE[-‐‑–— _](?P<year>(?:19|20)\d\d)[-‐‑–— _](?P<number>\d{4,7})(?!\d)", re.IGNORECASE
)
_BITCOIN = re.compile(r"(?<![0-9A-Za-z])(?:[13][1-9A-HJ-NP-Za-km-z]{25,34}|bc1[02-9ac-hj-np-z]{11,71})(?![0-9A-Za-z])")
_ETHEREUM = re.compile(r"(?<![0-9A-Za-z])0x[0-9a-fA-F]{40}(?![0-9A-Za-z])")
_ASN = re.compile(r"(?<![A-Za-z0-9])AS[N ]?(\d{2,10})(?![\w.])")
_REGISTRY = re.compile(
    r"(?<![A-Za-z])(?:HKEY_(?:LOCAL_MACHINE|CURRENT_USER|CLASSES_ROOT|USERS|CURRENT_CONFIG)|HKLM|HKCU|HKCR|HKU)"
    r"(?:\\[\w .{}*%-]{1,80}){1,15}"
)
_FILE = re.compile(
    r"(?<![\w/@.-])[\w%$+-][\w%$+.-]{0,80}\.(?:exe|dll|sys|bat|cmd|ps1|vbs|vbe|js|jse|wsf|hta|lnk|scr|cpl|ocx|msi|jar|"
    r"apk|dex|so|elf|sh|py|php|aspx?|jsp|docx?|docm|xlsx?|xlsm|pptx?|rtf|pdf|zip|rar|7z|iso|img|cab|dat|bin|tmp|ini|"
    r"cfg|log|db|png|jpe?g|gif|ico|dmp|pdb)(?![\w-]|\.\w)",
    re.IGNORECASE,
)
_PACKAGE = re.compile(r"(?<![\w.@/-])[a-z][\w]{1,40}(?:\.[A-Za-z_]\w{0,60}){2,8}(?![\w(-]|\.\w)")
_TECHNIQUE = re.compile(r"(?<![\w.])T1\d{3}(?:\.\d{3})?(?![\w]|\.\d)")
_VERSION = re.compile(r"(?:\b(?:v|ver\.?|version|versions|release|build|firmware|sdk|update)\s?)$", re.IGNORECASE)
_CODE_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def find_indicators(text: str, *, named: bool = False) -> list[Indicator]:
    """All indicators of a text in the order in which they stand, none inside another. `named`: file names, packages,
    registry keys, autonomous systems and numbers of techniques too.

    >>> found = find_indicators("C2: hxxp://evil[.]example[.]com/gate (198.51.100[.]7)")
    >>> [(one.type.value, one.value) for one in found]
    [('url', 'http://evil.example.com/gate'), ('ipv4', '198.51.100.7')]
    """
    refanged = refang(text)
    taken: list[Indicator] = []
    covered = bytearray(len(refanged.text))
    finders = [_urls, _emails, _ethereum, _hashes, _cves, _networks, _ipv6, _names, _bitcoin]
    if named:
        finders += [_registry, _files, _packages, _systems, _techniques]
    for finder in finders:
        for start, end, type, value in finder(refanged):
            if any(covered[start:end]):
                continue
            covered[start:end] = b"\1" * (end - start)
            begin, stop = refanged.span(start, end)
            taken.append(Indicator(begin, stop, type, value))
    return sorted(taken)


Found = tuple[int, int, IndicatorType, str]


def _urls(text: Refanged) -> Iterator[Found]:
    for match in _URL.finditer(text.text):
        written = _without_tail(match.group())
        end = match.start() + len(written)
        scheme, _, rest = written.partition("://")
        if not rest:
            continue
        authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
        host = authority.rpartition("@")[2]
        bare = host if host.startswith("[") else host.partition(":")[0]
        name = _host(bare)
        if name is None:
            continue
        login, port_and_path = authority[: len(authority) - len(host)], host[len(bare) :] + rest[len(authority) :]
        value = f"{scheme.lower()}://{login}{name}{port_and_path}"
        yield match.start(), end, IndicatorType.URL, value


def _host(written: str) -> str | None:
    if written.startswith("[") or re.fullmatch(_IPV4, written):
        address = _address(written.strip("[]"))
        return None if address is None else f"[{address}]" if ":" in address else address
    return ascii_name(written)


def _emails(text: Refanged) -> Iterator[Found]:
    for match in _EMAIL.finditer(text.text):
        host = match.group("host")
        if is_domain(host, marked=True):
            local = match.group()[: -len(host) - 1]
            yield match.start(), match.end(), IndicatorType.EMAIL, f"{local}@{ascii_name(host)}"


def _networks(text: Refanged) -> Iterator[Found]:
    for match in _NETWORK.finditer(text.text):
        address, tail = match.group("address"), match.group("tail") or ""
        value = _address(address)
        marked = text.changed(match.start(), match.end("address"))
        if value is None or (value.startswith("0.") and not tail and value != "0.0.0.0"):  # noqa: S104
            continue  # a version: RFC 1122 leaves 0.0.0.0/8 to "this network"
        if not marked and _VERSION.search(text.text[max(0, match.start() - 12) : match.start()]):
            continue
        if tail[1:].isdigit():
            if int(tail[1:]) <= 32:
                yield match.start(), match.end(), IndicatorType.CIDR, f"{value}{tail}"
                continue
        elif path := _without_tail(tail).rstrip("/"):
            yield match.start(), match.start() + len(address) + len(path), IndicatorType.URL, f"http://{value}{path}"
            continue
        yield match.start(), match.end("address"), IndicatorType.IPV4, value


def _address(written: str) -> str | None:
    """An address in its usual form; leading zeros are taken for decimal, as reports pad them."""
    try:
        if ":" in written:
            return str(ipaddress.IPv6Address(written))
        return str(ipaddress.IPv4Address(".".join(str(int(part)) for part in written.split("."))))
    except ValueError:
        return None


def _ipv6(text: Refanged) -> Iterator[Found]:
    for match in _IPV6.finditer(text.text):
        written = match.group()
        if written.count(":") < 2 or written.strip(":") == "" or (written.startswith("::") and len(written) < 6):
            continue
        address, slash, length = written.partition("/")
        value = _address(address)
        groups = [group for group in address.split(":") if group]
        if value is None or len(groups) < 2 or all(len(group) <= 2 for group in groups):
            continue  # a time of day, a fingerprint or a hardware address
        if slash and int(length) <= 128:
            yield match.start(), match.end(), IndicatorType.CIDR, f"{value}/{int(length)}"
        elif not slash:
            yield match.start(), match.end(), IndicatorType.IPV6, value


def _names(text: Refanged) -> Iterator[Found]:
    for match in _NAME.finditer(text.text):
        host, path = match.group("host"), _without_tail(match.group("path") or "")
        marked = text.changed(match.start(), match.end("host"))
        if not is_domain(host, marked=marked or host.lower().startswith("www.")):
            continue
        name = ascii_name(host) or ""
        if len(path) > 1:
            port = match.group("port") or ""
            end = match.end("host") + len(port) + len(path)
            yield match.start(), end, IndicatorType.URL, f"{name}{port}{path}"
        else:
            yield match.start(), match.end("host"), IndicatorType.DOMAIN, name


def _hashes(text: Refanged) -> Iterator[Found]:
    for match in _HASH.finditer(text.text):
        value = match.group().lower()
        if len(set(value)) >= 5:
            yield match.start(), match.end(), HASHES[len(value)], value


def _cves(text: Refanged) -> Iterator[Found]:
    for match in _CVE.finditer(text.text):
        value = f"CVE-{match.group('year')}-{match.group('number')}"
        yield match.start(), match.end(), IndicatorType.CVE, value


def _bitcoin(text: Refanged) -> Iterator[Found]:
    for match in _BITCOIN.finditer(text.text):
        if _is_bitcoin(match.group()):
            yield match.start(), match.end(), IndicatorType.BITCOIN, match.group()


def _is_bitcoin(value: str) -> bool:
    """Whether the checksum holds (Base58Check, BIP 173, BIP 350)."""
    if not value.startswith("bc1"):
        number = 0
        for character in value:
            number = number * 58 + _CODE_BASE58.index(character)
        raw = number.to_bytes(26, "big")[-25:] if number < 1 << 200 else b""
        if len(raw) != 25:
            return False
        return hashlib.sha256(hashlib.sha256(raw[:-4]).digest()).digest()[:4] == raw[-4:]
    alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    checksum = 1
    for digit in [3, 3, 0, 2, 3, *(alphabet.index(character) for character in value[3:])]:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ digit
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            checksum ^= generator if top >> bit & 1 else 0
    return checksum in (1, 0x2BC830A3)


def _ethereum(text: Refanged) -> Iterator[Found]:
    for match in _ETHEREUM.finditer(text.text):
        yield match.start(), match.end(), IndicatorType.ETHEREUM, match.group()


def _registry(text: Refanged) -> Iterator[Found]:
    for match in _REGISTRY.finditer(text.text):
        value = match.group().rstrip(" .-")
        yield match.start(), match.start() + len(value), IndicatorType.REGISTRY_KEY, value


def _files(text: Refanged) -> Iterator[Found]:
    for match in _FILE.finditer(text.text):
        yield match.start(), match.end(), IndicatorType.FILE_NAME, match.group()


def _packages(text: Refanged) -> Iterator[Found]:
    for match in _PACKAGE.finditer(text.text):
        first = match.group().split(".", 1)[0]
        if first in ("com", "org", "net", "android", "de", "ru", "cn", "io", "me", "co", "jp", "uk", "au", "eu", "pl"):
            yield match.start(), match.end(), IndicatorType.PACKAGE, match.group()


def _systems(text: Refanged) -> Iterator[Found]:
    for match in _ASN.finditer(text.text):
        if 0 < int(match.group(1)) < 1 << 32:
            yield match.start(), match.end(), IndicatorType.ASN, f"AS{int(match.group(1))}"


def _techniques(text: Refanged) -> Iterator[Found]:
    for match in _TECHNIQUE.finditer(text.text):
        yield match.start(), match.end(), IndicatorType.TECHNIQUE, match.group()


_CLOSING = {")": "(", "]": "[", "}": "{"}


def _without_tail(written: str) -> str:
    """Without the punctuation of the sentence around it; a closing bracket stays if it was opened inside."""
    while written:
        last = written[-1]
        if last in ".,;:!?'*…·" or (last in _CLOSING and written.count(last) > written.count(_CLOSING[last])):
            written = written[:-1]
        else:
            break
    return written
