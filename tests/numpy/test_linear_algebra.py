"""Matrix products and contractions, compared with NumPy's."""

from __future__ import annotations

import re
from typing import Any, cast

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from tests.numpy.agree import agree, agree_symbolic, draw, same


def test_matmul_and_transpose() -> None:
    agree(rnp.matmul, np.matmul, draw((2, 3)), draw((3, 4), seed=1))
    agree(rnp.matmul, np.matmul, draw((3,), "int32"), draw((2, 3, 1), "int32"))
    agree(rnp.matmul, np.matmul, draw((2, 3), "complex64"), draw((3,), "complex64"))
    same(rnp.matmul(draw((2, 3), "int8"), draw((3, 2))), draw((2, 3), "int8").astype("float32") @ draw((3, 2)))
    agree(rnp.matrix_transpose, np.matrix_transpose, draw((2, 3, 4)))
    agree_symbolic(lambda x: rnp.matrix_transpose(x) @ x, lambda x: x.T @ x, ("n", "m"))


def test_matmul_refuses() -> None:
    with pytest.raises(rax.TypeInferenceError) as caught:
        rnp.matmul(rnp.ones((2, 3)), 2.0)
    assert str(caught.value) == "matmul is not defined on scalars\n  fix: use * to scale"
    with pytest.raises(rax.TypeInferenceError, match="the rows of the first have 3 elements"):
        rnp.matmul(rnp.ones((2, 3)), rnp.ones((2, 3)))


@pytest.mark.parametrize(
    ("left", "right", "axes"),
    [
        ((2, 3), (3, 4), 1), ((2, 3, 4), (3, 4, 5), 2), ((2,), (3,), 0), ((2, 3), (2, 3), 2),
        ((2, 3, 4), (4, 2), ((0, 2), (1, 0))), ((2, 3), (5, 3), ((-1,), (-1,))), ((0, 3), (3, 2), 1), ((), (2,), 0),
    ],
)  # fmt: skip
def test_tensordot(left: Any, right: Any, axes: Any) -> None:
    numpys = cast("Any", np.tensordot)
    agree(
        lambda x, y: rnp.tensordot(x, y, axes=axes), lambda x, y: numpys(x, y, axes),
        draw(left), draw(right, seed=1),
    )  # fmt: skip


def test_tensordot_with_symbolic_sizes() -> None:
    agree_symbolic(lambda x, y: rnp.tensordot(x, y, axes=1), np.matmul, (2, "n"), ("n", "m"))


@pytest.mark.parametrize(
    ("axes", "text"),
    [
        (3, "tensordot over 3 axes does not fit float32[2, 3] and float32[2, 3]"),
        (1, "tensordot cannot pair axes (1,) of float32[2, 3] with axes (0,) of float32[2, 3]"),
        (((0, 0), (0, 0)), "tensordot cannot pair axes (0, 0) of float32[2, 3] with axes (0, 0) of float32[2, 3]"),
    ],
)
def test_tensordot_refuses(axes: Any, text: str) -> None:
    with pytest.raises(rax.TypeInferenceError) as caught:
        rnp.tensordot(rnp.ones((2, 3)), rnp.ones((2, 3)), axes=axes)
    assert caught.value.what == text


@pytest.mark.parametrize("dtype", ["float32", "complex64", "int32"])
@pytest.mark.parametrize(
    ("left", "right", "axis"), [((3,), (3,), -1), ((2, 3), (3,), -1), ((3, 1), (3, 2), -2), ((4, 1, 3), (2, 3), -1)]
)
def test_vecdot(left: Any, right: Any, axis: int, dtype: str) -> None:
    numpys = cast("Any", np.vecdot)
    agree(
        lambda x, y: rnp.vecdot(x, y, axis=axis), lambda x, y: numpys(x, y, axis=axis),
        draw(left, dtype), draw(right, dtype, 1),
    )  # fmt: skip


def test_vecdot_refuses() -> None:
    agree_symbolic(rnp.vecdot, np.vecdot, ("n", "m"), ("n", "m"))
    with pytest.raises(rax.TypeInferenceError, match="vectors of one length, not 2 and 3"):
        rnp.vecdot(rnp.ones(2), rnp.ones(3))
    with pytest.raises(rax.OutOfRangeError, match=r"axis -2 is out of range for float32\[3\]"):
        rnp.vecdot(rnp.ones((2, 3)), rnp.ones(3), axis=0)


EINSUMS = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("bij,bjk->bik", (5, 2, 3), (5, 3, 4)), ("ii->i", (3, 3)),
    ("ii", (3, 3)), ("ij->ji", (2, 3)), ("ij->", (2, 3)), ("i,j->ij", (2,), (3,)), ("i,i->", (3,), (3,)),
    ("ij,ij->i", (2, 3), (2, 3)), ("...ij,...jk->...ik", (5, 2, 3), (3, 4)), ("...i->...", (2, 3, 4)),
    ("...,...->...", (2, 1), (3,)), ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)), ("a,b,c->cab", (2,), (3,), (4,)),
    ("ijk,kji->", (2, 3, 4), (4, 3, 2)), ("iij,j->i", (2, 2, 3), (3,)), ("i...,i...->...", (3, 2, 4), (3, 1, 4)),
    (",ij->ij", (), (2, 3)), ("bhqd,bhkd->bhqk", (2, 2, 3, 4), (2, 2, 5, 4)), ("ij,i->j", (0, 3), (0,)),
    ("ba", (2, 3)), ("...ba", (4, 2, 3)), ("i...->...i", (2, 3, 4)), ("iii->i", (2, 2, 2)),
    ("ij,kj->ikj", (2, 3), (4, 3)), ("ij,jk,kl,li->jl", (2, 3), (3, 4), (4, 2), (2, 2)), ("i,ij,j", (2,), (2, 3), (3,)),
    ("...i,ij,...j->...", (4, 1, 2), (2, 3), (5, 3)), ("ii,ij,j", (2, 2), (2, 3), (3,)), ("i,j,k", (2,), (1,), (0,)),
]  # fmt: skip


@pytest.mark.parametrize("case", EINSUMS, ids=lambda case: case[0])
def test_einsum(case: Any) -> None:
    subscripts, *shapes = case
    arrays = [draw(shape, seed=seed) for seed, shape in enumerate(shapes)]
    agree(lambda *xs: rnp.einsum(subscripts, *xs), lambda *xs: np.einsum(subscripts, *xs), *arrays)


def test_einsum_with_lists_of_axes() -> None:
    x, y = draw((2, 3)), draw((3, 4), seed=1)
    same(rnp.einsum(x, [0, 1], y, [1, 2], [2, 0]), np.einsum(x, [0, 1], y, [1, 2], [2, 0]))
    same(rnp.einsum(x, [30, 1], y, [1, 2]), np.einsum(x, [30, 1], y, [1, 2]))
    same(rnp.einsum(x, [..., 1], y, [1, 2], [..., 2]), x @ y)
    for call, message in (
        (lambda: rnp.einsum(x, [99, 1]), r"lists of axes hold numbers below 52 and ..., not \[99, 1\]"),
        (lambda: rnp.einsum(x, "ij"), "lists of axes hold numbers below 52 and ..., not 'ij'"),
        (lambda: rnp.einsum(), "einsum needs a notation and operands"),
    ):
        with pytest.raises(rax.TypeInferenceError, match=message):
            call()


def test_the_order_of_contraction() -> None:
    tall, wide = draw((50, 2), "float64"), draw((2, 50), "float64", 1)
    operands = (tall, wide, tall, wide)
    due = np.einsum("ab,bc,cd,de->ae", *operands)
    path, report = rnp.einsum_path("ab,bc,cd,de->ae", *operands)
    assert path[0] == "einsum_path"
    assert "Optimized FLOP count" in report
    for optimize in (True, False, "greedy", "optimal", path, [(0, 1), (1, 2), (0, 1)], [(0, 1, 2, 3)]):
        same(rnp.einsum("ab,bc,cd,de->ae", *operands, optimize=optimize), due)

    def largest(optimize: Any) -> int:
        graph = rax.trace(lambda *xs: rnp.einsum("ab,bc,cd,de->ae", *xs, optimize=optimize)[0, 0], *operands)
        products = re.findall(r"matmul.*float64\[(\d+), (\d+)\]", str(graph))
        return max(int(rows) * int(columns) for rows, columns in products[:-1])

    assert largest(False) == 2500
    assert largest(True) == 100
    for optimize, message in (
        ("best", "einsum knows no method 'best'"),
        ([(0, 5)], r"einsum's order has the step \(0, 5\), where there are 4 operands"),
        ([(0, 1)], "einsum's order leaves 3 operands"),
    ):
        with pytest.raises(rax.TypeInferenceError, match=message):
            rnp.einsum("ab,bc,cd,de->ae", *operands, optimize=optimize)


def test_einsum_with_symbolic_sizes() -> None:
    agree_symbolic(
        lambda x, y, z: rnp.einsum("ni,nj,jk->ik", x, y, z), lambda x, y, z: np.einsum("ni,nj,jk->ik", x, y, z),
        ("n", 2), ("n", "m"), ("m", 3),
    )  # fmt: skip
    agree_symbolic(
        lambda x, y: rnp.einsum("ni,nj->ij", x, y), lambda x, y: np.einsum("ni,nj->ij", x, y), ("n", 2), ("n", "m")
    )
    agree_symbolic(lambda x: rnp.einsum("n...->...", x), lambda x: x.sum(0), ("n", 2))


@pytest.mark.parametrize(
    ("subscripts", "shapes", "text"),
    [
        ("ij", [], "'ij' does not describe 0 operands"),
        ("ij,jk", [(2, 3)], "'ij,jk' does not describe 1 operands"),
        ("i?", [(2, 3)], "'i?' does not describe 1 operands"),
        ("i", [(2, 3)], "'i' does not describe the 2 axes of float32[2, 3]"),
        ("ii", [(2, 3)], "the axes 'i' of float32[2, 3] have different sizes"),
        ("i,i", [(2,), (3,)], "the axes 'i' have the sizes 2 and 3"),
        ("ij,jk,kl->il", [(2, 3), (1, 4), (5, 2)], "the axes 'k' have the sizes 4 and 5"),
        ("i->j", [(2,)], "'j' in the result of 'i->j' must occur once there, and before ->"),
        ("i->ii", [(2,)], "'i' in the result of 'i->ii' must occur once there, and before ->"),
    ],
)
def test_einsum_refuses(subscripts: str, shapes: Any, text: str) -> None:
    with pytest.raises(rax.TypeInferenceError) as caught:
        rnp.einsum(subscripts, *map(rnp.ones, shapes))
    assert caught.value.what == text


def test_tensordot_takes_numpys_integers_and_single_axes() -> None:
    x, y = draw((2, 3)), draw((3, 4), seed=1)
    same(rnp.tensordot(x, y, axes=np.int64(1)), np.tensordot(x, y, 1))  # pyright: ignore[reportArgumentType]
    same(rnp.tensordot(x, y, axes=(1, 0)), np.tensordot(x, y, (1, 0)))  # pyright: ignore[reportArgumentType]
    with pytest.raises(rax.TypeInferenceError, match=r"tensordot's axes are a number, or those of each .*, not \(1,\)"):
        rnp.tensordot(x, y, axes=(1,))  # pyright: ignore[reportArgumentType]
