"""PyTorch, which training needs and running does not: present, or something that says so when it is asked for."""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any

from impetus.model import ConfigurationError


class _Absent:
    """Stands for a library that is not installed."""

    def __getattr__(self, name: str) -> Any:
        raise ConfigurationError("training and exporting need PyTorch; running does not", hint="pip install torch")


torch: Any = _Absent()
functional: Any = torch
nn: Any = SimpleNamespace(Module=object)
try:
    torch = importlib.import_module("torch")
    nn, functional = torch.nn, importlib.import_module("torch.nn.functional")
except ImportError:
    pass
