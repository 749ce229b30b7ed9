"""What a post says, as plain text: no markup, no invisible signs, no disguised letters, and nobody's name in it.

`plain` undoes tricks, `masked` takes out who is spoken to: handles, links, addresses and numbers. A classifier and the
disk see masked text only.
"""

from __future__ import annotations

import html
import re
import unicodedata

TEXT_LIMIT = 10_000
"""Signs of a post that are read; the rest is cut off."""
RAW_LIMIT = 200_000
"""Signs of markup that are looked at to find them."""
MENTION, LINK, MAIL, NUMBER = "@user", "http", "@mail", "number"

_SILENT = re.compile(r"<(script|style|template|svg)\b[^>]{0,2000}>.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_BREAK = re.compile(r"<(?:br|/p|/div|/li|/h[1-6])\b[^<>]{0,200}>", re.IGNORECASE)
_TAG = re.compile(r"<(?:[a-zA-Z/!?])[^<>]{0,5000}>")
_SPACE = re.compile(r"\s+")
_LONG = re.compile(r"(.)\1{3,}", re.DOTALL)
_WORD = re.compile(r"\w+")
_MIXED = re.compile(r"(?=\w*[A-Za-z])(?=\w*[\u0370-\u04ff])\w+")

_MAIL = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}(?!\w)")
_FEDERATED = re.compile(r"(?<![\w@])@[\w.\-]{1,64}@[\w\-]{1,63}(?:\.[\w\-]{1,63}){1,8}")
_MENTION = re.compile(r"(?<![\w@])[@＠]\s?(?!user\b|mail\b)[A-Za-z0-9_](?:[\w.\-]{0,126}\w)?", re.ASCII)
_DID = re.compile(r"\bdid:(?:plc|web):[A-Za-z0-9.:%_-]{3,128}")
_HANDLE_LINK = re.compile(
    r"(?:https?://)?(?:www\.|m\.)?(?:t\.me|x\.com|twitter\.com|instagram\.com|facebook\.com|tiktok\.com|bsky\.app/profile"
    r"|threads\.net|youtube\.com|vk\.com|linkedin\.com/in|reddit\.com/u(?:ser)?)/[^\s<>\"']{1,500}",
    re.IGNORECASE,
)
_LINK = re.compile(r"(?:https?|hxxps?|ftp)(?:://|%3A)[^\s<>\"']{1,2000}|\bwww\.[^\s<>\"']{3,2000}", re.IGNORECASE)
_PHONE = re.compile(r"(?<![\w.,:-])\+?\d(?:[ ().-]{0,2}\d){7,14}(?![\w-])")

# Letters of other scripts that look like Latin ones (Unicode Technical Standard 39), in words that mix the two.
_LOOKALIKES = str.maketrans(
    "авеѕіјкмноорстухһԁԛԝАВЕЅІЈКМНОРСТУХαβεικνορτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "abesijkmhoopctyxhdqwABESIJKMHOPCTYXabeikvoptuxABEZHIKMNOPTYX",
)


def plain(text: str) -> str:
    """The words of a post without markup, invisible signs and disguises; at most TEXT_LIMIT signs.

    >>> plain("<p>Meet at the sta\\u200btion</p><script>alert(1)</script> &amp; bring \\uff4dasks")
    'Meet at the station & bring masks'
    >>> plain("\\u0430ttack")
    'attack'
    """
    text = text[:RAW_LIMIT]
    if "<" in text:
        text = _tagless(text)
    if "&" in text:
        # Escaped markup is markup as well, once it is unescaped.
        text = html.unescape(text)
        if "<" in text:
            text = _tagless(text)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        text = "".join(sign for sign in text if sign in "\n\t" or unicodedata.category(sign) not in _UNSEEN)
        text = _limited_marks(text)
        text = _MIXED.sub(lambda word: word.group().translate(_LOOKALIKES), text)
    else:
        text = text.translate(_CONTROLS)
    text = _LONG.sub(lambda run: run.group(1) * 3, _SPACE.sub(" ", text).strip())
    return text[:TEXT_LIMIT].rstrip()


_UNSEEN = frozenset({"Cf", "Cc", "Co", "Cs", "Cn"})
_CONTROLS = {number: " " for number in (*range(32), 127) if chr(number) not in "\n\t"}


def _tagless(text: str) -> str:
    return _TAG.sub("", _BREAK.sub(" ", _SILENT.sub(" ", text)))


def _limited_marks(text: str) -> str:
    """At most two combining marks on a letter: heaps of them only hide it."""
    kept: list[str] = []
    marks = 0
    for sign in text:
        marks = marks + 1 if unicodedata.combining(sign) else 0
        if marks <= 2:
            kept.append(sign)
    return "".join(kept)


def masked(text: str) -> str:
    """Plain text in which nobody is named by handle, link, mail address or telephone number.

    >>> masked("RT @Some_One: see https://t.me/someone and call +47 912 34 567, mail a.b@c.example")
    'RT @user: see http and call number, mail @mail'
    """
    if "%40" in text:
        text = text.replace("%40", "@")
    if "@" in text or "＠" in text:
        text = _FEDERATED.sub(MENTION, text)
        text = _MAIL.sub(MAIL, text)
    if "/" in text or "www." in text or "%3" in text:
        text = _HANDLE_LINK.sub(LINK, text)
        text = _LINK.sub(LINK, text)
    if "@" in text or "＠" in text:
        text = _MENTION.sub(MENTION, text)
    if "did:" in text:
        text = _DID.sub(MENTION, text)
    return _PHONE.sub(NUMBER, text)


def readable(text: str) -> str:
    """What classifiers see of a raw post.

    >>> readable("<b>Hi</b> @a_b")
    'Hi @user'
    """
    return masked(plain(text))
