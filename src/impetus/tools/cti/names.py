"""Tells domain names from what only looks like them: package names, file names, product names, missing spaces."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

COMMON = frozenset(
    [
        "com",
        "net",
        "org",
        "info",
        "biz",
        "edu",
        "gov",
        "int",
        "mil",
        "ru",
        "cn",
        "su",
        "pw",
        "top",
        "xyz",
        "cc",
        "tk",
        "ml",
        "ga",
        "cf",
        "gq",
        "site",
        "online",
        "club",
        "icu",
        "live",
        "io",
        "me",
        "tv",
        "ws",
        "in",
        "onion",
    ]
)
"""Top-level domains that package names hardly ever end with."""
_EXTENSIONS = frozenset(
    [
        "so",
        "sh",
        "py",
        "pl",
        "rs",
        "md",
        "zip",
        "mov",
        "ps",
        "cab",
        "ai",
        "app",
        "bat",
        "cat",
        "do",
        "la",
        "mm",
        "dev",
        "ms",
    ]
)
"""Top-level domains that are endings of file names as well."""
_SURE_EXTENSIONS = frozenset(["so", "sh", "py", "rs", "zip", "mov", "ps", "cab", "bat"])
_CODE = frozenset(
    [
        "android",
        "androidx",
        "java",
        "javax",
        "kotlin",
        "dalvik",
        "microsoft",
        "system",
        "windows",
        "google",
        "mscorlib",
        "squareup",
    ]
)
_DETECTIONS = frozenset(
    [
        "androidos",
        "win32",
        "win64",
        "w32",
        "w64",
        "msil",
        "trojan",
        "backdoor",
        "worm",
        "exploit",
        "riskware",
        "adware",
        "hacktool",
        "virus",
        "ransom",
        "heur",
        "linux",
        "troj",
        "bkdr",
        "trojan-sms",
        "trojan-spy",
        "trojan-banker",
        "trojan-dropper",
        "trojan-downloader",
        "generic",
        "gen",
    ]
)
_PRODUCTS = frozenset(
    [
        "asp.net",
        "vb.net",
        "ado.net",
        "ml.net",
        "paint.net",
        "socket.io",
        "system.net",
        "system.io",
        "draw.io",
        "crypt.net",
    ]
)
_BRANDS_OF_CODE = frozenset(
    ["android", "google", "microsoft", "amazon", "apple", "bing", "youtube", "windows", "java", "prod", "mobile"]
)
_RESERVED_ONE_LETTER = frozenset(["com", "net", "org", "info", "biz"])


@cache
def top_level_domains() -> frozenset[str]:
    """All top-level domains in use, as ASCII (IANA; internationalised ones as punycode), `onion`, and
    `example`, which texts that explain use (RFC 6761)."""
    text = files("impetus.tools.cti").joinpath("data/top_level_domains.txt").read_text(encoding="ascii")
    return frozenset(text.split()) | {"onion", "example"}


def ascii_name(name: str) -> str | None:
    """A host name as DNS writes it, lower-case and in punycode; None if it cannot be one (RFC 1035, RFC 5891).

    >>> ascii_name("Müller.example")
    'xn--mller-kva.example'
    """
    lower = name.rstrip(".").lower()
    try:
        encoded = lower if lower.isascii() else lower.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    labels = encoded.split(".")
    if len(encoded) > 253 or len(labels) < 2:
        return None
    for label in labels:
        if not 1 <= len(label) <= 63 or label[0] == "-" or label[-1] == "-":
            return None
    return encoded


def is_domain(written: str, *, marked: bool) -> bool:
    """Whether a dotted word is meant as a domain name. `marked`: it was defanged or stands in an address, so the
    writer says that it is one; then only its form counts.

    >>> is_domain("evil.example.com", marked=False), is_domain("com.example.mobile.app", marked=False)
    (True, False)
    """
    name = ascii_name(written)
    if name is None:
        return False
    labels = name.split(".")
    last, first = labels[-1], labels[0]
    if last not in top_level_domains():
        return False
    if marked:
        return True
    ending = written.rstrip(".").rsplit(".", 1)[-1]
    if not (ending.islower() or ending.isupper() or ending.startswith("xn--") or not ending.isascii()):
        return False
    if ending.isupper() and not written.replace(".", "").replace("-", "").isupper() and len(labels) == 2:
        return False
    if name in _PRODUCTS or "_" in labels[-2]:
        return False
    if len(labels) > 2 and any(label in _DETECTIONS for label in labels[:-1]):
        return False
    if last in _RESERVED_ONE_LETTER and len(labels[-2]) == 1 and labels[-2] not in "xzq":
        return False
    return not (_looks_like_file(labels) or _looks_like_package(labels, first, last))


def _looks_like_file(labels: list[str]) -> bool:
    last = labels[-1]
    if last in _SURE_EXTENSIONS:
        return len(labels) == 2 or labels[0].startswith("lib") or labels[-2].isdigit()
    return last in _EXTENSIONS and len(labels) == 2 and labels[0].startswith("lib")


def _looks_like_package(labels: list[str], first: str, last: str) -> bool:
    if first in _CODE or last in _BRANDS_OF_CODE:
        return True
    if len(labels) == 2:
        # `com.golf`, `net.droid`: a package's beginning rather than somebody's name directly below a rare ending.
        return first in ("com", "org", "net") and last not in COMMON
    if last in COMMON:
        return False
    if first in ("com", "org", "net", "edu", "gov"):
        return True
    if "com" in labels[:2] or "org" in labels[:2] or "android" in labels or "mobile" in labels:
        # `au.com.bank.mobile`, `btc.org.wallet.app`; but `bank.com.au` is a name below `com.au`.
        return labels[-2] not in ("com", "org")
    rare = len(last) > 2
    return rare and first in top_level_domains() and len(first) <= 3
