"""`impetus cyber`: a network checked, worked out and planned for; alerts joined to episodes. No server needed."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from impetus.model import ImpetusError, InvalidInput
from impetus.tools.cyber.alert_table import read_alerts
from impetus.tools.cyber.assessing import AssetRisk, assess
from impetus.tools.cyber.assessing import Path as AttackPath
from impetus.tools.cyber.countermeasures import DEFENCES, candidates
from impetus.tools.cyber.countermeasures import plan as choose
from impetus.tools.cyber.episodes import Episode, SecurityAlert
from impetus.tools.cyber.episodes import episodes as joined
from impetus.tools.cyber.inventory import merge
from impetus.tools.cyber.knowledge import Known, read_knowledge, take_over
from impetus.tools.cyber.knowledge import update as fetch
from impetus.tools.cyber.network import Network, read_network
from impetus.tools.cyber.scans import read_scan
from impetus.tools.cyber.sensors import parse_line

app = typer.Typer(help="The network as an attack graph; alerts joined to episodes. Defensive.", no_args_is_help=True)

ModelFile = Annotated[Path, typer.Option("--model", help="The network: YAML or JSON.")]
ScanFiles = Annotated[list[Path] | None, typer.Option("--scan", help="A scanner's report; may be given again.")]
KnowledgeFolder = Annotated[Path | None, typer.Option("--knowledge", help="Folder with NVD, KEV and EPSS files.")]
AsJson = Annotated[bool, typer.Option("--json/--text", help="JSON, or a short text for people.")]
Worlds = Annotated[int, typer.Option("--worlds", min=64, max=65_536, help="Monte Carlo worlds.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The same seed, the same answer.")]


@app.command()
def schema() -> None:
    """Print the JSON Schema of a network's model."""
    typer.echo(json.dumps(Network.model_json_schema(by_alias=True), indent=2))


@app.command()
def validate(
    model: Annotated[Path, typer.Argument(help="The network: YAML or JSON.")], as_json: AsJson = False
) -> None:
    """Check a model; says what is wrong, or what it holds."""
    try:
        network = read_network(model)
    except ImpetusError as error:
        raise _refused(error) from error
    found = {
        "valid": True,
        "name": network.name,
        "zones": len(network.zones),
        "assets": len(network.assets),
        "critical": sum(asset.value > 0 for asset in network.assets),
        "flows": len(network.flows),
        "vulnerabilities": sum(len(asset.vulnerabilities) for asset in network.assets),
        "remarks": _remarks(network),
    }
    if as_json:
        typer.echo(json.dumps(found))
    else:
        typer.echo(
            f"{network.name}: {found['zones']} zones, {found['assets']} assets ({found['critical']} critical), "
            f"{found['flows']} flows, {found['vulnerabilities']} vulnerabilities"
        )
        for remark in _remarks(network):
            typer.echo(f"Note: {remark}.", err=True)


@app.command("scan")
def report(file: Annotated[Path, typer.Argument(help="A scanner's report.")]) -> None:
    """What a scanner's report says: a JSON line a host with its open ports and weaknesses."""
    try:
        found = read_scan(file)
    except ImpetusError as error:
        raise _refused(error) from error
    for host in found.hosts:
        line = {
            "scanner": found.scanner,
            "addresses": host.addresses,
            "hostnames": host.hostnames,
            "ports": [
                {"port": port, "protocol": protocol, "name": name} for (port, protocol), name in host.ports.items()
            ],
            "cves": sorted(host.cves),
            "findings": len(host.findings),
        }
        typer.echo(json.dumps(line))
    for remark in found.remarks:
        typer.echo(f"Note: {remark}.", err=True)


@app.command()
def graph(
    model: ModelFile,
    scan: ScanFiles = None,
    knowledge: KnowledgeFolder = None,
    worlds: Worlds = 1_024,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """How likely each asset is reached, with 95 % interval, and the paths to the critical ones."""
    try:
        network, known = _read(model, scan or [], knowledge)
        found = assess(network, known, worlds=worlds, seed=seed)
    except ImpetusError as error:
        raise _refused(error) from error
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "model": network.name,
                    "worlds": found.worlds,
                    "seed": seed,
                    "facts": found.graph.facts,
                    "steps": len(found.graph.gives),
                    "expected_loss": round(found.expected_loss, 6),
                    "assets": [_asset_line(asset) for asset in found.assets],
                }
            )
        )
        return
    for asset in sorted(found.assets, key=lambda asset: (-asset.risk, -asset.user.likelihood, asset.asset)):
        mark = f"  value {asset.value:g}" if asset.value else ""
        one = asset.user
        typer.echo(f"{asset.asset:24} {one.likelihood:6.1%}  [{one.low:.1%}, {one.high:.1%}]{mark}")
        for number, step in enumerate(asset.likely.steps if asset.likely else (), start=1):
            typer.echo(f"    {number}. {step.technique:10} {step.text} ({step.probability:.2f})")


@app.command()
def plan(
    model: ModelFile,
    budget: Annotated[float, typer.Option("--budget", min=0, help="What the measures may cost together.")],
    scan: ScanFiles = None,
    knowledge: KnowledgeFolder = None,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """The countermeasures that take away the most of the expected loss. A person decides on each."""
    try:
        network, known = _read(model, scan or [], knowledge)
        found = assess(network, known, seed=seed, paths=False)
        chosen = choose(network, found.graph, budget, measures=candidates(network, found.graph), seed=seed)
    except ImpetusError as error:
        raise _refused(error) from error
    lines = [
        {
            "id": one.id,
            "kind": one.kind.value,
            "title": one.title,
            "asset": one.asset,
            "cost": one.cost,
            "d3fend": DEFENCES[one.kind][0],
            "attack_mitigation": DEFENCES[one.kind][1],
        }
        for one in chosen.measures
    ]
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "budget": budget,
                    "cost": chosen.cost,
                    "before": round(chosen.before, 6),
                    "after": round(chosen.after, 6),
                    "reduction": round(chosen.reduction, 6),
                    "method": chosen.method,
                    "measures": lines,
                }
            )
        )
        return
    typer.echo(f"Expected loss {chosen.before:.3f} -> {chosen.after:.3f} ({chosen.reduction:.0%} less)")
    for one in chosen.measures:
        typer.echo(f"  {one.cost:6g}  {one.title}")


@app.command()
def watch(
    eve: Annotated[Path, typer.Option("--eve", help="Suricata EVE, Wazuh or Zeek alerts as JSON lines.")],
    model: Annotated[Path | None, typer.Option("--model", help="The network: names hosts by their addresses.")] = None,
    as_json: AsJson = True,
) -> None:
    """Episodes in a file of alerts as JSON lines, each judged by the alerts before it."""
    skipped: Counter[str] = Counter()
    try:
        names = _names(read_network(model)) if model is not None else {}
        alerts = list(_eve(eve, skipped, names))
    except ImpetusError as error:
        raise _refused(error) from error
    alerts.sort(key=lambda alert: alert.time_s)
    for episode in joined(alerts):
        _print(episode, as_json)
    _tell(skipped)


@app.command()
def episodes(
    file: Annotated[str, typer.Argument(help="CSV with time,host,ip,signature,name; - is standard input.")],
    as_json: AsJson = True,
) -> None:
    """Episodes in a table of alerts, each judged by the alerts before it. A JSON line an episode."""
    skipped: Counter[str] = Counter()
    try:
        alerts = read_alerts(file, skipped, sys.stdin if file == "-" else None)  # type: ignore[arg-type]
    except ImpetusError as error:
        raise _refused(error) from error
    for episode in joined(alerts):
        _print(episode, as_json)
    _tell(skipped)


@app.command()
def update(
    folder: Annotated[Path, typer.Argument(help="Where the files go.")],
    years: Annotated[int, typer.Option("--years", min=1, max=25, help="Years of NVD.")] = 5,
    source: Annotated[Path | None, typer.Option("--from", help="Without a network: folder that has the files.")] = None,
) -> None:
    """Fetch what is known of vulnerabilities: NVD, CISA KEV, EPSS; or take it from a folder."""
    try:
        lines = fetch(folder, years=years, now=datetime.now(UTC)) if source is None else take_over(source, folder)
        for line in lines:
            typer.echo(line)
    except ImpetusError as error:
        raise _refused(error) from error


def _read(model: Path, scans: list[Path], knowledge: Path | None) -> tuple[Network, dict[str, Known]]:
    network = read_network(model)
    for path in scans:
        scan = read_scan(path)
        network, remarks = merge(network, scan)
        for remark in [*scan.remarks, *remarks]:
            typer.echo(f"Note: {path.name}: {remark}.", err=True)
    known: dict[str, Known] = {}
    if knowledge is not None:
        known, remarks = read_knowledge(knowledge)
        for remark in remarks:
            typer.echo(f"Note: {remark}.", err=True)
    for remark in _remarks(network):
        typer.echo(f"Note: {remark}.", err=True)
    return network, known


def _remarks(network: Network) -> list[str]:
    remarks = []
    if lost := network.without_zone:
        remarks.append(f"{len(lost)} assets are in no zone and are reached from nowhere: {', '.join(lost[:5])}")
    if not any(zone.attacker for zone in network.zones):
        remarks.append("no zone has `attacker: true`: nothing can be reached")
    if not any(asset.value > 0 for asset in network.assets):
        remarks.append("no asset has a value: none is critical")
    return remarks


def _asset_line(asset: AssetRisk) -> dict[str, object]:
    return {
        "asset": asset.asset,
        "zone": asset.zone,
        "value": asset.value,
        "critical": asset.value > 0,
        "reachable": asset.reachable,
        "likelihood": round(asset.user.likelihood, 6),
        "interval": [round(asset.user.low, 6), round(asset.user.high, 6)],
        "root_likelihood": round(asset.root.likelihood, 6),
        "root_interval": [round(asset.root.low, 6), round(asset.root.high, 6)],
        "paths": [
            {"kind": kind, **_path_line(path)}
            for kind, path in (("likely", asset.likely), ("shortest", asset.shortest))
            if path is not None
        ],
    }


def _path_line(path: AttackPath) -> dict[str, object]:
    return {
        "probability": round(path.probability, 6),
        "steps": [
            {
                "rule": step.rule,
                "technique": step.technique,
                "text": step.text,
                "probability": round(step.probability, 6),
                "host": step.host,
            }
            for step in path.steps
        ],
    }


def _names(network: Network) -> dict[str, str]:
    return {
        name.lower(): asset.id for asset in network.assets for name in (asset.id, *asset.addresses, *asset.hostnames)
    }


def _eve(path: Path, skipped: Counter[str], names: dict[str, str]) -> Iterator[SecurityAlert]:
    try:
        with path.open("rb") as file:
            while line := file.readline(2 * 1024 * 1024):
                alert = parse_line(line, skipped)
                if alert is not None:
                    host = names.get(alert.host.lower()) or names.get(alert.source.lower()) or alert.host
                    yield SecurityAlert(alert.time_s, host, alert.signature, alert.name, alert.source, alert.technique)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}", hint="give a file of JSON lines") from error


def _print(episode: Episode, as_json: bool) -> None:
    line = episode.line()
    if as_json:
        typer.echo(json.dumps(line))
    else:
        typer.echo(
            f"{line['start']}  {line['phase']:20} score {episode.score:6.1f}  {episode.alerts} alerts on "
            f"{', '.join(episode.hosts[:5])}"
        )


def _tell(skipped: Counter[str]) -> None:
    if skipped:
        typer.echo(f"Skipped: {', '.join(f'{count} {what}' for what, count in skipped.items())}.", err=True)


def _refused(error: ImpetusError) -> typer.Exit:
    typer.echo(f"Error: {error}", err=True)
    return typer.Exit(2)


if __name__ == "__main__":
    app()
