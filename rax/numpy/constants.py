"""The standard's constants."""

from __future__ import annotations

import math
from typing import Final

e: Final = math.e
"""Euler's number."""

inf: Final = math.inf
"""Positive infinity."""

nan: Final = math.nan
"""Not a number."""

newaxis: Final = None
"""In an index, a new axis of size 1."""

pi: Final = math.pi
"""The circle's circumference over its diameter."""
