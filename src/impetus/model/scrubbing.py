"""Takes what tells of a person out of free text, before it is shown to those who have no part in the investigation.

Patterns and lists, no model: what is found is always found, and why can be said. What they do not know (a rare name
that stands alone) passes; `docs/guides/ethics.md` says so. The text is normalised first (Unicode NFKC, no invisible
characters), so that an identifier cannot hide behind look-alike digits or zero-width letters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Set
from typing import Any, Final

# The most frequent given names of Italy, Norway and the English-speaking countries, and of their newer citizens.
_GIVEN: Final = """
Adam Adele Adrian Ahmad Ahmed Aisha Alberto Alessandra Alessandro Alessia Alexander Ali Alice Amanda Amelia Amina
Amir Anders Andrea Andreas Andrew Angela Angelo Anita Anna Anne Antonella Antonia Antonio Arne Arthur Astrid Aurora
Barbara Beatrice Benjamin Bente Berit Bjørn Bruno Camilla Carla Carlo Carmela Caroline Caterina Cecilia Charles
Charlotte Chiara Christian Christopher Claudia Claudio Cristina Daniel Daniela Daniele David Davide Deborah Diana
Diego Domenico Dorothy Edoardo Edward Einar Eirik Elena Eleonora Eline Elisa Elisabetta Elizabeth Ella Emil Emilia
Emily Emma Emanuele Enrico Erik Espen Ethan Eva Fabio Fatima Federica Federico Ferdinando Filip Filippo Francesca
Francesco Fredrik Frida Gabriele Geir George Gianluca Giacomo Giorgia Giorgio Giovanna Giovanni Giulia Giulio
Giuseppe Giuseppina Grete Gunnar Hanne Hans Harald Harry Hassan Hege Heidi Helen Helene Henrik Hilde Håkon Ibrahim
Ida Ines Inger Ingrid Irene Isabella Ivan Jack Jacob Jakob James Jan Jennifer Jens Jessica Joakim Johan Johannes
John Jon Jonas Jonathan Joseph Julia Julie Kari Karin Karen Karl Katherine Kevin Khadija Kjell Kristian Kristin Knut
Lars Laura Layla Leah Leif Leonardo Liam Linda Line Linn Lisa Liv Lorenzo Luca Lucia Luigi Lukas Magnus Mahmoud Maja
Manuela Marco Margaret Maria Mariam Marianne Marie Marina Mario Marit Marta Martin Martina Mary Maryam Massimo
Mathias Matteo Matthew Mattia Maurizio Melissa Michael Michela Michele Mikkel Mohamed Mohammad Mohammed Monica
Morten Muhammad Mustafa Nancy Nathan Nicola Nicolò Nils Noah Noor Nora Ola Olav Ole Oliver Olivia Omar Oscar Oskar
Paola Paolo Patricia Patrick Paul Per Peter Petter Pietro Raffaele Ragnhild Randi Rebecca Riccardo Richard Robert
Roberta Roberto Rosa Ruth Ryan Salvatore Samantha Samir Samuel Sander Sandra Sara Sarah Sebastian Sergio Sigrid
Silje Silvia Simon Simona Simone Siri Sofia Sofie Solveig Sophia Stefania Stefano Stephen Steven Stian Susan Svein
Terje Teresa Thea Thomas Tommaso Tone Tor Tore Torunn Trine Tuva Unni Valentina Valeria Vegard Veronica Victoria
Vincenzo Viola Vittorio William Yusuf Zahra Øyvind Åse
""".split()  # noqa: SIM905
_WORD: Final = r"[^\W\d_]"
_CAPITALISED: Final = rf"(?!(?i:the|and|at|in|on|was|is)\b)[A-ZÀ-ÖØ-ÞĀ-Ž](?:{_WORD}|['’-])+"
_NAME: Final = rf"{_CAPITALISED}(?:\s+(?:(?:de|di|da|del|della|van|von|el|al|bin)\s+)?{_CAPITALISED}){{0,3}}"
_GIVEN_NAMES: Final = "|".join(sorted((re.escape(name) for name in _GIVEN), key=len, reverse=True))
_SHOUTED: Final = "|".join(re.escape(name.upper()) for name in sorted(_GIVEN, key=len, reverse=True) if len(name) > 3)

PATTERNS: Final[Mapping[str, re.Pattern[str]]] = {
    "mail": re.compile(
        r"[\w.+'-]+\s?(?:@|\(at\)|\[at\])\s?[\w-]+(?:\s?(?:\.|\(dot\)|\[dot\])\s?[\w-]+)+", re.IGNORECASE
    ),
    "handle": re.compile(r"(?<![\w/])@\w{2,}"),
    "account": re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,4})?\b"),
    "device": re.compile(r"\b(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}\b|\b\d{15}\b"),
    "number": re.compile(r"\b\d{6}[ -]?\d{5}\b|\b[A-Za-z]{6}\d{2}[A-Za-z]\d{2}[A-Za-z]\d{3}[A-Za-z]\b"),
    "phone": re.compile(
        r"(?<![\w.])(?:\+|00)\d[\d\s()./-]{5,17}\d(?!\w)"
        r"|(?<![\w.,-])(?:[2-9]\d{7}|[2-9]\d (?:\d\d ){2}\d\d|[49]\d\d \d\d \d{3})(?![\w.,-]\d|\w)"
        r"|(?<![\w.])3\d\d[ ./-]?\d{3}[ ./-]?\d{3,4}(?!\w)|(?<![\w.])0\d{1,3}[ ./-]\d{5,8}(?!\w)"
    ),
    "plate": re.compile(
        r"\b[A-Z]{2}[ -]?\d{3}[ -]?[A-Z]{2}\b|\b[A-Z]{2}[ -]?\d{4,5}\b|\b[A-ZÄÖÜ]{1,3}-[A-Z]{1,2}[ -]?\d{1,4}\b"
        r"|\b[A-Z]{2}\d{2} ?[A-Z]{3}\b"
    ),
    "name": re.compile(
        rf"\b(?i:mr|mrs|ms|miss|dr|prof|sig|sig\.ra|signor|signora|signorina|herr|fru|hr)\b\.?\s+{_NAME}"
        rf"|(?<=\b)(?i:named|called|name is|known as|si chiama|di nome|heter|ved navn|kalt)\s+{_NAME}"
        rf"|\b{_CAPITALISED},\s+(?:{_GIVEN_NAMES})\b"
        rf"|\b(?:{_GIVEN_NAMES})\b(?:\s+(?:(?:de|di|da|del|della|van|von|el|al|bin)\s+)?{_CAPITALISED}){{0,3}}"
        rf"|\b(?:{_SHOUTED})"
        r"\b(?:\s+[A-ZÀ-ÖØ-Þ'’-]{2,}){0,3}"
    ),
}
"""What is found, in this order, and the word that stands in its place."""

_INVISIBLE: Final = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
LENGTH_LIMIT: Final = 200_000
"""A longer text is cut: nobody reads it, and a pattern must not be kept busy."""

KEYS_KEPT: Final = frozenset(
    {
        "id", "tenant", "tool", "source", "detector", "subject", "incident", "alert", "sha256", "next", "type",
        "media_type", "handled_by", "holder", "holder_name", "person", "person_name", "author_name", "set_by",
        "updated_by", "signed_by", "full_name", "datastream", "thing", "kind", "state", "role", "unit", "csrf",
        "hash", "version", "place_name",
    }
)  # fmt: skip
"""Members whose values are names of things or of the staff, not free text."""


def scrub(text: str) -> str:
    """The text without names, mail addresses, phone numbers, plates, accounts and other identifiers of persons.

    >>> scrub("Mario Rossi, +39 347 123 4567, drives AB 123 CD; write to m.rossi@example.it")
    '[name], [phone], drives [plate]; write to [mail]'
    """
    plain = _INVISIBLE.sub("", text)
    if not plain.isascii():
        plain = unicodedata.normalize("NFKC", plain)
    plain = plain[:LENGTH_LIMIT]
    scrubbed = plain
    for what, pattern in PATTERNS.items():
        scrubbed = pattern.sub(f"[{what}]", scrubbed)
    # Where nothing was found, the text is left as it was written.
    return text if scrubbed == plain and len(text) <= LENGTH_LIMIT else scrubbed


def scrub_word(text: str) -> str:
    """The same for a text without spaces, which may be an identifier of ours: only what cannot be one."""
    for what in ("mail", "phone", "device"):
        if PATTERNS[what].fullmatch(text):
            return f"[{what}]"
    return text


def scrub_json(value: Any, key: str = "", *, kept: Set[str] = KEYS_KEPT) -> Any:
    """JSON with its free texts scrubbed; names of members, and the values of those `kept`, stay."""
    match value:
        case str():
            if key in kept:
                return value
            return scrub(value) if " " in value or not value.isascii() else scrub_word(value)
        case list():
            return [scrub_json(each, key, kept=kept) for each in value]
        case dict():
            return {name: scrub_json(each, name, kept=kept) for name, each in value.items()}
        case _:
            return value
