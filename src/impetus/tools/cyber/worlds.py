"""Monte Carlo worlds: each step drawn once a world; that the intruder can use a vulnerability, once for all hosts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from impetus.tools.cyber.graph import AttackGraph, Words, fixpoint
from impetus.tools.cyber.tables import Floats, Integers

PRECISION_BITS = 20
"""Probabilities are drawn to within 2 to the power of minus so many."""
BLOCK = 2_048
Z_95 = 1.959964


def bernoulli(probability: Floats, words: int, random: np.random.Generator) -> Words:
    """(rows, words) random bits, each 1 with its row's probability: the binary digits of p, from the last to the first,
    each joined with a fair bit by AND (0) or OR (1)."""
    digits = np.round(np.asarray(probability, dtype=np.float64) * 2**PRECISION_BITS).astype(np.uint64)
    drawn = np.zeros((len(digits), words), dtype=np.uint64)
    for begin in range(0, len(digits), BLOCK):
        block = digits[begin : begin + BLOCK]
        bits = drawn[begin : begin + BLOCK]
        for place in range(PRECISION_BITS):
            ones = (block >> np.uint64(place)) & np.uint64(1)
            mask = (np.uint64(0) - ones)[:, None]
            fair = random.bit_generator.random_raw(block.size * words).reshape(bits.shape)
            # OR where the digit is 1, AND where it is 0, without branching.
            np.bitwise_or(bits & fair, (bits | fair) & mask, out=bits)
    drawn[digits >= 2**PRECISION_BITS] = ~np.uint64(0)
    return drawn


def draw(graph: AttackGraph, worlds: int, seed: int) -> Words:
    """(steps, words) bits: in which worlds each step can succeed. `worlds` is rounded up to a multiple of 64."""
    words = -(-worlds // 64)
    random = np.random.Generator(np.random.SFC64(seed))
    usable = bernoulli(graph.tables.usable, words, random)
    possible = np.full((len(graph.gives), words), ~np.uint64(0), dtype=np.uint64)
    uncertain = np.flatnonzero(graph.works < 1.0)
    possible[uncertain] = bernoulli(graph.works[uncertain], words, random)
    joint = np.flatnonzero(graph.shared >= 0)
    possible[joint] &= usable[graph.shared[joint]]
    return possible


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share of worlds and its 95 % interval (Wilson)."""

    likelihood: float
    low: float
    high: float


def estimate(hits: int, worlds: int) -> Estimate:
    """The share of worlds and Wilson's interval.

    >>> estimate(0, 1024).high < 0.004
    True
    """
    share = hits / worlds
    middle = (share + Z_95**2 / (2 * worlds)) / (1 + Z_95**2 / worlds)
    half = Z_95 * math.sqrt(share * (1 - share) / worlds + Z_95**2 / (4 * worlds**2)) / (1 + Z_95**2 / worlds)
    return Estimate(share, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def counts(value: Words, facts: Integers) -> Integers:
    """In how many worlds each of these facts holds."""
    return np.asarray(np.bitwise_count(value[facts]).sum(axis=1), dtype=np.int64)


def run(
    graph: AttackGraph, worlds: int, seed: int, *, footholds: Mapping[int, float] | None = None
) -> tuple[Words, Words]:
    """What holds in each world, and the draws. `footholds`: facts that hold besides, each with its probability."""
    possible = draw(graph, worlds, seed)
    given: dict[int, Words] = {}
    if footholds:
        random = np.random.Generator(np.random.SFC64(seed + 1))
        bits = bernoulli(np.asarray(list(footholds.values())), possible.shape[1], random)
        given = dict(zip(footholds, bits, strict=True))
    return fixpoint(graph, possible, given=given), possible
