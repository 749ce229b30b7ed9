"""Takes out of a text what nobody needs for judging it: passwords, and who the people in a leak are."""

from __future__ import annotations

import re

_PAIR = re.compile(
    r"(?P<user>[\w.+%-]{1,64}@(?P<host>[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}))(?P<between>\s{0,2}[:;|]\s{0,2})(?P<secret>[^\s:;|]{3,128})"
)
_MAIL = re.compile(
    r"(?<![\w.+%-])(?P<first>[A-Za-z0-9])(?P<rest>[\w.+%-]{0,63})@(?P<host>[\w-]{1,63}(?:\.[\w-]{1,63}){1,8})"
)
_NAMED = re.compile(
    r"(?P<name>\b(?:password|passwd|passwort|pwd|pass|passord|api[ _-]?key|secret|token)\b\s{0,3}[:=]\s{0,3})"
    r"(?P<secret>[^\s,;]{3,200})",
    re.IGNORECASE,
)
_PHONE = re.compile(r"(?<![\w.-])\+\d{1,3}[ -]?\d(?:[ -]?\d){6,11}(?![\w-])")
_NUMBER = re.compile(r"(?<!\d)(?:\d[ -]?){13,16}(?!\d)")


def masked(text: str) -> str:
    """The text without secrets, and with people's addresses and numbers made unreadable; as long as before, so that
    places in it stay where they are.

    >>> masked("mario.rossi@city.example:hunter2 and password = abc123")
    'm**********@city.example:******* and password = ******'
    """
    text = _PAIR.sub(lambda found: f"{found['user']}{found['between']}{_hidden(found['secret'])}", text)
    text = _NAMED.sub(lambda found: f"{found['name']}{_hidden(found['secret'])}", text)
    text = _MAIL.sub(lambda found: f"{found['first']}{_hidden(found['rest'])}@{found['host']}", text)
    text = _PHONE.sub(lambda found: _hidden(found.group()), text)
    return _NUMBER.sub(lambda found: _hidden(found.group()), text)


def _hidden(secret: str) -> str:
    return "*" * len(secret)
