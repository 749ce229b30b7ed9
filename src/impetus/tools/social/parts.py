"""Research data for training and measuring: `impetus social train --data DIR`. None of its text is kept or shipped."""

from __future__ import annotations

import json
import lzma
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impetus.model import InvalidInput
from impetus.tools.social.plain_text import readable

LABELS = {"Negative": 0, "Neutral": 1, "Positive": 2}


@dataclass(frozen=True, slots=True)
class Part:
    """Posts with labels."""

    name: str
    texts: list[str]
    labels: NDArray[np.int64]
    groups: list[str]
    """Event, functionality or review of each post; empty where there is none."""
    targets: list[str]
    """Group of people that each sentence is about; empty where the data does not say."""


def read_part(folder: Path, name: str) -> Part:
    """One part, such as `offensive-train`. Raises `InvalidInput` if it is missing or is something else."""
    file = folder / f"{name}.jsonl.xz"
    try:
        with lzma.open(file, "rt", encoding="utf-8") as stream:
            rows = [json.loads(line) for line in stream]
        return Part(
            name,
            [readable(str(row["text"])) for row in rows],
            np.array([_label(row) for row in rows], dtype=np.int64),
            [_group(row) for row in rows],
            [str(row.get("target") or "") for row in rows],
        )
    except (OSError, lzma.LZMAError, EOFError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"{file} cannot be read: {error}", hint="name the folder that holds the parts, such as offensive-train"
        ) from error


def _label(row: dict[str, Any]) -> int:
    if "hateful" in row:
        return int(bool(row["hateful"]))
    if "source" in row and "event" in row:
        return int(row["source"] == "Eyewitness")
    label = row["label"]
    return LABELS[label] if label in LABELS else int(label)


def _group(row: dict[str, Any]) -> str:
    if "sent_id" in row:
        return str(row["sent_id"]).partition("-")[0]
    return str(row.get("event") or row.get("functionality") or "")
