"""Types of the arrays that pass between the modules of this tool."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Singles = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.int8]
Booleans = npt.NDArray[np.bool_]
