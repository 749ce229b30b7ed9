"""`impetus evacuation`: check a venue, run a what-if, look for the best plan, sweep and report; no server needed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from impetus.model import ImpetusError, InvalidInput

app = typer.Typer(help="The best way out of a square: checked, simulated, optimised.", no_args_is_help=True)

VenueFile = Annotated[
    str, typer.Argument(help="GeoJSON (or .osm, .dxf, .zip of jupedsim-scenarios), or the name of a shipped venue.")
]
ScenarioFile = Annotated[Path, typer.Argument(help="Scenario as YAML or JSON; see the guide for its fields.")]
AsJson = Annotated[bool, typer.Option("--json/--text", help="JSON, or a short text for people.")]


@app.callback()
def commands() -> None:
    """The best way out of a square: checked, simulated, optimised."""


@app.command()
def validate(
    venue: VenueFile,
    output: Annotated[
        Path | None, typer.Option(help="Write the venue as GeoJSON there, for example an import.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a venue: one connected area, exits that can be reached; names the feature that is wrong."""
    from impetus.tools.evacuation.checking import check_venue, venue_document
    from impetus.tools.evacuation.running import find_venue

    with _one_line_for_an_error():
        source = find_venue(venue)
        found = check_venue(source)
        if output is not None:
            output.write_text(json.dumps(venue_document(source), ensure_ascii=False) + "\n", encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    typer.echo(f"{found['name']}: {found['area_m2']:,} m2, holds {found['holds']:,} people. The venue is valid.")
    for door in found["exits"]:
        typer.echo(f"  exit {door['id']}: {door['width_m']:g} m, {'open' if door['open'] else 'closed'}")
    for remark in found["remarks"]:
        typer.echo(f"Note: {remark}.", err=True)


@app.command()
def simulate(
    venue: VenueFile,
    scenario: ScenarioFile,
    model: Annotated[str, typer.Option(help="fast (ours), jupedsim, or queue (an estimate in milliseconds).")] = "fast",
    seed: Annotated[
        int | None, typer.Option(min=0, help="The same seed, the same people; else the scenario's.")
    ] = None,
    details: Annotated[
        bool, typer.Option("--details", help="More than the eight figures: curve, notes, people.")
    ] = False,
    as_json: AsJson = True,
) -> None:
    """Run one what-if."""
    from impetus.tools.evacuation.running import find_venue, make_setting, run
    from impetus.tools.evacuation.scenario import read_scenario

    with _one_line_for_an_error():
        wanted = read_scenario(scenario)
        setting, plan = make_setting(find_venue(venue), wanted)
        outcome = run(setting, plan, model, wanted.seed if seed is None else seed)
    summary = outcome.summary()
    for note in outcome.notes:
        typer.echo(f"Note: {note}.", err=True)
    if details:
        summary |= {
            "model": outcome.model,
            "seed": outcome.seed,
            "people": outcome.people,
            "dense_person_s": round(outcome.dense_person_s, 1),
            "last_out_s": _finite(outcome.time_s(outcome.evacuated / max(outcome.people, 1))),
            "notes": list(outcome.notes),
            "curve": outcome.curve(),
        }
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False))
        return
    typer.echo(f"{outcome.evacuated:,} of {outcome.people:,} out, {outcome.stuck:,} stuck")
    typer.echo(f"t50 {summary['t50_s']} s, t90 {summary['t90_s']} s, t95 {summary['t95_s']} s")
    for door, count in outcome.exits.items():
        typer.echo(f"  {door}: {count:,}")
    typer.echo(
        f"greatest density {outcome.max_density_pm2:.1f} /m2, exposure {outcome.exposure_person_s:,.0f} person-s"
    )


@app.command()
def optimise(
    venue: VenueFile,
    scenario: ScenarioFile,
    budget_s: Annotated[float, typer.Option("--budget-s", min=1, max=86_400, help="Seconds that it may take.")] = 60.0,
    verify: Annotated[bool, typer.Option("--verify/--no-verify", help="Run the finalists in JuPedSim too.")] = True,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Processes for JuPedSim.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Of the search's random numbers.")] = 1,
    compliance: Annotated[bool, typer.Option("--compliance", help="Also show the gain against compliance.")] = False,
    as_json: AsJson = True,
) -> None:
    """Look for the best plan: which exits, gates and stewards; better than nearest exits, and by how much."""
    from impetus.tools.evacuation.planning import optimise_files
    from impetus.tools.evacuation.running import find_venue
    from impetus.tools.evacuation.scenario import read_scenario

    with _one_line_for_an_error():
        document = optimise_files(
            find_venue(venue), read_scenario(scenario), budget_s=budget_s, verify=verify, jobs=jobs, seed=seed,
            compliance=compliance,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    baseline, plans = document["baseline"], document["plans"]
    typer.echo(f"nearest exits: t90 {baseline['t90_s']} s, exposure {baseline['exposure_person_s']} person-s")
    for number, plan in enumerate(plans, start=1):
        marks = ("front " if plan["on_front"] else "") + ("tie" if plan["tie"] else "")
        typer.echo(f"{number}. t90 {plan['t90_s']} s, exposure {plan['exposure_person_s']} person-s {marks}")
        for advice in plan["advice"]:
            typer.echo(f"     {advice}")


@app.command()
def sweep(
    venue: VenueFile,
    scenario: ScenarioFile,
    vary: Annotated[
        list[str], typer.Option("--vary", help="FIELD=V1,V2,... of the scenario, such as people.count=500,1000.")
    ],
    output: Annotated[Path, typer.Option(help="Parquet file; a stopped sweep goes on where it was.")] = Path(
        "sweep.parquet"
    ),
    seeds: Annotated[int, typer.Option(min=1, max=10_000, help="Runs of each what-if.")] = 5,
    model: Annotated[str, typer.Option(help="fast, jupedsim or queue.")] = "fast",
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Processes on this machine.")] = 2,
    cluster: Annotated[str | None, typer.Option(help="Address of a Dask scheduler, as in tcp://host:8786.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Run many what-ifs; results go to a Parquet file."""
    from impetus.tools.evacuation.sweeping import parse_variations, sweep_files

    with _one_line_for_an_error():
        done = sweep_files(
            venue, scenario, parse_variations(vary), output=output, seeds=seeds, model=model, jobs=jobs,
            cluster=cluster, bar=not quiet,
        )  # fmt: skip
    typer.echo(json.dumps(done))


@app.command()
def report(
    results: Annotated[Path, typer.Argument(help="Parquet file of a sweep.")],
    output: Annotated[Path, typer.Option(help="HTML file with the plots in it.")] = Path("report.html"),
    venue: Annotated[str | None, typer.Option(help="With --scenario: adds curve and density map of one run.")] = None,
    scenario: Annotated[Path | None, typer.Option(help="See --venue.")] = None,
) -> None:
    """A report of a sweep with plots: egress curve, density map, exit shares, sensitivity."""
    from impetus.tools.evacuation.reporting import write_report

    with _one_line_for_an_error():
        write_report(results, output, venue=venue, scenario=scenario)
    typer.echo(f"{output}")


@app.command()
def verify(
    model: Annotated[str, typer.Option(help="fast or jupedsim; both where none is given.")] = "both",
    as_json: AsJson = False,
) -> None:
    """RiMEA and NIST component tests, each with its numeric assertion."""
    from impetus.tools.evacuation.verification import verify_all

    with _one_line_for_an_error():
        if model not in ("fast", "jupedsim", "both"):
            raise InvalidInput(f"there is no model {model[:40]!r} to verify", hint="give fast, jupedsim or both")
        failed = 0
        for row in verify_all(("fast", "jupedsim") if model == "both" else (model,)):
            failed += not row["ok"]
            if as_json:
                typer.echo(json.dumps(row, ensure_ascii=False))
            else:
                typer.echo(
                    f"{'ok  ' if row['ok'] else 'FAIL'} {row['test']} ({row['model']}): {row['found']}; {row['asked']}"
                )
    if failed:
        raise typer.Exit(1)


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 1)


@contextmanager
def _one_line_for_an_error() -> Iterator[None]:
    try:
        yield
    except ImpetusError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from error
    except OSError as error:
        typer.echo(f"Error: {error.filename or ''}: {error.strerror or error}", err=True)
        raise typer.Exit(2) from error


if __name__ == "__main__":
    app()
