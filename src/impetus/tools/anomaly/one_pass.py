"""All that is said of a round of readings, in one compiled pass over blocks that fit the processor's nearest memory."""

from __future__ import annotations

import numpy as np

from impetus.tools.anomaly import baseline, tail
from impetus.tools.anomaly.arrays import Booleans, Floats, Integers, Singles
from impetus.tools.anomaly.compiled import compiled
from impetus.tools.anomaly.interval import LONGEST_GAP_S, learn_gaps
from impetus.tools.anomaly.repeats import State as RepeatState
from impetus.tools.anomaly.repeats import count_repeats
from impetus.tools.anomaly.unusual import FEATURES, HIGH, LOW, find_rarest, measure

BLOCK = 512
"""Readings at a time: what is in between is read again before it leaves that memory."""
RESYNCHRONISE_READINGS = 10
"""So many readings in a row, each later than the one before but all behind the newest: a clock was set back."""
COLUMNS = 9
"""Of what is told: rarity, novelty, low, middle, high, spread; of a run of equal values since when, length, rarity."""
SCORED, LEARNING, DUPLICATE, LATE, MISSING, IMPOSSIBLE = range(6)
NUMBER_OF_FEATURES, OF_HIGH, OF_LOW = len(FEATURES), HIGH, LOW


@compiled
def judge(
    row: Integers,
    time_s: Floats,
    offset_s: Floats,
    value: Floats,
    order: tuple[Floats, Floats, Floats, Floats, Floats],
    interval: tuple[Floats, Floats, Floats],
    expected: tuple[tuple[float, float, float, float], baseline.State],
    smoothing: tuple[float, float, float],
    judging: tuple[float, float, int],
    unusual: tuple[Floats, Floats, Floats, Floats],
    tails: tuple[tuple[float, float, float], tuple[Singles, Singles, Singles, Singles, Floats]],
    repeating: tuple[float, int],
    repeats: RepeatState,
    outcome: Integers,
    feature: Integers,
    stuck: Booleans,
    told: Floats,
    rarities: Floats,
) -> None:
    """Judge readings of distinct streams `row` by what came before, then learn from them.

    The state of each part comes as the tuple of its arrays; `outcome`, `feature`, `stuck` (of shape (readings,)),
    `told` (`COLUMNS`, readings) and `rarities` (readings, features) are filled in. What is set aside has rarity 0.
    """
    newest_s, lowest, highest = order[0], order[3], order[4]
    usual_s = interval[0]
    independent_s, habituation_s, warm_readings = judging
    average, average_spread, seen, reported = unusual
    threshold = tails[1][0]
    for begin in range(0, len(row), BLOCK):
        end = min(begin + BLOCK, len(row))
        gaps = np.empty(end - begin)
        sort_out(row[begin:end], time_s[begin:end], value[begin:end], *order, outcome[begin:end], gaps)
        places = np.flatnonzero(outcome[begin:end] == SCORED) + begin
        count = len(places)
        for number in range(begin, end):
            if outcome[number] != SCORED:
                feature[number], stuck[number] = 0, False
                rarities[number] = 0.0
                told[:, number] = np.nan
                told[0, number] = told[1, number] = told[7, number] = told[8, number] = 0.0
        if not count:
            continue
        rows, local_s, gap_s, steps, weight = (
            row[places],
            time_s[places] + offset_s[places],
            gaps[places - begin],
            np.empty(count),
            np.empty(count),
        )
        values = value[places]
        for number in range(count):
            usual = usual_s[rows[number]]
            steps[number] = gap_s[number] / max(usual, 1e-6) if usual > 0 else 1.0
        learn_gaps(rows, gap_s, *interval)
        for number in range(count):
            gap_s[number] = min(gap_s[number], LONGEST_GAP_S)
            weight[number] = min(gap_s[number] / independent_s, 1.0) if seen[rows[number]] > 0 else 1.0
            newest_s[rows[number]] = time_s[places[number]]
        expectation = np.empty((4, count))
        baseline.foretell(rows, local_s, gap_s, steps, weight, values, expected[0], *expected[1], expectation)
        statistics, rarity = np.empty((count, NUMBER_OF_FEATURES)), np.empty((count, NUMBER_OF_FEATURES))
        residual, surprise = expectation[2], expectation[3]
        measure(rows, residual, surprise, gap_s, weight, smoothing, average, average_spread, seen, statistics)
        for number in range(count):
            one, place = rows[number], places[number]
            middle, spread = expectation[0, number], expectation[1, number]
            # Nothing is expected that the sensor cannot read: no count below nought.
            told[2, place] = min(max(middle - spread * threshold[one, OF_LOW], lowest[one]), highest[one])
            told[3, place] = min(max(middle, lowest[one]), highest[one])
            told[4, place] = min(max(middle + spread * threshold[one, OF_HIGH], lowest[one]), highest[one])
            told[5, place] = spread
        tail.rate(rows, statistics, weight, tails[0], True, *tails[1], rarity)
        said, features = np.empty((2, count)), np.empty(count, np.int64)
        find_rarest(rows, rarity, gap_s, habituation_s, warm_readings, seen, reported, said, features)
        runs, is_stuck = np.empty((3, count)), np.empty(count, np.bool_)
        count_repeats(rows, time_s[places], values, repeating[0], repeating[1], *repeats, is_stuck, runs)
        for number in range(count):
            place = places[number]
            outcome[place] = LEARNING if seen[rows[number]] <= warm_readings else SCORED
            feature[place], stuck[place] = features[number], is_stuck[number]
            told[0, place], told[1, place] = said[0, number], said[1, number]
            told[6, place], told[7, place], told[8, place] = runs[0, number], runs[1, number], runs[2, number]
            for which in range(NUMBER_OF_FEATURES):
                rarities[place, which] = rarity[number, which]


@compiled
def sort_out(
    rows: Integers,
    time_s: Floats,
    value: Floats,
    newest_s: Floats,
    late_s: Floats,
    late_readings: Floats,
    lowest: Floats,
    highest: Floats,
    outcome: Integers,
    gap_s: Floats,
) -> None:
    """Outcome (SCORED where it can be) and time since the stream's reading before, 0 for the first."""
    for number in range(len(rows)):
        row, reading = rows[number], value[number]
        known = newest_s[row] == newest_s[row]
        gap = time_s[number] - newest_s[row] if known else 0.0
        said = SCORED
        if gap < 0.0:
            late = late_readings[row] + 1.0 if time_s[number] > late_s[row] else 1.0
            if late >= RESYNCHRONISE_READINGS:
                late_readings[row], late_s[row], gap = 0.0, -np.inf, 0.0
            else:
                late_readings[row], late_s[row], said = late, time_s[number], LATE
        else:
            late_s[row] = -np.inf
            if known and gap == 0.0:
                said = DUPLICATE
            else:
                late_readings[row] = 0.0
        if reading < lowest[row] or reading > highest[row]:
            said = IMPOSSIBLE
        if not np.isfinite(reading):
            said = MISSING
        outcome[number], gap_s[number] = said, gap
