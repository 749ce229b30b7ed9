"""`impetus firearm`: guns in pictures and videos, models compared, trained and exported; no server needed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
import yaml

from impetus.model import ImpetusError, InvalidInput
from impetus.tools.firearm import discovery, training
from impetus.tools.firearm.arrays import Floats, Picture
from impetus.tools.firearm.confirmation import Event
from impetus.tools.firearm.evaluation import look_at, report
from impetus.tools.firearm.heldout import rendered_pictures
from impetus.tools.firearm.inference import Model
from impetus.tools.firearm.model import SHIPPED, Contract, Decoder, ModelInput, sha256_of
from impetus.tools.firearm.pipeline import CameraPipeline
from impetus.tools.firearm.samples import load, read_annotations
from impetus.tools.firearm.sources import PICTURES, files_of, frames_of, read_picture

LEAST_SCORE = 0.02
"""Objects that score less are not written."""

DEFAULT_FOLDER = Path("firearm-training")

app = typer.Typer(help="Guns in pictures and videos.", no_args_is_help=True)

ModelPath = Annotated[Path | None, typer.Option("--model", help="A model's YAML; without it, the one that is shipped.")]


@contextmanager
def _one_line_for_an_error() -> Iterator[None]:
    try:
        yield
    except ImpetusError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from error
    except BrokenPipeError:
        sys.stderr.close()
        raise typer.Exit(0) from None


@app.command()
def detect(
    path: Annotated[Path, typer.Argument(metavar="VIDEO_OR_FOLDER", help="A video, a picture, or a folder of them.")],
    model: ModelPath = None,
    every: Annotated[int, typer.Option("--every", min=1, help="Of videos, look at each so manyth frame.")] = 1,
    as_json: Annotated[bool, typer.Option("--json/--text", help="JSON Lines, or a short text for people.")] = True,
    threads: Annotated[int, typer.Option("--threads", min=1, max=64, help="Threads of the detector.")] = 1,
) -> None:
    """What is in a video or in pictures: a JSON line a frame or picture, and a line an event of a video."""
    with _one_line_for_an_error():
        detector = Model.read(model or SHIPPED, threads=threads)
        files = files_of(path)
        unread: list[str] = []
        for file in files:
            name = file.relative_to(path).as_posix() if path.is_dir() else file.name
            try:
                lines = (
                    _picture(detector, file, name)
                    if file.suffix.lower() in PICTURES
                    else _video(detector, file, name, every)
                )
                for line in lines:
                    typer.echo(json.dumps(line) if as_json else _words(line))
            except InvalidInput as error:
                if len(files) == 1:
                    raise
                unread.append(str(error))
                typer.echo(f"Set aside: {error}", err=True)
        if unread and len(unread) == len(files):
            raise InvalidInput(f"none of the {len(files)} files could be read", hint="see the lines above")


def _picture(detector: Model, file: Path, name: str) -> Iterator[dict[str, object]]:
    found = detector.look(read_picture(file))
    yield {"frame": name, "time_s": 0.0, "objects": found.where(found.scores >= LEAST_SCORE).objects()}


def _video(detector: Model, file: Path, name: str, every: int) -> Iterator[dict[str, object]]:
    pipeline = CameraPipeline(detector)
    for frame in frames_of(str(file)):
        if frame.number % every:
            continue
        step = pipeline.step(frame)
        found = step.found.where(step.found.scores >= LEAST_SCORE)
        yield {
            "frame": frame.number,
            "time_s": round(frame.time_s, 4),
            "objects": found.objects(),
            "file": name,
            "looked": step.looked,
        }
        for event in (step.ended, step.begun):
            if event is not None:
                yield {"event": {"file": name, **_event(event)}}
    ended = pipeline.finish()
    if ended is not None:
        yield {"event": {"file": name, **_event(ended)}}


def _event(event: Event) -> dict[str, object]:
    return {
        "id": event.number,
        "state": "ended" if event.ended else "begun",
        "class": "weapon",
        "start_s": round(event.start_s, 3),
        "confirmed_s": round(event.confirmed_s, 3),
        "end_s": round(event.last_s, 3) if event.ended else None,
        "confidence": round(event.probability, 4),
        "frames": event.frames,
        "hits": event.hits,
        "of": event.window,
        "box_xyxy": [round(float(side), 1) for side in event.best.box],
        "best_frame": event.best.frame,
        "size_px": round(event.size_px, 1),
    }


def _words(line: dict[str, object]) -> str:
    event = line.get("event")
    if isinstance(event, dict):
        return f"event {event['id']} {event['state']}: {event['start_s']} s, confidence {event['confidence']}"
    objects = line["objects"] if isinstance(line["objects"], list) else []
    what = ", ".join(f"{each['class']} {each['score']:.2f}" for each in objects if each["score"] >= 0.3)
    return f"{line['frame']}  {line['time_s']} s  {what or 'nothing'}"


@app.command()
def evaluate(
    models: Annotated[
        list[Path] | None, typer.Option("--model", help="A model's YAML; give two to compare them.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="A folder with annotations.jsonl; without it, rendered pictures.")
    ] = None,
    part: Annotated[str, typer.Option("--part", help="Of the folder: only this split.")] = "validation",
    pictures: Annotated[int, typer.Option("--pictures", min=10, max=100_000, help="So many rendered ones.")] = 500,
) -> None:
    """How good models are on the same pictures, with intervals of 95 %: a JSON line a model."""
    with _one_line_for_an_error():
        for path in models or [SHIPPED]:
            detector = Model.read(path)
            judged = look_at(detector, _annotated(data, part) if data else rendered_pictures(pictures))
            threshold = detector.contract.thresholds.weapon
            line = {
                "model": detector.contract.name,
                "version": detector.contract.version,
                "sha256": detector.contract.sha256,
                "provider": detector.provider,
                "data": f"{data} ({part})" if data else "rendered",
                "threshold": threshold,
                **report(judged, threshold=threshold).json(),
            }
            typer.echo(json.dumps(line))


def _annotated(folder: Path, part: str) -> Iterator[tuple[Picture, Floats, Floats]]:
    for annotated in read_annotations(folder, part):
        sample = load(annotated)
        yield sample.picture, sample.boxes, sample.kinds


@app.command()
def discover(
    network: Annotated[str, typer.Argument(metavar="NETWORK", help="An IPv4 network, as in 10.0.5.0/24.")],
    user: Annotated[str, typer.Option("--user", help="Name with which to log in at the cameras.")] = "",
    wait: Annotated[float, typer.Option("--wait", min=0.1, max=60, help="Seconds to wait for answers.")] = 3.0,
) -> None:
    """Cameras of a network that speak ONVIF, and their streams: a JSON line each. The password is read from
    IMPETUS_ONVIF_PASSWORD. Nothing is entered anywhere."""
    with _one_line_for_an_error():
        for device in discovery.discover(network, wait_s=wait, port=discovery.PORT):
            problem, addresses = "", list[str]()
            try:
                addresses = discovery.streams(device, user, os.environ.get("IMPETUS_ONVIF_PASSWORD", ""))
            except ImpetusError as error:
                problem = str(error)
            line = {
                "host": device.host,
                "name": device.name,
                "hardware": device.hardware,
                "streams": addresses,
                "problem": problem,
            }
            typer.echo(json.dumps(line))


@app.command()
def train(
    samples: Annotated[int, typer.Option("--samples", min=64, help="So many pictures are learnt from.")] = 100_000,
    folder: Annotated[Path, typer.Option("--folder", help="Where the checkpoint lies; gone on from.")] = DEFAULT_FOLDER,
    data: Annotated[
        Path | None, typer.Option("--data", help="A folder with annotations.jsonl; without it, rendered scenes.")
    ] = None,
    rendered: Annotated[
        float, typer.Option("--rendered", min=0, max=1, help="With --data: share that is rendered all the same.")
    ] = 0.0,
    begin: Annotated[Path | None, typer.Option("--from", help="A checkpoint whose weights are begun with.")] = None,
    width: Annotated[int, typer.Option("--width", min=8, max=128, help="Channels of the first stage.")] = 32,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of all chance: the same seed, the same training.")] = 1,
    rate: Annotated[float, typer.Option("--rate", min=1e-6, max=1, help="Learning rate.")] = 1e-3,
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
) -> None:
    """Train the detector; goes on where it was stopped, and prints a JSON line about every ten seconds."""
    with _one_line_for_an_error():
        plan = training.Plan(
            samples=samples,
            seed=seed,
            width=width,
            rate=rate,
            data=str(data) if data else None,
            rendered_share=rendered,
        )
        for progress in training.train(plan, folder, begin=begin, device=device):
            typer.echo(
                json.dumps(
                    {
                        "samples": progress.samples,
                        "of": progress.of,
                        "loss_classes": round(progress.loss_classes, 4),
                        "loss_boxes": round(progress.loss_boxes, 4),
                        "samples_a_s": round(progress.samples_a_s, 1),
                    }
                )
            )


@app.command()
def export(
    output: Annotated[Path, typer.Argument(help="The ONNX file to write; its YAML is written beside it.")],
    folder: Annotated[Path, typer.Option("--folder", help="Where the checkpoint lies.")] = DEFAULT_FOLDER,
    name: Annotated[str, typer.Option("--name", help="Of the model.")] = "impetus-own",
    version: Annotated[str, typer.Option("--version", help="Of the model.")] = "1",
    licence: Annotated[str, typer.Option("--licence", help="Of the model.")] = "unclear: not to be passed on",
    description: Annotated[str, typer.Option("--data", help="What it was trained on, by what right.")] = "not said",
    not_for: Annotated[str, typer.Option("--not-for", help="What it must not be used for.")] = (
        "live cameras: no person has evaluated and approved it"
    ),
) -> None:
    """Write a training's weights as ONNX with the YAML of the model contract."""
    with _one_line_for_an_error():
        if output.suffix != ".onnx":
            raise InvalidInput("the output's name must end with .onnx", hint="as in model.onnx")
        plan = training.export(folder / "checkpoint.pt", output)
        contract = Contract(
            name=name,
            version=version,
            file=output.name,
            sha256=sha256_of(output),
            not_for=not_for,
            input=ModelInput(flexible=True),
            decoder=Decoder.YOLOX,
            classes=("person", "weapon"),
            licence=licence,
            data=description,
            command=f"impetus firearm train: {json.dumps(plan, sort_keys=True)}",
        )
        output.with_suffix(".yaml").write_text(
            yaml.safe_dump(contract.model_dump(mode="json"), sort_keys=False, width=110), "utf-8"
        )
        typer.echo(f"{output} ({output.stat().st_size / 1e6:.2f} MB) and {output.with_suffix('.yaml')}", err=True)
