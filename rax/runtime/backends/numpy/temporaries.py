"""How much memory kernels take beside operands and results, and how much of that they are given."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from rax.ir.dims import Size
from rax.ir.late import late
from rax.ir.op import Op
from rax.ir.types import TensorType
from rax.ops.elementwise import Pointwise
from rax.runtime.arena import BUFFER, aligned
from rax.runtime.backends.numpy.elementwise import ERF_BLOCK
from rax.runtime.backends.numpy.kernel import is_half
from rax.runtime.backends.numpy.select import WIDEST_OF_TWO, chooses_by_bits

Amounts = tuple[Size, Size]
"""The bytes a kernel takes, and how many of them it is given."""
Types = Sequence[TensorType]

# Of operations that run as their reference, how many arrays of the largest operand's or result's size they hold at
# once beside those: measured, and rounded up. Those here compute in double precision: for narrower types, and for
# double.
_IN_DOUBLE: dict[str, tuple[float, float]] = {
    "adjugate": (4.1, 8.1), "betainc": (18.5, 29.6), "betainc_derivative": (25.4, 43.2), "betaln": (20.4, 19.2),
    "cholesky": (2.1, 1.6), "det": (1.6, 0.1), "digamma": (11.9, 11.2), "eig": (2.6, 3.1), "eigh": (2.3, 1.1),
    "eigvals": (1.6, 1.1), "eigvalsh": (1.8, 2.4), "erf": (9.9, 9.9), "erfc": (9.9, 9.2), "erfcx": (7.9, 7.2),
    "erfinv": (6.9, 6.1), "expm": (6.9, 8.6), "expm_frechet": (29.1, 37.1), "gamma": (17.1, 16.3),
    "gammainc": (12.7, 20.1), "gammainc_derivative": (23.7, 42.2), "gammaincc": (12.7, 20.1), "gammaln": (13.9, 13.2),
    "i0": (9.8, 9.1), "i0e": (9.8, 9.1), "i1": (9.8, 9.1), "i1e": (9.8, 9.1), "log_ndtr": (13.1, 12.3),
    "loggamma_slope": (17.2, 29.1), "loggamma_transport": (14.5, 21.0), "lu": (2.4, 3.8), "ndtr": (10.9, 10.2),
    "ndtri": (6.9, 6.1), "pinv": (2.6, 4.0), "polygamma": (13.9, 12.2), "qr": (2.9, 2.0), "rfft": (3.1, 0.1),
    "searchsorted": (3.3, 2.6), "slogdet": (1.6, 0.1), "solve": (2.2, 0.1), "svd": (2.2, 0.1),
    "svdvals": (1.3, 0.1), "triangular_solve": (2.6, 1.1), "zeta": (14.4, 13.1),
}  # fmt: skip
# Those in the type itself; of half types, in float32.
_ARRAYS = {
    "floor_divide": 2.3, "linear_recurrence": 1.1, "nextafter": 1.4, "xdivy": 1.3, "expm1": 2.1, "tan": 1.6,
    "tanh": 1.6,
}  # fmt: skip
_HALF_ARRAYS = {
    "argmax": 2.1, "argmin": 2.1, "cumulative_prod": 2.1, "cumulative_sum": 2.1, "floor_divide": 1.3,
    "fold_windows": 2.1, "linear_recurrence": 3.3, "matmul": 2.4, "max": 1.6, "min": 1.6, "nextafter": 0.8,
    "prod": 2.1, "sort": 3.6, "sum": 2.1, "widening_matmul": 1.6, "xdivy": 0.8,
}  # fmt: skip
# Whose reference differs from NumPy's function on complex numbers only.
_COMPLEX = frozenset({"expm1", "tan", "tanh"})

# Few graphs have these.
_BLOCKED: dict[str, Callable[[Any, Types, Sequence[bool]], Amounts | None]] = {
    "conv": late("rax.runtime.patches", "conv_needs"),
    "dot_product_attention": late("rax.runtime.attention", "attention_needs"),
    "attention_gradient": late("rax.runtime.attention", "gradient_needs"),
}
_gemm_bytes = late("rax.runtime.backends.numpy.gemm", "gemm_bytes")
_adds_rows = late("rax.runtime.backends.numpy.indexing", "adds_rows")
_rows_at_a_time = late("rax.runtime.backends.numpy.indexing", "rows_at_a_time")
_scatters = late("rax.runtime.backends.numpy.indexing", "scatters")
_pool_bytes = late("rax.runtime.backends.numpy.pooling", "pool_bytes")
_gradient_bytes = late("rax.runtime.backends.numpy.pooling", "gradient_bytes")
_sort_bytes = late("rax.runtime.backends.numpy.ordering", "sort_bytes")
_running_bytes = late("rax.runtime.backends.numpy.running", "running_bytes")
_fold = late("rax.runtime.backends.numpy.window", "make_fold_windows")
_fold_bytes = late("rax.runtime.backends.numpy.window", "fold_bytes")


def needs(op: Op, types: Types, dense: Sequence[bool]) -> Amounts | None:
    """See :meth:`rax.runtime.backends.base.Backend.needs`.

    Args:
        op: the operation.
        types: of the operands.
        dense: which of them are C-contiguous.
    """
    blocked = _BLOCKED.get(op.name)
    if blocked is not None:
        return blocked(op, types, dense)
    if not types or not all(isinstance(size, int) for type in types for size in type.shape):
        return None
    exact = _EXACT.get(op.name) if not is_half(types[0].dtype) or op.name in _HALF_TOO else None
    found = exact(op, tuple(types), dense) if exact is not None else _measured(op, types, dense)
    if found is None and isinstance(op, Pointwise):
        return _buffers(types, dense), 0
    return found


def takes_space(op: Op, types: tuple[TensorType, ...]) -> bool:
    """Whether the kernel takes as ``space`` the memory it is to be given, as bytes."""
    return op.name in _SPACED and (needs(op, types, [True] * len(types)) or (0, 0))[1] != 0


def _measured(op: Op, types: Types, dense: Sequence[bool]) -> Amounts | None:
    dtype = types[0].dtype
    half, complex_ = is_half(dtype), dtype.kind == "complex"
    double = _IN_DOUBLE.get(op.name)
    if double is not None:
        wide = 16 if complex_ else 8
        nbytes = double[dtype.itemsize >= wide] * wide
    elif half:
        nbytes = _HALF_ARRAYS.get(op.name, 0) * 4
    elif op.name in _COMPLEX and not complex_:
        nbytes = 0
    else:
        nbytes = _ARRAYS.get(op.name, 0) * dtype.itemsize
    if not nbytes:
        return None
    largest = max([_filled(type) for type in (*types, *op.infer(*types))])
    copies = sum([type.nbytes.__index__() for type, flat in zip(types, dense, strict=True) if not flat])
    buffers = 3 * max(dtype.itemsize, 8) * min(largest, BUFFER)
    return math.ceil(nbytes * largest) + copies + buffers, 0


def _filled(type: TensorType) -> int:
    """The elements, had no axis the size 0: for each row of an empty matrix something is held too."""
    return math.prod([max(size.__index__(), 1) for size in type.shape])


def _buffers(types: Types, dense: Sequence[bool]) -> int:
    """The bytes NumPy copies operands to, a part at a time, that do not lie as the result does.

    It does so where the loop over the last axes, along which all operands go at even steps, is short.
    """
    shapes = [[size.__index__() for size in type.shape] for type in types]
    ndim = max(map(len, shapes))
    padded = [[1] * (ndim - len(shape)) + shape for shape in shapes]
    shape = [max(sizes) if min(sizes) else 0 for sizes in zip(*padded, strict=True)]
    whole = [flat and sizes == shape for sizes, flat in zip(padded, dense, strict=True)]
    if all(whole):
        return 0
    run, before = 1, None
    for axis in range(ndim - 1, -1, -1):
        if shape[axis] == 1:
            continue
        along = [sizes[axis] != 1 for sizes in padded]
        if before is not None and along != before:
            break
        run, before = run * shape[axis], along
    size = math.prod(shape)
    if all(dense) and (run == size or 2 * run > BUFFER):
        return 0
    count = min(BUFFER, size)
    return sum([
        count * type.dtype.itemsize
        for type, sizes, same in zip(types, padded, whole, strict=True)
        if not same and math.prod(sizes) > 1
    ])  # fmt: skip


def _where(op: Op, types: tuple[TensorType, ...], dense: Sequence[bool]) -> Amounts:
    condition, x, y = types
    (result,) = op.infer(*types)
    by_bits = chooses_by_bits(types)
    mask = aligned(condition.size.__index__()) if by_bits and (y.ndim or not x.ndim) else 0
    whole = 0 if by_bits and x.dtype.itemsize <= WIDEST_OF_TWO else result.nbytes.__index__()  # of np.where
    cast = min(BUFFER, result.size.__index__()) * x.dtype.itemsize if by_bits else 0
    as_bits = condition.with_dtype(x.dtype)
    return mask + max(cast, whole) + _buffers((as_bits, x, y), [True, *dense[1:]]), mask


def _sigmoid(op: Op, types: tuple[TensorType, ...], dense: Sequence[bool]) -> Amounts:
    del op, dense
    (x,) = types
    space = aligned(x.nbytes.__index__()) + aligned(x.size.__index__()) if x.ndim else 0
    return space, space


def _erf(op: Op, types: tuple[TensorType, ...], dense: Sequence[bool]) -> Amounts | None:
    (x,) = types
    if x.dtype.name != "float32" or not x.ndim:
        return _measured(op, types, dense)
    space = aligned(2 * min(x.size.__index__(), ERF_BLOCK) * 4)
    return space + (0 if dense[0] else x.nbytes.__index__()), space


def _along_axis(arrays: int) -> Callable[[Any, tuple[TensorType, ...], Sequence[bool]], Amounts]:
    """Of a normalisation that takes so many arrays, and one with an element for each row."""

    def along_axis(op: Any, types: tuple[TensorType, ...], dense: Sequence[bool]) -> Amounts:
        x = types[0]
        axis = getattr(op, "axis", x.ndim - 1)
        rows = x.with_shape((*x.shape[:axis], 1, *x.shape[axis + 1 :]))
        space = arrays * aligned(x.nbytes.__index__()) + aligned(rows.nbytes.__index__())
        return space + _buffers((x, rows), [dense[0], True]), space

    return along_axis


def _matmul(op: Op, types: tuple[TensorType, ...], dense: Sequence[bool]) -> Amounts:
    """A tall matrix is made of an operand that has more axes; by a copy, where it is not dense."""
    del op
    x, y = types
    if x.shape[-1] == 1 and max(x.ndim, y.ndim) > 2:
        return _buffers(types, dense), 0
    return (x.nbytes if x.ndim > 2 and y.ndim == 2 and not dense[0] else 0), 0


def _position(op: Any, types: tuple[TensorType, ...], dense: Sequence[bool]) -> Amounts:
    """NumPy looks along the last axis."""
    (x,) = types
    return (0 if dense[0] and op.axis == x.ndim - 1 else x.nbytes), 0


def _gather(op: Any, types: tuple[TensorType, ...], dense: Sequence[bool]) -> Amounts:
    x, *indices = types
    if len(indices) == 1 and op.batch_dims == 0:  # NumPy takes from a copy of what is not dense, at a copy as int64
        (index,) = indices
        turned = 0 if dense[1] and index.dtype.name == "int64" else 8 * index.size.__index__()
        return turned + (0 if dense[0] else x.nbytes.__index__()), 0
    turned = sum([index.nbytes.__index__() for index in indices if index.dtype.name == "uint64"])
    return turned + _index_buffers(op, indices), 0


def _index_buffers(op: Any, indices: Types) -> int:
    count = min(BUFFER, indices[0].size.__index__()) if indices else 0
    return 8 * count * (len(indices) + op.batch_dims)


def _scatter(op: Any, types: tuple[TensorType, ...], dense: Sequence[bool]) -> Amounts | None:
    updates, indices = types[-1], types[1:-1]
    size = updates.nbytes.__index__()
    count = indices[0].size.__index__() if indices else 1
    if not _scatters(op, types):  # in float32
        return 16 * (_filled(types[0]) + _filled(updates)) + 8 * _filled(types[0]) + 64 * count, 0
    if op.unique_indices:
        turned = sum([index.nbytes.__index__() for index in indices if index.dtype.name == "uint64"])
        return turned + (size if op.reduction != "set" else 0) + _index_buffers(op, indices), 0
    copied = 0 if dense[-1] else size
    found = (26 if len(indices) + op.batch_dims == 1 else 34) * count
    if _adds_rows(op, types):
        space = 3 * aligned(_rows_at_a_time(op, types) * (size // max(count, 1)))
        return space + found + 40 * count + copied, space
    if op.reduction != "set":
        return found + copied, 0
    leading = math.prod([axis.__index__() for axis in types[0].shape[: len(indices) + op.batch_dims]])
    return found + copied + 8 * leading + 34 * count + size, 0


def _fold_windows(op: Any, types: tuple[TensorType, ...], dense: Sequence[bool]) -> Amounts:
    """Buffers; the reference, of half types, returns a copy."""
    del dense
    return _fold_bytes(op, types) + (0 if _fold(op, types) is not None else op.infer(*types)[0].nbytes), 0


def _sort(op: Any, types: tuple[TensorType, ...], dense: Sequence[bool]) -> Amounts:
    del dense
    return _sort_bytes(op, types), 0


def _running(op: Any, types: tuple[TensorType, ...], dense: Sequence[bool]) -> Amounts:
    del dense
    return _running_bytes(op, types[0]), 0


def _leading(op: Op, types: tuple[TensorType, ...], dense: Sequence[bool]) -> Amounts:
    """A copy of the elements, of half types two in float32, and where some are equal masks and counts of them."""
    del op, dense
    (x,) = types
    return (19 + (8 if is_half(x.dtype) else x.dtype.itemsize)) * x.size, 0


def _widening_matmul(op: Op, types: tuple[TensorType, ...], dense: Sequence[bool]) -> Amounts | None:
    """Copies of the operands, the product, and that in int64."""
    if is_half(types[0].dtype):
        return _measured(op, types, dense)
    return 8 * (types[0].size + types[1].size) + 16 * op.infer(*types)[0].size, 0


# Whose kernels take half types too.
_HALF_TOO = frozenset({"where", "sigmoid", "gather", "scatter", "argsort", "leading", "widening_matmul"})
_SPACED = frozenset({"where", "sigmoid", "erf", "softmax", "log_softmax", "layer_norm", "scatter"})
_EXACT: dict[str, Callable[[Any, tuple[TensorType, ...], Sequence[bool]], Amounts | None]] = {
    "where": _where,
    "sigmoid": _sigmoid,
    "erf": _erf,
    "softmax": _along_axis(0),
    "log_softmax": _along_axis(1),
    "layer_norm": _along_axis(1),
    "matmul": _matmul,
    "gemm": lambda op, types, dense: (_gemm_bytes(types, dense), 0),
    "argmax": _position,
    "argmin": _position,
    "gather": _gather,
    "scatter": _scatter,
    "fold_windows": _fold_windows,
    "sort": _sort,
    "argsort": _sort,
    "cumulative_sum": _running,
    "cumulative_prod": _running,
    "leading": _leading,
    "pool": lambda op, types, dense: (_pool_bytes(op, types), 0),
    "pool_gradient": lambda op, types, dense: _gradient_bytes(op, types),
    "widening_matmul": _widening_matmul,
}
