"""Tensors from data, from numbers, and from nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from rax.frontend.evaluation import concrete
from rax.frontend.promotion import Handle, TensorLike, as_value, is_number, promote_operands
from rax.frontend.tensor import Tensor
from rax.ir import dims
from rax.ir.dims import Dim, Size
from rax.ir.errors import TypeInferenceError
from rax.ir.node import Value
from rax.ir.types import DType, as_dtype, broadcast_shapes, complex64, float32, float64, int64
from rax.numpy.common import ShapeLike, SizeLike, as_integer, as_shape, check_device
from rax.ops.algebra import add, broadcast_to
from rax.ops.arrays import constant, numpy_dtype, scalar
from rax.ops.comparison import equal, greater_equal, less_equal
from rax.ops.creation import dim_size, iota
from rax.ops.elementwise import multiply
from rax.ops.selection import cast as convert
from rax.ops.selection import where
from rax.ops.shape import Concat, expand_dims, reshape

_FAR = 2**62  # beyond every diagonal, and a row number can be added to it
_DEFAULTS: dict[str, DType] = {"float64": float32, "complex128": complex64}


def asarray(obj: Any, /, dtype: object = None, *, device: str | None = None, copy: bool | None = None) -> Tensor:
    """A tensor from data.

    Args:
        obj: a tensor, a number, an array with DLPack or ``__array__``, or nested sequences of
            numbers and tensors. Python numbers become bool, int64, float32 or complex64.
        dtype: the dtype of the result; by default that of the data.
        device: ``"cpu"`` or None.
        copy: whether a tensor given is returned as a handle of its own; False refuses to copy.

    Raises:
        RaxError: the data are no numbers, or not rectangular.
        ValueError: ``copy`` is False and the data are not a tensor of the dtype.

    Example:
        >>> asarray([[1, 2], [3, 4]])
        Tensor([[1, 2],
                [3, 4]], dtype=int64)
    """
    check_device(device)
    wanted = None if dtype is None else as_dtype(dtype)
    if isinstance(obj, Tensor) and wanted in (None, obj.dtype) and not copy:
        return obj
    if copy is False:
        raise ValueError("data that are no tensor of the dtype must be copied; give copy=None")
    if isinstance(obj, (list, tuple)):
        return Tensor(_nested(cast("Sequence[Any]", obj), wanted))
    return Tensor(as_value(obj, wanted))


def _nested(items: Sequence[Any], dtype: DType | None) -> Value:
    kinds = _contents(items)
    if len(kinds) > 1 or "tensor" in kinds:
        parts = [item if is_number(item) else asarray(item, dtype=dtype).value for item in items]
        values = promote_operands(*parts) if dtype is None else [as_value(part, dtype) for part in parts]
        if any(value.shape != values[0].shape for value in values):
            raise _ragged()
        return Concat(0)(*[expand_dims(value, (0,)) for value in values])
    try:
        array = np.asarray(items, None if dtype is None else numpy_dtype(dtype))
    except OverflowError:
        raise TypeInferenceError(f"the numbers do not fit {dtype}", fix="give a wider dtype") from None
    except ValueError:
        raise _ragged() from None
    return constant(array, dtype if "array" in kinds or dtype else _DEFAULTS.get(array.dtype.name))


def _ragged() -> TypeInferenceError:
    return TypeInferenceError("the nested sequences are not rectangular", fix="make them of one length")


def _contents(items: Sequence[Any]) -> set[str]:
    """What stands in nested sequences: ``"number"``, ``"tensor"``, ``"array"``."""
    kinds: set[str] = set()
    for item in items:
        if isinstance(item, (list, tuple)):
            kinds |= _contents(cast("Sequence[Any]", item))
        else:
            kinds.add("tensor" if isinstance(item, (Handle, Dim)) else "number" if is_number(item) else "array")
    return kinds


def from_dlpack(x: Any, /, *, device: str | None = None, copy: bool | None = None) -> Tensor:
    """A tensor from any array with DLPack; the data are copied, since those in a graph never change.

    Args:
        x: the array.
        device: ``"cpu"`` or None.
        copy: True or None; False will do for a tensor.

    Raises:
        ValueError: ``copy`` is False.

    Example:
        >>> from_dlpack(np.arange(3.0))
        Tensor([0., 1., 2.], dtype=float64)
    """
    check_device(device)
    if isinstance(x, Handle):
        return Tensor(x.value)
    if copy is False:
        raise ValueError("data must be copied into a graph; give copy=None")
    return Tensor(constant(np.from_dlpack(x)))


def full(shape: ShapeLike, fill_value: TensorLike, dtype: object = None, *, device: str | None = None) -> Tensor:
    """One number everywhere.

    Args:
        shape: sizes; symbolic ones may be given as :class:`~rax.ir.dims.Dim` or by name.
        fill_value: the number, or a scalar tensor.
        dtype: the dtype of the result; by default that of the number.
        device: ``"cpu"`` or None.

    Example:
        >>> full((2, 2), 7)
        Tensor([[7, 7],
                [7, 7]], dtype=int64)
    """
    check_device(device)
    value = as_value(fill_value, None if dtype is None else as_dtype(dtype))
    return Tensor(broadcast_to(value, as_shape(shape)))


def full_like(x: TensorLike, /, fill_value: TensorLike, dtype: object = None, *, device: str | None = None) -> Tensor:
    """One number everywhere, in the shape and dtype of ``x``.

    Example:
        >>> full_like(asarray([1.0, 2.0]), 7)
        Tensor([7., 7.], dtype=float32)
    """
    like = as_value(x)
    return full(like.shape, fill_value, dtype=like.dtype if dtype is None else dtype, device=device)


def zeros(shape: ShapeLike, dtype: object = None, *, device: str | None = None) -> Tensor:
    """Zeros; float32 unless a dtype is given.

    Example:
        >>> zeros(3)
        Tensor([0., 0., 0.], dtype=float32)
    """
    return full(shape, 0, dtype=dtype or float32, device=device)


def zeros_like(x: TensorLike, /, dtype: object = None, *, device: str | None = None) -> Tensor:
    """Zeros in the shape and dtype of ``x``.

    Example:
        >>> zeros_like(asarray([1, 2]))
        Tensor([0, 0], dtype=int64)
    """
    return full_like(x, 0, dtype=dtype, device=device)


def ones(shape: ShapeLike, dtype: object = None, *, device: str | None = None) -> Tensor:
    """Ones; float32 unless a dtype is given.

    Example:
        >>> ones((1, 2))
        Tensor([[1., 1.]], dtype=float32)
    """
    return full(shape, 1, dtype=dtype or float32, device=device)


def ones_like(x: TensorLike, /, dtype: object = None, *, device: str | None = None) -> Tensor:
    """Ones in the shape and dtype of ``x``.

    Example:
        >>> ones_like(asarray([3, 4]))
        Tensor([1, 1], dtype=int64)
    """
    return full_like(x, 1, dtype=dtype, device=device)


def empty(shape: ShapeLike, dtype: object = None, *, device: str | None = None) -> Tensor:
    """A tensor whose elements do not matter: zeros, so that results never vary.

    Example:
        >>> empty((2,)).shape
        (2,)
    """
    return zeros(shape, dtype=dtype, device=device)


def empty_like(x: TensorLike, /, dtype: object = None, *, device: str | None = None) -> Tensor:
    """A tensor whose elements do not matter, in the shape and dtype of ``x``.

    Example:
        >>> empty_like(asarray([1, 2])).shape
        (2,)
    """
    return zeros_like(x, dtype=dtype, device=device)


def arange(
    start: float | Dim | Tensor, /, stop: float | Dim | Tensor | None = None, step: float | Tensor = 1,
    dtype: object = None, *, device: str | None = None,
) -> Tensor:  # fmt: skip
    """The numbers ``start, start + step, …`` below ``stop``.

    Args:
        start: the first number; where ``stop`` is None, that is ``start`` and this is 0. A tensor will do
            in place of a number if its value is known.
        stop: the end, not included; this and ``start`` may be symbolic sizes.
        step: the distance between numbers.
        dtype: the dtype of the result; by default int64, float32 if any number is a float.
        device: ``"cpu"`` or None.

    Raises:
        TypeInferenceError: the step is 0, or a symbolic size stands beside a float.
        UnboundInputError: a tensor in place of a number depends on an input.

    Example:
        >>> arange(2, 10, 3)
        Tensor([2, 5, 8], dtype=int64)
    """
    check_device(device)
    first, end, stride = map(_plain, (0, start, step) if stop is None else (start, stop, step))
    whole = not any(isinstance(number, float) for number in (first, end, stride))
    wanted = as_dtype(dtype) if dtype is not None else int64 if whole else float32
    if stride == 0:
        raise TypeInferenceError("arange needs a step other than 0")
    count = _count(first, end, stride)
    if first == 0 and stride == 1 and wanted.kind not in ("bool", "complex"):
        return Tensor(iota(count, wanted))
    exact = int64 if whole else float64
    origin = dim_size(first) if isinstance(first, Dim) else scalar(first, exact)
    return Tensor(convert(add(multiply(iota(count, exact), scalar(stride, exact)), origin), wanted))


def _plain(number: Any) -> Any:
    """A Python number for NumPy's, and for a tensor whose value is known."""
    if isinstance(number, Handle):
        number = concrete(number.value, "arange", "give it Python numbers or symbolic sizes")
    plain = number.item() if getattr(number, "ndim", None) == 0 else number
    if not is_number(plain) or isinstance(plain, complex):
        raise TypeInferenceError(f"arange takes real numbers and sizes, not {plain!r}", fix="use the shape of a tensor")
    return plain


def _count(first: float | Dim, end: float | Dim, step: float) -> Size:
    """``ceil((end - first) / step)``, at least 0."""
    if isinstance(first, float) or isinstance(end, float) or isinstance(step, float):
        if isinstance(first, Dim) or isinstance(end, Dim):
            raise TypeInferenceError("arange takes integers beside a symbolic size", fix="cast the result with dtype=…")
        return max(math.ceil((end - first) / step), 0)
    distance, stride = (end - first, step) if step > 0 else (first - end, -step)
    return dims.maximum(dims.floor_divide(distance + stride - 1, stride), 0)


def eye(
    n_rows: SizeLike, n_cols: SizeLike | None = None, /,
    k: int = 0, *, dtype: object = None, device: str | None = None,
) -> Tensor:  # fmt: skip
    """Ones on a diagonal, zeros elsewhere.

    Args:
        n_rows: the number of rows.
        n_cols: the number of columns, by default as many.
        k: which diagonal: above the main one if positive.
        dtype: the dtype of the result, by default float32.
        device: ``"cpu"`` or None.

    Example:
        >>> eye(2, 3, k=1)
        Tensor([[0., 1., 0.],
                [0., 0., 1.]], dtype=float32)
    """
    check_device(device)
    rows, columns = as_shape((n_rows, n_rows if n_cols is None else n_cols))
    shifted, across = _grid(rows, columns, k)
    return Tensor(convert(equal(shifted, across), float32 if dtype is None else as_dtype(dtype)))


def _grid(rows: Size, columns: Size, k: int) -> tuple[Value, Value]:
    """The row number plus ``k``, and the column number."""
    down = reshape(iota(rows), (rows, 1))
    k = max(-_FAR, min(as_integer(k, "the number of a diagonal"), _FAR))
    return add(down, scalar(k, int64)) if k else down, iota(columns)


def tril(x: TensorLike, /, k: int = 0) -> Tensor:
    """The lower triangles of matrices, zeros above.

    Args:
        x: shape (…, rows, columns).
        k: the diagonal above which zeros begin.

    Raises:
        TypeInferenceError: there are fewer than two axes.

    Example:
        >>> tril(ones((2, 2)))
        Tensor([[1., 0.],
                [1., 1.]], dtype=float32)
    """
    return _triangle(x, k, lower=True)


def triu(x: TensorLike, /, k: int = 0) -> Tensor:
    """The upper triangles of matrices, zeros below.

    Args:
        x: shape (…, rows, columns).
        k: the diagonal below which zeros begin.

    Raises:
        TypeInferenceError: there are fewer than two axes.

    Example:
        >>> triu(ones((2, 2)))
        Tensor([[1., 1.],
                [0., 1.]], dtype=float32)
    """
    return _triangle(x, k, lower=False)


def _triangle(x: TensorLike, k: int, *, lower: bool) -> Tensor:
    value = as_value(x)
    if value.ndim < 2:
        raise TypeInferenceError(f"a triangle is of a matrix, not of {value.type}", fix="add an axis first")
    shifted, across = _grid(value.shape[-2], value.shape[-1], k)
    mask = greater_equal(shifted, across) if lower else less_equal(shifted, across)
    return Tensor(where(mask, value, scalar(0, value.dtype)))


def meshgrid(*arrays: TensorLike, indexing: str = "xy") -> tuple[Tensor, ...]:
    """Coordinates on a grid.

    Args:
        *arrays: the coordinates along each axis, vectors of one dtype.
        indexing: ``"ij"``: axis i is that of vector i; ``"xy"``: the first two are swapped.

    Returns:
        For each vector its coordinates at every point of the grid.

    Raises:
        TypeInferenceError: an operand is no vector, or ``indexing`` is neither.

    Example:
        >>> meshgrid(asarray([1, 2]), asarray([3, 4, 5]))[0]
        Tensor([[1, 2],
                [1, 2],
                [1, 2]], dtype=int64)
    """
    values = [as_value(x) for x in arrays]
    if indexing not in ("xy", "ij"):
        raise TypeInferenceError(f"meshgrid's indexing is 'xy' or 'ij', not {indexing!r}")
    for value in values:
        if value.ndim > 1:
            raise TypeInferenceError(f"meshgrid takes vectors, not {value.type}")
    order = list(range(len(values)))
    if indexing == "xy" and len(values) > 1:
        order[:2] = [1, 0]
    placed: list[Value] = []
    for axis, value in zip(order, values, strict=True):
        shape: list[Size] = [1] * len(values)
        shape[axis] = value.type.size
        placed.append(reshape(value, tuple(shape)))
    whole = broadcast_shapes(*[value.shape for value in placed]) if placed else ()
    return tuple(Tensor(broadcast_to(value, whole)) for value in placed)
