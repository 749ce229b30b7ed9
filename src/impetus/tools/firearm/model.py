"""The model contract: a `model.onnx` with a YAML that says what goes in, what comes out, and where it is from.

A city drops in a stronger model by path. What the YAML says is checked against the file before the file is used:
its SHA-256, its inputs and the shape of its outputs. The file is read once and those bytes are run, so that what was
checked is what runs. Pickles (PyTorch's `.pt`, `.pth`, `.pkl`) are programs and are refused.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, JsonValue, ValidationError, model_validator

from impetus.model import InvalidInput, Line, Text, Value

MOST_YAML_BYTES = 100_000
MOST_MODEL_BYTES = 1_000_000_000
SHIPPED = Path(__file__).with_name("models") / "rendered.yaml"
BINDING = ("agpl", "gpl", "sspl", "non-commercial", "noncommercial", "-nc")
"""Parts of licences' names that bind whoever runs the model as a service."""


class Decoder(StrEnum):
    """How the outputs are laid out; see `impetus.tools.firearm.decoding`."""

    YOLOX = "yolox"
    DETR = "detr"
    NMS_BOXES = "nms_boxes"


class ModelInput(Value):
    """What the model wants to see."""

    name: Line = "pictures"
    width: Annotated[int, Field(ge=32, le=4_096)] = 416
    height: Annotated[int, Field(ge=32, le=4_096)] = 416
    flexible: bool = False
    """It takes any multiple of 32 as width and height."""
    layout: Literal["nchw", "nhwc"] = "nchw"
    channels: Literal["bgr", "rgb"] = "bgr"
    scale: Annotated[float, Field(gt=0)] = 1.0
    """Levels 0..255 are multiplied by this, then `mean` is taken off, then they are divided by `deviation`."""
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    deviation: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (
        1.0,
        1.0,
        1.0,
    )
    fit: Literal["letterbox", "stretch"] = "letterbox"
    padding: Annotated[int, Field(ge=0, le=255)] = 114


class Thresholds(Value):
    """Scores from which something counts."""

    person: Annotated[float, Field(gt=0, lt=1)] = 0.35
    weapon: Annotated[float, Field(gt=0, lt=1)] = 0.35


class Calibration(Value):
    """Probability that a track is a gun: logistic of `offset + slope * x`, x the mean logit of its scores."""

    slope: float = 1.0
    offset: float = 0.0


class Contract(Value):
    """The YAML beside a model."""

    name: Line
    version: Line
    file: Line
    """The ONNX file, beside the YAML."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    not_for: Text
    """What it must not be used for; shown first."""
    input: ModelInput = ModelInput()
    decoder: Decoder
    decoded: bool = False
    """Of `yolox`: boxes are in pixels already."""
    softmax: bool = False
    """Of `detr`: the logits end with one for nothing."""
    strides: Annotated[tuple[int, ...], Field(min_length=1, max_length=6)] = (8, 16, 32)
    classes: Annotated[tuple[Line, ...], Field(min_length=1, max_length=1_000)]
    """Names in the order of the outputs; those called `person` and those in `weapons` are used."""
    weapons: Annotated[tuple[Line, ...], Field(min_length=1)] = ("weapon",)
    thresholds: Thresholds = Thresholds()
    overlap: Annotated[float, Field(gt=0, lt=1)] = 0.55
    calibration: Calibration = Calibration()
    licence: Line
    data: Text
    """What it was trained on, and by what right."""
    command: Text = ""
    """What made it."""
    evaluation: dict[str, JsonValue] = {}
    """Figures that were measured with this very file, and by which command."""

    @model_validator(mode="after")
    def _finds_weapons(self) -> Contract:
        if not set(self.weapons) & set(self.classes):
            raise ValueError("none of its weapons is among its classes")
        if "/" in self.file or "\\" in self.file or self.file.startswith("."):
            raise ValueError("file is a name beside the YAML, not a path")
        return self

    def licence_notice(self) -> str | None:
        """What to say of a licence that binds; None where there is nothing."""
        if any(part in self.licence.lower() for part in BINDING):
            return (
                f"the licence {self.licence} binds whoever runs this model as a service: ask a lawyer before it is used"
            )
        return None


def read_contract(path: Path) -> tuple[Contract, bytes]:
    """The contract of a YAML file (or of the `.yaml` beside an `.onnx`) and the checked bytes of its model.

    Raises `InvalidInput` that says what is wrong.
    """
    _refuse_pickle(path)
    if path.is_dir():
        path = path / "model.yaml"
    if path.suffix == ".onnx":
        path = path.with_suffix(".yaml")
    try:
        if path.stat().st_size > MOST_YAML_BYTES:
            raise InvalidInput(f"{path} is too large for a model's YAML", hint="name the YAML beside the model")
        content = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}", hint="a model has a YAML beside it") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # the second: a date that there is not
        raise InvalidInput(f"{path} is no YAML: {str(error)[:200]}", hint="see docs/guide/firearm.md") from error
    try:
        contract = Contract.model_validate(content)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors(include_url=False)
        )
        raise InvalidInput(f"{path}: {wrong}"[:900], hint="see docs/guide/firearm.md") from error
    file = path.with_name(contract.file)
    _refuse_pickle(file)
    try:
        if file.stat().st_size > MOST_MODEL_BYTES:
            raise InvalidInput(f"{file} is larger than 1 GB", hint="use a smaller model")
        data = file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}", hint="put it beside its YAML") from error
    found = hashlib.sha256(data).hexdigest()
    if found != contract.sha256:
        raise InvalidInput(
            f"{file} has the SHA-256 {found[:16]}…, its YAML says {contract.sha256[:16]}…",
            hint="it is not the model that was evaluated; export it again",
        )
    return contract, data


def _refuse_pickle(path: Path) -> None:
    if path.suffix.lower() in {".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".bin"}:
        raise InvalidInput(f"{path} may hold a pickle, which is a program", hint="export the model to ONNX")
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError:
        return
    if head[:1] == b"\x80" or head[:2] == b"PK":
        raise InvalidInput(f"{path} is a pickle or an archive, not ONNX", hint="export the model to ONNX")


def sha256_of(file: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
