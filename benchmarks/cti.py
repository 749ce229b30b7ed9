"""Threat intelligence: indicators on CyNER, techniques on TRAM and AnnoCTR, relevance on the planted set, speed.

`IMPETUS_CTI_DATA` names another folder with `cyner`, `tram` and `annoctr`, for parts that were kept back.
"""

from __future__ import annotations

import json
import lzma
import os
import re
import resource
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.reporting import Figure, report
from impetus.tools.cti.extraction import extract
from impetus.tools.cti.indicators import NAMED_ONLY, IndicatorType, find_indicators
from impetus.tools.cti.relevance import Matcher, MatchWay
from impetus.tools.cti.stix import Tlp, bundle, indicator_objects, report_objects
from impetus.tools.cti.techniques import load_classifier
from impetus.tools.cti.tests.planted import EXACT, IRRELEVANT, RELEVANT, WATCH
from impetus.tools.cti.training import read_tram, validate

DATA = Path(os.environ.get("IMPETUS_CTI_DATA", str(Path(__file__).resolve().parents[2] / "shared/data/cti")))
MARKED = frozenset(IndicatorType) - NAMED_ONLY - {IndicatorType.CVE}
"""CyNER marks vulnerabilities as something else than indicators."""
PAGE_WORDS = 500


def main() -> None:
    """Measure and print."""
    figures: list[Figure] = []
    notes: list[str] = []
    if (DATA / "cyner").is_dir():
        figures += _indicators(notes)
    if (DATA / "tram").is_dir():
        figures += _techniques(notes)
    figures += _relevance()
    if (DATA / "cyner").is_dir():
        figures += _bundles(notes)
        figures += _speed()
    else:
        notes.append(f"Indicators, techniques and speed: not measured, there is no {DATA.name}/cyner.")
    report("Threat intelligence", figures, notes=notes)


def cyner(part: Path) -> tuple[str, list[tuple[int, int]]]:
    """Text of a part of CyNER with the spans that are marked as indicators. The data set splits words at punctuation
    and sentences at dots, inside indicators too: what belongs to one is joined again."""
    text, spans = "", list[list[int]]()
    for line in part.read_text(encoding="utf-8").splitlines():
        word, _, tag = line.rpartition("\t")
        if not word:
            text += "" if text.endswith("\n") else "\n"
            continue
        if tag == "I-Indicator" and spans and spans[-1][1] == len(text.rstrip()):
            text = text.rstrip() + word
            spans[-1][1] = len(text)
            continue
        text += "" if not text or text.endswith("\n") else " "
        if tag == "B-Indicator":
            spans.append([len(text), len(text) + len(word)])
        text += word
    return text, [(start, end) for start, end in spans]


def _indicators(notes: list[str]) -> list[Figure]:
    """Distinct values: one is right if a marked span holds it; one is missed if a marked span of a type that can be
    looked for (address, name, hash) gives no prediction of its value."""
    wanted, found = set[str](), dict[str, bool]()
    for part in sorted((DATA / "cyner").glob("*.txt")):
        text, spans = cyner(part)
        covered = bytearray(len(text))
        for start, end in spans:
            covered[start:end] = b"\1" * (end - start)
            value = _plain(text[start:end])
            if _can_be_looked_for(value):
                wanted.add(f"{part.stem} {_loose(value)}")
        for one in find_indicators(text):
            if one.type in MARKED:
                key = f"{part.stem} {_loose(_plain(one.value))}"
                found[key] = found.get(key, False) or any(covered[one.start : one.end])
    precision = sum(found.values()) / len(found)
    recall = len(wanted & set(found)) / len(wanted)
    notes.append(f"CyNER, training and validation part: {len(wanted)} distinct indicators, {len(found)} found.")
    return [
        Figure("Indicators on CyNER, precision", "of one", 0.95, precision),
        Figure("  recall", "of one", 0.985, recall),
        Figure("  F1", "of one", 0.967, 2 * precision * recall / (precision + recall)),
    ]


def _plain(value: str) -> str:
    value = re.sub(r"\s+", "", value).strip(".,;:()\"'“”").lower()
    value = re.sub(r"[\[(]?\.[\])]|[\[(]\.", ".", value).replace("[:]", ":")
    return value.replace("[", "").replace("]", "").replace("hxxp", "http").rstrip("/")


def _loose(value: str) -> str:
    """Without scheme, port and padding: the same thing to look for."""
    host, slash, path = re.sub(r"^\w+://", "", value).partition("/")
    host = re.sub(r":\d+$", "", host)
    if re.fullmatch(r"\d+(\.\d+){3}", host):
        host = ".".join(str(int(number)) for number in host.split("."))
    return host + slash + path


def _can_be_looked_for(value: str) -> bool:
    if re.fullmatch(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}", value) or re.fullmatch(r"[^@\s]+@[\w.-]+\.\w+", value):
        return True
    if re.match(r"(?:https?|ftp|tcp)://", value):
        return "$" not in value and ":///" not in value
    if re.fullmatch(r"\d+\.\d+\.\d+\.\d+(:\d+)?(/\S*)?", value):
        return True
    ending = re.split(r"[:/]", value)[0].rpartition(".")[2]
    common = "com net org info pw top ru xyz tk ml cf ga gq today space pro link jp de uk biz eu us su online site"
    return bool(re.fullmatch(r"([\w-]+\.)+[a-z]{2,}(:\d+)?(/\S*)?", value)) and ending in common.split()


def _techniques(notes: list[str]) -> list[Figure]:
    checked = validate(read_tram(DATA / "tram/single_label.json"))
    scores = checked.scores()
    errors = []
    for low in np.arange(0.0, 1.0, 0.1):
        inside = (scores >= low) & (scores < low + 0.1 + 1e-9)
        if inside.any():
            share, mean = float(checked.right[inside].mean()), float(scores[inside].mean())
            errors.append(abs(share - mean) * inside.mean())
            notes.append(
                f"  score {low:.1f} to {low + 0.1:.1f}: {inside.sum()} sentences, mean {mean:.3f}, right {share:.3f}"
            )
    figures = [
        Figure("Techniques on TRAM, macro F1, pooled", "of one", 0.76, checked.macro_f1, note="5 folds, by report"),
        Figure("  mean over folds", "of one", 0.76, checked.macro_f1_of_folds),
        Figure("  expected calibration error", "of one", 0.05, float(sum(errors)), at_most=True),
    ]
    file = DATA / "annoctr/dev.jsonl.xz"
    if file.exists():
        classifier = load_classifier()
        rows = [row for row in _annoctr(file) if row[2] in classifier.techniques]
        for name, number in (("sentence", 0), ("mention", 1)):
            right = [classifier.classify(row[number])[0][0] == row[2] for row in rows]
            figures.append(
                Figure(
                    f"  AnnoCTR, exact, from the {name}",
                    "of one",
                    0.65,
                    float(np.mean(right)),
                    note=f"{len(rows)} mentions",
                )
            )
    return figures


def _annoctr(file: Path) -> Iterator[tuple[str, str, str]]:
    with lzma.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            row: dict[str, Any] = json.loads(line)
            link = row["label_link"] or ""
            if "/techniques/" in link:
                number = link.partition("/techniques/")[2].replace("/", ".")
                yield row["_context_left"] + row["mention"] + row["_context_right"], row["mention"], number


def _relevance() -> list[Figure]:
    matcher = Matcher(WATCH)
    judged = [(matcher.judge(text), name, True) for name, text in RELEVANT]
    judged += [(matcher.judge(text), name, False) for name, text in IRRELEVANT]
    ranked = sorted(judged, key=lambda entry: -entry[0].score)
    missed = sum(
        not any(one.way is MatchWay.EXACT for one in relevance.matches)
        for relevance, name, wanted in judged
        if wanted and name in EXACT
    )
    return [
        Figure("Relevance, precision at 20", "of one", 0.9, sum(wanted for *_, wanted in ranked[:20]) / 20),
        Figure("  exact mentions missed", "items", 0, missed, at_most=True),
    ]


def _bundles(notes: list[str]) -> list[Figure]:
    try:
        import stix2  # type: ignore[import-untyped]  # noqa: F401
    except ImportError:
        notes.append("STIX: not checked, the library stix2 is not installed.")
        return []
    from impetus.tools.cti.tests.stix_rules import broken_rules

    broken = count = 0
    for text in _reports(40):
        found = extract(text)
        objects = report_objects(
            title="Report",
            text=text,
            time=datetime.now(UTC),
            indicators=found.indicators,
            entities=found.entities,
            techniques=found.techniques,
        )
        count += 1
        objects += indicator_objects(
            found.indicators, time=datetime.now(UTC), tlp=Tlp.AMBER, item="report", title="Report", confidence=80
        )
        broken += bool(broken_rules(bundle(objects)))
    notes.append(
        f"STIX: {count} bundles, promoted ones among them, read strictly by the library stix2 and checked by our own"
        " rules for references, times, markings and identifiers (the validator of OASIS comes without its schemas)."
    )
    return [Figure("STIX bundles that break a rule", "bundles", 0, broken, at_most=True)]


def _reports(count: int) -> Iterator[str]:
    words = cyner(DATA / "cyner/train.txt")[0].split(" ")
    for number in range(count):
        start = number * 997 % max(1, len(words) - PAGE_WORDS)
        yield " ".join((words[start:] + words)[: 10 * PAGE_WORDS])


def _speed() -> list[Figure]:
    matcher = Matcher(WATCH)
    load_classifier()
    reports = list(_reports(8))
    began_s = time.process_time()
    for text in reports:
        extract(text)
        matcher.judge(text)
    each_s = (time.process_time() - began_s) / len(reports)
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000
    return [
        Figure("Ten-page reports an hour and core", "reports", 1_000, 3_600 / each_s),
        Figure(
            "  memory at most", "MB", 1_000, memory_mb, at_most=True, note="training for the cross-validation included"
        ),
    ]


if __name__ == "__main__":
    main()
