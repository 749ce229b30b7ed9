"""What the commands that keep an installation well print."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml
from pydantic import ValidationError
from rich.console import Console

from impetus.model import ConfigurationError, SystemClock
from impetus.operations.backup import back_up, restore
from impetus.operations.deployment import Plan, write
from impetus.operations.doctor import Verdict, examine
from impetus.settings import read_settings
from impetus.store.transfer import Summed, transfer

console = Console(soft_wrap=True, highlight=False)
MARKS = {Verdict.WELL: ("ok", "green"), Verdict.NOTE: ("note", "yellow"), Verdict.WRONG: ("WRONG", "red")}


async def examine_and_print(*, as_json: bool) -> int:
    """Print what the doctor finds; the exit status."""
    findings = await examine(read_settings(), SystemClock())
    for finding in findings:
        if as_json:
            sys.stdout.write(finding.model_dump_json() + "\n")
            continue
        mark, style = MARKS[finding.verdict]
        console.print(f"{mark:>5}", style=style, end="  ")
        console.print(f"{finding.check}: {finding.text}", markup=False)
        if finding.mend:
            console.print(f"       -> {finding.mend}", markup=False)
    return int(any(finding.verdict is Verdict.WRONG for finding in findings))


async def back_up_and_print(file: Path) -> None:
    """Back up, and say what."""
    manifest = await back_up(read_settings(), file, SystemClock())
    rows = sum(table.rows for table in manifest.tables.values())
    size = file.stat().st_size / 1024**2  # noqa: ASYNC240 nothing else waits
    until = f"; delete it by {manifest.keep_until:%Y-%m-%d}" if manifest.keep_until else ""
    console.print(f"{file}: {len(manifest.files)} files, {rows:,} rows, {size:.1f} MiB{until}", markup=False)


async def restore_and_print(file: Path, past_its_time: bool) -> None:
    """Restore, and say what."""
    manifest = await restore(read_settings(), file, SystemClock(), past_its_time=past_its_time)
    rows = sum(table.rows for table in manifest.tables.values())
    console.print(
        f"restored what was backed up on {manifest.made:%Y-%m-%d %H:%M} UTC by version {manifest.version}:"
        f" {len(manifest.files)} files, {rows:,} rows, all sums agree",
        markup=False,
    )


async def migrate_and_print(to: str) -> None:
    """Move the store, and say how much of what."""

    def told(summed: Summed) -> None:
        if summed.rows:
            console.print(f"{summed.table:<28} {summed.rows:>12,}  {summed.checksum}", markup=False)

    await transfer(read_settings().store_url, to, told)
    console.print("All rows arrived, and the sums agree. Set IMPETUS_STORE to the new address and start impetus.")


def write_deployment(folder: Path, file: Path | None) -> None:
    """Write the files that deploy impetus, and say which. Raises `ConfigurationError` for a plan that is none."""
    try:
        plan = Plan.model_validate({} if file is None else yaml.safe_load(file.read_text()) or {})
    except (OSError, ValueError, yaml.YAMLError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigurationError(f"{file} is no plan: {reason}", hint="see the operator's handbook") from error
    for path in write(plan, folder):
        console.print(str(path), markup=False)
