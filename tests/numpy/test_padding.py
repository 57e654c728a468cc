"""``pad``, compared with NumPy's in every mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from tests.numpy.agree import agree, agree_symbolic, batches, differentiable, draw, same

NUMPY: Any = np  # its stubs want each mode by name
WIDTHS: list[Any] = [0, 1, (2, 3), (7, 5), ((3, 0),), (0, 11)]
MODES: list[tuple[str, dict[str, Any]]] = [
    ("constant", {}),
    ("constant", {"constant_values": (3, -2)}),
    ("edge", {}),
    ("wrap", {}),
    ("empty", {}),
    ("linear_ramp", {}),
    ("linear_ramp", {"end_values": (5, -4)}),
    *[(mode, {"reflect_type": kind}) for mode in ("reflect", "symmetric") for kind in ("even", "odd")],
    *[(mode, {"stat_length": n}) for mode in ("maximum", "minimum", "mean", "median") for n in (None, 2, (1, 3))],
]


@pytest.mark.parametrize(("mode", "options"), MODES, ids=str)
@pytest.mark.parametrize("dtype", ["float64", "int64"])
def test_every_mode_is_numpys(mode: str, options: dict[str, Any], dtype: str) -> None:
    if mode == "empty":  # NumPy leaves there what it finds
        assert rnp.pad(draw((2, 3)), 1, mode).shape == (4, 5)
        return
    for shape in ((5,), (1,), (2,), (3, 4)):
        x = draw(shape, dtype)
        for width in WIDTHS:
            same(rnp.pad(x, width, mode, **options), NUMPY.pad(x, width, mode, **options))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "float16", "complex64"])
@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric", "wrap"])
def test_other_dtypes(mode: str, dtype: str) -> None:
    x = draw((2, 3), dtype)
    agree(lambda x: rnp.pad(x, ((1, 0), (2, 4)), mode), lambda x: NUMPY.pad(x, ((1, 0), (2, 4)), mode), x)


def test_each_axis_has_its_own_widths_and_values() -> None:
    x = draw((2, 3), "float64")
    agree(
        lambda x: rnp.pad(x, ((1, 2), (3, 0)), constant_values=((1, 2), (3, 4))),
        lambda x: NUMPY.pad(x, ((1, 2), (3, 0)), constant_values=((1, 2), (3, 4))),
        x,
    )
    same(rnp.pad(x, {-1: (1, 2)}), NUMPY.pad(x, ((0, 0), (1, 2))))
    same(rnp.pad(x, np.array([[1, 2], [0, 1]]), "edge"), NUMPY.pad(x, [[1, 2], [0, 1]], "edge"))
    same(rnp.pad(np.float64(3), 4), np.float64(3))
    same(rnp.pad(np.zeros((0, 2)), 1, constant_values=5), NUMPY.pad(np.zeros((0, 2)), 1, constant_values=5))


@pytest.mark.parametrize(("mode", "options"), MODES, ids=str)
def test_derivatives(mode: str, options: dict[str, Any]) -> None:
    differentiable(lambda x: rnp.pad(x, ((1, 0), (2, 3)), mode, **options), draw((2, 3), "float64"))


def test_the_value_padded_with_may_be_a_tensor() -> None:
    differentiable(lambda x, c: rnp.pad(x, 2, constant_values=c), draw((2,), "float64"), np.array(2.0))
    differentiable(lambda x, c: rnp.pad(x, 2, "linear_ramp", end_values=(c, 1)), draw((2,), "float64"), np.array(2.0))


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric", "wrap", "linear_ramp", "mean", "median"])
def test_symbolic_sizes_and_batches(mode: str) -> None:
    sizes: list[dict[str, int]] = [{"n": 3, "m": 2}, {"n": 1, "m": 5}, {"n": 4, "m": 1}]
    function, due = (lambda x: rnp.pad(x, (2, 1), mode)), (lambda x: NUMPY.pad(x, (2, 1), mode))
    agree_symbolic(function, due, ("n", "m"), dtype="float64", sizes=sizes)
    batches(function, draw((2, 3), "float64"))


def test_a_width_may_be_a_symbolic_size() -> None:
    graph = rax.trace(lambda x: rnp.pad(x, (x.shape[0], 1), "edge"), rax.spec(("n",), "float64"))
    same(graph(np.array([1.0, 2.0])), np.array([1.0, 1.0, 1.0, 2.0, 2.0]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pad_width": -1}, "pad's widths are sizes that are not negative, not -1"),
        ({"pad_width": 1.5}, "pad's widths are sizes that are not negative, not 1.5"),
        ({"pad_width": ((1, 2), (3, 4), (5, 6))}, "pad's pad_width has 3 pairs for 2 axes"),
        ({"pad_width": ((1, 2, 3), (1, 2, 3))}, r"pad's pad_width is a number or a pair \(before, after\) an axis"),
        ({"pad_width": 1, "mode": "mirror"}, "pad's mode is one of constant, edge, .* not 'mirror'"),
        ({"pad_width": 1, "mode": print}, "pad takes no function as its mode"),
        ({"pad_width": 1, "mode": "edge", "constant_values": 3}, "pad has no constant_values in mode 'edge'"),
        ({"pad_width": 1, "mode": "reflect", "reflect_type": "queer"}, "pad's reflect_type is 'even' or 'odd', not"),
        ({"pad_width": 1, "mode": "mean", "stat_length": 0}, "pad's stat_length must be positive"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(rax.TypeInferenceError, match=message):
        rnp.pad(draw((2, 3)), **options)


def test_an_empty_axis_has_nothing_to_be_padded_with() -> None:
    with pytest.raises(rax.TypeInferenceError, match=r"pad cannot extend the empty axis 0 of .* in mode 'edge'"):
        rnp.pad(np.zeros(0), 1, "edge")
    with pytest.raises(rax.TypeInferenceError, match="pad cannot mirror bools oddly"):
        rnp.pad(np.array([True]), 1, "reflect", reflect_type="odd")
