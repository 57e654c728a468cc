"""NumPy's names for functions that the standard calls otherwise.

They are the standard's functions themselves, but for two with another meaning of no axis. A program
written for NumPy has these names on every page, and need not be rewritten to be traced; what is
written anew uses the standard's.
"""

from __future__ import annotations

from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor
from rax.numpy import elementwise, numeric
from rax.numpy.rearranging import ravel
from rax.numpy.statistical import cumulative_prod, cumulative_sum

absolute = elementwise.abs
"""NumPy's name of :func:`abs`."""
arccos = elementwise.acos
"""NumPy's name of :func:`acos`."""
arccosh = elementwise.acosh
"""NumPy's name of :func:`acosh`."""
arcsin = elementwise.asin
"""NumPy's name of :func:`asin`."""
arcsinh = elementwise.asinh
"""NumPy's name of :func:`asinh`."""
arctan = elementwise.atan
"""NumPy's name of :func:`atan`."""
arctan2 = elementwise.atan2
"""NumPy's name of :func:`atan2`."""
arctanh = elementwise.atanh
"""NumPy's name of :func:`atanh`."""
conjugate = elementwise.conj
"""NumPy's name of :func:`conj`."""
deg2rad = numeric.radians
"""NumPy's second name of :func:`radians`."""
invert = elementwise.bitwise_invert
"""NumPy's name of :func:`bitwise_invert`."""
left_shift = elementwise.bitwise_left_shift
"""NumPy's name of :func:`bitwise_left_shift`."""
mod = elementwise.remainder
"""NumPy's second name of :func:`remainder`."""
power = elementwise.pow
"""NumPy's name of :func:`pow`."""
rad2deg = numeric.degrees
"""NumPy's second name of :func:`degrees`."""
right_shift = elementwise.bitwise_right_shift
"""NumPy's name of :func:`bitwise_right_shift`."""
rint = elementwise.round
"""NumPy's name of :func:`round`."""
true_divide = elementwise.divide
"""NumPy's second name of :func:`divide`."""


def cumsum(a: TensorLike, axis: int | None = None, dtype: object = None) -> Tensor:
    """The running sum along an axis, or of the flattened tensor; see :func:`cumulative_sum`.

    Example:
        >>> from rax.numpy import asarray
        >>> cumsum(asarray([[1, 2], [3, 4]]))
        Tensor([ 1,  3,  6, 10], dtype=int64)
    """
    return cumulative_sum(ravel(a) if axis is None else a, axis=axis, dtype=dtype)


def cumprod(a: TensorLike, axis: int | None = None, dtype: object = None) -> Tensor:
    """The running product along an axis, or of the flattened tensor; see :func:`cumulative_prod`.

    Example:
        >>> from rax.numpy import asarray
        >>> cumprod(asarray([[1, 2], [3, 4]]))
        Tensor([ 1,  2,  6, 24], dtype=int64)
    """
    return cumulative_prod(ravel(a) if axis is None else a, axis=axis, dtype=dtype)
