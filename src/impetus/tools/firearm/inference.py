"""Runs a model with ONNX Runtime and looks at pictures of any size: whole, and in windows at full resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import onnxruntime

from impetus.model import InvalidInput
from impetus.tools.firearm.arrays import Floats, Picture
from impetus.tools.firearm.decoding import decode_boxes, decode_detr, decode_yolox
from impetus.tools.firearm.detections import PERSON, WEAPON, Detections, joined, suppressed
from impetus.tools.firearm.model import Contract, Decoder, read_contract

PROVIDERS = ("CUDAExecutionProvider", "OpenVINOExecutionProvider", "CPUExecutionProvider")
"""In this order, where present."""
LARGEST_SIDE = 16_384
LARGEST_PIXELS = 70_000_000
MOST = 100
"""Detections a picture."""
WINDOW = 640
"""Side of the windows that a model of any size looks at."""
TILE_OVERLAP = 0.2


@dataclass(frozen=True)
class Window:
    """A part of a picture, looked at as it is (`scale` 1) or smaller."""

    left: int
    top: int
    right: int
    bottom: int
    scale: float = 1.0


class Looks(Protocol):
    """Whatever finds persons and weapons in a picture."""

    @property
    def contract(self) -> Contract:
        """What it says of itself."""
        ...

    def look(self, picture: Picture, windows: Sequence[Window] | None = None) -> Detections:
        """What is in a picture (height x width x 3, blue-green-red), or in windows of it."""
        ...


class Model:
    """A model file behind its contract.

    Raises `InvalidInput` where the file is no model, or not the one that its contract describes.
    """

    def __init__(self, contract: Contract, data: bytes, *, threads: int = 1) -> None:
        self.contract = contract
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        # Pictures differ in size: reusing a pattern of memory from one size to the next only holds more of it.
        options.enable_mem_pattern = False
        options.enable_cpu_mem_arena = False
        present = onnxruntime.get_available_providers()
        wanted = [each for each in PROVIDERS if each in present]
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=wanted)
        except Exception as error:
            raise InvalidInput(
                f"the model {contract.name!r} cannot be loaded: {str(error)[:300]}",
                hint="export it to ONNX with an operator set that this ONNX Runtime knows",
            ) from error
        self.provider: str = self._session.get_providers()[0]
        self._persons = {number for number, name in enumerate(contract.classes) if name == "person"}
        self._weapons = {number for number, name in enumerate(contract.classes) if name in contract.weapons}
        self._check()

    @classmethod
    def read(cls, path: Path, *, threads: int = 1) -> Model:
        """The model of a path: its YAML, its `.onnx`, or a folder with both."""
        return cls(*read_contract(path), threads=threads)

    def _check(self) -> None:
        inputs = self._session.get_inputs()
        wanted = self.contract.input
        if len(inputs) != 1 or inputs[0].name != wanted.name or len(inputs[0].shape) != 4:
            names = ", ".join(f"{each.name} {each.shape}" for each in inputs)
            raise InvalidInput(f"the model takes {names}, its YAML says {wanted.name}", hint="mend the YAML")
        self._type = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}.get(inputs[0].type)
        if self._type is None:
            raise InvalidInput(f"the model takes {inputs[0].type}", hint="export it with float32 or uint8 pictures")
        try:
            self._run(np.zeros((wanted.height, wanted.width, 3), np.uint8))
        except InvalidInput:
            raise
        except Exception as error:
            raise InvalidInput(
                f"the model does not take {wanted.width} x {wanted.height} pictures: {str(error)[:200]}",
                hint="mend the YAML",
            ) from error

    def _run(self, picture: Picture) -> Detections:
        """Detections of a picture that has a size that the model takes; classes are the model's."""
        wanted = self.contract.input
        height, width = picture.shape[:2]
        if wanted.channels == "rgb":
            picture = np.ascontiguousarray(picture[:, :, ::-1])
        plain = wanted.scale == 1.0 and wanted.mean == (0.0, 0.0, 0.0) and wanted.deviation == (1.0, 1.0, 1.0)
        levels: Floats | Picture = picture
        if not plain:
            levels = (picture.astype(np.float32) * wanted.scale - wanted.mean) / np.array(wanted.deviation)
        if wanted.layout == "nchw":
            levels = levels.transpose(2, 0, 1)
        fed = np.ascontiguousarray(levels[None], dtype=self._type)
        outputs = self._session.run(None, {wanted.name: fed})
        outputs = [np.asarray(each) for each in outputs]
        contract = self.contract
        if contract.decoder is Decoder.YOLOX:
            return decode_yolox(
                outputs,
                height=height,
                width=width,
                strides=contract.strides,
                decoded=contract.decoded,
                classes=len(contract.classes),
            )
        if contract.decoder is Decoder.DETR:
            return decode_detr(
                outputs, height=height, width=width, classes=len(contract.classes), softmax=contract.softmax
            )
        return decode_boxes(outputs, classes=len(contract.classes))

    def look(self, picture: Picture, windows: Sequence[Window] | None = None) -> Detections:
        """See `Looks`. Without windows, the whole picture: shrunk once, and at full resolution if it is larger.

        Raises `InvalidInput` for a picture without pixels, or with too many.
        """
        height, width = check_size(picture)
        found = [self._window(picture, window) for window in (windows or self.windows(height, width))]
        return suppressed(joined(found), limit=self.contract.overlap, most=MOST)

    def windows(self, height: int, width: int) -> list[Window]:
        """How a picture of a size is looked at as a whole."""
        side = WINDOW if self.contract.input.flexible else max(self.contract.input.width, self.contract.input.height)
        if max(height, width) <= side:
            return [Window(0, 0, width, height)]
        overview = Window(0, 0, width, height, side / max(height, width))
        return [overview, *tiles(height, width, side)]

    def _window(self, picture: Picture, window: Window) -> Detections:
        part = picture[window.top : window.bottom, window.left : window.right]
        wanted = self.contract.input
        height, width = part.shape[:2]
        if wanted.flexible:
            across = down = window.scale
            if window.scale != 1.0:
                size = (max(1, round(width * across)), max(1, round(height * down)))
                part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
            room = (-part.shape[0] % 32, -part.shape[1] % 32)
        elif wanted.fit == "stretch":
            across, down = wanted.width / width, wanted.height / height
            part = cv2.resize(part, (wanted.width, wanted.height), interpolation=cv2.INTER_LINEAR)
            room = (0, 0)
        else:
            across = down = min(wanted.width / width, wanted.height / height)
            size = (max(1, round(width * across)), max(1, round(height * down)))
            part = cv2.resize(part, size, interpolation=cv2.INTER_AREA if across < 1 else cv2.INTER_LINEAR)
            room = (wanted.height - size[1], wanted.width - size[0])
        if any(room):
            grey = (wanted.padding,) * 3
            part = cv2.copyMakeBorder(part, 0, room[0], 0, room[1], cv2.BORDER_CONSTANT, value=grey)
        found = self._run(np.asarray(part, np.uint8))
        kinds = np.full(len(found), -1)
        kinds[np.isin(found.kinds, list(self._persons))] = PERSON
        kinds[np.isin(found.kinds, list(self._weapons))] = WEAPON
        boxes = found.boxes / np.array((across, down, across, down), np.float32)
        boxes = np.clip(boxes, 0, np.array((width, height, width, height), np.float32))
        boxes = boxes + np.array((window.left, window.top, window.left, window.top), np.float32)
        whole = (boxes[:, 2] - boxes[:, 0] >= 1) & (boxes[:, 3] - boxes[:, 1] >= 1) & (kinds >= 0)
        return Detections(boxes[whole].astype(np.float32), found.scores[whole], kinds[whole])


def tiles(height: int, width: int, side: int) -> list[Window]:
    """Windows of a side that cover a picture and overlap, so that nothing small lies on a border of all of them.

    >>> [(each.left, each.right) for each in tiles(100, 250, 100)]
    [(0, 100), (75, 175), (150, 250)]
    """

    def starts(length: int) -> list[int]:
        if length <= side:
            return [0]
        count = int(np.ceil((length - side) / (side * (1 - TILE_OVERLAP)))) + 1
        return [round(each) for each in np.linspace(0, length - side, count)]

    return [
        Window(left, top, min(left + side, width), min(top + side, height))
        for top in starts(height)
        for left in starts(width)
    ]


def check_size(picture: Picture) -> tuple[int, int]:
    """Height and width of a picture; raises `InvalidInput` for none, or too many pixels."""
    height, width = picture.shape[:2]
    if height < 1 or width < 1:
        raise InvalidInput("the picture has no pixels", hint="check the camera")
    if max(height, width) > LARGEST_SIDE or height * width > LARGEST_PIXELS:
        raise InvalidInput(f"the picture has {width} x {height} pixels", hint="let the camera send a smaller one")
    return height, width
