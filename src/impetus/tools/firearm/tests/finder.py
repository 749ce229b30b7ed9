"""A model that finds a gun in the middle of whatever it looks at: for tests of what comes after a detector."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

from impetus.tools.firearm.model import Contract, Decoder, ModelInput, Thresholds, sha256_of

SIDE = 96


def always(folder: Path, *, score: float = 0.9) -> Path:
    """Write the model into a folder; the path of its YAML."""
    middle = np.array([[0.4 * SIDE, 0.4 * SIDE, 0.6 * SIDE, 0.6 * SIDE, score, 1.0]], np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["pictures"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "nought"], ["nothing"]),
        helper.make_node("Add", ["middle", "nothing"], ["boxes"]),
    ]
    graph = helper.make_graph(
        nodes,
        "always",
        [helper.make_tensor_value_info("pictures", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, 6])],
        [numpy_helper.from_array(middle, "middle"), numpy_helper.from_array(np.array(0, np.float32), "nought")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    file = folder / "always.onnx"
    onnx.save(model, str(file))
    contract = Contract(
        name="always",
        version="1",
        file=file.name,
        sha256=sha256_of(file),
        not_for="anything but tests",
        input=ModelInput(width=SIDE, height=SIDE, fit="stretch"),
        decoder=Decoder.NMS_BOXES,
        classes=("person", "weapon"),
        thresholds=Thresholds(weapon=0.5),
        licence="Apache-2.0",
        data="none",
    )
    path = folder / "always.yaml"
    path.write_text(yaml.safe_dump(contract.model_dump(mode="json")), "utf-8")
    return path


def sha256(path: Path) -> str:
    """Of the model of a YAML."""
    return str(yaml.safe_load(path.read_text("utf-8"))["sha256"])
