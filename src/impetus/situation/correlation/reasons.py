"""Why alerts are one incident, in a few lines that a person can check."""

from __future__ import annotations

from collections.abc import Sequence

from impetus.situation.correlation.groups import Group, Link
from impetus.situation.correlation.signal import Signal
from impetus.situation.correlation.trust import TrustBoard

MOST_REASONS = 6


def reasons(group: Group, trust: TrustBoard) -> Sequence[str]:
    """The weightiest reasons first, at most `MOST_REASONS`."""
    strongest = [track.strongest[0] for track in group.tracks.values() if track.strongest]
    if not strongest:
        return ()
    # As far as each is believed: no line says more of an alert than the one that doubts its source.
    believed = {signal.id: trust.believed(signal) for signal in strongest}
    strongest.sort(key=lambda signal: -believed[signal.id])
    first = strongest[0]
    lines = [f"{first.tool}: {first.headline} ({_percent(believed[first.id])} likely true)"]
    known = [link for link in group.links.values() if {link.one.number, link.other.number} <= group.tracks.keys()]
    lines += [_of_link(link) for link in sorted(known, key=lambda link: -link.score)[: MOST_REASONS - 2]]
    doubt = next((line for signal in strongest if (line := _of_doubt(signal, trust)) is not None), None)
    if doubt is not None:
        lines = [*lines[: MOST_REASONS - 2], doubt]
    repeats = group.size - len(group.tracks)
    if repeats > 0 and len(lines) < MOST_REASONS:
        lines.append(f"{repeats} further alert{'s' if repeats > 1 else ''} repeat these and add little")
    return tuple(line[:300] for line in lines)


def _of_link(link: Link) -> str:
    one = link.one
    if link.entity is not None:
        near = f"names {link.entity} too"
    elif link.distance_m is not None:
        near = f"{round(link.distance_m)} m away"
    else:
        near = "related"
    return f"{one.tool} {one.detector} on {one.source}: {near}, {_minutes(link.gap_s)} ({link.tie.title})"


def _of_doubt(signal: Signal, trust: TrustBoard) -> str | None:
    if signal.verdict is not None:
        return None
    doubt = trust.doubt(signal)
    if doubt is None:
        return None
    return f"{signal.source} is trusted {_percent(doubt.trust)} only: {doubt.cause.headline} ({doubt.effect.title})"


def _percent(share: float) -> str:
    return f"{round(share * 100)} %"


def _minutes(gap_s: float) -> str:
    return "at the same time" if gap_s < 60 else f"{round(gap_s / 60)} min apart"
