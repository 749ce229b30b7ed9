"""The attack graph as the page shows it: zones collapsed to what matters in them, however many hosts there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from pydantic import JsonValue

from impetus.tools.cyber.assessing import Assessed, AssetRisk
from impetus.tools.cyber.network import Network

SHOWN = 400
"""Assets that are drawn by name; the others are counted in their zone."""
LANES = 200


def drawing(
    network: Network, assessed: Assessed, footholds: Mapping[str, float], reported: Mapping[str, float]
) -> dict[str, JsonValue]:
    """Zones, the assets that are drawn, the likely paths and the top risks, at most about 150 KB as JSON. `reported`:
    vulnerabilities of the network that threat intelligence says are exploited, and how surely."""
    risks = {one.asset: one for one in assessed.assets}
    kinds = {asset.id: asset.kind for asset in network.assets}
    on_path: set[str] = set()
    edges: dict[tuple[str, str], float] = {}
    critical = sorted((one for one in assessed.assets if one.value > 0), key=lambda one: -one.risk)
    for one in critical[:20]:
        before = "attacker"
        for step in one.likely.steps if one.likely else ():
            if step.host is not None and step.host != before:
                edges[before, step.host] = max(edges.get((before, step.host), 0.0), step.probability)
                on_path.add(step.host)
                before = step.host
    ranked = sorted(
        assessed.assets,
        key=lambda one: (one.asset not in footholds, one.asset not in on_path, one.value <= 0, -one.user.likelihood),
    )
    shown = ranked[:SHOWN]
    hosts: dict[str, list[float]] = defaultdict(list)
    for one in assessed.assets:
        hosts[one.zone or "(no zone)"].append(one.user.likelihood)
    attacker = {zone.name for zone in network.zones if zone.attacker}
    order = [zone.name for zone in network.zones if zone.name in hosts or zone.name in attacker]
    order += ["(no zone)"] if "(no zone)" in hosts else []
    if len(order) > LANES:
        # What is left out are zones without intruder, path and critical asset before others; they are one lane.
        matters = {risks[name].zone for name in {*footholds, *on_path} if name in risks} | attacker
        worth = {one.zone for one in critical}
        kept = set(sorted(order, key=lambda name: (name not in matters, name not in worth))[: LANES - 1])
        rest = [name for name in order if name not in kept]
        hosts[f"(+{len(rest)})"] = [likelihood for name in rest for likelihood in hosts[name]]
        order = [name for name in order if name in kept] + [f"(+{len(rest)})"]
    zones: list[JsonValue] = [
        {
            "name": name,
            "attacker": name in attacker,
            "hosts": len(hosts[name]),
            "expected": round(float(np.sum(hosts[name])), 1),
            "highest": round(max(hosts[name], default=0.0), 4),
        }
        for name in order
    ]
    compromised: list[JsonValue] = [
        {"asset": name, "probability": round(chance, 4), "zone": risks[name].zone}
        for name, chance in sorted(footholds.items())
        if name in risks
    ]
    return {
        "hosts": len(network.assets),
        "steps": len(assessed.graph.gives),
        "worlds": assessed.worlds,
        "expected_loss": round(assessed.expected_loss, 4),
        "zones": zones,
        "nodes": [_node(one, kinds[one.asset], footholds, on_path) for one in shown],
        "edges": [
            {"source": source, "target": target, "probability": round(chance, 4)}
            for (source, target), chance in edges.items()
        ],
        "risks": [_risk(one) for one in critical[:20]],
        "compromised": compromised[:200],
        "reported": [
            {
                "cve": cve,
                "likelihood": round(chance, 4),
                "hosts": sum(any(one.id.upper() == cve for one in asset.vulnerabilities) for asset in network.assets),
            }
            for cve, chance in sorted(reported.items(), key=lambda item: -item[1])[:50]
        ],
    }


def _node(one: AssetRisk, kind: str, footholds: Mapping[str, float], on_path: set[str]) -> dict[str, JsonValue]:
    return {
        "id": one.asset,
        "zone": one.zone or "(no zone)",
        "kind": kind,
        "value": one.value,
        "likelihood": round(one.user.likelihood, 4),
        "compromised": one.asset in footholds,
        "path": one.asset in on_path,
    }


def _risk(one: AssetRisk) -> dict[str, JsonValue]:
    return {
        "asset": one.asset,
        "zone": one.zone,
        "value": one.value,
        "likelihood": round(one.user.likelihood, 4),
        "low": round(one.user.low, 4),
        "high": round(one.user.high, 4),
        "path": "; ".join(step.text for step in one.likely.steps)[:600] if one.likely else "",
    }
