"""Scikit-learn's handwritten digits, 1,797 real images of 8 × 8 pixels; every fifth is held out."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np
from sklearn.datasets import load_digits

Array = np.ndarray[Any, np.dtype[Any]]


class Images(NamedTuple):
    """Images ``float32[N, 8, 8]`` with pixels from 0 to 16, and their labels ``int64[N]``."""

    images: Array
    labels: Array


def load() -> tuple[Images, Images]:
    """The images to train on and those held out: numbers 0, 5, 10, … of the collection."""
    digits = cast("Any", load_digits())
    images, labels = digits.images.astype(np.float32), digits.target.astype(np.int64)
    held_out = np.arange(len(images)) % 5 == 0
    return Images(images[~held_out], labels[~held_out]), Images(images[held_out], labels[held_out])
