"""Alerts to groups, one at a time: each is compared with few others, whatever the number that is open.

What ties two of them is a matter of `tying`; here is who is compared with whom, and what becomes of the groups.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from impetus.situation.correlation.calibration import Calibration, Recalibration, logistic, logit
from impetus.situation.correlation.evidence import Piece, fuse
from impetus.situation.correlation.following import CONTROL, Following, Order
from impetus.situation.correlation.groups import FOUND_FALSE, FOUND_TRUE, Group, Link, Track
from impetus.situation.correlation.index import TrackIndex
from impetus.situation.correlation.rates import Rates
from impetus.situation.correlation.repeating import Repeating
from impetus.situation.correlation.rules import RuleSet, Tie
from impetus.situation.correlation.signal import Signal, Where
from impetus.situation.correlation.trust import TrustBoard
from impetus.situation.correlation.tying import commonness, named, near, order, truth_of

Kind = tuple[str, str, str]

QUARTER_M = 400.0
"""Side of the squares in which a source's rate is counted, on the Mercator plane: a feed reports from everywhere."""

CARRIERS_KNOWN = 1_000
"""Sources that are remembered to carry one name."""

TRACKS_AS_EVIDENCE = 60
"""Tracks of a group that are weighed; those beyond could add next to nothing."""

MERGE_FROM = 1.0
"""Score from which two groups are made one: the mistake is larger than with a single alert."""

COMPARED = 8
"""Tracks of each of two groups that are compared before the groups are made one."""

HORIZON_S = 24 * 3_600.0
"""Groups that were quiet for so long are let go of; their incidents stay."""

HELD_AT_MOST = 50_000
"""Beyond so many alerts, older repeats are only counted, and then the groups that were quiet for longest are let go of.
At 1 to 2 kB each this bounds the memory of an organisation, whatever a flood brings."""

HELD_AFTERWARDS = 0.95
"""Of that so much stays: to make room for one alert takes as long as for thousands."""

NAMES_KNOWN = 100_000
"""Names whose carriers are remembered; the first to come are the first to go."""


class Grouping:
    """The open groups of one organisation. Every method takes microseconds to a millisecond and does no I/O."""

    def __init__(
        self,
        rules: RuleSet,
        calibration: Calibration,
        recalibration: Recalibration | None = None,
        single: Recalibration | None = None,
        *,
        horizon_s: float = HORIZON_S,
        held_at_most: int = HELD_AT_MOST,
    ) -> None:
        self.rules = rules
        self.calibration = calibration
        self.recalibration = recalibration or Recalibration()
        """Of groups of several tracks."""
        self.single = single or Recalibration()
        """Of one track with its repeats."""
        self.trust = TrustBoard(rules.trust)
        self._horizon_s = horizon_s
        self._held_at_most = self._full_at = held_at_most
        near = [(tie.distance_m, tie.minutes) for tie in rules.ties if tie.distance_m is not None]
        self._index = TrackIndex(max((distance for distance, _ in near), default=500.0) * 1.2)
        self._near_s = max((minutes for _, minutes in near), default=0.0) * 60.0
        self._named_s = max((tie.minutes for tie in rules.ties if tie.shared_entity), default=0.0) * 60.0
        self._ties: dict[tuple[Kind, Kind], tuple[Tie, ...]] = {}
        self._rates = Rates()
        self._following = Following(horizon_s)
        self._repeating = Repeating()
        self._carriers: dict[str, set[str]] = {}
        self._track_of_alert: dict[str, Track] = {}
        self._latest: dict[tuple[str, str, str, str], Track] = {}
        self._groups: dict[int, Group] = {}
        self._group_of_incident: dict[str, Group] = {}
        self._apart: dict[str, set[str]] = {}
        self._changed: dict[int, Group] = {}
        self._numbers = iter(range(1, 2**62))
        self.now_s = 0.0
        self._swept_s = 0.0

    def __len__(self) -> int:
        """Alerts that are held."""
        return len(self._track_of_alert)

    # --- what comes in ---

    def take(self, signal: Signal, *, incident: str | None = None) -> Group | None:
        """Put an alert, or what became of it, where it belongs; `incident` is where it is kept already.

        None if it is older than the horizon: it is not compared with anything, and stays a single alert.
        """
        self.now_s = max(self.now_s, signal.received_s)
        if self.now_s - self._swept_s > self._horizon_s / 50:
            self._sweep()
        if len(self) > self._full_at:
            self._make_room()
        if self.trust.take(signal):
            self._reconsider(signal)
        known = self._track_of_alert.get(signal.id)
        if known is not None:
            known.add(signal)
            known.group.told_s = max(known.group.told_s, signal.received_s)
            self._mark(known.group)
            return known.group
        if incident is None and signal.end_s < self.now_s - self._horizon_s:
            return None
        key = (signal.tool, signal.detector, signal.source, signal.status)
        latest = self._latest.get(key)
        if latest is not None and self._repeats(latest, signal, incident):
            group = latest.group
            self._repeating.saw(latest, signal, logit(self._precision(latest)))
            more = latest.add(signal)
            self._track_of_alert[signal.id] = latest
        else:
            more = True
            track = self._new_track(signal)
            group = self._place(track, signal.id, incident)
            self._latest[key] = track
            self._index.add(track)
        group.size += more
        group.told_s = max(group.told_s, signal.received_s)
        self._mark(group)
        return group

    def join(self, alert: str, incident: str) -> None:
        """A person put the alert into the incident: it stays there."""
        apart = self._apart.get(alert)
        if apart is not None:
            apart.discard(incident)
        track = self._track_of_alert.get(alert)
        if track is None:
            return
        target = self._of_incident(incident, track.status)
        target.fixed = True
        if track.group is not target:
            self._move(alert, target)

    def separate(self, alert: str, incident: str) -> None:
        """A person took the alert out of the incident: it never comes back by itself."""
        self._apart.setdefault(alert, set()).add(incident)
        group = self._group_of_incident.get(incident)
        if group is not None:
            group.fixed = True
        track = self._track_of_alert.get(alert)
        if track is not None and group is not None and track.group is group:
            self._move(alert, self._new_group(track.status))

    def fix(self, incident: str) -> None:
        """A person acted on the incident: it is never merged into another one."""
        group = self._group_of_incident.get(incident)
        if group is not None:
            group.fixed = True

    def retire(self, incident: str) -> None:
        """The incident is closed: nothing is added to it any more."""
        group = self._group_of_incident.get(incident)
        if group is not None:
            group.closed = True

    def revive(self, incident: str) -> None:
        """The incident was reopened."""
        group = self._group_of_incident.get(incident)
        if group is not None:
            group.closed = False

    def assign(self, group: Group, incident: str) -> None:
        """The group is kept as this incident."""
        group.incident = incident
        self._group_of_incident[incident] = group

    # --- what is asked ---

    def group_of(self, alert: str) -> Group | None:
        """The group of an alert that is held."""
        track = self._track_of_alert.get(alert)
        return None if track is None else track.group

    def group_of_incident(self, incident: str) -> Group | None:
        """The group that is kept as this incident."""
        return self._group_of_incident.get(incident)

    def signal_of(self, alert: str) -> Signal | None:
        """What is known of an alert that is held."""
        track = self._track_of_alert.get(alert)
        return None if track is None else track.signals.get(alert)

    def groups(self) -> Iterator[Group]:
        """All open groups."""
        return iter(self._groups.values())

    def changed(self) -> Sequence[Group]:
        """Groups that changed since this was last asked, with their probabilities up to date."""
        changed = [group for group in self._changed.values() if group.tracks or group.absorbed]
        self._changed = {}
        for group in changed:
            self.weigh(group)
        return changed

    def weigh(self, group: Group) -> None:
        """Bring the group's probability up to date."""
        pieces: list[Piece] = []
        tracks: Iterable[Track] = group.tracks.values()
        if len(group.tracks) > TRACKS_AS_EVIDENCE:
            tracks = sorted(tracks, key=lambda track: -_best(track))[:TRACKS_AS_EVIDENCE]
        for track in tracks:
            base = self.calibration.precision(track.tool, track.detector)
            if track.strongest:
                track.believed = self._believed_track(track)
                pieces.append(Piece(track.tool, track.source, track.believed, base, track.closeness))
        group.fused = fuse(pieces)
        group.confirmed = any(signal.verdict for track in group.tracks.values() for signal in track.strongest)
        if group.confirmed:
            group.probability = FOUND_TRUE
        else:
            straight = self.recalibration if len(group.tracks) > 1 else self.single
            group.probability = straight.probability(group.fused.log_odds)

    # --- how it is done ---

    def _believed(self, signal: Signal) -> float:
        if signal.verdict is not None:
            return FOUND_TRUE if signal.verdict else FOUND_FALSE
        return self.trust.believed(signal)

    def _believed_track(self, track: Track) -> float:
        """How likely it is true, all its repeats taken together as far as they are measurements of their own."""
        first = track.strongest[0]
        if first.verdict:
            return FOUND_TRUE
        count = track.count
        prior = logit(self._precision(track))
        each = track.log_odds_sum / count - prior
        probability = logistic(prior + each * self._repeating.worth(track.kind, count))
        return self.trust.lowered(first, probability)

    def _repeats(self, track: Track, signal: Signal, incident: str | None) -> bool:
        group = track.group
        if track.dead or group.closed or (incident is not None and incident != group.incident):
            return False
        if incident is None and self._is_apart(signal.id, group):
            return False
        pause = self.rules.repeat_minutes * 60.0
        return track.begin_s - pause <= signal.end_s and signal.begin_s <= track.end_s + pause

    def _place(self, track: Track, alert: str, incident: str | None) -> Group:
        """The group for a new track, merged with others that it turns out to belong to."""
        if incident is not None:
            group = self._of_incident(incident, track.status)
            self._enter(track, group, None)
            return group
        links = self._links(track)
        ranked = sorted(links, key=lambda link: -link.score)
        for number, link in enumerate(ranked):
            group = link.other.group
            if link.score < 0:
                break
            if group.closed or self._is_apart(alert, group):
                continue
            self._enter(track, group, link)
            for further in ranked[number + 1 :]:
                beyond = further.other.group
                alike = further.score >= 0 and further.afar is link.afar and beyond is not group
                if alike and self._one(group, beyond):
                    group = self._merge(group, beyond)
            self.weigh(group)
            return group
        group = self._new_group(track.status)
        self._enter(track, group, None)
        self.weigh(group)
        return group

    def _links(self, track: Track) -> list[Link]:
        """The best link of a track to each group near it."""
        found: list[Link] = []
        doubted = truth_of(self._believed(track.strongest[0]), self._precision(track)) if track.strongest else 0.0
        alone = truth_of(track.strongest[0].probability, self._precision(track)) if track.strongest else 0.0
        kind, status = track.kind, track.status
        if track.where is not None and track.cell is not None:
            reach = 1 if track.where.scale > 0.5 else 2
            rate = self._rates.rate(track.tool, _around(track.source, track.where), self.now_s)
            earliest, latest = track.begin_s - CONTROL * self._near_s, track.end_s + self._near_s
            for other in self._index.near(track.cell, reach):
                if other.end_s < earliest or other.begin_s > latest or other.dead or other.status != status:
                    continue
                ties = self._ties_of(kind, other.kind)
                if ties:
                    found += near(track, other, ties, rate, doubted, self._following)
        earliest, latest = track.begin_s - CONTROL * self._named_s, track.end_s + self._named_s
        of_source = self._rates.rate(track.tool, (track.source,), self.now_s)
        for entity in track.entities:
            rate = of_source * commonness(len(self._carriers.get(entity, ())))
            for other in self._index.named(entity):
                if other.end_s < earliest or other.begin_s > latest or other.dead or other.status != status:
                    continue
                ties = self._ties_of(kind, other.kind)
                if ties:
                    # That a source is doubted because of an intrusion is no sign that the two are apart.
                    found += named(track, other, ties, entity, rate, alone, self._following)
        self._learn(found)
        best: dict[int, Link] = {}
        for link in found:
            if link.share <= 1.0:
                _keep(best, link)
        return list(best.values())

    def _learn(self, found: Iterable[Link]) -> None:
        """See how often such an alert follows; each group counts once for a rule and a kind."""
        seen: dict[tuple[int, Order], Link] = {}
        for link in found:
            if link.one.begin_s >= link.other.begin_s:
                key = (link.other.group.number, order(link))
                if key not in seen or link.guessed > seen[key].guessed:
                    seen[key] = link
        for (_, followed), link in seen.items():
            self._following.saw(followed, link.gap_s, link.tie.minutes * 60.0, link.guessed)

    def _precision(self, track: Track) -> float:
        return self.calibration.precision(track.tool, track.detector, track.source)

    def _one(self, one: Group, other: Group) -> bool:
        """Whether two groups that an alert could belong to are one happening, as each is believed by now.

        That the alert fits both is no sign of it: it may belong to either.
        """
        earlier, later = (one, other) if one.onset_s <= other.onset_s else (other, one)
        before = list(earlier.tracks.values())[:COMPARED]
        for track in list(later.tracks.values())[:COMPARED]:
            truth = truth_of(max(later.probability, track.believed), self._precision(track))
            named_rate = self._rates.rate(track.tool, (track.source,), self.now_s)
            near_rate = 0.0
            if track.where is not None:
                near_rate = self._rates.rate(track.tool, _around(track.source, track.where), self.now_s)
            for first in before:
                ties = self._ties_of(track.kind, first.kind)
                if not ties:
                    continue
                links = near(track, first, ties, near_rate, truth, self._following)
                for entity in track.entities & first.entities:
                    rate = named_rate * commonness(len(self._carriers.get(entity, ())))
                    links += named(track, first, ties, entity, rate, truth, self._following)
                if any(link.score >= MERGE_FROM and link.share <= 1.0 for link in links):
                    return True
        return False

    def _ties_of(self, one: Kind, other: Kind) -> tuple[Tie, ...]:
        known = self._ties.get((one, other))
        if known is None:
            known = self._ties[one, other] = tuple(
                tie
                for tie in self.rules.ties
                if (tie.one.selects(*one) and tie.other.selects(*other))
                or (tie.one.selects(*other) and tie.other.selects(*one))
            )
        return known

    def _merge(self, one: Group, other: Group) -> Group:
        """Make two groups one, if nothing that a person did speaks against it; the one that remains."""
        if other.closed or one.closed or (one.fixed and other.fixed):
            return one
        keep, lose = (one, other) if one.fixed or (not other.fixed and one.number < other.number) else (other, one)
        if any(self._is_apart(alert, keep) for alert in lose.alerts() if alert in self._apart):
            return one
        for track in list(lose.tracks.values()):
            track.group = keep
            keep.tracks[track.number] = track
        keep.onset_s = min(keep.onset_s, lose.onset_s)
        keep.afar = keep.afar or lose.afar
        keep.told_s = max(keep.told_s, lose.told_s)
        keep.links.update(lose.links)
        keep.kinds |= lose.kinds
        keep.size += lose.size
        keep.absorbed += lose.absorbed
        if lose.incident is not None:
            del self._group_of_incident[lose.incident]
            if keep.incident is None:
                self.assign(keep, lose.incident)
            else:
                keep.absorbed.append(lose.incident)
        lose.tracks.clear()
        lose.absorbed.clear()
        self._groups.pop(lose.number, None)
        self._changed.pop(lose.number, None)
        self._mark(keep)
        return keep

    def _move(self, alert: str, target: Group) -> None:
        """Take one alert out of its track and put it into a track of its own in another group."""
        track = self._track_of_alert[alert]
        source = track.group
        newest = track.end_s
        signal = track.remove(alert)
        source.size -= 1
        if not track.signals:
            source.size -= track.folded
            self._drop_track(track)
        self._mark(source)
        moved = self._new_track(signal)
        self._enter(moved, target, None)
        target.size += 1
        target.told_s = max(target.told_s, signal.received_s)
        self._index.add(moved)
        if signal.end_s >= newest:
            # What repeats it from now on goes where it went.
            self._latest[signal.tool, signal.detector, signal.source, signal.status] = moved
        self._mark(target)

    def _new_track(self, signal: Signal) -> Track:
        where = signal.where
        track = Track(
            number=next(self._numbers),
            tool=signal.tool,
            detector=signal.detector,
            source=signal.source,
            category=signal.category,
            status=signal.status,
            begin_s=signal.begin_s,
            end_s=signal.end_s,
            where=where,
            entities=signal.entities,
            cell=None if where is None else self._index.cell(where),
        )
        track.add(signal)
        self._track_of_alert[signal.id] = track
        return track

    def _enter(self, track: Track, group: Group, link: Link | None) -> None:
        track.group = group
        group.tracks[track.number] = track
        group.onset_s = min(group.onset_s, track.begin_s)
        if group.anchor is None:
            group.anchor = track.where
        if track.where is None or (link is not None and link.afar):
            group.afar = True
        if link is not None:
            group.links[track.number] = link
            track.closeness = max(track.closeness, link.score)
            link.other.closeness = max(link.other.closeness, link.score)
        # A happening counts once in a source's rate, however often the source raises it.
        if (track.tool, track.source) not in group.kinds:
            group.kinds.add((track.tool, track.source))
            self._rates.count(track.tool, track.source, self.now_s)
            if track.where is not None:
                self._rates.count(track.tool, (track.source, *_quarter(track.where)), self.now_s)
        for entity in track.entities:
            carriers = self._carriers.setdefault(entity, set())
            if len(carriers) < CARRIERS_KNOWN:
                carriers.add(track.source)

    def _new_group(self, status: str) -> Group:
        group = Group(number=next(self._numbers), status=status)
        self._groups[group.number] = group
        return group

    def _of_incident(self, incident: str, status: str) -> Group:
        group = self._group_of_incident.get(incident)
        if group is None:
            group = self._new_group(status)
            self.assign(group, incident)
        return group

    def _is_apart(self, alert: str, group: Group) -> bool:
        apart = self._apart.get(alert)
        return apart is not None and group.incident in apart

    def _mark(self, group: Group) -> None:
        self._changed[group.number] = group

    def _reconsider(self, cause: Signal) -> None:
        """Groups whose trust an alert may change are weighed again: those it names and the few newest around it."""
        touched: dict[int, Group] = {}
        for entity in cause.entities:
            for track in self._index.named(entity):
                if not track.dead:
                    touched[track.group.number] = track.group
        if cause.where is not None:
            for track in self._index.near(self._index.cell(cause.where)):
                if not track.dead:
                    touched[track.group.number] = track.group
        for group in touched.values():
            self._mark(group)

    def _drop_track(self, track: Track) -> None:
        track.dead = True
        track.group.tracks.pop(track.number, None)
        track.group.links.pop(track.number, None)
        self._index.remove(track)
        key = (track.tool, track.detector, track.source, track.status)
        if self._latest.get(key) is track:
            del self._latest[key]

    def _sweep(self) -> None:
        """Let go of groups that were quiet for longer than the horizon."""
        self._swept_s = self.now_s
        for number, group in list(self._groups.items()):
            if group.told_s < self.now_s - self._horizon_s and number not in self._changed:
                self._let_go(group)
        while len(self._carriers) > NAMES_KNOWN:
            del self._carriers[next(iter(self._carriers))]
        self._rates.sweep(self.now_s)
        self._following.fade(self.now_s)

    def _make_room(self) -> None:
        """Hold no more alerts than is allowed; see `HELD_AT_MOST`."""
        most = int(self._held_at_most * HELD_AFTERWARDS)
        for id, track in list(self._track_of_alert.items()):
            if len(self) <= most:
                break
            if id not in self._apart and track.fold(id):
                del self._track_of_alert[id]
        for group in sorted(self._groups.values(), key=lambda group: group.told_s):
            if len(self) <= most:
                break
            if group.number not in self._changed:
                self._let_go(group)
        # Where all that is held was told of a moment ago none of it could go; it is not tried anew for each alert.
        self._full_at = max(self._held_at_most, len(self) + self._held_at_most - most)

    def _let_go(self, group: Group) -> None:
        for track in list(group.tracks.values()):
            for id in track.signals:
                self._track_of_alert.pop(id, None)
                self._apart.pop(id, None)
            self._drop_track(track)
        if group.incident is not None:
            self._group_of_incident.pop(group.incident, None)
        del self._groups[group.number]


def _quarter(where: Where) -> tuple[int, int]:
    return (math.floor(where.x / QUARTER_M), math.floor(where.y / QUARTER_M))


def _around(source: str, where: Where) -> list[tuple[str, int, int]]:
    across, up = _quarter(where)
    return [(source, across + i, up + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]


def _keep(best: dict[int, Link], link: Link) -> None:
    number = link.other.group.number
    if number not in best or link.score > best[number].score:
        best[number] = link


def _best(track: Track) -> float:
    return track.strongest[0].probability if track.strongest else 0.0
