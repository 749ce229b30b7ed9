"""`impetus workload ...`: a file in, JSON out, with no server running."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from impetus.model import ImpetusError, InvalidInput
from impetus.tools.workload.beats import LEAST_QUALITY, SEGMENT_S, Pulse, find_beats
from impetus.tools.workload.breathing import breathing_per_min
from impetus.tools.workload.estimating import estimate_table
from impetus.tools.workload.files import SIGNAL_NAMES, read_intervals, read_signal
from impetus.tools.workload.heart_variability import Variability, require_milliseconds, variability

app = typer.Typer(help="Mental workload from a person's signals.", no_args_is_help=True)

PPG_NAMES = ("ppg", "bvp", "pleth", "signal", "value")


@app.callback()
def commands() -> None:
    """Mental workload from a person's signals."""


@app.command()
def hrv(
    file: Annotated[Path, typer.Argument(help="RR intervals in ms: .npy, .csv or .txt.")],
) -> None:
    """Heart-rate variability of a series of RR intervals, as JSON."""
    with _one_line_for_an_error():
        _print(_measures(variability(require_milliseconds(read_intervals(file)))))


@app.command()
def ecg(
    file: Annotated[Path, typer.Argument(help="An electrocardiogram: .npy, .csv, .txt, .edf or .bdf.")],
    rate: Annotated[float | None, typer.Option(help="Samples a second; EDF files say it themselves.")] = None,
    channel: Annotated[str | None, typer.Option(help="Column or channel, where there are several.")] = None,
    ppg: Annotated[bool, typer.Option("--ppg", help="It is a photoplethysmogram.")] = False,
) -> None:
    """R peaks, how far the signal can be believed, and variability where it can, as JSON."""
    with _one_line_for_an_error():
        signal = read_signal(file, channel=channel, wanted=PPG_NAMES if ppg else SIGNAL_NAMES)
        rate_hz = rate or signal.rate_hz
        if rate_hz is None:
            raise InvalidInput(f"{file.name} does not say its rate", hint="give it with --rate HZ")
        beats = find_beats(signal.values, rate_hz, Pulse.PPG if ppg else Pulse.ECG)
        measures = beats.variability()
        good = beats.time_s[beats.good] if beats.reason is None else np.zeros(0)
        breaths = None if beats.reason else breathing_per_min(beats.time_s, beats.amplitude, beats.good)
        _print(
            {
                "rate_hz": rate_hz,
                "duration_s": len(signal.values) / rate_hz,
                "quality": beats.quality,
                "quality_needed": LEAST_QUALITY,
                "quality_by_segment": beats.segment_quality.tolist(),
                "segment_s": SEGMENT_S,
                "abstained": beats.reason is not None,
                "reason": beats.reason,
                "beats": len(good),
                "r_peaks": np.rint(good * rate_hz).astype(int).tolist(),
                "r_peaks_s": good.tolist(),
                "respiration_per_min": breaths,
                "hrv": None if beats.reason else _measures(measures),
            }
        )


@app.command()
def estimate(
    file: Annotated[
        Path,
        typer.Argument(help="CSV of heart rate and breathing each second, or of band powers an epoch; or an ECG."),
    ],
    rate: Annotated[
        float | None, typer.Option(help="The file is an electrocardiogram of so many samples a second.")
    ] = None,
    every: Annotated[int, typer.Option(min=1, max=3_600, help="A line for every so many seconds or epochs.")] = 1,
) -> None:
    """Load as it goes on, each line from what came before only: a JSON line a second or an epoch."""
    with _one_line_for_an_error():
        for line in estimate_table(file, rate_hz=rate, every=every):
            _print(line)


@app.command()
def evaluate(
    data: Annotated[Path, typer.Option(help="Folder with recordings, as those that the models were trained on.")],
) -> None:
    """Figures of the files of a folder: people whom the model has not seen, causal normalisation; one JSON object."""
    from impetus.tools.workload.evaluation import evaluate as judge

    with _one_line_for_an_error():
        typer.echo(json.dumps(_plain(judge(data)), indent=2))


def _measures(measures: Variability) -> dict[str, Any]:
    """The measures with the names that the command promises, those that matter most first."""
    first = ("mean_nn_ms", "sdnn_ms", "rmssd_ms", "sdsd_ms", "pnn50", "lf_ms2", "hf_ms2", "lf_hf")
    all_of_them = asdict(measures)
    return {name: all_of_them[name] for name in first} | all_of_them


def _print(content: dict[str, Any]) -> None:
    typer.echo(json.dumps(_plain(content)))


def _plain(value: Any) -> Any:
    """The same with numbers of a sensible length, and none that JSON does not know."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    return value


@contextmanager
def _one_line_for_an_error() -> Iterator[None]:
    try:
        yield
    except ImpetusError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from error


if __name__ == "__main__":
    app()
