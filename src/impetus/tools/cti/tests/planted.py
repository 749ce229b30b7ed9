"""A planted set for relevance: what a watched city wants to see, and what only looks like it, in three languages.

Written once, before the matcher was run on it. `RELEVANT` and `IRRELEVANT` hold (name, text); `EXACT` names the items
that mention something watched exactly.
"""

from __future__ import annotations

from impetus.tools.cti.watch import Watch, watch_of

WATCH: Watch = watch_of(
    {
        "domains": ["aurelia.example", "visitaurelia.com"],
        "addresses": ["203.0.113.0/25"],
        "brands": ["Aurelia Transit"],
        "places": [{"name": "Aurelia", "aliases": ["Comune di Aurelia", "Aurelia kommune"]}],
        "venues": [
            "Harbour Promenade",
            {"name": "Orion Arena", "aliases": ["Orion"], "context": ["arena", "stadium", "stadio", "ticket"]},
        ],
        "suppliers": [
            {"name": "Northeye Systems", "aliases": ["Northeye"]},
            {"name": "Mercury", "context": ["camera", "CCTV", "video", "telecamer", "kamera"], "ambiguous": True},
        ],
        "software": ["SignalCore 4", "GateKeeper Pro"],
        "roles": [{"name": "traffic operator", "aliases": ["operatore del traffico", "trafikkoperatør"]}],
    }
)

RELEVANT: list[tuple[str, str]] = [
    ("leak-domain", "Combo list with 300 credentials of staff at aurelia.example is offered on a forum."),
    ("leak-mail", "Stealer log: the account anna@mail.aurelia.example and its password were stolen last week."),
    ("range", "Botnet operators scan 203.0.113.44 and 203.0.113.45 for an authentication bypass in cameras."),
    ("homoglyph", "A phishing kit was put up at аurelia.example, aimed at citizens paying fines."),
    ("punycode", "The newly registered domain xn--urelia-2nf.example shows a fake login page."),
    ("typosquat", "Phishing: visitaurella.com asks tourists for card numbers."),
    ("swap", "Smishing messages lead to visitaurleia.com, a fake page of the tourist office."),
    ("added", "The domain aurelia-login.example was registered yesterday; it impersonates the city's portal."),
    ("ending", "visitaurelia.shop copies the site of the tourist office and steals payments (phishing)."),
    ("brand", "Ransomware group lists Aurelia Transit as a victim and threatens to publish ticketing data."),
    ("supplier", "Access for sale: VPN credentials of Northeye Systems, a maker of CCTV systems."),
    ("supplier-ambiguous", "Dump of the camera maker Mercury: admin passwords of video recorders leaked."),
    ("venue-ambiguous", "Hacktivists announce a DDoS attack on the ticket shop of Orion Arena on match day."),
    ("software", "Exploit for an unpatched vulnerability in SignalCore 4 is traded; no patch yet."),
    ("software-2", "Researchers describe a remote code execution in GateKeeper Pro, used for turnstiles."),
    ("software-leet", "Sellers offer an 0day for Gatek33per Pro, the access control system."),
    ("italian", "In vendita credenziali rubate del Comune di Aurelia, compresi gli accessi VPN."),
    ("italian-role", "Un gruppo cerca un operatore del traffico ad Aurelia per un attacco ai semafori."),
    ("norwegian", "Lekkasje: passord til ansatte i Aurelia kommune ligger til salgs på et forum."),
    ("norwegian-venue", "Innbrudd hos Northeye: angripere hentet kameraopptak fra Harbour Promenade."),
    ("defanged", "C2 and credential dump hosted at hxxps://intranet[.]aurelia[.]example/upload after a breach."),
    ("venue", "A user posts a plan to hack the display boards at Harbour Promenade during the festival."),
]

IRRELEVANT: list[tuple[str, str]] = [
    ("planet", "Mercury will be visible after sunset; the planet is closest to the sun."),
    ("metal", "Fish with too much mercury were taken off the market by the food authority."),
    ("bank", "The Mercury bank was breached; customers' credentials leaked, the company said."),
    ("stars", "Orion is the constellation to look for in winter, say astronomers."),
    ("malware-orion", "The Orion botnet attacked banks overseas; police made two arrests."),
    ("other-city", "Ransomware at the municipality of Eastmoor: the town hall is closed for three days."),
    ("other-domain", "Phishing at payment-check.example copies a parcel service."),
    ("similar-word", "The Aurelian wall in Rome is being restored, the culture ministry said."),
    ("other-range", "Botnet hosts at 203.0.113.200 and 198.51.100.7 were taken down."),
    ("name", "Aurelio Bianchi wins the chess tournament; nobody expected the breach in the defence."),
    ("weather", "Storms along the harbour; the promenade of Westport was closed."),
    ("generic-cve", "CVE-2020-0001 in a mobile operating system is exploited in the wild."),
    ("italian", "Il gruppo ha rubato credenziali di una catena di palestre in Francia."),
    ("italian-2", "Il mercurio nelle acque supera i limiti, dice l'agenzia per l'ambiente."),
    ("norwegian", "Passord fra en treningskjede i Sverige er lekket på nett."),
    ("norwegian-2", "Kvikksølv (mercury) i fisk: nye grenseverdier fra Mattilsynet."),
    ("software-other", "SignalHire raises funding for recruiting software."),
    ("gate", "The gatekeeper of the old town museum retires after forty years."),
    ("roundup", "Weekly round-up: loaders, stealers, and a new wiper seen in the energy sector abroad."),
    ("cameras", "A maker of baby cameras patched a vulnerability; no municipality is concerned."),
    ("sport", "Transit of the cup final: fans travel by train, tickets are sold out."),
    ("tourism", "Visit our harbour: ten promenades worth seeing this summer."),
    ("defi", "Aurum exchange hacked, attackers stole tokens worth millions."),
    ("ddos", "DDoS attacks hit bookmakers before the derby, says a hosting company."),
    ("look", "The domain aureola.example sells candles; the certificate was renewed."),
    ("leak", "Leak of a game's source code: passwords of testers were in the dump."),
    ("phish", "Phishing kit imitates a Norwegian bank at bank-id-check.example."),
    ("iot", "Default passwords in routers are exploited by a botnet, vendors say."),
]

EXACT = (
    "leak-domain", "leak-mail", "range", "brand", "supplier", "supplier-ambiguous", "venue-ambiguous", "software",
    "software-2", "italian", "italian-role", "norwegian", "norwegian-venue", "defanged", "venue",
)  # fmt: skip
