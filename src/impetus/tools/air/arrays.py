"""Names of the arrays that the methods work on."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Booleans: TypeAlias = NDArray[np.bool_]
Numbers: TypeAlias = ArrayLike
"""Whatever numpy takes for numbers."""
