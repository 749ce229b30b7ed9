"""Whether a report concerns what the city watches: exact mentions, look-alikes and meaning, with every reason.

The strengths below say how likely a mention of that kind is about the watched thing at all. They were set by judgement
before the planted set of the tests was written, not fitted to it.
"""

from __future__ import annotations

import ipaddress
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from impetus.tools.cti.concepts import Mention, find_assets, find_threats, threat_kinds
from impetus.tools.cti.indicators import Indicator, IndicatorType, find_indicators
from impetus.tools.cti.lookalikes import distance, folded, has_disguise, looks_like, skeleton
from impetus.tools.cti.refanging import refang
from impetus.tools.cti.watch import Watch, WatchItem, WatchKind

RELEVANT = 0.5
"""From this relevance an item goes to the review queue and may alert."""
NEAR = 400
"""Characters within which one mention lends meaning to another."""
MEANING_NEAR = 250


class MatchWay(StrEnum):
    """How something watched was found."""

    EXACT = "exact"
    FUZZY = "fuzzy"
    SEMANTIC = "semantic"


@dataclass(frozen=True, slots=True)
class Match:
    """Something watched, found at one place."""

    item: WatchItem
    way: MatchWay
    start: int
    end: int
    text: str
    """As it stands in the item."""
    strength: float
    reason: str


@dataclass(frozen=True, slots=True)
class Relevance:
    """How much an item concerns the watch."""

    score: float
    kind: str
    """`leak`, `vulnerability`, `phishing`, `attack` or `mention`."""
    matches: tuple[Match, ...]
    threats: tuple[Mention, ...]

    @property
    def relevant(self) -> bool:
        """Whether a person should look at it."""
        return self.score >= RELEVANT

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, the strongest reason first."""
        found = list(dict.fromkeys(match.reason for match in sorted(self.matches, key=lambda one: -one.strength)))
        kinds = list(dict.fromkeys(threat.concept.replace("_", " ") for threat in self.threats))
        if kinds and found:
            found.append(f"speaks of {', '.join(kinds[:4])}")
        return tuple(found)


_SURE = {
    WatchKind.BRAND: 0.8,
    WatchKind.VENUE: 0.8,
    WatchKind.SUPPLIER: 0.8,
    WatchKind.SOFTWARE: 0.75,
    WatchKind.ROLE: 0.45,
    WatchKind.PLACE: 0.5,
    WatchKind.TERM: 0.7,
}
_WORD = re.compile(r"\w+(?:['’]\w+)?")


class Matcher:
    """Matches texts against one watch."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._domains = [item for item in watch.items if item.kind is WatchKind.DOMAIN]
        self._ranges = [
            (item, ipaddress.ip_network(item.name, strict=False))
            for item in watch.items
            if item.kind is WatchKind.ADDRESS
        ]
        self._named = [item for item in watch.items if item.kind not in (WatchKind.DOMAIN, WatchKind.ADDRESS)]
        self._names = [(item, name) for item in self._named for name in (item.name, *item.aliases)]
        self._pattern, self._by_form = _pattern_of(self._names)
        self._assets = {
            item.key: frozenset(
                mention.concept for text in (item.name, *item.aliases, *item.context) for mention in find_assets(text)
            )
            for item in self._named
        }
        self._context = {
            item.key: re.compile(
                r"(?<!\w)(?:" + "|".join(re.escape(folded(word)) for word in item.context) + r")", re.IGNORECASE
            )
            for item in self._named
            if item.context
        }

    def judge(self, text: str) -> Relevance:
        """The relevance of a text, with all matches."""
        refanged = refang(text)
        threats = find_threats(text)
        matches: list[Match] = []
        matches += self._match_hosts(text, find_indicators(text))
        matches += self._match_bare_domains(text, refanged.text, {(one.item.key, one.way) for one in matches})
        exact = list(self._match_names(text))
        matches += self._weighed(text, exact, [*matches, *exact], threats)
        matches += self._match_similar_names(text, exact)
        matches += self._match_meaning(text, matches, threats)
        return _judged(matches, threats)

    def _match_hosts(self, text: str, indicators: Sequence[Indicator]) -> Iterator[Match]:
        for one in indicators:
            if one.type in (IndicatorType.IPV4, IndicatorType.IPV6, IndicatorType.CIDR):
                network = ipaddress.ip_network(one.value, strict=False)
                yield from self._in_ranges(text, one, network)
            host = _host_of(one)
            if host is None:
                continue
            try:
                yield from self._in_ranges(text, one, ipaddress.ip_network(host.strip("[]")))
                continue
            except ValueError:
                pass
            for item in self._domains:
                if host == item.domain or host.endswith("." + item.domain):
                    what = (
                        "account at"
                        if one.type is IndicatorType.EMAIL
                        else "address below"
                        if host != item.domain
                        else "names"
                    )
                    yield Match(
                        item, MatchWay.EXACT, one.start, one.end, text[one.start : one.end], 0.9, f"{what} {item.name}"
                    )
                elif like := looks_like(host, item.domain):
                    way, strength = like
                    reason = f"{host} looks like {item.name}: {way}"
                    yield Match(item, MatchWay.FUZZY, one.start, one.end, text[one.start : one.end], strength, reason)

    def _in_ranges(
        self, text: str, one: Indicator, network: ipaddress.IPv4Network | ipaddress.IPv6Network
    ) -> Iterator[Match]:
        for item, watched in self._ranges:
            if network.version == watched.version and network.overlaps(watched):
                reason = (
                    f"{one.value} lies in {item.name}"
                    if network.prefixlen > watched.prefixlen
                    else f"names {item.name}"
                )
                if network.prefixlen < 8:
                    continue
                yield Match(item, MatchWay.EXACT, one.start, one.end, text[one.start : one.end], 0.9, reason)

    def _match_bare_domains(self, text: str, plain: str, seen: set[tuple[str, MatchWay]]) -> Iterator[Match]:
        """Domains under endings that are none, such as `.local`, which are no indicators."""
        lower = plain.lower()
        for item in self._domains:
            if (item.key, MatchWay.EXACT) in seen or item.domain not in lower:
                continue
            found = re.search(rf"(?<![\w-]){re.escape(item.domain)}(?![\w-]|\.\w)", lower)
            if found is None:
                continue
            at = text.lower().find(item.domain)
            start, end = (at, at + len(item.domain)) if at >= 0 else (0, 0)
            yield Match(item, MatchWay.EXACT, start, end, text[start:end] or item.domain, 0.9, f"names {item.name}")

    def _match_names(self, text: str) -> Iterator[Match]:
        if self._pattern is None:
            return
        plain = folded(text)
        for found in self._pattern.finditer(plain):
            for item in self._by_form[_form(found.group())]:
                written = text[found.start() : found.end()]
                yield Match(
                    item, MatchWay.EXACT, found.start(), found.end(), written, _SURE[item.kind], f"names {item.name}"
                )

    def _weighed(
        self, text: str, exact: Sequence[Match], everything: Sequence[Match], threats: Sequence[Mention]
    ) -> Iterator[Match]:
        """Exact mentions of names, each as sure as what stands around it makes it."""
        assets = find_assets(text) if exact else []
        plain = folded(text) if exact else ""
        for match in exact:
            item = match.item
            strength, reason = match.strength, match.reason
            written = match.text
            bare_word = " " not in written.strip() and not any(character.isdigit() for character in written)
            doubtful = item.ambiguous or item.key in self._context
            other = any(
                abs(one.start - match.start) <= NEAR
                and one.item.key != item.key
                and (one.item.kind is not WatchKind.ROLE)
                for one in everything
            )
            about = self._is_near_context(item, plain, match) or any(
                mention.concept in self._assets[item.key] and 0 < _gap(mention, match) <= NEAR for mention in assets
            )
            threatened = any(_gap(threat, match) <= NEAR for threat in threats)
            if doubtful and not about:
                strength = (
                    0.55 * strength if other and threatened and item.key not in self._context else 0.25 * strength
                )
                reason = f"{reason}, which means other things too"
            elif bare_word and not about and not other and item.kind is not WatchKind.SOFTWARE:
                if written.islower() and not item.name.islower():
                    strength *= 0.3
                    reason = f"{reason}, perhaps as an ordinary word"
                elif not threatened:
                    strength *= 0.6
            if item.kind in (WatchKind.PLACE, WatchKind.ROLE) and not other and not about:
                strength *= 0.7
            yield Match(item, match.way, match.start, match.end, written, strength, reason)

    def _is_near_context(self, item: WatchItem, plain: str, match: Match) -> bool:
        pattern = self._context.get(item.key)
        if pattern is None:
            return False
        return any(
            found.end() <= match.start or found.start() >= match.end
            for found in pattern.finditer(plain, max(0, match.start - NEAR), match.end + NEAR)
        )

    def _match_similar_names(self, text: str, exact: Sequence[Match]) -> Iterator[Match]:
        """Names written with look-alike letters, or one slip away; not where they stand exactly."""
        words = [(found.start(), found.end(), found.group()) for found in _WORD.finditer(text)]
        taken = sorted((match.start, match.end) for match in exact)
        by_first: dict[int, list[tuple[WatchItem, str, str]]] = {}
        for item, name in self._names:
            letters = "".join(character for character in folded(name) if character.isalnum())
            if len(letters) < 5 or item.kind in (WatchKind.ROLE, WatchKind.TERM) or name[0].isdigit():
                continue
            by_first.setdefault(len(_WORD.findall(name)), []).append((item, name, skeleton(letters)))
        seen: set[tuple[str, str]] = set()
        for count, entries in by_first.items():
            for n in range(len(words) - count + 1):
                start, end = words[n][0], words[n + count - 1][1]
                if _inside(taken, start, end):
                    continue
                written = text[start:end]
                letters = "".join(character for character in written if character.isalnum())
                shape = skeleton(letters)
                for item, name, target in entries:
                    if abs(len(shape) - len(target)) > 2 or (item.key, shape) in seen:
                        continue
                    way = _similar(written, letters, shape, name, target)
                    if way is not None:
                        seen.add((item.key, shape))
                        sure = 0.85 if way[1] else 0.6
                        reason = f"{written} looks like {item.name}: {way[0]}"
                        yield Match(item, MatchWay.FUZZY, start, end, written, sure * _SURE[item.kind] / 0.8, reason)

    def _match_meaning(self, text: str, matches: Sequence[Match], threats: Sequence[Mention]) -> Iterator[Match]:
        """An asset of the watched kind under threat at a watched place, in whatever language, without its name."""
        if not threats:
            return
        mentions = find_assets(text)
        if not mentions:
            return
        anchors = [
            match
            for match in matches
            if match.way is MatchWay.EXACT
            and (
                match.item.kind
                in (WatchKind.PLACE, WatchKind.BRAND, WatchKind.VENUE, WatchKind.DOMAIN, WatchKind.ADDRESS)
            )
        ]
        seen: set[str] = set()
        for item in self._named:
            concepts = self._assets[item.key]
            for mention in mentions:
                if item.key in seen or mention.concept not in concepts:
                    continue
                if any(match.item.key == item.key for match in matches):
                    continue
                if not any(_gap(threat, mention) <= MEANING_NEAR for threat in threats):
                    continue
                anchored = any(
                    anchor.item.key != item.key and abs(anchor.start - mention.start) <= 2 * NEAR for anchor in anchors
                )
                seen.add(item.key)
                written = text[mention.start : mention.end]
                reason = f"{written} means the same kind of thing as {item.name}"
                yield Match(
                    item, MatchWay.SEMANTIC, mention.start, mention.end, written, 0.5 if anchored else 0.2, reason
                )


def _judged(matches: Sequence[Match], threats: Sequence[Mention]) -> Relevance:
    ordered = sorted(matches, key=lambda one: (one.start, -one.strength))
    starts = [threat.start for threat in threats]
    best: dict[str, float] = {}
    near: dict[str, int] = {}
    kinds = threat_kinds()
    for match in ordered:
        closeness = _closeness(match, threats, starts)
        if match.way is MatchWay.FUZZY and match.item.kind is WatchKind.DOMAIN:
            closeness = max(closeness, 0.9)  # somebody made it: that is a threat by itself
        best[match.item.key] = max(best.get(match.item.key, 0.0), match.strength * closeness)
        for threat in threats:
            if _gap(threat, match) <= NEAR:
                near[kinds[threat.concept]] = near.get(kinds[threat.concept], 0) + 1
    if any(match.way is MatchWay.FUZZY and match.item.kind is WatchKind.DOMAIN for match in ordered):
        near["phishing"] = near.get("phishing", 0) + 2
    left = 1.0
    # Further things watched add less and less: they come together because the report is about one matter.
    for number, strength in enumerate(sorted(best.values(), reverse=True)[:5]):
        left *= 1.0 - strength / (1 + number)
    kind = max(near, key=lambda name: (near[name], name), default="mention")
    return Relevance(round(1.0 - left, 4), kind, tuple(ordered), tuple(threats))


def _closeness(match: Match, threats: Sequence[Mention], starts: Sequence[int]) -> float:
    """1 where a threat stands near, less where it stands elsewhere in the item or nowhere."""
    if not threats:
        return 0.45
    position = bisect_left(starts, match.start)
    gaps = [_gap(threats[n], match) for n in (position - 1, position) if 0 <= n < len(threats)]
    gap = min(gaps, default=NEAR * 10)
    if gap <= NEAR:
        return 1.0
    return 0.85 if gap <= 4 * NEAR else 0.7


def _gap(mention: Mention, match: Match | Mention) -> int:
    if mention.end <= match.start:
        return match.start - mention.end + 1
    if mention.start >= match.end:
        return mention.start - match.end + 1
    return 0


def _inside(taken: Sequence[tuple[int, int]], start: int, end: int) -> bool:
    return any(begin < end and start < stop for begin, stop in taken)


def _similar(written: str, letters: str, shape: str, name: str, target: str) -> tuple[str, bool] | None:
    """How a word is made to look like a name, and whether on purpose."""
    plain = "".join(character for character in folded(name) if character.isalnum())
    if folded(letters) == plain:
        return None
    if shape == target:
        if has_disguise(written) or any(character.isdigit() for character in written):
            return "look-alike letters", True
        return None
    if len(plain) < 7 or not written[:1].isalpha() or written.islower():
        return None
    limit = 2 if len(plain) >= 12 else 1
    if folded(written[:1]) != folded(name[:1]) or distance(folded(letters), plain, limit) > limit:
        return None
    # Endings of a language are no slips: `Auroras`, `Aurorae`.
    longer, shorter = sorted((folded(letters), plain), key=len, reverse=True)
    return None if longer[: len(shorter)] == shorter else ("typing slip", False)


def _form(written: str) -> str:
    return " ".join(_WORD.findall(folded(written)))


def _pattern_of(
    names: Iterable[tuple[WatchItem, str]],
) -> tuple[re.Pattern[str] | None, Mapping[str, list[WatchItem]]]:
    by_form: dict[str, list[WatchItem]] = {}
    for item, name in names:
        form = _form(name)
        if form:
            known = by_form.setdefault(form, [])
            if item not in known:
                known.append(item)
    if not by_form:
        return None, {}
    patterns = [r"[\W_]{1,3}".join(map(re.escape, form.split(" "))) for form in sorted(by_form, key=len, reverse=True)]
    return re.compile(r"(?<!\w)(?:" + "|".join(patterns) + r")(?!\w)", re.IGNORECASE), by_form


def _host_of(one: Indicator) -> str | None:
    if one.type is IndicatorType.DOMAIN:
        return one.value
    if one.type is IndicatorType.EMAIL:
        return one.value.rpartition("@")[2]
    if one.type is IndicatorType.URL:
        rest = one.value.partition("://")[2] or one.value
        authority = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
        return authority if authority.startswith("[") else authority.partition(":")[0]
    return None
