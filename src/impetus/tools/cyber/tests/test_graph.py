"""Protects the engine: facts as clingo derives them from pairs of hosts, likelihoods as enumeration gives them."""

from __future__ import annotations

import itertools
import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impetus.model import ConfigurationError
from impetus.tools.cyber.assessing import Derivations, assess
from impetus.tools.cyber.countermeasures import MeasureKind, candidates, held_by_intruder, plan
from impetus.tools.cyber.drawing import drawing
from impetus.tools.cyber.graph import RULES as RULES_FILE
from impetus.tools.cyber.graph import AttackGraph, build, certain, fixpoint, read_rules
from impetus.tools.cyber.knowledge import Known
from impetus.tools.cyber.likelihood import Assumptions
from impetus.tools.cyber.network import (
    Access,
    Asset,
    Credential,
    Flow,
    Level,
    Login,
    Network,
    OpenAccount,
    Stored,
    Vulnerability,
    Zone,
    port_range,
)
from impetus.tools.cyber.tables import COLUMNS, tabulate
from impetus.tools.cyber.tests import mulval
from impetus.tools.cyber.worlds import counts, run

PORTS = (22, 80, 443, 445)
RULES = """
sends(H) :- user(H).
hits(H,P) :- user(G), pair(G,H,P).
hits(H,P) :- entry(H,P).
user(H) :- net(H,P,user), hits(H,P).
root(H) :- net(H,P,root), hits(H,P).
user(H) :- root(H).
root(H) :- loc(H), user(H).
have(C) :- stored(H,C,user), user(H).
have(C) :- stored(H,C,root), root(H).
have(C) :- same(C,D), have(D).
user(H) :- login(H,P,C,user), have(C), hits(H,P).
root(H) :- login(H,P,C,root), have(C), hits(H,P).
root(H) :- controls(G,H), root(G).
user(H) :- adj(H,user), user(G), inzone(G,Z), inzone(H,Z).
root(H) :- adj(H,root), user(G), inzone(G,Z), inzone(H,Z).
user(H) :- content(H), opens(H,G), user(G).
user(H) :- content(H), opened(H).
#show user/1. #show root/1. #show have/1.
"""
"""The same meaning over pairs of hosts: written apart from the engine, which never makes such pairs."""


def invented(seed: int, hosts: int) -> Network:
    """A random network with loops, host-specific flows, credentials and every kind of weakness."""
    chance = random.Random(seed)
    zones = [Zone(name=f"z{n}", attacker=n == 0, inside=chance.random() < 0.7) for n in range(chance.randint(2, 7))]
    credentials = [
        Credential(id=f"c{n}", same_as=(f"c{chance.randrange(4)}",) if chance.random() < 0.2 else ()) for n in range(4)
    ]
    assets = []
    for n in range(hosts):
        weak = {
            (f"w{chance.randrange(30)}", chance.choice(PORTS)): chance.choice((*[Access.NETWORK] * 3, *Access))
            for _ in range(chance.choice((0, 0, 1, 2)))
        }
        assets.append(
            Asset(
                id=f"h{n}",
                zone=chance.choice(zones[1:]).name,
                value=float(n % 5 == 0),
                vulnerabilities=tuple(
                    Vulnerability(
                        id=name,
                        port=port,
                        access=access,
                        gives=Level.ROOT
                        if access is Access.LOCAL
                        else (Level.USER if access is Access.CONTENT else chance.choice(list(Level))),
                    )
                    for (name, port), access in weak.items()
                ),
                open_accounts=(OpenAccount(port=chance.choice(PORTS)),) if chance.random() < 0.05 else (),
                logins=(Login(credential=f"c{chance.randrange(4)}", port=22, gives=chance.choice(list(Level))),)
                if chance.random() < 0.2
                else (),
                stores=(Stored(credential=f"c{chance.randrange(4)}", needs=chance.choice(list(Level))),)
                if chance.random() < 0.1
                else (),
                controls=(f"h{chance.randrange(hosts)}",) if chance.random() < 0.03 else (),
            )
        )
    ends = [zone.name for zone in zones] + [asset.id for asset in chance.sample(assets, min(5, hosts))]
    flows = []
    for _ in range(3 * len(zones)):
        source, target = chance.choice(ends), chance.choice(ends)
        ports = (chance.choice(PORTS), "400-450") if chance.random() < 0.8 else ()
        flows.append(Flow.model_validate({"from": source, "to": target, "ports": ports}))
    return Network(zones=tuple(zones), assets=tuple(assets), flows=tuple(flows), credentials=tuple(credentials))


def program(network: Network) -> str:
    """The network as facts over pairs of hosts."""
    inside = {zone.name: zone.inside for zone in network.zones}
    attackers = {zone.name for zone in network.zones if zone.attacker}
    facts: list[str] = []
    ranges = {id(flow): [port_range(port) for port in flow.ports] for flow in network.flows}

    def lets(source: set[str], target: Asset, port: int) -> bool:
        return any(
            flow.source in source
            and flow.target in (target.zone, target.id)
            and (not flow.ports or any(low <= port <= high for low, high in ranges[id(flow)]))
            for flow in network.flows
        )

    wanted = {
        asset.id: {one.port for one in asset.vulnerabilities if one.access is Access.NETWORK}
        | {one.port for one in asset.open_accounts}
        | {one.port for one in asset.logins}
        for asset in network.assets
    }
    for asset in network.assets:
        facts.append(f"inzone({asset.id},{asset.zone}).") if inside[str(asset.zone)] else None
        for one in asset.vulnerabilities:
            kind = {
                Access.NETWORK: f"net({asset.id},{one.port},{one.gives}).",
                Access.LOCAL: f"loc({asset.id}).",
                Access.ADJACENT: f"adj({asset.id},{one.gives}).",
                Access.CONTENT: f"content({asset.id}).",
            }
            facts.append(kind[one.access or Access.NETWORK])
        facts += [f"net({asset.id},{one.port},{one.gives})." for one in asset.open_accounts]
        facts += [f"login({asset.id},{one.port},{one.credential},{one.gives})." for one in asset.logins]
        facts += [f"stored({asset.id},{one.credential},{one.needs})." for one in asset.stores]
        facts += [f"controls({asset.id},{other})." for other in asset.controls]
        for port in wanted[asset.id]:
            if lets(attackers, asset, port):
                facts.append(f"entry({asset.id},{port}).")
            for other in network.assets:
                near = other.zone == asset.zone and inside[str(asset.zone)]
                if near or lets({str(other.zone), other.id}, asset, port):
                    facts.append(f"pair({other.id},{asset.id},{port}).")
        if any(one.access is Access.CONTENT for one in asset.vulnerabilities):
            mine = {str(asset.zone), asset.id}
            for flow in network.flows:
                if flow.source in mine:
                    if flow.target in attackers:
                        facts.append(f"opened({asset.id}).")
                    facts += [
                        f"opens({asset.id},{other.id})."
                        for other in network.assets
                        if flow.target in (other.zone, other.id) and other.zone != asset.zone
                    ]
    for credential in network.credentials:
        facts += [f"same({credential.id},{other}). same({other},{credential.id})." for other in credential.same_as]
    return "\n".join(facts) + RULES


def derived(graph: AttackGraph, network: Network) -> set[str]:
    """What the engine derives, in the words of the programme."""
    value = fixpoint(graph, certain(graph))[:, 0] != 0
    found = set()
    for kind, word, names in (
        ("user", "user", [asset.id for asset in network.assets]),
        ("root", "root", [asset.id for asset in network.assets]),
        ("credential", "have", [one.id for one in network.credentials]),
    ):
        found |= {f"{word}({name})" for number, name in enumerate(names) if value[graph.fact(kind, number)]}
    return found


def by_clingo(text: str) -> set[str]:
    """The same by clingo, an answer-set solver."""
    clingo = pytest.importorskip("clingo", reason="the development dependency clingo is not installed")
    control = clingo.Control(["--warn=none"])
    control.add("base", [], text)
    control.ground([("base", [])])
    found: set[str] = set()
    control.solve(on_model=lambda model: found.update(str(symbol) for symbol in model.symbols(shown=True)))
    return found


@pytest.mark.parametrize("seed", range(40))
def test_facts_are_those_of_clingo(seed: int) -> None:
    """Reachability by group and port derives exactly what pairs of hosts derive."""
    network = invented(seed, 5 + seed)
    assert derived(build(tabulate(network, {}, Assumptions())), network) == by_clingo(program(network))


@pytest.mark.parametrize("name", mulval.NETWORKS)
def test_facts_are_those_of_mulval(name: str) -> None:
    """On the networks that MulVAL is tested with, the engine derives what MulVAL's own rules derive."""
    restated = mulval.NETWORKS[name]()
    found = derived(build(tabulate(restated.network, {}, Assumptions())), restated.network)
    assert found == by_clingo(restated.program)
    assert len(found) >= 7


def small(seed: int) -> AttackGraph:
    """A cyclic network with few uncertain draws, so that all their outcomes can be gone through."""
    chance = random.Random(seed)
    count = 4
    assets = [
        Asset(
            id=f"h{n}",
            zone="in" if n else "edge",
            value=1.0,
            vulnerabilities=(
                Vulnerability(
                    id=f"w{chance.randrange(3)}",
                    port=chance.choice((1, 2)),
                    cvss=9.5,
                    gives=Level.USER,
                    access=Access.NETWORK,
                    probability=chance.choice((0.3, 0.6)),
                ),
            ),
        )
        for n in range(count)
    ]
    flows = [Flow.model_validate({"from": "out", "to": "edge"})]
    flows += [
        Flow.model_validate(
            {"from": f"h{chance.randrange(count)}", "to": f"h{chance.randrange(count)}", "ports": [1, 2]}
        )
        for _ in range(6)
    ]
    network = Network(
        zones=(Zone(name="out", attacker=True), Zone(name="edge"), Zone(name="in", inside=False)),
        assets=tuple(assets),
        flows=tuple(flows),
    )
    return build(tabulate(network, {}, Assumptions(critical=0.5)))


def exact(graph: AttackGraph) -> dict[int, float]:
    """Probability of each host's fact, by all outcomes of all draws."""
    uncertain = [step for step in range(len(graph.gives)) if graph.works[step] < 1]
    shared = sorted({int(number) for number in graph.shared if number >= 0})
    found = dict.fromkeys(range(graph.fact("user", 0), graph.fact("root", 0)), 0.0)
    for outcome in itertools.product((False, True), repeat=len(uncertain) + len(shared)):
        works = dict(zip(uncertain, outcome, strict=False))
        usable = dict(zip(shared, outcome[len(uncertain) :], strict=True))
        chance = math.prod(graph.works[step] if good else 1 - graph.works[step] for step, good in works.items())
        chance *= math.prod(
            graph.tables.usable[one] if good else 1 - graph.tables.usable[one] for one, good in usable.items()
        )
        held = {0}
        while True:
            more = {
                int(graph.gives[step])
                for step in range(len(graph.gives))
                if works.get(step, True)
                and usable.get(int(graph.shared[step]), True)
                and set(graph.premises[step].tolist()) <= held
            }
            if more <= held:
                break
            held |= more
        for fact in found:
            found[fact] += chance * (fact in held)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_worlds_agree_with_enumeration(seed: int) -> None:
    """Cycles and shared draws are counted right: within four standard errors of exact, for each host."""
    graph = small(seed)
    worlds = 16_384
    value, _ = run(graph, worlds, seed)
    for fact, chance in exact(graph).items():
        share = counts(value, np.asarray([fact]))[0] / worlds
        assert abs(share - chance) <= 4 * math.sqrt(max(chance * (1 - chance), 1e-9) / worlds) + 1e-9


def test_zones_in_a_ring_and_hosts_in_none_are_worked_out() -> None:
    """Flows that lead round and round end; a CVE without CVSS counts as the city assumes; a host that nobody placed is
    reached from nowhere."""
    names = ("out", "a", "b", "c")
    ring = [
        Flow.model_validate({"from": one, "to": other, "ports": [80]})
        for one, other in ((*itertools.pairwise(names), ("c", "a"), ("a", "a"), ("c", "out")))
    ]
    weak = (Vulnerability(id="CVE-2020-1", port=80),)
    network = Network(
        zones=tuple(Zone(name=name, attacker=name == "out") for name in names),
        assets=(
            *(Asset(id=f"h-{name}", zone=name, value=1.0, vulnerabilities=weak) for name in names[1:]),
            Asset(id="lost", value=1.0, vulnerabilities=weak),
        ),
        flows=tuple(ring),
    )
    worlds = 65_536
    found = {one.asset: one for one in assess(network, worlds=worlds).assets}
    assumed = Assumptions()
    chance = assumed.unknown * assumed.easy  # the CVE is drawn once for all, what it does on a host for each
    for steps, name in enumerate(names[1:], start=1):
        exact_chance = chance * assumed.easy ** (steps - 1)
        error = math.sqrt(exact_chance * (1 - exact_chance) / worlds)
        assert abs(found[f"h-{name}"].user.likelihood - exact_chance) < 4 * error
        path = found[f"h-{name}"].shortest
        assert path is not None
        assert [step.host for step in path.steps if step.host] == [f"h-{one}" for one in names[1 : steps + 1]]
    assert not found["lost"].reachable
    assert found["lost"].user.likelihood == 0.0


def test_paths_are_ways_that_hold() -> None:
    """A likely path's steps follow from each other, and no path is told to what cannot be reached."""
    for seed in range(10):
        network = invented(seed, 30)
        found = assess(network, worlds=64)
        reach = derived(found.graph, network)
        best = Derivations(found.graph, found.graph.probability)
        for number, risk in enumerate(found.assets):
            assert risk.reachable == (f"user({risk.asset})" in reach)
            assert (best.path(found.graph.fact("user", number)) is not None) == risk.reachable


def test_a_plan_keeps_to_its_budget_and_to_what_must_be_kept() -> None:
    """No plan costs more than the budget, blocks a kept flow, or raises the loss; search is near the optimum."""
    for seed in range(4):
        network = invented(seed, 40)
        kept = network.model_copy(
            update={"flows": tuple(flow.model_copy(update={"keep": True}) for flow in network.flows)}
        )
        graph = assess(kept, worlds=64, paths=False).graph
        assert not [one for one in candidates(kept, graph) if one.id.startswith("block")]
        best = plan(kept, graph, 4.0, exact=True)
        near = plan(kept, graph, 4.0, exact=False)
        assert best.cost <= 4.0
        assert near.cost <= 4.0
        assert best.chosen_loss <= near.chosen_loss + 1e-9
        assert near.after <= near.before + 1e-9


def test_a_plan_stops_the_intruder_where_he_stands() -> None:
    """Who came in by a way that the model does not know is stopped all the same, before he goes on."""
    weak = (Vulnerability(id="w", port=80, access=Access.NETWORK, gives=Level.USER),)
    network = Network(
        zones=(Zone(name="out", attacker=True), Zone(name="in"), Zone(name="core")),
        assets=(Asset(id="desk", zone="in"), Asset(id="crown", zone="core", value=5.0, vulnerabilities=weak)),
        flows=(Flow.model_validate({"from": "in", "to": "core", "ports": [80]}),),
    )
    graph = assess(network, worlds=64).graph
    assert plan(network, graph, 10.0).before == 0.0
    given = held_by_intruder(network, graph, {"desk", "not in the model"})
    options = candidates(network, graph, given=given)
    made = plan(network, graph, 10.0, measures=options, given=given)
    assert made.before > 0.1
    assert made.after == 0.0
    assert made.measures


HOMES = {"h0": "in", "h1": "in", "h2": "other"}


@pytest.mark.parametrize("ends", [("out", "h0"), ("h0", "out"), ("out", "in"), ("in", "out")])
def test_no_host_at_an_end_of_a_kept_flow_is_isolated(ends: tuple[str, str]) -> None:
    """Whether the flow names the host itself or the zone that it is in."""
    weak = (Vulnerability(id="w", port=80, access=Access.NETWORK, gives=Level.USER),)
    network = Network(
        zones=(Zone(name="out", attacker=True), Zone(name="in"), Zone(name="other")),
        assets=tuple(Asset(id=id, zone=zone, value=1.0, vulnerabilities=weak) for id, zone in HOMES.items()),
        flows=(
            Flow.model_validate({"from": "out", "to": "in"}),
            Flow.model_validate({"from": "in", "to": "other"}),
            Flow.model_validate({"from": ends[0], "to": ends[1], "ports": [80], "keep": True}),
        ),
    )
    isolated = {
        one.asset for one in candidates(network, assess(network, worlds=64).graph) if one.kind == MeasureKind.ISOLATE
    }
    assert "h0" not in isolated
    assert ("h1" in isolated) == ("h0" in ends)
    assert "h2" in isolated


def test_steps_grow_with_hosts_and_not_with_pairs_of_them() -> None:
    """Twice the hosts, twice the steps; hosts that the same flows name are one group however many they are."""

    def steps(hosts: int) -> tuple[int, int]:
        assets = tuple(
            Asset(
                id=f"h{n}",
                zone="in",
                vulnerabilities=(Vulnerability(id="w", port=80, access=Access.NETWORK, gives=Level.USER),),
            )
            for n in range(hosts)
        )
        named = [
            Flow.model_validate({"from": "out", "to": f"h{n}", "ports": [80]}) for n in range(10)
        ]  # each such host is a group of its own
        network = Network(zones=(Zone(name="out", attacker=True), Zone(name="in")), assets=assets, flows=tuple(named))
        tables = tabulate(network, {}, Assumptions())
        return len(build(tables).gives), len(tables.classes)

    (few, groups), (many, as_many) = steps(1_000), steps(2_000)
    assert groups == as_many == 2 + 10
    assert many - few == 3 * 1_000, "as many as there are new hosts, not pairs of them"


def test_likely_and_shortest_path_differ_where_the_long_way_is_likelier() -> None:
    """Max-product takes two easy steps over a hard one; the shortest path the hard one."""

    def weak(name: str, chance: float) -> Vulnerability:
        return Vulnerability(id=name, port=80, access=Access.NETWORK, gives=Level.USER, cvss=9.5, probability=chance)

    network = Network(
        zones=tuple(Zone(name=name, attacker=name == "out") for name in ("out", "a", "b")),
        assets=(
            Asset(id="step", zone="a", vulnerabilities=(weak("x", 0.9),)),
            Asset(
                id="goal",
                zone="b",
                value=1.0,
                vulnerabilities=(weak("hard", 0.1), weak("easy", 0.9).model_copy(update={"port": 81})),
            ),
        ),
        flows=tuple(
            Flow.model_validate({"from": one, "to": other, "ports": [port]})
            for one, other, port in (("out", "a", 80), ("out", "b", 80), ("a", "b", 81))
        ),
    )
    goal = assess(network, None, Assumptions(critical=1.0)).assets[1]
    assert goal.likely is not None
    assert goal.shortest is not None
    assert [step.host for step in goal.likely.steps if step.host] == ["step", "goal"]
    assert [step.host for step in goal.shortest.steps if step.host] == ["goal"]
    assert goal.likely.probability == pytest.approx(0.81)
    assert goal.shortest.probability == pytest.approx(0.1)
    assert goal.user.low <= 0.9 * 0.9 + 0.1 - 0.081 <= goal.user.high


@pytest.mark.parametrize(
    ("known", "cvss", "chance"),
    [
        (Known(exploited=True, epss=0.01), 3.0, 0.9),
        (Known(epss=0.1), 9.9, 1 - 0.9**3),
        (Known(epss=0.1, reported=0.5), None, 0.5 * 0.9 + 0.5 * (1 - 0.9**3)),
        (Known(cvss=9.8), None, 0.3),
        (None, 7.0, 0.15),
        (None, 4.0, 0.05),
        (None, 3.9, 0.01),
        (None, None, 0.1),
    ],
)
def test_what_is_known_of_a_vulnerability_becomes_a_probability(
    known: Known | None, cvss: float | None, chance: float
) -> None:
    """KEV before EPSS before CVSS, as the guide writes it down; each is a city's to change."""
    one = Vulnerability(id="CVE-2020-1", cvss=cvss)
    assert Assumptions().usable(known, one) == pytest.approx(chance)
    nothing = Assumptions(known_exploited=0, critical=0, high=0, medium=0, low=0, unknown=0, patience_days=1e-9)
    assert nothing.usable(known, one) == pytest.approx(0.0, abs=1e-6)


def test_rules_are_data_each_with_its_technique(tmp_path: Path) -> None:
    """A rule of a table, a fact or a technique that there is not is refused."""
    rules = read_rules()
    assert len({rule.id for rule in rules}) == len(rules)
    assert {rule.table for rule in rules} == set(COLUMNS)
    text = RULES_FILE.read_text()
    for wrong in (
        text.replace('technique = "T1583"', 'technique = "magic"'),
        text.replace('table = "starts"', 'table = "nothing"'),
        text.replace('then = "foothold(class)"', 'then = "foothold(port)"', 1),
        "rules = 1",
    ):
        path = tmp_path / "rules.toml"
        path.write_text(wrong)
        read_rules.cache_clear()
        with pytest.raises(ConfigurationError):
            read_rules(path)
    read_rules.cache_clear()


def test_the_picture_of_many_hosts_stays_small() -> None:
    """Of 4,000 hosts in 300 zones no more is sent than a page can draw; what matters is in it, the rest is counted."""
    zones = tuple(Zone(name=f"z{n}", attacker=n == 0) for n in range(300))
    assets = tuple(
        Asset(
            id=f"h{n}",
            zone=f"z{n % 299 + 1}",
            value=float(n % 10 == 0),
            vulnerabilities=(Vulnerability(id="w", port=80, access=Access.NETWORK, gives=Level.USER),),
        )
        for n in range(4_000)
    )
    network = Network(zones=zones, assets=assets, flows=(Flow.model_validate({"from": "z0", "to": "z1"}),))
    footholds = {"h298": 0.9, "h297": 0.7}  # of the last zones
    found: Any = drawing(network, assess(network, worlds=64, footholds=footholds, paths=False), footholds, {})
    assert len(json.dumps(found)) < 200_000
    assert len(found["nodes"]) == 400
    assert {one["id"] for one in found["nodes"] if one["compromised"]} == set(footholds)
    shown = {one["name"] for one in found["zones"]}
    assert {"z0", "z299", "z298"} <= shown
    assert sum(one["hosts"] for one in found["zones"]) == 4_000
