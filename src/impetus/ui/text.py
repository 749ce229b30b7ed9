"""Text from outside, made harmless to look at: escaping keeps markup out, this keeps characters out that deceive."""

from __future__ import annotations

import re

# Controls that reorder or hide what follows them (Unicode TR 36, "bidi spoofing"), and control characters that no
# line of text needs. Left-to-right and right-to-left marks stay: honest Arabic and Hebrew use them.
DECEPTIVE = re.compile("[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\u200b\u2060\ufeff]")


def harmless(text: str) -> str:
    """The text with each deceptive character written out by its number; `static/js/dom.js` does the same.

    >>> harmless("photo\u202egnp.exe")
    'photo‹U+202E›gnp.exe'
    """
    return DECEPTIVE.sub(lambda match: f"‹U+{ord(match.group()):04X}›", text)
