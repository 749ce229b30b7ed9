"""Which language a post is in: py3langid (Lui & Baldwin 2012), among those that people write here."""

from __future__ import annotations

from functools import cache
from typing import Any

from impetus.model import ConfigurationError

TOLD_APART = (
    "en",
    "it",
    "no",
    "nb",
    "nn",
    "da",
    "sv",
    "de",
    "fr",
    "es",
    "pt",
    "nl",
    "pl",
    "ro",
    "ar",
    "ru",
    "uk",
    "tr",
    "so",
)
NORWEGIAN = frozenset({"no", "nb", "nn", "da"})
"""Short Norwegian is easily taken for Danish; here it is hardly ever that."""
UNKNOWN = "und"


@cache
def _identifier() -> Any:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError as error:
        raise ConfigurationError("py3langid is not installed", hint="pip install 'impetus[social]'") from error
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    known = set(identifier.nb_classes)
    identifier.set_languages([one for one in TOLD_APART if one in known])
    return identifier


def language_of(text: str, *, told: str = "") -> str:
    """`en`, `it`, `no` or another code of ISO 639-1; `und` where there are no words. What the post itself says (`told`)
    only decides when the text is too short or unclear: such tags are often wrong."""
    words = [word for word in text.split() if word not in ("@user", "http", "@mail", "number") and word[:1] != "#"]
    plain = " ".join(words)
    if sum(sign.isalpha() for sign in plain) < 3:
        return _normal(told) or UNKNOWN
    found, probability = _identifier().classify(plain[:1_000])
    if probability < 0.8 and _normal(told) in ("en", "it", "no"):
        return _normal(told)
    return _normal(str(found)) or UNKNOWN


def _normal(code: str) -> str:
    short = code.strip().lower().replace("_", "-").partition("-")[0]
    if short in NORWEGIAN:
        return "no"
    return short if len(short) == 2 and short.isalpha() else ""
