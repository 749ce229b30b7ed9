"""The command line: thin, one function a command. What a command does is in `impetus.app` and in the rooms."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Coroutine
from datetime import datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from impetus import __version__
from impetus.model import ImpetusError

COMMANDS_GROUP = "impetus.commands"
"""Entry points of tools that bring a command of their own: a typer app each, named like the tool."""

app = typer.Typer(
    name="impetus",
    help="Keeps a city's public spaces safe without giving up its citizens' rights.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
exercise_app = typer.Typer(help="The invented demo city and exercises.", no_args_is_help=True)
user_app = typer.Typer(help="People who may log in.", no_args_is_help=True)
organisation_app = typer.Typer(help="Organisations that share this installation.", no_args_is_help=True)
token_app = typer.Typer(help="Tokens for machines that use the HTTP API.", no_args_is_help=True)
sensor_app = typer.Typer(help="The datastreams that are known.", no_args_is_help=True)
access_app = typer.Typer(help="Keys with which secrets are sealed.", no_args_is_help=True)
audit_app = typer.Typer(help="The record of who did what.", no_args_is_help=True)
tool_app = typer.Typer(help="Tools that are installed, and new ones.", no_args_is_help=True)
app.add_typer(exercise_app, name="exercise")
app.add_typer(organisation_app, name="organisation")
app.add_typer(user_app, name="user")
app.add_typer(token_app, name="token")
app.add_typer(sensor_app, name="sensor")
app.add_typer(access_app, name="access")
app.add_typer(audit_app, name="audit")
app.add_typer(tool_app, name="tool")

Tenant = Annotated[str, typer.Option("--organisation", help="Organisation, by its short name.")]


def run(work: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine on the fast event loop."""
    import uvloop

    uvloop.run(work)


def start_swiftly() -> None:
    """Look for no garbage among what is imported, all of which stays: that is a tenth of a part's start. The part
    ends this with `impetus.app.started`."""
    gc.disable()


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; setting http.host.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; setting http.port.")] = None,
) -> None:
    """Start everything on this machine: hub, connectors, and one supervised process for each tool."""
    from impetus import app as application

    run(application.serve(application.settings_for(host=host, port=port)))


@app.command()
def demo(
    port: Annotated[int | None, typer.Option(help="Port of the web pages.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="When ready, print one line of JSON with address, token and log-ins.")
    ] = False,
    readings_per_second: Annotated[
        int | None, typer.Option(help="Load test: so many readings a second in all.", min=1, max=100_000)
    ] = None,
    scenario: Annotated[
        str | None, typer.Option(help="Play this scenario: the name of one that is shipped, e.g. protest, or a folder.")
    ] = None,
) -> None:
    """Start a live city of invented sensors, with everything real behind it. Ends with Ctrl-C."""
    from impetus import demo as demonstration

    run(demonstration.run_demo(port=port, as_json=as_json, readings_per_second=readings_per_second, scenario=scenario))


@app.command()
def hub() -> None:
    """Run only the hub: HTTP API, pages, situation. `impetus serve` does this for you."""
    start_swiftly()
    from impetus.app import settings_for
    from impetus.hub import run_hub

    run(run_hub(settings_for()))


@app.command()
def connector(name: Annotated[str, typer.Argument(help="Which connector: mqtt.")]) -> None:
    """Run only one connector. `impetus serve` does this for you."""
    start_swiftly()
    from impetus import app as application

    run(application.run_connector(application.settings_for(), name))


@app.command()
def worker(tool: Annotated[str, typer.Argument(help="The tool, by its id.")]) -> None:
    """Run only one tool. `impetus serve` does this for you."""
    start_swiftly()
    from impetus import app as application

    run(application.run_tool(application.settings_for(), tool))


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for machines.")] = False,
) -> None:
    """Look at everything that this installation needs, and say what to mend. Exits 1 if something is wrong."""
    from impetus.operations import desk

    raise SystemExit(asyncio.run(desk.examine_and_print(as_json=as_json)))


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="File to write, for example city.tar.gz.")]) -> None:
    """Back up store, bus, evidence, secrets and settings into one file; impetus may go on meanwhile."""
    from impetus.operations import desk

    asyncio.run(desk.back_up_and_print(file))


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A backup.", exists=True, dir_okay=False)],
    past_its_time: Annotated[
        bool, typer.Option("--past-its-time", help="Take a backup that was to be deleted by now.")
    ] = False,
) -> None:
    """Bring a backup back into an empty folder of all state; checked whole before anything is put in its place."""
    from impetus.operations import desk

    asyncio.run(desk.restore_and_print(file, past_its_time))


@app.command()
def deployment(
    folder: Annotated[Path, typer.Argument(help="Folder to write into.")],
    plan: Annotated[
        Path | None, typer.Option(help="YAML file that says otherwise: image, tools, ports ...", exists=True)
    ] = None,
) -> None:
    """Write systemd units, a compose file and a Helm chart, all from one plan."""
    from impetus.operations import desk

    desk.write_deployment(folder, plan)


@app.command()
def migrate(
    to: Annotated[str, typer.Argument(help="The database to move to, e.g. postgresql://USER@HOST/NAME.")],
) -> None:
    """Copy the whole store to another, empty database, with counts and checksums of each table. Stop impetus first."""
    from impetus.operations import desk

    asyncio.run(desk.migrate_and_print(to))


@organisation_app.command("add")
def organisation_add(
    id: Annotated[str, typer.Argument(help="Short name, e.g. fire-service.")],
    name: Annotated[str, typer.Argument(help="Name in full.")],
) -> None:
    """Add an organisation."""
    from impetus import administration

    asyncio.run(administration.add_organisation(id, name))


@user_app.command("add")
def user_add(
    name: Annotated[str, typer.Argument(help="What the person logs in with.")],
    full_name: Annotated[str, typer.Argument(help="First and last name.")],
    role: Annotated[str, typer.Option(help="operator, supervisor, it-security, analyst, planner, ...")],
    organisation: Tenant,
) -> None:
    """Add a person; asks for the password, or reads it from standard input."""
    from impetus import administration

    asyncio.run(administration.add_user(organisation, name, full_name, role, read_password()))


@user_app.command("password")
def user_password(name: Annotated[str, typer.Argument(help="What the person logs in with.")]) -> None:
    """Set a person's password; asks for it, or reads it from standard input. Ends that person's sessions."""
    from impetus import administration

    asyncio.run(administration.set_password(name, read_password()))


@user_app.command("reset-second-factor")
def user_reset_second_factor(name: Annotated[str, typer.Argument(help="What the person logs in with.")]) -> None:
    """Take away the second factor of a person who lost it. Ends that person's sessions."""
    from impetus import administration

    asyncio.run(administration.reset_second_factor(name))


@access_app.command("new-key")
def access_new_key() -> None:
    """Print a new key for `access.keys_file`: put it in front of the others, and start each hub again."""
    from impetus.governance.sealing import new_key

    print(new_key())


@user_app.command("join")
def user_join(
    name: Annotated[str, typer.Argument(help="What the person logs in with here.")],
    subject: Annotated[str, typer.Argument(help="What the single sign-on calls the person: its claim `sub`.")],
) -> None:
    """Let a person of the single sign-on in with an account that was there before."""
    from impetus import administration

    asyncio.run(administration.join_user(name, subject))


@user_app.command("list")
def user_list(organisation: Tenant) -> None:
    """List the people of an organisation."""
    from impetus import administration

    asyncio.run(administration.list_users(organisation))


@token_app.command("add")
def token_add(
    name: Annotated[str, typer.Argument(help="What the token is for.")],
    organisation: Tenant,
    scope: Annotated[list[str], typer.Option(help="What it may do, e.g. alerts:write; give it several times.")],
    days: Annotated[int, typer.Option(help="Valid for so many days.", min=1, max=3650)] = 365,
) -> None:
    """Make a token for a machine and print it once."""
    from impetus import administration

    asyncio.run(administration.add_token(organisation, name, scope, days))


@token_app.command("list")
def token_list(organisation: Tenant) -> None:
    """List the tokens of an organisation."""
    from impetus import administration

    asyncio.run(administration.list_tokens(organisation))


@token_app.command("rotate")
def token_rotate(
    id: Annotated[str, typer.Argument(help="The token, as `impetus token list` names it.")],
    organisation: Tenant,
    overlap_hours: Annotated[float, typer.Option(help="How long the old one goes on.", min=0, max=168)] = 24,
) -> None:
    """Replace a token by a new one with the same scopes and as long a life, and print it once."""
    from impetus import administration

    asyncio.run(administration.rotate_token(organisation, id, overlap_hours))


@sensor_app.command("import")
def sensor_import(
    file: Annotated[Path, typer.Argument(help="JSON Lines, one datastream a line.", exists=True, dir_okay=False)],
    organisation: Tenant,
) -> None:
    """Register datastreams from a file, or bring them up to date."""
    from impetus import administration

    asyncio.run(administration.import_datastreams(organisation, file))


@audit_app.command("verify")
def audit_verify() -> None:
    """Check the chain of the audit log: finds any record that was altered, removed or reordered."""
    from impetus import administration

    asyncio.run(administration.verify_audit())


@tool_app.command("list")
def tool_list() -> None:
    """List the installed tools."""
    from impetus import administration

    administration.list_tools()


@tool_app.command("check")
def tool_check(id: Annotated[str, typer.Argument(help="The tool, by its id.")]) -> None:
    """Check a tool's manifest and card."""
    from impetus import administration

    administration.check_tool(id)


@app.command("new-tool")
def new_tool(
    name: Annotated[str, typer.Argument(help="Id of the tool, in lower case, e.g. water-quality.")],
    destination: Annotated[Path, typer.Option(help="Folder to write into.")] = Path(),
) -> None:
    """Write the folder of a new tool: it works, and its test passes."""
    from impetus.sdk.new_tool import create_tool

    typer.echo(create_tool(name, destination))


@exercise_app.command("city")
def exercise_city() -> None:
    """Play the demo city's sensors into the MQTT listener. `impetus demo` does this for you."""
    from impetus import demo as demonstration

    run(demonstration.run_city())


@exercise_app.command("list")
def exercise_list() -> None:
    """List the scenarios that come with the program."""
    from impetus.exercise.scenario import folder_of, load_scenario, shipped

    for name in shipped():
        scenario = load_scenario(folder_of(name))
        typer.echo(f"{name:14} {scenario.minutes:3g} min  {scenario.title}")


@exercise_app.command("validate")
def exercise_validate(
    scenario: Annotated[str, typer.Argument(help="Folder of a scenario, or the name of one that is shipped.")],
) -> None:
    """Check a scenario; says what is wrong and where."""
    from impetus.exercise.validation import validate_scenario
    from impetus.settings import default_home

    for line in validate_scenario(scenario, default_home()):
        typer.echo(line)


@exercise_app.command("run")
def exercise_run(
    scenario: Annotated[str, typer.Argument(help="Folder of a scenario, or the name of one that is shipped.")],
    speed: Annotated[float, typer.Option(help="Times as fast as the time.", min=1, max=60)] = 20.0,
    variant: Annotated[int, typer.Option(help="Seed of a variant; 0: as it is written.", min=0)] = 0,
    folder: Annotated[Path | None, typer.Option(help="Folder that keeps the run; a new one if left out.")] = None,
    tool: Annotated[list[str] | None, typer.Option(help="Run only these tools; give it several times.")] = None,
) -> None:
    """Play a scenario to its end without players, apart from the real operation, and review it."""
    from impetus import demo as demonstration

    run(demonstration.run_and_review(scenario, speed=speed, variant=variant, folder=folder, tools=tool))


@exercise_app.command("report")
def exercise_report(
    name: Annotated[str | None, typer.Argument(help="A run: its folder or its name; the newest if left out.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Folder for the report; in the run's if left out.")] = None,
    against: Annotated[str | None, typer.Option(help="Another run to compare with.")] = None,
) -> None:
    """Write the after-action review of a run as HTML, PDF and JSON, and print what matters."""
    from impetus import demo as demonstration

    run(demonstration.report(name, folder=folder, against=against))


@exercise_app.command("replay")
def exercise_replay(
    tool: Annotated[str, typer.Argument(help="The tool, by its id.")],
    organisation: Tenant,
    since: Annotated[datetime, typer.Option(help="Begin of the period, UTC.")],
    until: Annotated[datetime, typer.Option(help="End of the period, UTC.")],
    setting: Annotated[
        list[str] | None, typer.Option(help="A setting of the tool to change, NAME=VALUE; give it several times.")
    ] = None,
) -> None:
    """Give a tool the readings of a period again, and compare what it tells with then, and with other settings."""
    from impetus import demo as demonstration

    run(demonstration.replay_period(tool, since=since, until=until, changes=setting or (), organisation=organisation))


@exercise_app.command("base-map")
def exercise_base_map(file: Annotated[Path, typer.Argument(help="GeoJSON file to write.")]) -> None:
    """Draw the demo city's base map anew."""
    from impetus.exercise.base_map import write_base_map

    write_base_map(file)


def read_password() -> str:
    """A password from the terminal (asked twice), or the first line of standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


def add_tool_commands() -> None:
    """Mount the command of the tool that is asked for, or of all for `--help`; a broken one disturbs no other."""
    asked = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    known = {command.name or "" for command in app.registered_commands} | {g.name for g in app.registered_groups}
    if asked in known:
        return
    for entry in sorted(entry_points(group=COMMANDS_GROUP), key=lambda entry: entry.name):
        if asked not in (None, entry.name):
            continue
        try:
            app.add_typer(entry.load(), name=entry.name)
        except Exception as error:  # a plug-in may fail in any way; the other commands go on
            if asked is not None:
                raise ImpetusError(
                    f"the command of tool {entry.name!r} cannot be loaded: {error}", hint="reinstall the tool"
                ) from error


def main() -> None:
    """Entry point: prints an `ImpetusError` on one line and exits with 2."""
    try:
        add_tool_commands()
        app()
    except ImpetusError as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"impetus: {error}", markup=False)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
