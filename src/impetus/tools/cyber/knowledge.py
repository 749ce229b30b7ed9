"""What the world knows of vulnerabilities: NVD JSON 2.0, CISA's KEV catalogue, EPSS; from files, fetched or given."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO, cast

from impetus.model import InvalidInput, Unavailable
from impetus.tools.cyber.network import CVE

FILE_LIMIT_BYTES = 512 * 1024 * 1024
FEEDS: Mapping[str, str] = {
    "known_exploited_vulnerabilities.json": (
        "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json"
    ),
    "epss_scores-current.csv.gz": "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz",
}
NVD = "https://nvd.nist.gov/feeds/json/cve/2.0/nvdcve-2.0-{year}.json.gz"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one CVE."""

    cvss: float | None = None
    vector: str = ""
    epss: float | None = None
    exploited: bool = False
    """It is in CISA's catalogue."""
    reported: float = 0.0
    """How sure threat intelligence is that it is exploited."""


Knowledge = Mapping[str, Known]


def read_knowledge(folder: Path) -> tuple[dict[str, Known], list[str]]:
    """All that the files of a folder say, and remarks on what could not be read.

    Raises InvalidInput if there is no such folder.
    """
    if not folder.is_dir():
        raise InvalidInput(f"{folder} is no folder", hint="give the folder that `impetus cyber update` fills")
    known: dict[str, Known] = {}
    remarks: list[str] = []
    for path in sorted(folder.iterdir()):
        if path.suffixes and path.name.removesuffix(".gz").removesuffix(".xz").endswith((".json", ".csv")):
            try:
                _read(path, known)
            except (OSError, ValueError, EOFError, lzma.LZMAError, KeyError, TypeError, AttributeError) as error:
                remarks.append(f"{path.name} was skipped: {str(error)[:120] or type(error).__name__}")
    return known, remarks


def with_reports(knowledge: Knowledge, reported: Mapping[str, float]) -> dict[str, Known]:
    """The same, and of these CVEs how sure threat intelligence is that they are exploited."""
    return dict(knowledge) | {
        cve: replace(knowledge.get(cve, Known()), reported=chance) for cve, chance in reported.items()
    }


def update(folder: Path, *, years: int = 5, now: datetime) -> list[str]:
    """Fetch the newest files into a folder; a file takes the place of the old one only when it is whole.

    Raises Unavailable if nothing at all could be fetched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = dict(FEEDS) | {
        f"nvdcve-2.0-{year}.json.gz": NVD.format(year=year) for year in range(now.year - years + 1, now.year + 1)
    }
    fetched, failed = [], []
    for name, url in wanted.items():
        part = folder / f"{name}.part"
        try:
            with urllib.request.urlopen(url, timeout=60) as answer, part.open("wb") as file:  # noqa: S310
                size = 0
                while block := answer.read(1 << 20):
                    size += len(block)
                    if size > FILE_LIMIT_BYTES:
                        raise OSError("it is too large")
                    file.write(block)
            part.replace(folder / name)
            fetched.append(name)
        except OSError as error:
            part.unlink(missing_ok=True)
            failed.append(f"{name} was not fetched: {error}")
    if not fetched:
        raise Unavailable(failed[0], hint="without a network, give a folder with the files: --knowledge FOLDER")
    return [f"{name} was fetched" for name in fetched] + failed


def _read(path: Path, known: dict[str, Known]) -> None:
    with _opened(path) as stream:
        if ".csv" in path.suffixes:
            for cve, epss in _epss(io.TextIOWrapper(stream, "utf-8", errors="replace")):
                known[cve] = replace(known.get(cve, Known()), epss=epss)
            return
        text = stream.read(FILE_LIMIT_BYTES + 1)
    if len(text) > FILE_LIMIT_BYTES:
        raise ValueError(f"it is larger than {FILE_LIMIT_BYTES // 2**20} MB")
    content = json.loads(text)
    vulnerabilities = content["vulnerabilities"]
    for entry in vulnerabilities:
        if "cveID" in entry:
            cve = str(entry["cveID"]).upper()
            known[cve] = replace(known.get(cve, Known()), exploited=True)
        elif "cve" in entry:
            cve = str(entry["cve"]["id"]).upper()
            score, vector = _metrics(entry["cve"].get("metrics") or {})
            known[cve] = replace(known.get(cve, Known()), cvss=score, vector=vector)


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path))
    if path.suffix == ".xz":
        return cast(IO[bytes], lzma.open(path))
    return path.open("rb")


def _epss(stream: io.TextIOBase) -> Iterator[tuple[str, float]]:
    rows = csv.reader(line for line in stream if not line.startswith("#"))
    header = next(rows, [])
    at, score = header.index("cve"), header.index("epss")
    for row in rows:
        if len(row) > max(at, score) and CVE.fullmatch(row[at]):
            value = float(row[score])
            if 0 <= value <= 1:
                yield row[at].upper(), value


def _metrics(metrics: Mapping[str, list[Mapping[str, Mapping[str, object]]]]) -> tuple[float | None, str]:
    for version in ("cvssMetricV40", "cvssMetricV31", "cvssMetricV30", "cvssMetricV2"):
        for metric in metrics.get(version, ()):
            data = metric.get("cvssData", {})
            score = data.get("baseScore")
            if isinstance(score, int | float) and 0 <= score <= 10:
                return float(score), str(data.get("vectorString", ""))[:200]
    return None, ""
