"""Protects the model contract: what is not the model that was evaluated is refused, and decoders read their layouts."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import yaml

from impetus.model import InvalidInput
from impetus.tools.firearm.decoding import decode_boxes, decode_detr, decode_yolox
from impetus.tools.firearm.inference import Model, tiles
from impetus.tools.firearm.model import SHIPPED, Contract, read_contract, sha256_of


def copied(folder: Path, **changes: object) -> Path:
    """The shipped model with another YAML."""
    content = yaml.safe_load(SHIPPED.read_text("utf-8"))
    (folder / content["file"]).write_bytes(SHIPPED.with_name(content["file"]).read_bytes())
    path = folder / "model.yaml"
    path.write_text(yaml.safe_dump({**content, **changes}), "utf-8")
    return path


def test_the_shipped_model_is_small_and_says_what_it_is_not_for() -> None:
    """Under 10 MB; its first words keep it away from real cameras; pictures of any size give finite boxes."""
    model = Model.read(SHIPPED)
    assert SHIPPED.with_name(model.contract.file).stat().st_size < 10_000_000
    assert model.contract.not_for.startswith("real cameras")
    for height, width in ((1, 1), (37, 501), (416, 416), (270, 1_300)):
        found = model.look(np.full((height, width, 3), 90, np.uint8))
        assert np.isfinite(found.boxes).all()
        assert ((found.scores >= 0) & (found.scores <= 1)).all()


def test_another_file_is_refused(tmp_path: Path) -> None:
    """One changed byte is another model."""
    path = copied(tmp_path)
    file = path.with_name("rendered.onnx")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(InvalidInput, match="SHA-256"):
        read_contract(path)


@pytest.mark.parametrize("name", ["model.pt", "model.pkl", "model.yaml", "model.onnx"])
def test_pickles_are_refused(tmp_path: Path, name: str) -> None:
    """By name or by content, a pickle is never opened."""
    file = tmp_path / name
    file.write_bytes(pickle.dumps({"weights": [1.0]}))
    with pytest.raises(InvalidInput, match="pickle"):
        read_contract(file)


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": ["person", "weapon", "dog"]},
        {"decoder": "detr"},
        {"decoder": "nms_boxes"},
        {"strides": [8, 16]},
        {"input": {"name": "images", "flexible": True}},
        {"input": {"width": 100, "height": 100}},
        {"classes": ["person"]},
        {"file": "../model.onnx"},
        {"decoder": "guess"},
    ],
)
def test_what_does_not_fit_its_yaml_is_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    """A model whose outputs, inputs or classes are not those of its YAML never looks at a picture."""
    with pytest.raises(InvalidInput):
        Model.read(copied(tmp_path, **changes))


def test_garbage_is_refused(tmp_path: Path) -> None:
    """A file that is no ONNX is refused, even with the right hash."""
    path = copied(tmp_path)
    file = path.with_name("rendered.onnx")
    file.write_bytes(b"\x08\x07nothing of the kind" * 100)
    content = yaml.safe_load(path.read_text("utf-8"))
    path.write_text(yaml.safe_dump({**content, "sha256": sha256_of(file)}), "utf-8")
    with pytest.raises(InvalidInput, match="cannot be loaded"):
        Model.read(path)


def test_a_binding_licence_is_said() -> None:
    """The AGPL is named; ours is not."""
    content = yaml.safe_load(SHIPPED.read_text("utf-8"))
    assert Contract.model_validate({**content, "licence": "AGPL-3.0"}).licence_notice() is not None
    assert Contract.model_validate(content).licence_notice() is None


def test_yolox_is_decoded() -> None:
    """A cell's offset and logarithmic size become a box; the score is objectness times class."""
    output = np.zeros((1, 21, 7), np.float32)
    output[0, 5] = (0.5, 0.5, np.log(2), np.log(4), 0.5, 0.1, 0.8)
    found = decode_yolox([output], height=32, width=32, strides=(8, 16, 32), decoded=False, classes=2)
    assert found.kinds.tolist() == [1]
    assert found.scores[0] == pytest.approx(0.4)
    assert found.boxes[0].tolist() == pytest.approx([4.0, -4.0, 20.0, 28.0])


def test_detr_and_final_boxes_are_decoded() -> None:
    """Centre and size as shares; N x 6; and three outputs in any order. Not finite ones are dropped."""
    logits, boxes = np.array([[[-9.0, 2.0]]]), np.array([[[0.5, 0.5, 0.5, 0.25]]])
    found = decode_detr([logits, boxes], height=100, width=200, classes=2, softmax=False)
    assert found.boxes[0].tolist() == pytest.approx([50, 37.5, 150, 62.5])
    table = np.array([[[1.0, 2, 3, 4, 0.9, 1], [np.nan, 2, 3, 4, 0.9, 1], [1, 2, 3, 4, 0.9, 7]]])
    assert len(decode_boxes([table], classes=2)) == 1
    split = [np.array([0.7]), np.array([[1.0, 2, 3, 4]]), np.array([1])]
    assert decode_boxes(split, classes=2).scores.tolist() == pytest.approx([0.7])
    with pytest.raises(InvalidInput):
        decode_boxes([np.zeros((3, 5))], classes=2)


def test_tiles_cover_everything() -> None:
    """Each pixel of a large picture lies in a window of full resolution."""
    seen = np.zeros((1_080, 1_920), np.bool_)
    for tile in tiles(1_080, 1_920, 640):
        seen[tile.top : tile.bottom, tile.left : tile.right] = True
    assert seen.all()
