"""Settings of the tool `cti`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from impetus.model import Line, Slug, Value
from impetus.sdk import ToolSettings
from impetus.tools.cti.grading import Reliability
from impetus.tools.cti.rules import PromotionRule
from impetus.tools.cti.stix import Tlp
from impetus.tools.cti.watch import WatchItem


class SourceKind(StrEnum):
    """How a source is read."""

    RSS = "rss"
    """An RSS or Atom feed."""
    POSTS = "posts"
    """JSON as pastes are published."""
    WEB = "web"
    """One web page; its robots.txt is obeyed."""
    TAXII = "taxii"
    """A TAXII 2.1 collection; the address ends with `/collections/ID/`."""
    MISP_FEED = "misp-feed"
    """A MISP feed: a folder on the web with `manifest.json`."""
    MISP_SERVER = "misp-server"
    """A MISP server; `token` is the key."""
    FOLDER = "folder"
    """A folder of HTML, PDF, Markdown and text on this machine."""


class Source(Value):
    """One source, with why it may be read."""

    id: Slug
    """Unlike those of all other sources."""
    title: Line
    """Its name on the page."""
    kind: SourceKind
    """How it is read."""
    address: Annotated[str, Field(min_length=1, max_length=2_000)]
    """`https://...`, or the path of a folder."""
    purpose: Line
    """What it is read for."""
    legal_basis: Line
    """On what legal ground (GDPR article 6, national law)."""
    reliability: Reliability = Reliability.F
    """In the Admiralty code."""
    tlp: Tlp = Tlp.AMBER
    """Marking of what carries none itself."""
    every_s: Annotated[float, Field(ge=5, le=86_400)] = 900.0
    """Seconds between two polls."""
    user: Annotated[str, Field(max_length=200)] = ""
    """Log-in name for HTTP Basic; an account that was given to the city under its own name."""
    password: SecretStr | None = None
    """For HTTP Basic."""
    token: SecretStr | None = None
    """Bearer token, or the key of a MISP server."""
    proxy: bool = False
    """Read it through the SOCKS proxy, as onion addresses are."""

    @model_validator(mode="after")
    def _has_an_address(self) -> Self:
        if self.kind is not SourceKind.FOLDER and not self.address.startswith(("https://", "http://")):
            raise ValueError("the address begins with https:// or http://")
        return self


class CtiSettings(ToolSettings):
    """What a city may set."""

    sources: Annotated[tuple[Source, ...], Field(title="Sources", max_length=200)] = ()
    """What is read, each with its purpose and legal basis."""
    watch: Annotated[tuple[WatchItem, ...], Field(title="Watch", max_length=5_000)] = ()
    """What is watched at the first start; afterwards the page's editor changes it."""
    socks_proxy: Annotated[str, Field(title="SOCKS proxy", pattern=r"^(socks5h?://.+)?$", max_length=300)] = ""
    """Proxy for onion addresses, for example `socks5://127.0.0.1:9050` (Tor)."""
    internal_addresses: Annotated[
        tuple[str, ...], Field(title="Internal addresses that may be read", max_length=50)
    ] = ()
    """`host:port` of sources inside the own network; all others there are refused."""
    certificate_authorities: Annotated[Path | None, Field(title="Certificate authorities")] = None
    """A PEM file to trust instead of the system's, for sources with certificates of their own."""
    alert_relevance: Annotated[float, Field(title="Relevance that alerts", ge=0.5, le=1)] = 0.6
    """An item alerts from this relevance, a share of 1; from 0.5 it goes to the review queue."""
    fetch_limit_s: Annotated[float, Field(title="Seconds for one answer", ge=1, le=300)] = 30.0
    """A source that takes longer is given up until its next turn."""
    fetch_limit_mb: Annotated[float, Field(title="Size of one answer, MB", gt=0, le=50)] = 10.0
    """In megabytes; a longer answer is refused."""
    promotion_rules: Annotated[tuple[PromotionRule, ...], Field(title="Promotion rules", max_length=50)] = ()
    """Written rules by which items are promoted without a person; without any, only people promote."""
    misp_address: Annotated[str, Field(title="MISP server", pattern=r"^(https?://.+)?$", max_length=500)] = ""
    """`https://...` of the own MISP server to which what is promoted is sent; inside the own network,
    `internal_addresses` has to name it."""
    misp_key: Annotated[SecretStr | None, Field(title="Key of the MISP server")] = None
    """An authentication key that may add events."""
    misp_tlp: Annotated[Tlp, Field(title="Strictest marking sent to MISP")] = Tlp.AMBER
    """What is marked more strictly stays here."""
    user_agent: Annotated[str, Field(title="User agent", max_length=200)] = "impetus-cti/0.1 (threat intelligence)"
    """What is told to web servers; add how to reach you."""

    @model_validator(mode="after")
    def _sources_are_distinct(self) -> Self:
        names = [source.id for source in self.sources]
        if len(set(names)) != len(names):
            raise ValueError("two sources have the same id")
        return self
