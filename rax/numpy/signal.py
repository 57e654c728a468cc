"""Convolution and correlation of vectors."""

from __future__ import annotations

from rax.frontend.promotion import TensorLike, promote_operands
from rax.frontend.tensor import Tensor
from rax.ir import dims
from rax.ir.dims import Size
from rax.ir.errors import ShapeError, TypeInferenceError
from rax.ir.node import Value
from rax.ir.types import bool_, int64
from rax.numpy.elementwise import conj
from rax.numpy.manipulation import flip
from rax.ops.selection import cast
from rax.ops.shape import reshape
from rax.ops.window import Conv

MODES = ("full", "same", "valid")


def convolve(a: TensorLike, v: TensorLike, mode: str = "full") -> Tensor:
    """The convolution of two vectors: ``sum over i of a[i] * v[n - i]``.

    Args:
        a: a vector.
        v: a vector.
        mode: ``"full"`` for every overlap; ``"same"`` for the middle part, as long as the longer
            vector; ``"valid"`` for where the shorter lies within the longer.

    Raises:
        TypeInferenceError: an operand is no vector, or empty; or the mode is none of these.

    Example:
        >>> from rax.numpy import asarray
        >>> convolve(asarray([1, 2, 3]), asarray([0, 1]))
        Tensor([0, 1, 2, 3], dtype=int64)
    """
    left, right = _vectors("convolve", a, v, mode)
    if _longer(right, left, mode):
        left, right = right, left
    return _slid(left, flip(right), mode)


def correlate(a: TensorLike, v: TensorLike, mode: str = "valid") -> Tensor:
    """The correlation of two vectors: ``sum over i of a[n + i] * conj(v[i])``.

    Args:
        a: a vector.
        v: a vector.
        mode: as in :func:`convolve`.

    Raises:
        TypeInferenceError: an operand is no vector, or empty; or the mode is none of these.

    Example:
        >>> from rax.numpy import asarray
        >>> correlate(asarray([1, 2, 3]), asarray([0, 1]))
        Tensor([2, 3], dtype=int64)
    """
    left, right = _vectors("correlate", a, v, mode)
    right = conj(right)
    if _longer(right, left, mode):
        return flip(_slid(right, left, mode))
    return _slid(left, right, mode)


def _vectors(name: str, a: TensorLike, v: TensorLike, mode: str) -> tuple[Tensor, Tensor]:
    left, right = (Tensor(cast(x, int64) if x.dtype is bool_ else x) for x in promote_operands(a, v))
    for side in (left, right):
        if side.ndim != 1 or side.shape[0] == 0:
            raise TypeInferenceError(f"{name} takes vectors that are not empty, not {side.value.type}")
    if mode not in MODES:
        raise TypeInferenceError(f"{name}'s mode is one of {', '.join(MODES)}, not {mode!r}")
    return left, right


def _longer(x: Tensor, y: Tensor, mode: str) -> bool:
    """Whether ``x`` is the longer vector, which in mode "full" does not matter."""
    if dims.at_least(y.shape[0], x.shape[0]):
        return False
    if dims.at_least(x.shape[0], y.shape[0]):
        return mode != "full"
    if mode == "full":
        return False
    raise ShapeError(
        f"mode {mode!r} needs to know which vector is longer, of sizes {y.shape[0]} and {x.shape[0]}",
        fix="use mode='full', or fix a size in the spec",
    )


def _slid(x: Tensor, taps: Tensor, mode: str) -> Tensor:
    """The taps laid over a vector at every place."""
    size = taps.shape[0]
    low: Size = 0 if mode == "valid" else size - 1 if mode == "full" else dims.floor_divide(size, 2)
    high: Size = 0 if mode == "valid" else size - 1 - (0 if mode == "full" else low)
    lined = [reshape(side.value, (1, 1, side.shape[0])) for side in (x, taps)]
    result: Value = Conv((1,), ((low, high),), (1,), (1,))(*lined)
    return Tensor(reshape(result, result.shape[2:]))
