"""Protects what the commands print: the keys that others rely on, and one line for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from impetus.tools.workload.brain_inputs import POWERS
from impetus.tools.workload.cli import app
from impetus.tools.workload.signals import band_powers
from impetus.tools.workload.tests.people import RATE_HZ, beats, ecg

HRV_KEYS = {"mean_nn_ms", "sdnn_ms", "rmssd_ms", "sdsd_ms", "pnn50", "lf_ms2", "hf_ms2", "lf_hf"}


def run(*arguments: str) -> list[dict[str, object]]:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_variability_of_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "rr.npy", 800 + 30 * np.sin(2 * np.pi * 0.1 * np.cumsum(np.full(600, 0.8))))
    (measures,) = run("hrv", str(tmp_path / "rr.npy"))
    assert measures.keys() >= HRV_KEYS
    assert measures["sdnn_ms"] is not None
    assert abs(float(str(measures["sdnn_ms"])) - 21.21) < 0.1


def test_peaks_of_an_electrocardiogram_and_of_noise(tmp_path: Path) -> None:
    true = beats(60)
    np.save(tmp_path / "ecg.npy", ecg(true, 60))
    np.save(tmp_path / "noise.npy", np.random.default_rng(1).normal(size=15_000))
    (good,) = run("ecg", str(tmp_path / "ecg.npy"), "--rate", str(RATE_HZ))
    assert good["abstained"] is False
    assert len(good["r_peaks"]) == len(true)  # type: ignore[arg-type]
    assert good["hrv"].keys() >= HRV_KEYS  # type: ignore[attr-defined]
    (bad,) = run("ecg", str(tmp_path / "noise.npy"), "--rate", str(RATE_HZ))
    assert bad["abstained"] is True
    assert bad["hrv"] is None
    assert bad["r_peaks"] == []


def test_estimates_follow_a_heart_a_brain_and_an_electrocardiogram(tmp_path: Path) -> None:
    rows = [f"7,{70 + (15 if second > 300 else 0) + second % 3},14,{second}" for second in range(600)]
    (tmp_path / "heart.csv").write_text("Participant,HR,respr,Time(sec)\n" + "\n".join(rows))
    lines = run("estimate", str(tmp_path / "heart.csv"), "--every", "10")
    assert len(lines) == 60
    assert float(str(lines[45]["load"])) > float(str(lines[25]["load"]))
    random = np.random.default_rng(1)
    powers = [",".join(f"{value:.4g}" for value in band_powers(float(load), random)) for load in [0] * 20 + [1] * 20]
    table = ",".join((*POWERS, "subject", "session")) + "\n" + "\n".join(f"{row},s,1" for row in powers)
    (tmp_path / "brain.csv").write_text(table)
    lines = run("estimate", str(tmp_path / "brain.csv"))
    assert len(lines) == 40
    assert float(str(lines[30]["load"])) > float(str(lines[15]["load"]))
    np.save(tmp_path / "ecg.npy", ecg(beats(60), 60))
    assert len(run("estimate", str(tmp_path / "ecg.npy"), "--rate", "250")) == 60


def test_people_who_were_not_seen_are_judged_and_the_rest_is_said(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    header = "Participant,HR,respr,Time(sec),Label\n"
    rows = []
    for person in ("x", "y"):
        for second in range(900):
            high = 400 < second < 700
            rows.append(
                f"{person},{70 + 15 * high + random.normal():.3f},{14 + random.normal():.3f},{second},{int(high)}"
            )
    (tmp_path / "people.csv").write_text(header + "\n".join(rows))
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
    (tmp_path / "broken.npy").write_bytes(b"no array")
    result = CliRunner().invoke(app, ["evaluate", "--data", str(tmp_path)])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert figures["heart"]["people.csv"]["judged_by_model_of_release"] == 2
    assert 0 <= figures["heart"]["people.csv"]["macro_f1"] <= 1
    assert figures["left_aside"].keys() == {"odd.csv", "broken.npy"}


def test_what_is_wrong_is_one_line_and_exit_2(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("0.8\n0.9\n")
    (tmp_path / "x.csv").write_text("HR,respr\nabc,1\n")
    for arguments in (
        ["hrv", str(tmp_path / "missing.csv")],
        ["hrv", str(tmp_path / "x.txt")],
        ["ecg", str(tmp_path / "x.txt")],
        ["ecg", str(tmp_path / "x.txt"), "--rate", "250"],
        ["estimate", str(tmp_path / "x.csv")],
        ["estimate", str(tmp_path / "x.txt")],
        ["evaluate", "--data", str(tmp_path / "nowhere")],
        ["evaluate", "--data", str(tmp_path)],
    ):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2, arguments
        assert len(result.stderr.strip().splitlines()) == 1, result.stderr
