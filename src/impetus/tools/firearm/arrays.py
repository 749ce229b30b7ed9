"""Types of arrays."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Picture: TypeAlias = NDArray[Any]
"""A picture in blue, green, red: height x width x 3 bytes. (OpenCV does not say what type its arrays are of.)"""
Mask: TypeAlias = NDArray[Any]
"""A byte a pixel: height x width."""
Floats: TypeAlias = NDArray[Any]
Integers: TypeAlias = NDArray[np.integer[Any]]
Booleans: TypeAlias = NDArray[np.bool_]
