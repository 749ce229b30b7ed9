"""Names that are made to look like others: homoglyphs, punycode, typing slips, other endings, added words.

The table of confusable letters follows Unicode Technical Standard 39 as far as the scripts go that domain names are
faked with (Cyrillic, Greek, Latin with marks, digits).
"""

from __future__ import annotations

import unicodedata

_CONFUSABLE = str.maketrans(
    {
        **dict(zip("аеорсухіјѕһԁԛԝѵӏӀьвкмнтгпзб", "aeopcyxijshdqwvlibbkmhtrn36", strict=True)),
        **dict(zip("αεορυχικνωητβγμπσς", "aeopuxikvwntbympos", strict=True)),
        **dict(zip("ɑɡıɩʟɴʀℓ", "agiilnrl", strict=True)),
        **dict(zip("øłđħŧþðæœß", "oldhtpdaob", strict=True)),
    }
)
_DIGITS = str.maketrans("01345678", "oleasbtb")
_JOINED = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("nn", "m"))


def folded(text: str) -> str:
    """Lower case without marks, characters kept one for one: `Città` -> `citta`. Same length as the text."""
    return "".join(_folded_character(character) for character in text)


def _folded_character(character: str) -> str:
    if character.isascii():
        return character.lower()
    base = unicodedata.normalize("NFKD", character)[:1].lower()
    return base if len(base) == 1 else character


def skeleton(text: str) -> str:
    """What a text looks like: confusable letters and digits replaced by the plain Latin ones.

    >>> skeleton("аurеlіа") == skeleton("aurelia"), skeleton("aure1ia") == skeleton("aurelia")
    (True, True)
    """
    return folded(folded(text).translate(_CONFUSABLE)).translate(_DIGITS).replace("i", "l")


def has_disguise(text: str) -> bool:
    """Whether a word mixes letters of scripts that look alike, or stands in punycode: nobody does so by accident."""
    if "xn--" in text.lower():
        return True
    latin = any("a" <= character.lower() <= "z" for character in text)
    return latin and any(not character.isascii() and _is_confusable(character) for character in text)


def _is_confusable(character: str) -> bool:
    name = unicodedata.name(character, "")
    return name.startswith(("CYRILLIC", "GREEK", "FULLWIDTH", "MATHEMATICAL", "ARMENIAN", "CHEROKEE"))


def unicode_name(name: str) -> str:
    """A domain name as it is shown: punycode labels decoded, those that cannot be left as they are."""
    labels = []
    for label in name.split("."):
        if label.lower().startswith("xn--"):
            try:
                labels.append(label[4:].encode("ascii").decode("punycode"))
                continue
            except (UnicodeError, ValueError):
                pass
        labels.append(label)
    return ".".join(labels)


def distance(one: str, other: str, limit: int) -> int:
    """Damerau-Levenshtein distance (neighbours swapped count once), or `limit + 1` if it is more.

    >>> distance("aurelia", "aureila", 2)
    1
    """
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, first in enumerate(one, 1):
        now = [i] + [0] * len(other)
        for j, second in enumerate(other, 1):
            now[j] = min(row[j] + 1, now[j - 1] + 1, row[j - 1] + (first != second))
            if i > 1 and j > 1 and first == other[j - 2] and one[i - 2] == second:
                now[j] = min(now[j], before[j - 2] + 1)
        if min(now) > limit:
            return limit + 1
        before, row = row, now
    return min(row[-1], limit + 1)


_TWO_LEVEL = frozenset(["co", "com", "org", "net", "gov", "edu", "ac", "go", "or", "ne", "kommune", "comune"])
ADDED_WORDS = frozenset(
    [
        "login",
        "log",
        "secure",
        "security",
        "account",
        "accounts",
        "support",
        "help",
        "service",
        "services",
        "online",
        "portal",
        "web",
        "mail",
        "webmail",
        "vpn",
        "sso",
        "verify",
        "update",
        "app",
        "apps",
        "pay",
        "payment",
        "payments",
        "ticket",
        "tickets",
        "info",
        "official",
        "id",
        "auth",
        "signin",
        "my",
        "accesso",
        "servizi",
        "pagamento",
        "pagamenti",
        "biglietti",
        "ufficiale",
        "conto",
        "innlogging",
        "konto",
        "betaling",
        "billett",
        "billetter",
        "kundeservice",
        "digital",
        "it",
        "no",
        "eu",
        "citta",
        "city",
        "kommune",
        "comune",
    ]
)


def registered(name: str) -> tuple[str, str]:
    """The label that somebody registered, and what follows it (`comune.roma.it` has its name one level down).

    >>> registered("www.aurelia.co.uk")
    ('aurelia', 'co.uk')
    """
    labels = name.lower().split(".")
    cut = len(labels) - 2
    if cut > 0 and labels[cut] in _TWO_LEVEL:
        cut -= 1
    return labels[cut], ".".join(labels[cut + 1 :])


def looks_like(candidate: str, watched: str) -> tuple[str, float] | None:
    """How one domain name is made to look like another, and how sure that is (0 to 1); None if it is not.

    >>> looks_like("aurella.example", "aurelia.example")[0]
    'look-alike letters'
    """
    shown = unicode_name(candidate.lower())
    watched = watched.lower()
    if shown == watched or shown.endswith("." + watched):
        return None
    label, ending = registered(shown)
    target, target_ending = registered(watched)
    if label == target:
        return ("same name under another ending", 0.7) if ending != target_ending and len(target) >= 5 else None
    if len(target) < 4:
        return None
    if skeleton(label) == skeleton(target) or _joined(label) == _joined(target):
        return "look-alike letters", 0.92
    limit = 2 if len(target) >= 10 else 1
    if len(target) >= 5 and distance(label, target, limit) <= limit:
        return "typing slip", 0.85 if distance(label, target, 1) == 1 else 0.7
    plain_label, plain_target = skeleton(label).replace("-", ""), skeleton(target).replace("-", "")
    if plain_label == plain_target:
        return "hyphen added or left out", 0.85
    parts = [part for part in label.split("-") if part]
    if len(target) >= 5 and len(parts) > 1 and any(skeleton(part) == skeleton(target) for part in parts):
        return "words added to the name", 0.8
    if len(target) >= 6 and target in label:
        rest = label.replace(target, " ", 1).replace("-", " ").split()
        if all(word in ADDED_WORDS or word.isdigit() for word in rest):
            return "words added to the name", 0.8
    if target in shown.rsplit(ending, 1)[0].split(".") or watched.replace(".", "-") in shown:
        return "name placed before another domain", 0.75
    return None


def _joined(label: str) -> str:
    plain = skeleton(label)
    for pair, single in _JOINED:
        plain = plain.replace(pair, single)
    return plain
