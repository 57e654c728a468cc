"""NumPy's names for functions that the standard calls otherwise.

They are the standard's functions themselves. A program written for NumPy uses these names on every
page, and need not be rewritten to be traced; the standard's names are the ones to write anew.
"""

from __future__ import annotations

from rax.numpy import elementwise, numeric

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
