"""The watch: what the city owns and uses, never private persons."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import Field, StringConstraints, ValidationError, model_validator

from impetus.model import InvalidInput, Value
from impetus.tools.cti.names import ascii_name

LIMIT = 5_000
FILE_LIMIT_BYTES = 2_000_000

Name = Annotated[str, StringConstraints(min_length=2, max_length=200, strip_whitespace=True)]


class WatchKind(StrEnum):
    """What is watched."""

    DOMAIN = "domain"
    ADDRESS = "address"
    """An address or a range of addresses."""
    BRAND = "brand"
    VENUE = "venue"
    SOFTWARE = "software"
    SUPPLIER = "supplier"
    ROLE = "role"
    """Of staff, such as `traffic operator`: never a person's name."""
    PLACE = "place"
    TERM = "term"


_KEYS: Mapping[str, WatchKind] = {
    **dict.fromkeys(("domain", "domains", "hosts", "hostnames", "websites"), WatchKind.DOMAIN),
    **dict.fromkeys(
        (
            "address",
            "addresses",
            "address_ranges",
            "ranges",
            "ip",
            "ips",
            "ip_ranges",
            "networks",
            "network",
            "cidr",
            "cidrs",
            "ip_addresses",
            "netblocks",
            "subnets",
        ),
        WatchKind.ADDRESS,
    ),
    **dict.fromkeys(
        ("brand", "brands", "names", "name", "organisations", "organizations", "products"), WatchKind.BRAND
    ),
    **dict.fromkeys(("venue", "venues", "sites", "facilities", "buildings"), WatchKind.VENUE),
    **dict.fromkeys(
        ("software", "software_in_use", "systems", "technology", "technologies", "applications"), WatchKind.SOFTWARE
    ),
    **dict.fromkeys(("supplier", "suppliers", "vendors", "vendor", "contractors", "partners"), WatchKind.SUPPLIER),
    **dict.fromkeys(("role", "roles", "functions"), WatchKind.ROLE),
    **dict.fromkeys(
        ("place", "places", "city", "cities", "districts", "locations", "country", "countries"), WatchKind.PLACE
    ),
    **dict.fromkeys(("term", "terms", "keywords", "words", "other"), WatchKind.TERM),
}


class WatchItem(Value):
    """One thing that is watched."""

    kind: WatchKind
    """What it is: a domain, an address range, a brand ..."""
    name: Name
    """A domain, an address or range, or a name as people write it; of software with its version if that matters."""
    aliases: Annotated[tuple[Name, ...], Field(max_length=50)] = ()
    """Other ways to write it, in any language."""
    context: Annotated[tuple[Name, ...], Field(max_length=50)] = ()
    """For a name that is an ordinary word too: words of which one must stand near it."""
    ambiguous: bool = False
    """The name means other things too: alone it says little."""

    @model_validator(mode="after")
    def _has_its_form(self) -> Self:
        if self.kind is WatchKind.ADDRESS:
            try:
                ipaddress.ip_network(self.name, strict=False)
            except ValueError as error:
                raise ValueError(f"{self.name!r} is no address or range; write it like 198.51.100.0/24") from error
        if self.kind is WatchKind.DOMAIN and ascii_name(self.domain) is None:
            raise ValueError(f"{self.name!r} is no domain name; write it like example.org")
        return self

    @property
    def domain(self) -> str:
        """Of a domain: in lower case, without a leading `*.` or `www.`."""
        return re.sub(r"^(?:https?://)?(?:\*\.)?(?:www\.)?", "", self.name.lower()).rstrip("./")

    @property
    def key(self) -> str:
        """Names the item among others."""
        return f"{self.kind.value}:{self.name.lower()}"


class Watch(Value):
    """All that one organisation watches."""

    items: Annotated[tuple[WatchItem, ...], Field(max_length=LIMIT)] = ()

    def with_item(self, item: WatchItem) -> Watch:
        """With one more, or in place of the one of the same kind and name. Raises `InvalidInput` for too many."""
        items = [one for one in self.items if one.key != item.key]
        if len(items) >= LIMIT:
            raise InvalidInput(f"the watch holds {LIMIT} entries already", hint="remove some first")
        return Watch(items=(*items, item))

    def without(self, key: str) -> Watch:
        """Without the item of that key."""
        return Watch(items=tuple(one for one in self.items if one.key != key))


def read_watch(file: Path) -> Watch:
    """The watch in a YAML file: lists under `domains`, `addresses`, `brands`, `venues`, `software`, `suppliers`,
    `roles`, `places`, `terms`, or a list `watch` of entries with a `kind`. An entry is a name, or a table with the
    fields of `WatchItem`. Raises `InvalidInput` that names what is wrong.
    """
    try:
        if file.stat().st_size > FILE_LIMIT_BYTES:
            raise InvalidInput(f"{file} is larger than {FILE_LIMIT_BYTES} bytes", hint="split the watch")
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror or error}", hint="name a YAML file") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise InvalidInput(f"{file} is not YAML: {str(error).splitlines()[0]}", hint="see docs/guide/cti.md") from error
    return watch_of(content)


def watch_of(content: object) -> Watch:
    """The watch that such a document holds. Raises `InvalidInput`."""
    if isinstance(content, Mapping) and isinstance(content.get("watch"), Mapping):
        content = {**{key: value for key, value in content.items() if key != "watch"}, **content["watch"]}
    if isinstance(content, list):
        content = {"watch": content}
    if not isinstance(content, Mapping):
        raise InvalidInput("the watch is empty or no table", hint="begin with a line such as 'domains: [example.org]'")
    items: list[WatchItem] = []
    for key, value in content.items():
        name = str(key).lower().replace("-", "_").replace(" ", "_")
        if name in ("watch", "items", "assets", "entries"):
            items += [_entry(one, None, name) for one in _listed(value)]
        elif name in _KEYS:
            items += [_entry(one, _KEYS[name], name) for one in _listed(value)]
        elif name not in ("version", "description", "title", "organisation", "organization", "comment"):
            known = ", ".join(sorted(kind.value for kind in WatchKind))
            raise InvalidInput(f"the watch has an unknown part {key!r}", hint=f"known: {known}")
    distinct = {item.key: item for item in items}
    if len(distinct) > LIMIT:
        raise InvalidInput(f"the watch has {len(distinct)} entries; {LIMIT} are allowed")
    return Watch(items=tuple(distinct.values()))


def _listed(value: object) -> Iterable[object]:
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)


def _entry(value: object, kind: WatchKind | None, part: str) -> WatchItem:
    fields: dict[str, object]
    if isinstance(value, Mapping):
        fields = {str(key): one for key, one in value.items()}
        for other in ("value", "term", "domain", "cidr", "range", "pattern"):
            if "name" not in fields and other in fields:
                fields["name"] = fields.pop(other)
        if "type" in fields and "kind" not in fields:
            fields["kind"] = fields.pop("type")
        if "version" in fields:
            version = fields.pop("version")
            fields["name"] = f"{fields.get('name', '')} {version}"
    else:
        fields = {"name": str(value)}
    if kind is not None:
        fields["kind"] = kind
    elif isinstance(fields.get("kind"), str):
        fields["kind"] = _KEYS.get(str(fields["kind"]).lower(), fields["kind"])
    for plural in ("aliases", "context"):
        if isinstance(fields.get(plural), str):
            fields[plural] = [fields[plural]]
    fields = {key: one for key, one in fields.items() if key in WatchItem.model_fields}
    try:
        return WatchItem.model_validate(fields)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise InvalidInput(
            f"the watch's {part} has a wrong entry {str(value)[:80]!r}: {where} {problem['msg']}"
        ) from error
