"""Modified Bessel functions of the first kind, of orders 0 and 1, plain and scaled by ``exp(-abs(x))``.

Chebyshev series up to 8 and, in ``1 / x``, beyond: the scheme of Clenshaw, "Chebyshev series for
mathematical functions" (NPL Mathematical Tables 5, 1962).
"""

from __future__ import annotations

import numpy as np

from rax.ir.node import Value
from rax.ir.op import op
from rax.ops.arithmetic import sign
from rax.ops.arrays import Array, scalar
from rax.ops.comparison import equal
from rax.ops.elementwise import divide, multiply, subtract
from rax.ops.selection import where
from rax.ops.special.double import Special, chebyshev

# exp(-x) i0(x) and exp(-x) i1(x) / x in x / 4 - 1, for 0 <= x <= 8.
_I0_NEAR = (
    0.33839763720473803, -0.3046826723431984, 0.17162090152220877, -0.09490109704804764, 0.04930528423967071,
    -0.02373741480589947, 0.010546460394594998, -0.004324309995050576, 0.0016394756169413357,
    -0.0005763755745385824, 0.00018850288509584165, -5.754195010082104e-05, 1.6448448070728896e-05,
    -4.4167383584587505e-06, 1.1173875391201037e-06, -2.670793853940612e-07, 6.046995022541919e-08,
    -1.300025009986248e-08, 2.6598237246823866e-09, -5.189795601635263e-10, 9.675809035373237e-11,
    -1.726826291441556e-11, 2.95505266312964e-12, -4.856446783111929e-13, 7.676185498604936e-14,
    -1.1685332877993451e-14, 1.715391285555133e-15, -2.431279846547955e-16, 3.3307945188222384e-17,
)  # fmt: skip
_I1_NEAR = (
    0.12629359322181682, -0.17641651835783406, 0.1026436586898471, -0.05294598120809499, 0.024726449030626516,
    -0.010564084894626197, 0.004156422944312888, -0.0015135724506312532, 0.0005122859561685758,
    -0.00016176081582589674, 4.781565107550054e-05, -1.3273163656039436e-05, 3.4702513081376785e-06,
    -8.568720264695455e-07, 2.0032947535521353e-07, -4.445059128796328e-08, 9.381537386495773e-09,
    -1.8872497517228294e-09, 3.625590281552117e-10, -6.663489723502027e-11, 1.1736186298890901e-11,
    -1.9839743977649436e-12, 3.223793365945575e-13, -5.042185504727912e-14, 7.600684294735408e-15,
    -1.1055969477353862e-15, 1.5536319577362005e-16, -2.111421214358166e-17, 2.7779141127610464e-18,
)  # fmt: skip
# sqrt(x) exp(-x) i0(x) and sqrt(x) exp(-x) i1(x) in 16 / x - 1, for x >= 8.
_I0_FAR = (
    0.4022452055070544, 0.0033691164782556943, 6.889758346916825e-05, 2.8913705208347567e-06,
    2.0489185894690638e-07, 2.266668990498178e-08, 3.3962320257083865e-09, 4.94060238822497e-10,
    1.1889147107846439e-11, -3.1499165279632416e-11, -1.3215811840447713e-11, -1.7941785315068062e-12,
    7.180124451383666e-13, 3.8527783827421426e-13, 1.54008621752141e-14, -4.150569347287222e-14,
    -9.554846698828307e-15, 3.8116806693526224e-15, 1.7725601330565263e-15, -3.4254856196772195e-16,
    -2.8276239805165836e-16, 3.461222867697477e-17, 4.465621420296738e-17, -4.830504485944371e-18,
    -7.233180487873652e-18,
)  # fmt: skip
_I1_FAR = (
    0.38928811750914005, -0.009761097491361469, -0.00011058893876262371, -3.882564808877691e-06,
    -2.512236237870209e-07, -2.6314688468895196e-08, -3.835380385964237e-09, -5.589743462196584e-10,
    -1.8974958123505413e-11, 3.2526035830154884e-11, 1.4125807436613782e-11, 2.0356285441470896e-12,
    -7.198551776245908e-13, -4.0835511110921974e-13, -2.1015418427726643e-14, 4.272440016711951e-14,
    1.0420276984128802e-14, -3.8144030724370075e-15, -1.8803547755107825e-15, 3.3082023109209285e-16,
    2.96262899764595e-16, -3.2095259219934404e-17, -4.650305368489336e-17, 4.414348323071889e-18,
    7.51729631084099e-18,
)  # fmt: skip


def _scaled(near: tuple[float, ...], far: tuple[float, ...], size: Array) -> tuple[Array, Array]:
    """The two series at a number that is not negative."""
    inside = np.minimum(size, 8)
    outside = np.maximum(size, 8)
    return chebyshev(near, inside / 4 - 1), chebyshev(far, 16 / outside - 1) / np.sqrt(outside)


def i0e_double(x: Array) -> Array:
    """``exp(-abs(x)) i0(x)``."""
    size = np.abs(x)
    near, far = _scaled(_I0_NEAR, _I0_FAR, size)
    return np.where(size <= 8, near, far)


def i1e_double(x: Array) -> Array:
    """``exp(-abs(x)) i1(x)``."""
    size = np.abs(x)
    near, far = _scaled(_I1_NEAR, _I1_FAR, size)
    return np.where(size <= 8, x * near, np.copysign(far, x))


def _unscaled(scaled: Array, x: Array) -> Array:
    half = np.exp(np.abs(x) / 2)  # the whole exponential would overflow too early
    return np.where(np.isinf(x), np.where(np.signbit(scaled), -np.inf, np.inf), scaled * half * half)


def _by_argument(y: Value, x: Value) -> Value:
    """``y / x`` of an odd function with slope 1/2 at 0."""
    at_zero = equal(x, scalar(0, x.dtype))
    return where(at_zero, scalar(0.5, x.dtype), divide(y, where(at_zero, scalar(1, x.dtype), x)))


@op("i0", since=1)
class I0(Special):
    """The modified Bessel function of order 0."""

    def double(self, *arrays: Array) -> Array:
        return _unscaled(i0e_double(arrays[0]), arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        return i1(values[0])


@op("i0e", since=1)
class I0e(Special):
    """``exp(-abs(x)) * i0(x)``; the derivative at 0 is the mean of both sides'."""

    def double(self, *arrays: Array) -> Array:
        return i0e_double(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        x, y = values
        return subtract(i1e(x), multiply(sign(x), y))


@op("i1", since=1)
class I1(Special):
    """The modified Bessel function of order 1."""

    def double(self, *arrays: Array) -> Array:
        return _unscaled(i1e_double(arrays[0]), arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        x, y = values
        return subtract(i0(x), _by_argument(y, x))


@op("i1e", since=1)
class I1e(Special):
    """``exp(-abs(x)) * i1(x)``."""

    def double(self, *arrays: Array) -> Array:
        return i1e_double(arrays[0])

    def partial(self, operand: int, *values: Value) -> Value:
        x, y = values
        return subtract(subtract(i0e(x), _by_argument(y, x)), multiply(sign(x), y))


i0 = I0()
i0e = I0e()
i1 = I1()
i1e = I1e()
