"""Which network addresses are on the public internet: what fetches or sends for people goes nowhere else unasked."""

from __future__ import annotations

import ipaddress


def is_public(address: str) -> bool:
    """Whether an address is on the public internet, also when it is an IPv4 address in an IPv6 one's clothes.

    Raises `ValueError` for what is no address.

    >>> is_public("10.0.0.1"), is_public("::ffff:127.0.0.1"), is_public("169.254.169.254"), is_public("9.9.9.9")
    (False, False, False, True)
    """
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
        if parsed in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved
