"""The fft extension, compared with NumPy's, its derivatives with finite differences."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.ops.arrays import Array
from tests.numpy.agree import agree, agree_symbolic, draw, same

NORMS = ("backward", "ortho", "forward")
# Names of functions along one axis, and whether they take real numbers.
ONE = {"fft": False, "ifft": False, "rfft": True, "irfft": False, "hfft": False, "ihfft": True}
SEVERAL = {"fftn": False, "ifftn": False, "rfftn": True, "irfftn": False}


def both(name: str, **options: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    return functools.partial(getattr(rnp.fft, name), **options), functools.partial(getattr(np.fft, name), **options)


def operand(real: bool, *shape: int, double: bool = False) -> Array:
    kind = "float" if real else "complex"
    return draw(shape, f"{kind}{(64 if real else 128) if double else (32 if real else 64)}") / 4


@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("double", [False, True])
def test_along_one_axis(name: str, norm: str, double: bool) -> None:
    x = operand(ONE[name], 3, 5, double=double)
    for axis, n in itertools.product((0, -1), (None, 1, 2, 4, 7)):
        options: dict[str, Any] = {"n": n, "axis": axis, "norm": norm}
        ours, numpys = both(name, **options)
        same(ours(x), numpys(x))
    agree(*both(name, norm=norm), x)


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize("norm", NORMS)
def test_along_several_axes(name: str, norm: str) -> None:
    x = operand(SEVERAL[name], 3, 2, 4)
    for options in (
        {},
        {"axes": (1,)},
        {"axes": (2, 0)},
        {"axes": (0, -1), "s": (2, 5)},
        {"axes": (0, 1), "s": (-1, 3)},
    ):
        same(both(name, norm=norm, **options)[0](x), both(name, norm=norm, **options)[1](x))
    for options in ({}, {"axes": (0, 1)}, {"s": (2, 3), "axes": (-2, -1)}):
        ours, numpys = both(f"{name[:-1]}2", norm=norm, **options)
        same(ours(x), numpys(x))


def test_operands_of_other_dtypes() -> None:
    for dtype in ("float16", "int8", "bool", "float32"):
        x = draw((4,), dtype)
        same(rnp.fft.fft(x), np.fft.fft(x.astype("float32")))
        same(rnp.fft.rfft(x), np.fft.rfft(x.astype("float32")))
        same(rnp.fft.irfft(x), np.fft.irfft(x.astype("float32")))
    same(rnp.fft.fft(np.zeros((0, 3), np.float64)), np.zeros((0, 3), np.complex128))
    same(rnp.fft.fftn(np.float32(2)), np.complex64(2))


def test_symbolic_sizes() -> None:
    sizes = [{"n": 3, "m": 2}, {"n": 1, "m": 5}, {"n": 4, "m": 3}]
    for name, real in ONE.items():
        dtype = "float64" if real else "complex128"
        for options in (
            {"n": 4},
            {"axis": 0, "norm": "ortho"} if name not in ("irfft", "hfft") else {"axis": 0, "n": 3},
        ):
            agree_symbolic(*both(name, **options), ("n", "m"), dtype=dtype, sizes=sizes)
    agree_symbolic(*both("irfft"), ("m",), dtype="complex128", sizes=sizes)
    agree_symbolic(*both("fft", n=3), ("n", 3), dtype="complex128")  # an empty batch too
    for name in ("fftshift", "ifftshift"):
        agree_symbolic(*both(name), ("n", "m"))
    spectrum = rax.trace(lambda x: rnp.fft.irfft(rnp.fft.rfft(x), n=x.shape[0]), rax.spec(("n",), "float64"))
    frequencies = rax.trace(
        lambda x: (rnp.fft.fftfreq(x.shape[0], d=0.5), rnp.fft.rfftfreq(x.shape[0])), rax.spec(("n",))
    )
    for n in (1, 2, 5, 6):
        x = draw((n,), "float64")
        same(spectrum(x), x)
        due = np.fft.fftfreq(n, 0.5), np.fft.rfftfreq(n)
        same(frequencies(x.astype("float32")), tuple(part.astype("float32") for part in due))


@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_frequencies_and_shifts(n: int) -> None:
    for d in (1.0, 0.1):
        same(rnp.fft.fftfreq(n, d=d, dtype="float64"), np.fft.fftfreq(n, d))
        same(rnp.fft.rfftfreq(n, d=d), np.fft.rfftfreq(n, d).astype("float32"))
    x = draw((n, 3))
    for name, axes in itertools.product(("fftshift", "ifftshift"), (None, 0, (0, 1), -1)):
        agree(*both(name, axes=axes), x)


@pytest.mark.parametrize("name", [*ONE, *SEVERAL])
@pytest.mark.parametrize("last", [3, 4])
def test_derivatives(name: str, last: int) -> None:
    real = (ONE | SEVERAL)[name]
    options: dict[str, Any] = {"norm": "ortho"}
    if name in ("irfft", "hfft"):
        options["n"] = 2 * last - 3
    x, dx = operand(real, 2, last, double=True), operand(real, 2, last, double=True)[::-1].copy()

    def loss(x: Any) -> Any:
        y = getattr(rnp.fft, name)(x, **options)
        weights = rnp.reshape(rnp.arange(y.size, dtype="float64"), y.shape)
        return rnp.sum(weights * rnp.real(y * rnp.conj(y)))

    step = 1e-6
    due = (float(loss(x + step * dx)) - float(loss(x - step * dx))) / (2 * step)
    _, forward = rax.jvp(loss, (x,), (dx,))
    np.testing.assert_allclose(np.asarray(forward), due, rtol=1e-7)
    # The gradient of a real function pairs with a step without a conjugate.
    np.testing.assert_allclose(np.sum(np.asarray(rax.grad(loss)(x)) * dx).real, due, rtol=1e-7)
    curved, curve = rax.jvp(rax.grad(loss), (x,), (dx,))
    steps = [np.asarray(rax.grad(loss)(x + sign * step * dx)) for sign in (1, -1)]
    np.testing.assert_allclose(np.asarray(curve), (steps[0] - steps[1]) / (2 * step), rtol=1e-6, atol=1e-7)
    assert curved.shape == x.shape


@pytest.mark.parametrize("name", ["fft", "rfft", "irfft", "fftn"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_batches(name: str, axis: int) -> None:
    x = operand((ONE | SEVERAL)[name], 2, 3, 4)
    mapped = rax.vmap(getattr(rnp.fft, name), in_axes=axis)(x)
    rows = [getattr(np.fft, name)(np.take(x, index, axis)) for index in range(x.shape[axis])]
    same(mapped, np.stack(rows))


def test_what_is_refused() -> None:
    x, z = np.ones(3, np.float32), np.ones((2, 1), np.complex64)
    with pytest.raises(rax.ShapeError, match="needs at least one element, not 0"):
        rnp.fft.fft(x, n=0)
    with pytest.raises(rax.ShapeError, match=r"needs at least one element, not 0 of complex64\[2, 1\]\n  fix: give n"):
        rnp.fft.irfft(z)
    with pytest.raises(rax.ShapeError, match="needs at least one element, not 0 of float32"):
        rnp.fft.rfft(np.ones((2, 0), np.float32))
    with pytest.raises(rax.TypeInferenceError, match="norm is 'backward', 'ortho' or 'forward', not 'both'"):
        rnp.fft.fft(x, norm="both")
    with pytest.raises(rax.TypeInferenceError, match=r"rfft is for real numbers, not complex64\[2, 1\]"):
        rnp.fft.rfft(z)
    with pytest.raises(rax.TypeInferenceError, match="it needs axes"):
        rnp.fft.fftn(z, s=(2, 2))
    with pytest.raises(rax.TypeInferenceError, match="there are 1 sizes for 2 axes"):
        rnp.fft.fftn(z, s=(2,), axes=(0, 1))
    with pytest.raises(rax.TypeInferenceError, match="rfftn needs at least one axis"):
        rnp.fft.rfftn(1.0)
    with pytest.raises(rax.OutOfRangeError, match="axis 2 is out of range"):
        rnp.fft.fft(z, axis=2)
    with pytest.raises(rax.ShapeError, match="fftfreq needs at least one element, not 0"):
        rnp.fft.fftfreq(0)
    with pytest.raises(rax.TypeInferenceError, match="frequencies are floating-point numbers, not int64"):
        rnp.fft.fftfreq(3, dtype="int64")
