"""Thousands of what-ifs: every combination of some values, several crowds each, in processes or on a Dask cluster.

Results go to a Parquet file in blocks; a sweep that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from impetus.model import InvalidInput
from impetus.sdk.cluster import on_cluster
from impetus.tools.evacuation.running import find_venue, make_setting, run
from impetus.tools.evacuation.scenario import Scenario, make_scenario, read_scenario

RUNS_LIMIT = 1_000_000
BLOCK = 64
"""Runs between two writings."""
SCHEMA = pyarrow.schema(
    [
        ("key", pyarrow.string()),
        ("model", pyarrow.string()),
        ("seed", pyarrow.int64()),
        ("variation", pyarrow.string()),
        ("people", pyarrow.int64()),
        ("evacuated", pyarrow.int64()),
        ("stuck", pyarrow.int64()),
        ("t50_s", pyarrow.float64()),
        ("t90_s", pyarrow.float64()),
        ("t95_s", pyarrow.float64()),
        ("max_density_pm2", pyarrow.float64()),
        ("dense_person_s", pyarrow.float64()),
        ("exposure_person_s", pyarrow.float64()),
        ("exits", pyarrow.string()),
        ("error", pyarrow.string()),
    ]
)


def parse_variations(given: Sequence[str]) -> dict[str, list[Any]]:
    """`people.count=500,1000` as field and values. Raises `InvalidInput`."""
    found: dict[str, list[Any]] = {}
    for text in given:
        field, sign, values = text.partition("=")
        if not sign or not field.strip() or not values.strip():
            raise InvalidInput(f"{text[:60]!r} is no variation", hint="write FIELD=V1,V2, as in people.count=500,1000")
        found[field.strip()] = [_value(value) for value in values.split(",")]
    if not found:
        raise InvalidInput("nothing is varied", hint="give --vary FIELD=V1,V2")
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.strip()


def with_values(content: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A scenario's mapping with some fields, by dotted names, set. Raises `InvalidInput`."""
    made = json.loads(json.dumps(content))
    for field, value in values.items():
        at = made
        *path, last = field.split(".")
        for name in path:
            step = at.setdefault(name, {}) if isinstance(at, dict) else None
            if isinstance(at, list) and name.isdigit() and int(name) < len(at):
                step = at[int(name)]
            if not isinstance(step, dict | list):
                raise InvalidInput(f"the scenario has no field {field[:60]!r}")
            at = step
        if isinstance(at, list) and last.isdigit() and int(last) < len(at):
            at[int(last)] = value
        elif isinstance(at, dict):
            at[last] = value
        else:
            raise InvalidInput(f"the scenario has no field {field[:60]!r}")
    return made  # type: ignore[no-any-return]


def one_run(venue: str, content: Mapping[str, Any], model: str, seed: int, variation: str, key: str) -> dict[str, Any]:
    """One row of the results; a what-if that is refused has its reason in `error`."""
    row: dict[str, Any] = dict.fromkeys(SCHEMA.names)
    row |= {"key": key, "model": model, "seed": seed, "variation": variation}
    try:
        setting, plan = make_setting(find_venue(venue), make_scenario(content))
        outcome = run(setting, plan, model, seed)
    except InvalidInput as error:
        return row | {"error": str(error)}
    summary = outcome.summary()
    return row | {
        **{name: summary[name] for name in ("t50_s", "t90_s", "t95_s", "evacuated", "stuck", "max_density_pm2")},
        "people": outcome.people,
        "exposure_person_s": outcome.exposure_person_s,
        "dense_person_s": outcome.dense_person_s,
        "exits": json.dumps(dict(outcome.exits)),
    }


def _workers(jobs: int, cluster: str | None) -> AbstractContextManager[Any]:
    """Where joblib sends its work: processes here, or a Dask cluster. Raises `InvalidInput`."""
    from joblib import parallel_config

    return on_cluster(cluster) if cluster is not None else parallel_config(backend="loky", n_jobs=jobs)


def sweep_files(
    venue: str,
    scenario: Path,
    variations: Mapping[str, Sequence[Any]],
    *,
    output: Path,
    seeds: int,
    model: str,
    jobs: int = 1,
    cluster: str | None = None,
    bar: bool = True,
) -> dict[str, int]:
    """Run what is not in the output yet. Returns how many runs there are, were done now, and were refused.

    Raises:
        InvalidInput: the venue or the scenario is wrong, there are too many runs, the output is no such file, or no
            cluster answers.
    """
    from joblib import Parallel, delayed
    from rich.console import Console
    from rich.progress import Progress

    source = find_venue(venue)
    content = read_scenario(scenario).model_dump(mode="json", exclude_defaults=True)
    names = list(variations)
    count = math.prod(len(values) for values in variations.values()) * seeds
    if count > RUNS_LIMIT:
        raise InvalidInput(f"{count:,} runs are more than {RUNS_LIMIT:,}", hint="vary less at once")
    place = hashlib.sha256(json.dumps([str(one.geometry.wkt) for one in source.shapes]).encode()).hexdigest()[:16]
    tasks = []
    for values in itertools.product(*variations.values()):
        chosen = dict(zip(names, values, strict=True))
        made = with_values(content, chosen)
        make_scenario(made)
        variation = json.dumps(chosen, sort_keys=True)
        for seed in range(1, seeds + 1):
            text = json.dumps([place, made, model, seed], sort_keys=True)
            tasks.append((venue, made, model, seed, variation, hashlib.sha256(text.encode()).hexdigest()[:24]))
    rows = _read(output)
    done = {row["key"] for row in rows}
    open_tasks = [task for task in tasks if task[-1] not in done]
    with Progress(console=Console(stderr=True), disable=not bar) as progress, _workers(jobs, cluster):
        shown = progress.add_task("what-ifs", total=len(tasks), completed=len(tasks) - len(open_tasks))
        for first in range(0, len(open_tasks), BLOCK):
            block = open_tasks[first : first + BLOCK]
            made_rows = (
                [one_run(*task) for task in block]
                if jobs == 1 and cluster is None
                else Parallel()(delayed(one_run)(*task) for task in block)
            )
            rows += made_rows
            _write(output, rows)
            progress.advance(shown, len(block))
    wanted = {task[-1] for task in tasks}
    refused = sum(1 for row in rows if row["key"] in wanted and row["error"])
    return {"runs": len(tasks), "done_now": len(open_tasks), "refused": refused}


def _read(output: Path) -> list[dict[str, Any]]:
    if not output.exists():
        return []
    try:
        table = pyarrow.parquet.read_table(output)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise InvalidInput(f"{output.name} is no Parquet file of a sweep: {str(error)[:100]}") from error
    if not set(SCHEMA.names) <= set(table.schema.names):
        raise InvalidInput(f"{output.name} is no Parquet file of a sweep", hint="give another --output")
    return table.select(SCHEMA.names).to_pylist()  # type: ignore[no-any-return]


def read_results(path: Path) -> list[dict[str, Any]]:
    """Rows of a sweep. Raises `InvalidInput` if there are none."""
    rows = _read(path)
    if not rows:
        raise InvalidInput(f"{path.name} has no results", hint="run impetus evacuation sweep first")
    return rows


def _write(output: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """As a whole, so that a stop in between loses nothing."""
    draft = output.with_name(f".{output.name}.draft")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in rows], schema=SCHEMA), draft)
    draft.replace(output)


def described(scenario: Scenario) -> str:
    """One line for a report."""
    return scenario.name or "scenario"
