"""How likely a step is: the assumptions that turn KEV, EPSS and CVSS into probabilities; a city may change them.

No data says how likely an intruder is to have, and to be able to use, an exploit. So these are assumptions, written
down: what CISA knows to be exploited is nearly always usable, and what threat intelligence reports as exploited is so
as far as the report is believed; EPSS gives a probability for 30 days, taken over the intruder's patience; without
either, CVSS severity stands for it, coarsely.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from impetus.tools.cyber.knowledge import Known
from impetus.tools.cyber.network import Access, Level, Vulnerability

Share = Annotated[float, Field(ge=0, le=1)]


class Assumptions(BaseModel):
    """Probabilities that a city may change."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    known_exploited: Share = 0.9
    """The intruder can use a vulnerability that is in CISA's catalogue of known exploited ones."""
    patience_days: Annotated[float, Field(gt=0, le=3_650)] = 90.0
    """For how long an intruder tries: EPSS, which speaks of 30 days, is taken to this time."""
    critical: Share = 0.3
    """Without KEV and EPSS, by CVSS base score: 9 and more."""
    high: Share = 0.15
    """7 to 8.9."""
    medium: Share = 0.05
    """4 to 6.9."""
    low: Share = 0.01
    """Below 4."""
    unknown: Share = 0.1
    """No CVSS either."""
    easy: Share = 0.9
    """A usable exploit works on one host: attack complexity low."""
    hard: Share = 0.4
    """Attack complexity high."""
    opened: Share = 0.3
    """Somebody on the host opens what is sent."""
    open_account: Share = 0.8
    """A factory password or open share is found and used."""
    found: Share = 0.8
    """A credential on a host that was taken is found."""
    login: Share = 0.9
    """A known credential works where it should."""

    def usable(self, known: Known | None, vulnerability: Vulnerability) -> float:
        """That the intruder can use this vulnerability anywhere: drawn once a world, shared by all hosts.

        As far as threat intelligence is sure that it is exploited, it counts like CISA's word."""
        if known is not None and known.exploited:
            return self.known_exploited
        without = self._unreported(known, vulnerability)
        reported = known.reported if known is not None else 0.0
        return max(without, reported * self.known_exploited + (1.0 - reported) * without)

    def _unreported(self, known: Known | None, vulnerability: Vulnerability) -> float:
        if known is not None and known.epss is not None:
            return float(1.0 - (1.0 - known.epss) ** (self.patience_days / 30.0))
        score = vulnerability.cvss
        if score is None and known is not None:
            score = known.cvss
        if score is None:
            return self.unknown
        return self.critical if score >= 9 else self.high if score >= 7 else self.medium if score >= 4 else self.low

    def works(self, known: Known | None, vulnerability: Vulnerability) -> float:
        """That it works on this host, if the intruder can use it."""
        if vulnerability.probability is not None:
            return vulnerability.probability
        vector = vulnerability.vector or (known.vector if known else "")
        return self.hard if "AC:H" in vector else self.easy


def access_of(known: Known | None, vulnerability: Vulnerability) -> Access:
    """From where it can be used: as written, else by its CVSS vector, else over the network."""
    if vulnerability.access is not None:
        return vulnerability.access
    vector = vulnerability.vector or (known.vector if known else "")
    if "AV:L" in vector or "AV:P" in vector:
        return Access.CONTENT if "UI:R" in vector and "PR:N" in vector else Access.LOCAL
    if "AV:A" in vector:
        return Access.ADJACENT
    return Access.CONTENT if "UI:R" in vector else Access.NETWORK


def gives_of(known: Known | None, vulnerability: Vulnerability) -> Level | None:
    """What it gives: as written; by its CVSS vector root, a user's rights, or (harm to availability only) nothing."""
    if vulnerability.gives is not None:
        return vulnerability.gives
    vector = vulnerability.vector or (known.vector if known else "")
    if access_of(known, vulnerability) is Access.LOCAL:
        return Level.ROOT if not vector or "I:H" in vector or "I:C" in vector else None
    if not vector:
        score = vulnerability.cvss if vulnerability.cvss is not None else (known.cvss if known else None)
        return Level.USER if score is None or score >= 4 else None
    if ("S:C" in vector and "I:H" in vector) or "C:C/I:C/A:C" in vector:
        return Level.ROOT
    return Level.USER if any(part in vector for part in ("I:H", "I:L", "I:P", "I:C", "C:H", "C:C")) else None
