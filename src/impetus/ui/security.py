"""What the browser is told to refuse: the pages show hostile text all day."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

from fastapi import Request


def new_nonce() -> str:
    """A fresh Content-Security-Policy nonce (128 random bits)."""
    return secrets.token_urlsafe(16)


def content_security_policy(nonce: str, image_hosts: Sequence[str] = ()) -> str:
    """The policy of one page: only our own files, no evaluated or inline script, no inline style."""
    images = " ".join(("'self'", "data:", *image_hosts))
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' 'nonce-{nonce}'",
            f"style-src 'self' 'nonce-{nonce}'",
            f"img-src {images}",
            "connect-src 'self'",
            "font-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def image_host(url: str) -> str | None:
    """The origin that a tile address needs in `img-src`; None for our own.

    >>> image_host("https://{s}.tiles.example.org/{z}/{x}/{y}.png")
    'https://*.tiles.example.org'
    >>> image_host("/tiles/{z}/{x}/{y}.png") is None
    True
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return None
    host = parts.netloc.replace("{s}", "*")
    # Anything but a plain host would let a setting write a policy of its own.
    if not all(letter.isalnum() or letter in "*.-:[]" for letter in host):
        return None
    return f"{parts.scheme}://{host}"


def headers(nonce: str, image_hosts: Sequence[str] = ()) -> dict[str, str]:
    """Security headers of a page."""
    return {
        "Content-Security-Policy": content_security_policy(nonce, image_hosts),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
        "Cache-Control": "no-store",
    }


def is_own_form(request: Request) -> bool:
    """Whether a form was sent from one of our own pages, as the browser itself says."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def own_path(path: str | None, otherwise: str = "/") -> str:
    """A path to go on to, if it is one of ours; never another host's.

    >>> own_path("//evil.example/"), own_path("/sensors?datastream=a"), own_path("https://evil.example")
    ('/', '/sensors?datastream=a', '/')
    """
    if not path or not path.startswith("/") or path.startswith(("//", "/\\")) or any(ord(c) < 33 for c in path):
        return otherwise
    return path
