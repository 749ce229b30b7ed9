"""The attack graph: facts (OR) and steps (AND), monotone, in arrays; its least fixpoint over many worlds at once.

After Ou, Boyer and McQueen, A scalable approach to attack graph generation (CCS 2006), with reachability factored by
group of hosts and port. A fact's value is a row of bits, one a world, so that one pass works out 64 worlds a word.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from impetus.model import ConfigurationError
from impetus.tools.cyber.tables import COLUMNS, Floats, Integers, Tables

RULES = Path(__file__).with_name("rules.toml")
PREDICATES: Mapping[str, str] = {
    "foothold": "class",
    "exposed": "exposure",
    "beside": "zone",
    "lured": "class",
    "user": "host",
    "root": "host",
    "credential": "credential",
}
"""Kinds of facts, and the kind of entity that each is about."""
TRUE = 0
"""The fact that always holds."""
FACT = re.compile(r"([a-z]+)\(([a-z]+)\)")

Words = NDArray[np.uint64]


class Rule(BaseModel):
    """One rule of `rules.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    id: str
    title: str
    table: str
    premises: tuple[str, ...] = Field(alias="if", max_length=2)
    then: str
    technique: str = Field(pattern=r"^T\d{4}(\.\d{3})?$")
    defence: str = ""
    worlds: bool = True
    """Whether the step can fail."""


@lru_cache(maxsize=4)
def read_rules(path: Path = RULES) -> tuple[Rule, ...]:
    """The rules of a file. Raises ConfigurationError if one is wrong."""
    try:
        rules = tuple(Rule.model_validate(entry) for entry in tomllib.loads(path.read_text("utf-8"))["rules"])
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise ConfigurationError(f"{path.name} cannot be read as rules: {error}") from error
    for rule in rules:
        columns = COLUMNS.get(rule.table)
        if columns is None:
            raise ConfigurationError(f"{path.name}: rule {rule.id!r} is of a table {rule.table!r} that there is not")
        for fact in (*rule.premises, rule.then):
            match = FACT.fullmatch(fact)
            if match is None or match[1] not in PREDICATES or match[2] not in columns:
                raise ConfigurationError(f"{path.name}: rule {rule.id!r}: {fact!r} is no fact of its table")
    return rules


@dataclass(frozen=True, slots=True)
class AttackGraph:
    """Facts by number; steps sorted by what they give."""

    tables: Tables
    rules: tuple[Rule, ...]
    offsets: Mapping[str, int]
    """Of each kind of fact: the number of its first."""
    facts: int
    premises: Integers
    """(steps, 2) fact numbers; `TRUE` fills up."""
    gives: Integers
    """(steps,) fact numbers, ascending."""
    rule: Integers
    row: Integers
    """Row of the rule's table."""
    label: Integers
    works: Floats
    shared: Integers
    """Number of the draw that steps share, or -1."""

    def fact(self, kind: str, number: int) -> int:
        """The number of a fact."""
        return self.offsets[kind] + number

    def described(self, fact: int) -> tuple[str, str]:
        """Kind of a fact and the name of what it is about."""
        kind = max((name for name in self.offsets if self.offsets[name] <= fact), key=lambda name: self.offsets[name])
        return kind, self.tables.name(PREDICATES[kind], fact - self.offsets[kind])

    @property
    def probability(self) -> Floats:
        """Of each step, over all draws."""
        usable = np.append(self.tables.usable, 1.0)
        return np.asarray(self.works * usable[self.shared], dtype=np.float64)


def build(tables: Tables, rules: Sequence[Rule] | None = None) -> AttackGraph:
    """Apply the rules to the tables."""
    rules = tuple(rules or read_rules())
    offsets, facts = {}, 1
    for kind, entity in PREDICATES.items():
        offsets[kind] = facts
        facts += tables.count(entity)
    parts: list[tuple[NDArray[np.int64] | NDArray[np.float64], ...]] = []
    for number, rule in enumerate(rules):
        table = tables.by_name[rule.table]
        count = len(table.entries)
        if not count:
            continue
        body = np.zeros((count, 2), dtype=np.int64)
        for place, premise in enumerate(rule.premises):
            body[:, place] = _facts(premise, table.column, offsets)
        parts.append(
            (
                body,
                _facts(rule.then, table.column, offsets),
                np.full(count, number),
                np.arange(count),
                table.label,
                table.works if rule.worlds else np.ones(count),
                table.shared if rule.worlds else np.full(count, -1),
            )
        )
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        return AttackGraph(tables, rules, offsets, facts, none.reshape(0, 2), none, none, none, none, np.zeros(0), none)
    body, gives, rule_number, row, label, works, shared = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    order = np.argsort(gives, kind="stable")
    return AttackGraph(
        tables,
        rules,
        offsets,
        facts,
        body[order],
        gives[order],
        rule_number[order],
        row[order],
        label[order],
        works[order],
        shared[order],
    )


def _facts(text: str, column: Callable[[str], Integers], offsets: Mapping[str, int]) -> Integers:
    match = FACT.fullmatch(text)
    if match is None:
        raise ConfigurationError(f"{text!r} is no fact")
    return np.asarray(offsets[match[1]] + column(match[2]), dtype=np.int64)


def fixpoint(
    graph: AttackGraph, possible: Words, *, given: Mapping[int, Words] | None = None, rounds: list[int] | None = None
) -> Words:
    """The least fixpoint in each world: (facts, words) bits of what holds.

    `possible`: (steps, words) bits of the worlds in which a step can succeed. `given`: facts that hold besides.
    `rounds`, if given, gets each fact's round of derivation appended (-1: never), in any world.
    """
    words = possible.shape[1]
    value = np.zeros((graph.facts, words), dtype=np.uint64)
    value[TRUE] = ~np.uint64(0)
    for fact, bits in (given or {}).items():
        value[fact] |= bits
    changed: NDArray[np.bool_] = np.asarray(value.any(axis=1))
    born = np.where(changed, 0, -1)
    first, second = graph.premises[:, 0], graph.premises[:, 1]
    number = 0
    while True:
        number += 1
        active = np.flatnonzero(changed[first] | changed[second])
        if not len(active):
            break
        gained = possible[active] & value[first[active]]
        paired = np.flatnonzero(second[active])
        gained[paired] &= value[second[active[paired]]]
        gives = graph.gives[active]
        starts = np.flatnonzero(np.append(True, gives[1:] != gives[:-1]))
        joined = np.bitwise_or.reduceat(gained, starts, axis=0) if len(starts) < len(active) else gained
        targets = gives[starts]
        before = value[targets]
        after = before | joined
        news = (after != before).any(axis=1)
        changed[:] = False
        changed[targets[news]] = True
        value[targets] = after
        born[targets[news & (born[targets] < 0)]] = number
    if rounds is not None:
        rounds.extend(born.tolist())
    return value


def certain(graph: AttackGraph, words: int = 1) -> Words:
    """Every step can succeed in every world: for what is reachable at all."""
    return np.full((len(graph.gives), words), ~np.uint64(0), dtype=np.uint64)
