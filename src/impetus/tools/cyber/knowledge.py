"""What the world knows of vulnerabilities: NVD JSON 2.0, CISA's KEV catalogue, EPSS; from files, fetched or given."""

from __future__ import annotations

import csv
import gzip
import json
import lzma
import shutil
import urllib.request
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO, cast

from impetus.model import InvalidInput, Unavailable
from impetus.tools.cyber.network import CVE

FILE_LIMIT_BYTES = 512 * 1024 * 1024
LINE_LIMIT_BYTES = 1_000
MOST_ROWS = 2_000_000
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
UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    lzma.LZMAError,
    zlib.error,
    csv.Error,
    RecursionError,
    KeyError,
    TypeError,
    AttributeError,
)


def read_knowledge(folder: Path) -> tuple[dict[str, Known], list[str]]:
    """All that the files of a folder say, and remarks on what could not be read.

    Raises InvalidInput if there is no such folder.
    """
    if not folder.is_dir():
        raise InvalidInput(f"{folder} is no folder", hint="give the folder that `impetus cyber update` fills")
    known: dict[str, Known] = {}
    remarks: list[str] = []
    for path in sorted(folder.iterdir()):
        if _is_knowledge(path):
            try:
                remarks += [f"{path.name}: {remark}" for remark in _read(path, known)]
            except UNREADABLE as error:
                remarks.append(f"{path.name} was skipped: {_reason(error)}")
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
        raise Unavailable(failed[0], hint="without a network, take the files from a folder: --from FOLDER")
    return [f"{name} was fetched" for name in fetched] + failed


def take_over(source: Path, folder: Path) -> list[str]:
    """Take the files from a folder, where there is no network: each that can be read is copied whole.

    Raises InvalidInput if there is no such folder, or nothing in it can be read.
    """
    if not source.is_dir():
        raise InvalidInput(f"{source} is no folder", hint="give the folder with files of NVD, KEV and EPSS")
    taken, skipped = [], []
    for path in sorted(source.iterdir()):
        if not _is_knowledge(path):
            continue
        known: dict[str, Known] = {}
        try:
            remarks = _read(path, known)
            if not known:
                raise ValueError("nothing is known from it")
            folder.mkdir(parents=True, exist_ok=True)
            part = folder / f"{path.name}.part"
            shutil.copyfile(path, part)
            part.replace(folder / path.name)
        except UNREADABLE as error:
            skipped.append(f"{path.name} was skipped: {_reason(error)}")
            continue
        taken.append("; ".join([f"{path.name} was taken: {len(known)} vulnerabilities", *remarks]))
    if not taken:
        raise InvalidInput(skipped[0] if skipped else f"{source} holds no JSON or CSV files", hint="see the guide")
    return taken + skipped


def _is_knowledge(path: Path) -> bool:
    return path.name.removesuffix(".gz").removesuffix(".xz").endswith((".json", ".csv"))


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyError | TypeError | AttributeError):
        return "it is neither NVD JSON 2.0 nor the KEV catalogue"
    return str(error)[:120] or type(error).__name__


def _read(path: Path, known: dict[str, Known]) -> list[str]:
    """Take in one file; remarks on what of it was left out."""
    with _opened(path) as stream:
        if ".csv" in path.suffixes:
            skipped: list[str] = []
            for cve, epss in _epss(stream, skipped):
                known[cve] = replace(known.get(cve, Known()), epss=epss)
            return [f"{len(skipped)} rows cannot be read, the first is {skipped[0][:60]!r}"] if skipped else []
        text = stream.read(FILE_LIMIT_BYTES + 1)
    if len(text) > FILE_LIMIT_BYTES:
        raise ValueError(f"it is larger than {FILE_LIMIT_BYTES // 2**20} MB")
    content = json.loads(text)
    remarks = []
    if content.get("format") == "NVD_CVE" and content.get("version") != "2.0":
        remarks.append(f"NVD's version {str(content.get('version'))[:20]} is not known; it was read as 2.0")
    for entry in content["vulnerabilities"]:
        if "cveID" in entry:
            cve = str(entry["cveID"]).upper()
            known[cve] = replace(known.get(cve, Known()), exploited=True)
        elif "cve" in entry:
            cve = str(entry["cve"]["id"]).upper()
            score, vector = _metrics(entry["cve"].get("metrics") or {})
            known[cve] = replace(known.get(cve, Known()), cvss=score, vector=vector)
    return remarks


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path))
    if path.suffix == ".xz":
        return cast(IO[bytes], lzma.open(path))
    return path.open("rb")


def _epss(stream: IO[bytes], skipped: list[str]) -> Iterator[tuple[str, float]]:
    """CVE and score of each row; rows that cannot be read are put into `skipped`."""
    lines = (line.decode("utf-8", "replace") for line in iter(lambda: stream.readline(LINE_LIMIT_BYTES), b""))
    rows = csv.reader(line.replace("\0", "") for line in lines if not line.startswith("#"))
    header = next(rows, [])
    if "cve" not in header or "epss" not in header:
        raise ValueError("it has no columns cve and epss")
    at, score = header.index("cve"), header.index("epss")
    for count, row in enumerate(rows):
        if count >= MOST_ROWS:
            raise ValueError(f"it has more than {MOST_ROWS} rows; those before were read")
        try:
            value = float(row[score])
            if not (CVE.fullmatch(row[at]) and 0 <= value <= 1):
                raise ValueError
            yield row[at].upper(), value
        except (ValueError, IndexError):
            if row:
                skipped.append(",".join(row))


def _metrics(metrics: Mapping[str, list[Mapping[str, Mapping[str, object]]]]) -> tuple[float | None, str]:
    for version in ("cvssMetricV40", "cvssMetricV31", "cvssMetricV30", "cvssMetricV2"):
        for metric in metrics.get(version, ()):
            data = metric.get("cvssData", {})
            score = data.get("baseScore")
            if isinstance(score, int | float) and 0 <= score <= 10:
                return float(score), str(data.get("vectorString", ""))[:200]
    return None, ""
