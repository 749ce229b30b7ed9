"""A sweep as one HTML file with its plots inside: egress curve, density map, exit shares, sensitivity."""

from __future__ import annotations

import html
import io
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from impetus.model import InvalidInput
from impetus.tools.evacuation.running import find_venue, make_setting, run
from impetus.tools.evacuation.scenario import read_scenario
from impetus.tools.evacuation.sweeping import read_results

STYLE = "body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto}td,th{padding:.2em .8em;text-align:right}"
LIMITS = (
    "The models have no contact forces: they do not predict a crush, and nothing here is a prediction of injuries."
    " They were not validated against a real square."
)


def write_report(results: Path, output: Path, *, venue: str | None = None, scenario: Path | None = None) -> None:
    """Write the report. Raises `InvalidInput` if there are no results."""
    rows = [row for row in read_results(results) if not row["error"]]
    if not rows:
        raise InvalidInput(f"every run of {results.name} was refused", hint="see the column error")
    if (venue is None) != (scenario is None):
        raise InvalidInput("--venue and --scenario go together")
    parts = [
        "<!doctype html><meta charset=utf-8><title>Evacuation what-ifs</title>",
        f"<style>{STYLE}</style><h1>Evacuation what-ifs</h1><p>{html.escape(LIMITS)}</p>",
        _table(rows),
        _exit_shares(rows),
        *_sensitivities(rows),
    ]
    if venue is not None and scenario is not None:
        parts += _single(venue, scenario)
    output.write_text("\n".join(parts), encoding="utf-8")


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = ["<h2>Results</h2><table><tr><th>What-if<th>Runs<th>People<th>t50 s<th>t90 s<th>t95 s<th>Stuck"
             "<th>Density 1/m2<th>Exposure person-s"]  # fmt: skip
    for variation, group in _grouped(rows).items():
        figures = [_mean(group, name) for name in ("people", "t50_s", "t90_s", "t95_s", "stuck", "max_density_pm2",
                                                   "exposure_person_s")]  # fmt: skip
        cells = "".join(f"<td>{'' if value is None else f'{value:,.1f}'}" for value in figures)
        lines.append(f"<tr><td>{html.escape(variation)}<td>{len(group)}{cells}")
    return "".join([*lines, "</table>"])


def _grouped(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[str(row["variation"])].append(row)
    return groups


def _mean(group: Sequence[Mapping[str, Any]], name: str) -> float | None:
    values = [float(row[name]) for row in group if row[name] is not None]
    return sum(values) / len(values) if values else None


def _figure(width: float = 7.0, height: float = 3.6) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _svg(figure: Any, title: str) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg")
    drawn = buffer.getvalue()
    return f"<h2>{html.escape(title)}</h2>" + drawn[drawn.index("<svg") :]


def _exit_shares(rows: Sequence[Mapping[str, Any]]) -> str:
    groups = _grouped(rows)
    exits = sorted({name for row in rows for name in json.loads(row["exits"])})
    figure, axes = _figure()
    left = np.zeros(len(groups))
    for name in exits:
        share = np.array([
            np.mean([json.loads(row["exits"]).get(name, 0) / max(row["evacuated"], 1) for row in group])
            for group in groups.values()
        ])  # fmt: skip
        axes.barh(range(len(groups)), share, left=left, label=name)
        left += share
    axes.set_yticks(range(len(groups)), [name[:40] for name in groups])
    axes.set_xlabel("share of people")
    axes.legend(fontsize="small", ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.15))
    return _svg(figure, "Exit shares")


def _sensitivities(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    fields = sorted({field for row in rows for field in json.loads(row["variation"])})
    made = []
    for field in fields:
        values: dict[str, list[float]] = defaultdict(list)
        for row in rows:
            if row["t90_s"] is not None:
                values[str(json.loads(row["variation"]).get(field))].append(float(row["t90_s"]))
        if not values:
            continue
        figure, axes = _figure(6.0, 3.0)
        axes.boxplot(list(values.values()), tick_labels=list(values))
        axes.set_xlabel(field)
        axes.set_ylabel("t90 in s")
        made.append(_svg(figure, f"Sensitivity of t90 to {field}"))
    return made


def _single(venue: str, scenario: Path) -> list[str]:
    wanted = read_scenario(scenario)
    setting, plan = make_setting(find_venue(venue), wanted)
    outcome = run(setting, plan, "fast", wanted.seed)
    figure, axes = _figure()
    ordered = np.sort(outcome.out_s[np.isfinite(outcome.out_s)])
    axes.step([0.0, *ordered], [0, *range(1, len(ordered) + 1)], where="post")
    axes.set_xlabel("s")
    axes.set_ylabel("people out")
    made = [_svg(figure, "Egress curve")]
    if outcome.density is not None:
        figure, axes = _figure(7.0, 5.5)
        rows, columns = outcome.density.shape
        extent = (0, columns, 0, rows)
        image = axes.imshow(
            np.where(outcome.density > 0, outcome.density, math.nan), origin="lower", extent=extent, cmap="magma_r"
        )
        figure.colorbar(image, label="greatest density, 1/m2")
        axes.set_xlabel("m")
        axes.set_ylabel("m")
        made.append(_svg(figure, "Density map"))
    return made
