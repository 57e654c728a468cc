"""``rax.numpy.linalg`` beside NumPy and SciPy: values, batches, empty matrices, special cases and errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
from scipy import linalg as scipy_linalg

import rax
import rax.numpy as rnp
from rax.numpy import linalg
from tests.numpy.agree import agree, agree_symbolic, check_signature, draw, same

Function = Callable[..., Any]
truth = cast("Any", np.linalg)
scipys = cast("Any", scipy_linalg)
INF = float("inf")
DTYPES = ["float32", "float64", "complex64", "complex128"]
SQUARES = [(3, 3), (2, 1, 2, 2), (1, 1), (0, 0), (2, 0, 0), (0, 2, 2)]
SHAPES = [(3, 3), (3, 2), (2, 4), (2, 2, 3), (0, 0), (3, 0), (0, 2), (2, 0, 3), (0, 3, 2)]
STANDARD = """
cholesky(x, /, *, upper=False)
cross(x1, x2, /, *, axis=-1)
det(x, /)
diagonal(x, /, *, offset=0)
eig(x, /)
eigh(x, /)
eigvals(x, /)
eigvalsh(x, /)
inv(x, /)
matmul(x1, x2, /)
matrix_norm(x, /, *, keepdims=False, ord='fro')
matrix_power(x, n, /)
matrix_rank(x, /, *, rtol=None)
matrix_transpose(x, /)
outer(x1, x2, /)
pinv(x, /, *, rtol=None, hermitian=False)
qr(x, /, *, mode='reduced')
slogdet(x, /)
solve(x1, x2, /)
svd(x, /, *, full_matrices=True)
svdvals(x, /)
tensordot(x1, x2, /, *, axes=2)
trace(x, /, *, offset=0, dtype=None)
vecdot(x1, x2, /, *, axis=-1)
vector_norm(x, /, *, axis=None, keepdims=False, ord=2)
"""


def square(shape: tuple[int, ...], dtype: str = "float64", seed: int = 0) -> np.ndarray:
    """Well-conditioned square matrices."""
    return (draw(shape, dtype, seed) + 8 * np.eye(shape[-1])).astype(dtype)


def hermitian(shape: tuple[int, ...], dtype: str = "float64", seed: int = 0) -> np.ndarray:
    x = square(shape, dtype, seed)
    return ((x + x.conj().swapaxes(-1, -2)) / 2).astype(dtype)


def positive(shape: tuple[int, ...], dtype: str = "float64", seed: int = 0) -> np.ndarray:
    x = draw(shape, dtype, seed)
    return (x @ x.conj().swapaxes(-1, -2) + np.eye(shape[-1])).astype(dtype)


def close(got: Any, due: Any) -> None:
    """Equal up to a few dozen units in the last place of the greatest element."""
    for one, other in zip(got, due, strict=True) if isinstance(due, tuple) else ((got, due),):
        array, wanted = np.asarray(one), np.asarray(other)
        assert (array.dtype, array.shape) == (wanted.dtype, wanted.shape)
        scale = max(1.0, float(np.max(np.abs(wanted), initial=0)))
        allowed = 100 * np.finfo(wanted.dtype).eps * scale if wanted.dtype.kind in "fc" else 0
        np.testing.assert_allclose(array, wanted, rtol=0, atol=allowed)


def agrees(function: Function, due: Function, *arrays: Any) -> None:
    """A function of lazy tensors, and its compiled trace, give what NumPy gives."""
    wanted = due(*arrays)
    close(function(*map(rnp.asarray, arrays)), wanted)
    close(rax.jit(function)(*arrays), wanted)


def test_the_signatures_are_the_standards() -> None:
    for line in STANDARD.split("\n")[1:-1]:
        name = line.partition("(")[0]
        check_signature(name, getattr(linalg, name), line)
    assert set(linalg.__all__) <= set(dir(linalg))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SQUARES, ids=str)
def test_functions_of_square_matrices(shape: tuple[int, ...], dtype: str) -> None:
    x = square(shape, dtype)
    for name in ("det", "slogdet", "inv"):
        agrees(getattr(linalg, name), getattr(truth, name), x)
    agrees(linalg.cholesky, truth.cholesky, positive(shape, dtype))
    agrees(lambda x: linalg.cholesky(x, upper=True), lambda x: truth.cholesky(x, upper=True), positive(shape, dtype))
    for name in ("eigh", "eigvalsh"):
        agrees(getattr(linalg, name), getattr(truth, name), hermitian(shape, dtype))
    for power in (-2, 0, 1, 5):
        agrees(lambda x, n=power: linalg.matrix_power(x, n), lambda x, n=power: truth.matrix_power(x, n), x / 8)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SQUARES, ids=str)
def test_eigenvalues_and_vectors_of_any_matrix(shape: tuple[int, ...], dtype: str) -> None:
    x = draw(shape, dtype)
    wide = np.result_type(x, np.complex64)
    agrees(linalg.eigvals, lambda x: truth.eigvals(x).astype(wide), x)
    agrees(linalg.eig, lambda x: tuple(part.astype(wide) for part in truth.eig(x)), x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_functions_of_any_matrices(shape: tuple[int, ...], dtype: str) -> None:
    x = draw(shape, dtype)
    for mode in ("reduced", "complete"):
        agrees(lambda x, m=mode: linalg.qr(x, mode=m), lambda x, m=mode: tuple(truth.qr(x, mode=m)), x)
    for full in (True, False):
        agrees(
            lambda x, f=full: linalg.svd(x, full_matrices=f), lambda x, f=full: tuple(truth.svd(x, full_matrices=f)), x
        )
    for name in ("svdvals", "pinv", "matrix_rank"):
        agrees(getattr(linalg, name), getattr(truth, name), x)
    for offset in (-4, -1, 0, 1, 7):
        agrees(lambda x, k=offset: linalg.diagonal(x, offset=k), lambda x, k=offset: truth.diagonal(x, offset=k), x)
        agrees(lambda x, k=offset: linalg.trace(x, offset=k), lambda x, k=offset: truth.trace(x, offset=k), x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4), (0, 3)], ids=str)
def test_lu_is_scipys(shape: tuple[int, ...], dtype: str) -> None:
    x = draw(shape, dtype)
    got = linalg.lu(x)
    close(tuple(got), tuple(part.astype(dtype) for part in scipys.lu(x)))
    close(got.P @ got.L @ got.U, x)


def test_lu_of_batches_large_and_singular_matrices() -> None:
    x = draw((2, 3, 5, 4))
    p, lower, upper = linalg.lu(x)
    close(p @ lower @ upper, x)
    large = np.random.default_rng(3).normal(size=(90, 101))
    for got, due in zip(linalg.lu(large), scipys.lu(large), strict=True):
        np.testing.assert_allclose(np.asarray(got), due, atol=1e-11)
    singular = np.array([[0.0, 1.0], [0.0, 2.0]])
    p, lower, upper = linalg.lu(singular)
    close(p @ lower @ upper, singular)


@pytest.mark.parametrize("dtype", DTYPES)
def test_solve(dtype: str) -> None:
    for a, b in [((3, 3), (3, 2)), ((2, 1, 3, 3), (4, 3, 2)), ((2, 3, 3), (3,)), ((2, 2), (3, 2, 1)), ((0, 0), (0,))]:
        agrees(linalg.solve, truth.solve, square(a, dtype), draw(b, dtype, 1))
    agrees(linalg.solve, truth.solve, np.zeros((0, 2, 2), dtype), np.zeros((0, 2, 0), dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [0, 1, 3, 150])
def test_solve_triangular_is_scipys(size: int, dtype: str) -> None:
    a, b = square((size, size), dtype), draw((size, 2), dtype, 1)
    a += 40 * np.eye(size, dtype=dtype)
    for trans in (0, 1, 2, "N", "T", "C"):
        for lower in (False, True):
            options = {"trans": trans, "lower": lower}
            close(linalg.solve_triangular(a, b, **cast("Any", options)), scipys.solve_triangular(a, b, **options))
    small = a / 200
    for lower in (False, True):
        due = scipys.solve_triangular(small, b[:, 0], lower=lower, unit_diagonal=True)
        close(linalg.solve_triangular(small, b[:, 0], lower=lower, unit_diagonal=True), due)


def test_solve_triangular_takes_batches() -> None:
    a, b = square((2, 1, 70, 70)) + 92 * np.eye(70), draw((3, 70, 2), "float64", 1)
    close(linalg.solve_triangular(a, b, lower=True), np.linalg.solve(np.tril(a), b))
    close(linalg.solve_triangular(a[0, 0], b), np.linalg.solve(np.triu(a[0, 0]), b))


def test_pinv_and_rank_take_tolerances() -> None:
    x = np.stack([np.diag([4.0, 2.0, 1.0]), np.diag([1.0, 1e-3, 0.0])])
    ratio = np.array([0.3, 1e-9])
    agrees(lambda x, r: linalg.pinv(x, rtol=r), lambda x, r: truth.pinv(x, rtol=r), x, ratio)
    agrees(lambda x, r: linalg.matrix_rank(x, rtol=r), lambda x, r: truth.matrix_rank(x, rtol=r), x, ratio)
    agrees(lambda x: linalg.pinv(x, rtol=0.5), lambda x: truth.pinv(x, rtol=0.5), x)
    agrees(lambda x: linalg.pinv(x, hermitian=True), lambda x: truth.pinv(x, hermitian=True), hermitian((2, 3, 3)))


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize(("rows", "columns"), [(4, 2), (2, 4), (3, 3)])
def test_lstsq(rows: int, columns: int, dtype: str) -> None:
    a = draw((rows, columns), dtype)
    for shape in ((rows, 2), (rows,)):
        b = draw(shape, dtype, 1)
        got, due = linalg.lstsq(a, b), truth.lstsq(a, b)
        close(got.x, due[0])
        close(got.residuals, np.sum(np.abs(b - a @ due[0]) ** 2, axis=0))
        assert int(got.rank) == due[2]
        close(got.s, due[3])
    a[:, 1] = a[:, 0]
    close(linalg.lstsq(a, a).x, truth.lstsq(a, a)[0])
    assert int(linalg.lstsq(a, a).rank) == truth.lstsq(a, a)[2]
    batch = draw((5, rows, columns), dtype)
    close(linalg.lstsq(batch, draw((5, rows, 1), dtype)).x, truth.pinv(batch) @ draw((5, rows, 1), dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_expm_is_scipys(dtype: str) -> None:
    for shape in [(3, 3), (2, 1, 4, 4), (1, 1), (0, 0)]:
        for scale in (1e-3, 0.5, 8.0):
            x = (draw(shape, dtype) * scale / 3).astype(dtype)
            got, due = np.asarray(linalg.expm(x)), scipys.expm(x)
            assert got.dtype == dtype
            size = max(1.0, float(np.max(np.abs(due), initial=0)))
            np.testing.assert_allclose(got / size, due / size, atol=float(2e3 * np.finfo(dtype).eps))
    mixed = np.stack([np.zeros((2, 2)), np.array([[0, 300.0], [-300.0, 0]])])
    turn = [[np.cos(300), np.sin(300)], [-np.sin(300), np.cos(300)]]
    np.testing.assert_allclose(np.asarray(linalg.expm(mixed)), [np.eye(2), turn], atol=1e-10)
    assert np.isnan(np.asarray(linalg.expm(np.full((2, 2), np.nan)))).all()


VECTOR_ORDERS = [2, 1, INF, -INF, 0, 3, -1, -2, 0.5, 2.5]


@pytest.mark.parametrize("dtype", [*DTYPES, "float16"])
@pytest.mark.parametrize("order", VECTOR_ORDERS)
def test_vector_norm(order: float, dtype: str) -> None:
    if dtype == "float16":
        got = linalg.vector_norm(np.ones((2, 8), dtype), axis=1, ord=order)
        np.testing.assert_allclose(got, truth.vector_norm(np.ones((2, 8)), axis=1, ord=order), rtol=1e-3)
        assert got.dtype.name == "float16"
        return
    x = draw((2, 3, 4), dtype)
    for axis in (None, 1, (0, 2), (2, 0), -1):
        for keep in (False, True):
            options: dict[str, Any] = {"axis": axis, "keepdims": keep, "ord": order}
            agrees(lambda x, o=options: linalg.vector_norm(x, **o), lambda x, o=options: truth.vector_norm(x, **o), x)
    zeros = np.array([0.0, 2.0], dtype)
    with np.errstate(divide="ignore"):
        agrees(lambda x: linalg.vector_norm(x, ord=order), lambda x: truth.vector_norm(x, ord=order), zeros)
        agrees(lambda x: linalg.vector_norm(x, ord=order), lambda x: truth.vector_norm(x, ord=order), zeros * 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ["fro", "nuc", None, 1, -1, 2, -2, INF, -INF])
def test_matrix_norm(order: Any, dtype: str) -> None:
    for shape in ((2, 3), (2, 3, 2)):
        for keep in (False, True):
            options: dict[str, Any] = {"keepdims": keep, "ord": order}
            agrees(
                lambda x, o=options: linalg.matrix_norm(x, **o), lambda x, o=options: truth.matrix_norm(x, **o),
                draw(shape, dtype),
            )  # fmt: skip
    if order not in (-1, -2, -INF):
        for shape in ((0, 3), (3, 0), (2, 0, 0)):
            agrees(
                lambda x: linalg.matrix_norm(x, ord=order), lambda x: truth.matrix_norm(x, ord=order),
                np.zeros(shape, dtype),
            )  # fmt: skip


@pytest.mark.parametrize(
    ("order", "axis"),
    [
        (None, None), ("fro", (0, 1)), ("nuc", (2, 0)), (1, (0, 1)), (1, (1, 0)), (-INF, (2, 1)), (2, (-1, 0)), (3, 1),
        (0, -1), (None, 1), (None, (0, 2)), (INF, (0,)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("keepdims", [False, True])
def test_norm_follows_numpys_rules(order: Any, axis: Any, keepdims: bool) -> None:
    x = draw((2, 3, 4), "float64")
    agrees(
        lambda x: linalg.norm(x, order, axis, keepdims), lambda x: np.asarray(truth.norm(x, order, axis, keepdims)), x
    )


def test_norm_of_vectors_and_matrices_without_axes() -> None:
    for shape, orders in (((4,), (None, 1, 2, INF, 3)), ((4, 3), (None, 1, 2, INF, "nuc"))):
        for order in orders:
            x = draw(shape, "float64")
            agrees(lambda x, o=order: linalg.norm(x, o), lambda x, o=order: np.asarray(truth.norm(x, o)), x)
    assert linalg.norm(np.array([3, 4])).dtype.name == "float32"
    assert float(linalg.vector_norm(np.zeros(0), ord=INF)) == 0.0


@pytest.mark.parametrize("p", [None, 2, -2, 1, -1, INF, -INF, "fro", "nuc"])
def test_cond(p: Any) -> None:
    for dtype in ("float64", "complex128"):
        agrees(lambda x: linalg.cond(x, p), lambda x: np.asarray(truth.cond(x, p)), square((2, 3, 3), dtype))
    if p in (None, 2, -2):
        agrees(lambda x: linalg.cond(x, p), lambda x: np.asarray(truth.cond(x, p)), draw((4, 2), "float64"))
        zeros = np.zeros((2, 2))
        agrees(lambda x: linalg.cond(x, p), lambda x: np.asarray(truth.cond(x, p)), zeros)


def test_products() -> None:
    for axis, left, right in [(-1, (2, 3), (3,)), (-2, (3, 1), (4, 3, 2)), (0, (3, 4), (3, 4)), (-1, (0, 3), (1, 3))]:
        for dtype in ("float64", "int8", "complex64"):
            x, y = draw(left, dtype), draw(right, dtype, 1)
            due = truth.cross(x, y, axis=axis)
            agrees(lambda x, y, a=axis: linalg.cross(x, y, axis=a), lambda _, __, due=due: due, x, y)
    agrees(linalg.outer, truth.outer, draw((3,), "int32"), draw((2,), "int32"))
    agrees(linalg.trace, truth.trace, draw((2, 3, 3), "int64"))
    assert linalg.trace(np.ones((2, 2), "int8")).dtype.name == "int64"
    assert linalg.trace(np.ones((2, 2), "int8"), dtype="float32").dtype.name == "float32"


@pytest.mark.parametrize(
    "shapes",
    [[(2, 3), (3, 4)], [(5, 2), (2, 50), (50, 3), (3, 4)], [(3,), (3, 2), (2, 6), (6,)], [(10, 1), (1, 10), (10, 1)]],
)
def test_multi_dot(shapes: list[tuple[int, ...]]) -> None:
    arrays = [draw(shape, "float64", seed) for seed, shape in enumerate(shapes)]
    agree(lambda *xs: linalg.multi_dot(xs), lambda *xs: np.asarray(truth.multi_dot(xs)), *arrays)


def test_multi_dot_takes_the_cheapest_order() -> None:
    graph = rax.trace(lambda *xs: linalg.multi_dot(xs), *map(rax.spec, [(10, 100), (100, 5), (5, 50)]))
    assert [node.types[0].shape for node in graph.nodes if not hasattr(node.op, "literal")][-2:] == [(10, 5), (10, 50)]


def test_symbolic_sizes() -> None:
    sizes = [{"n": 3, "m": 2}, {"n": 2, "m": 3}, {"n": 0, "m": 2}]
    stacks = [{"n": 3, "m": 2}, {"n": 0, "m": 2}]
    for function, due in [
        (lambda x: linalg.qr(x).R, lambda x: truth.qr(x).R),
        (lambda x: linalg.svd(x, full_matrices=True).U, lambda x: truth.svd(x).U),
        (linalg.svdvals, truth.svdvals), (linalg.pinv, truth.pinv), (linalg.matrix_rank, truth.matrix_rank),
        (linalg.diagonal, truth.diagonal),
        (lambda x: linalg.matrix_norm(x, ord=2), lambda x: truth.matrix_norm(x, ord=2)),
        (lambda x: linalg.vector_norm(x, ord=INF), lambda x: truth.vector_norm(x, ord=INF)),
        (lambda x: linalg.lu(x).U, lambda x: scipys.lu(x)[2]),
    ]:  # fmt: skip
        agree_symbolic(function, due, ("n", "m"), dtype="float64", sizes=sizes)
    for name, due in [("det", truth.det), ("inv", truth.inv), ("eigvalsh", truth.eigvalsh), ("expm", scipys.expm)]:
        graph = rax.trace(getattr(linalg, name), rax.spec(("b", 2, 2), "float64"))
        for size in (0, 3):
            x = hermitian((size, 2, 2)) / 8
            close(graph(x), due(x))
    agree_symbolic(
        lambda x: linalg.inv(x @ rnp.matrix_transpose(x) + rnp.eye("n", dtype="float64")),
        lambda x: truth.inv(x @ x.T + np.eye(len(x))),
        ("n", "m"), dtype="float64", sizes=stacks,
    )  # fmt: skip


def test_the_hermitian_part_counts() -> None:
    x = square((3, 3))
    part = (x + x.T) / 2
    same(linalg.cholesky(x), truth.cholesky(part))
    same(linalg.eigvalsh(x), truth.eigvalsh(part))
    same(linalg.eigh(x).eigenvalues, truth.eigvalsh(part))


def test_integers_count_as_float32() -> None:
    assert linalg.inv(np.eye(2, dtype="int64")).dtype.name == "float32"
    assert linalg.svdvals(np.eye(2, dtype=bool)).dtype.name == "float32"
    assert linalg.solve(np.eye(2, dtype="int64"), np.ones(2)).dtype.name == "float64"


def what(function: Function) -> str:
    with pytest.raises(rax.RaxError) as caught:
        function()
    return caught.value.what


MATRIX, VECTOR = np.ones((2, 3)), np.ones(3)
REFUSED: list[tuple[Function, str]] = [
    (lambda: linalg.cholesky(MATRIX), "cholesky needs square matrices, not [2, 3]"),
    (lambda: linalg.eigh(VECTOR), "eigh needs matrices, not [3]"),
    (lambda: linalg.inv(MATRIX), "inv needs square matrices, not [2, 3]"),
    (lambda: linalg.det(MATRIX), "det needs square matrices, not [2, 3]"),
    (lambda: linalg.svd(MATRIX.astype("float16")), "svd is not defined on float16"),
    (lambda: linalg.qr(MATRIX, mode="raw"), "qr's mode is 'reduced' or 'complete', not 'raw'"),
    (lambda: linalg.pinv(VECTOR), "pinv needs matrices, not [3]"),
    (lambda: linalg.pinv(MATRIX, hermitian=True), "pinv needs square matrices, not [2, 3]"),
    (lambda: linalg.matrix_rank(VECTOR), "matrix_rank needs matrices, not [3]"),
    (
        lambda: linalg.solve(np.eye(2), VECTOR),
        "solve needs a square matrix of as many rows as the right-hand side, not [2, 2] and [3, 1]",
    ),
    (
        lambda: linalg.solve_triangular(np.eye(2), np.ones(2), trans=3),
        "solve_triangular's trans is 0, 1 or 2, or 'N', 'T' or 'C', not 3",
    ),
    (
        lambda: linalg.lstsq(MATRIX, VECTOR),
        "lstsq needs a matrix and a right-hand side of as many rows, not [2, 3] and [3]",
    ),
    (lambda: linalg.vector_norm(VECTOR, ord=cast("Any", "fro")), "the order of a vector's norm is a number, not 'fro'"),
    (
        lambda: linalg.matrix_norm(MATRIX, ord=3),
        "the order of a matrix's norm is 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, not 3",
    ),
    (lambda: linalg.matrix_norm(VECTOR), "matrix_norm needs matrices, not [3]"),
    (lambda: linalg.norm(np.ones((2, 2, 2)), 2), "a norm is along one axis, or two that differ, not (0, 1, 2)"),
    (lambda: linalg.cond(np.ones((0, 2))), "max of no elements is not defined: axes (0,) of [0] are empty"),
    (lambda: linalg.cross(MATRIX, np.ones(2)), "cross needs vectors of 3 elements, not 2"),
    (lambda: linalg.cross(MATRIX.T, VECTOR, axis=-2), "axis -2 is out of range for float64[3]"),
    (lambda: linalg.outer(MATRIX, VECTOR), "outer needs vectors, not [2, 3]"),
    (lambda: linalg.diagonal(VECTOR), "a diagonal is of a matrix, not of float64[3]"),
    (lambda: linalg.matrix_power(MATRIX, 2), "matrix_power needs square matrices, not [2, 3]"),
    (lambda: linalg.multi_dot([MATRIX]), "multi_dot needs at least two matrices, not 1"),
    (lambda: linalg.multi_dot([MATRIX, VECTOR, MATRIX]), "multi_dot needs matrices, not [3]"),
    (lambda: rax.evaluate(linalg.cholesky(-np.eye(2))), "cholesky failed: Matrix is not positive definite"),
    (lambda: rax.evaluate(linalg.inv(np.zeros((2, 2)))), "solve failed: Singular matrix"),
    (
        lambda: rax.evaluate(linalg.solve_triangular(np.zeros((2, 2)), np.ones(2))),
        "triangular_solve failed: Singular matrix",
    ),
    (lambda: rax.evaluate(rax.grad(lambda x: linalg.slogdet(x)[1])(np.zeros((2, 2)))), "solve failed: Singular matrix"),
]


@pytest.mark.parametrize(("function", "text"), REFUSED, ids=[text for _, text in REFUSED])
def test_errors_say_what_is_wrong(function: Function, text: str) -> None:
    assert what(function) == text
