"""The two networks that MulVAL is shipped with for tests, restated: as models of ours and as facts for clingo.

What MulVAL derives is worked out by clingo from its own interaction rules, after Ou, Govindavajhala and Appel, MulVAL:
A logic-based network security analyzer (USENIX Security 2005), and Ou, Boyer and McQueen (CCS 2006); the engine works
with groups of hosts and rules of its own. `execCode(h, _)` is our `user(h)`, `execCode(h, root)` our `root(h)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from impetus.tools.cyber.network import Access, Asset, Flow, Level, Network, OpenAccount, Vulnerability, Zone

HTTP, NFS, MOUNTD = 80, 2049, 635

RULES = """
net_access(H,P) :- attacker_located(Z), hacl(Z,H,P).
net_access(H,P) :- exec_code(G,_), hacl(G,H,P), G != H.
exec_code(H,U) :- vulnerable(H,S,remote), service(H,S,P,U), net_access(H,P).
exec_code(H,root) :- vulnerable(H,S,local), setuid(H,S), exec_code(H,U), U != root.
malicious_input(H) :- careless(H), attacker_located(Z), hacl(H,Z,http).
malicious_input(H) :- careless(H), browses(H,G), exec_code(G,_).
exec_code(H,user) :- vulnerable(H,S,client), malicious_input(H).
writes(S,F) :- exec_code(C,_), nfs_export(S,F,C), hacl(C,S,nfs).
writes(S,F) :- nfs_export(S,F,_), exec_code(S,root).
writes(C,M) :- nfs_mounted(C,M,S,F), writes(S,F).
exec_code(H,root) :- writes(H,M), nfs_mounted(H,M,_,_).
user(H) :- exec_code(H,_).
root(H) :- exec_code(H,root).
root(F) :- writes(_,F), share(F).
user(F) :- root(F), share(F).
#show user/1. #show root/1.
"""


@dataclass(frozen=True)
class Restated:
    """One network, twice."""

    network: Network
    facts: str

    @property
    def program(self) -> str:
        """For clingo."""
        return self.facts + RULES


def three_hosts() -> Restated:
    """A web server, a file server and a workstation that runs programs from the file server's share.

    The share is an asset of its own: who reaches it over NFS may write to it, and who writes to it is root where it is
    mounted.
    """

    def weak(name: str, port: int, gives: Level) -> Vulnerability:
        return Vulnerability(id=name, port=port, gives=gives, access=Access.NETWORK)

    assets = (
        Asset(id="web_server", zone="dmz", vulnerabilities=(weak("httpd", HTTP, Level.USER),)),
        Asset(
            id="file_server",
            zone="files",
            vulnerabilities=(weak("mountd", MOUNTD, Level.ROOT),),
            controls=("share",),
        ),
        Asset(id="share", zone="files", open_accounts=(OpenAccount(port=NFS, gives=Level.ROOT),), controls=("desk",)),
        Asset(id="desk", zone="office"),
    )
    hosts = ("web_server", "file_server", "desk")
    flows = [Flow.model_validate({"from": "internet", "to": "web_server", "ports": [HTTP]})]
    flows += [Flow.model_validate({"from": one, "to": other}) for one in hosts for other in hosts if one != other]
    flows += [Flow.model_validate({"from": one, "to": "share", "ports": [NFS]}) for one in ("web_server", "desk")]
    zones = (
        Zone(name="internet", attacker=True),
        *(Zone(name=name, inside=False) for name in ("dmz", "files", "office")),
    )
    facts = """
        attacker_located(internet). hacl(internet,web_server,http).
        host(web_server;file_server;desk). port(http;nfs;rpc).
        hacl(G,H,P) :- host(G), host(H), port(P).
        vulnerable(web_server,httpd,remote). service(web_server,httpd,http,apache).
        vulnerable(file_server,mountd,remote). service(file_server,mountd,rpc,root).
        share(share). nfs_export(file_server,share,web_server). nfs_export(file_server,share,desk).
        nfs_mounted(desk,local,file_server,share).
    """
    return Restated(Network(zones=zones, assets=assets, flows=tuple(flows)), facts)


SUBNETS = ("subnet1", "stations", "files", "dmz")
WEAK: Mapping[str, tuple[int, int, int]] = {
    "subnet1_10": (3, 2, 0),
    "subnet1_9": (2, 2, 0),
    "stations_10": (3, 1, 2),
    "stations_9": (3, 2, 0),
    "files_10": (0, 1, 3),
    "files_9": (0, 2, 2),
    "dmz_10": (1, 1, 4),
    "dmz_9": (1, 4, 0),
}
"""Host: how many weaknesses of local programs, of client programs and of servers."""
HACL = (
    ("files_10", "internet", HTTP),
    ("files_10", "stations_10", HTTP),
    ("subnet1_10", "internet", HTTP),
    ("subnet2_10", "internet", HTTP),
    ("dmz_10", "internet", HTTP),
    ("historian_10", "dmz_10", HTTP),
    ("historian_10", "dmz_10", NFS),
)
"""Each in both directions."""


def subnets() -> Restated:
    """Four subnets of ten hosts, two of which have weaknesses of all kinds, and two hosts that stand alone."""
    assets, facts = [], ["attacker_located(internet)."]
    for subnet in SUBNETS:
        for number in range(1, 11):
            name = f"{subnet}_{number}"
            local, client, server = WEAK.get(name, (0, 0, 0))
            facts += [f"in_subnet({name},{subnet})."]
            facts += [f"vulnerable({name},l{one},local). setuid({name},l{one})." for one in range(local)]
            facts += [f"vulnerable({name},c{one},client). careless({name})." for one in range(client)]
            facts += [f"vulnerable({name},s{one},remote). service({name},s{one},http,user)." for one in range(server)]
            kinds = (
                ("l", local, Access.LOCAL, Level.ROOT),
                ("c", client, Access.CONTENT, Level.USER),
                ("s", server, Access.NETWORK, Level.USER),
            )
            assets.append(
                Asset(
                    id=name,
                    zone=subnet,
                    vulnerabilities=tuple(
                        Vulnerability(
                            id=f"{name}-{letter}{one}",
                            port=HTTP if access is Access.NETWORK else 0,
                            access=access,
                            gives=gives,
                        )
                        for letter, count, access, gives in kinds
                        for one in range(count)
                    ),
                )
            )
    assets += [Asset(id="subnet2_10", zone="subnet2"), Asset(id="historian_10", zone="historian")]
    facts.append("port(http;nfs). hacl(G,H,P) :- in_subnet(G,S), in_subnet(H,S), port(P).")
    flows = []
    for one, other, port in HACL:
        for source, target in ((one, other), (other, one)):
            flows.append(Flow.model_validate({"from": source, "to": target, "ports": [port]}))
            facts.append(f"hacl({source},{target},{'http' if port == HTTP else 'nfs'}).")
            if "internet" not in (source, target):
                facts.append(f"browses({source},{target}).")
    zones = (Zone(name="internet", attacker=True), *(Zone(name=one) for one in (*SUBNETS, "subnet2", "historian")))
    return Restated(Network(zones=zones, assets=tuple(assets), flows=tuple(flows)), "\n".join(facts))


NETWORKS = {"three hosts": three_hosts, "four subnets": subnets}
