"""Prints what all benchmarks print: the machine, its load, and each figure beside what was asked."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

import impetus


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure."""

    name: str
    unit: str
    asked: float
    reached: float
    at_most: bool = False
    """Whether less is better, as with a latency."""
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether what was asked is reached."""
        return self.reached <= self.asked if self.at_most else self.reached >= self.asked


def machine() -> str:
    """Processor, cores, load, and the versions that matter, on one line."""
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{_processor()}, {len(os.sched_getaffinity(0))} cores, load {load}, {platform.system()} {platform.release()},"
        f" Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, impetus {impetus.__version__}"
    )


def report(title: str, figures: Sequence[Figure], *, notes: Sequence[str] = ()) -> None:
    """Print the machine, a table of figure, asked, reached and ok, and the notes."""
    console = Console(width=120 if not Console().is_terminal else None)
    console.print(f"[bold]{title}[/bold]")
    console.print(machine(), highlight=False)
    table = Table()
    table.add_column("figure")
    table.add_column("asked", justify="right")
    table.add_column("reached", justify="right")
    table.add_column("ok")
    table.add_column("note")
    for figure in figures:
        table.add_row(
            figure.name,
            f"{'≤' if figure.at_most else '≥'} {_number(figure.asked)} {figure.unit}",
            f"{_number(figure.reached)} {figure.unit}",
            "[green]yes[/green]" if figure.ok else "[red]no[/red]",
            figure.note,
        )
    console.print(table)
    for note in notes:
        console.print(f"  {note}", highlight=False)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which `percent` of the values lie (nearest rank); raises ValueError when there are none."""
    if not values:
        raise ValueError("no values were measured")
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, round(percent / 100 * len(ordered)) - 1))]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
