"""What people ask the tool for."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from impetus.tools.cti.watch import WatchKind


class ItemChosen(BaseModel):
    """Names an item of the queue."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(title="Item", min_length=1, max_length=128)]


class NoteWanted(ItemChosen):
    """A case note."""

    text: Annotated[str, Field(title="Note", min_length=1, max_length=2_000)]


class WatchWanted(BaseModel):
    """Something to watch; never a private person."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Annotated[WatchKind, Field(title="Kind")] = WatchKind.BRAND
    name: Annotated[str, Field(title="Name, domain or address range", min_length=2, max_length=200)]
    aliases: Annotated[str, Field(title="Other names, with commas", max_length=1_000)] = ""
    context: Annotated[str, Field(title="Words that stand near it, with commas", max_length=1_000)] = ""
    ambiguous: Annotated[bool, Field(title="Means other things too")] = False


class Nothing(BaseModel):
    """No particulars."""

    model_config = ConfigDict(frozen=True, extra="forbid")
