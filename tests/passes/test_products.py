"""Products in the rounds of a loop: which are done as one, which stay, and that only rounding differs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.ir.graph import Graph
from rax.ir.tree import flatten
from rax.ir.verify import verify
from rax.ops.arrays import Array
from rax.passes.optimise import optimise, reassociate
from rax.runtime.reference import evaluate_graph
from tests.ops.laws import EPS, assert_close

Arrays = dict[str, Any]
GATES = 4


def cell(params: Any, carry: Any, x: Any) -> tuple[Any, Any]:
    """Long short-term memory as a textbook writes it, of one vector or of columns."""
    h, c = carry
    gates = [w @ x + u @ h + b for w, u, b in zip(params["w"], params["u"], params["b"], strict=True)]
    enter, forget, leave = (1 / (1 + rnp.exp(-gate)) for gate in gates[:3])
    c = forget * c + enter * rnp.tanh(gates[3])
    h = leave * rnp.tanh(c)
    return (h, c), h


def cell_of_rows(params: Any, carry: Any, x: Any) -> tuple[Any, Any]:
    """The same of rows, with gates that do different things."""
    h, c = carry
    gates = [x @ w + h @ u + b for w, u, b in zip(params["w"], params["u"], params["b"], strict=True)]
    c = rnp.cos(gates[0]) * c + rnp.sin(gates[1]) * rnp.tanh(gates[3])
    return (rnp.tanh(c) * gates[2], c), h


def loss(step: Callable[[Any, Any, Any], tuple[Any, Any]]) -> Callable[[Any, Any, Any], Any]:
    def total(params: Any, start: Any, xs: Any) -> Any:
        return rnp.sum(rax.scan(lambda carry, x: step(params, carry, x), start, xs)[1] ** 2)

    return total


def arguments(dtype: str, state: tuple[int, ...], bias: tuple[int, ...], rounds: int = 20) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(0)

    def some(*shape: int) -> Array:
        return (rng.standard_normal(shape) / 2).astype(dtype)

    size = max(bias)
    params = {name: [some(size, size) for _ in range(GATES)] for name in ("w", "u")}
    return {**params, "b": [some(*bias) for _ in range(GATES)]}, (some(*state), some(*state)), some(rounds, *state)


def bodies(graph: Graph) -> list[Graph]:
    return [node.op.attributes()["body"] for node in graph.nodes if node.op.name == "scan"]  # pyright: ignore[reportAttributeAccessIssue]


def counted(graph: Graph, name: str) -> int:
    return sum(node.op.name == name for node in graph.nodes)


def compared(graph: Graph, given: list[Array], factor: float = 64) -> Graph:
    """What becomes of a graph; its results are those of the definition, but for rounding."""
    found = reassociate(optimise(graph))
    verify(found)
    assert found.in_types == graph.in_types
    assert found.out_types == graph.out_types
    for old, new in zip(evaluate_graph(graph, given), evaluate_graph(found, given), strict=True):
        assert_close(new, old, factor * EPS[str(old.dtype)], str(old.dtype))
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize(("state", "bias"), [((5,), (5,)), ((5, 3), (5, 1)), ((5, 1), (5, 1))])
def test_a_textbooks_gates_are_one_product_of_the_input_and_one_of_the_state(
    state: tuple[int, ...], bias: tuple[int, ...], dtype: str
) -> None:
    given = arguments(dtype, state, bias)
    graph = rax.trace(loss(cell), *given)
    flat = flatten(given)[0]
    (body,) = bodies(compared(graph, flat))
    assert (counted(body, "matmul"), counted(body, "add"), counted(body, "concat")) == (
        2,
        6,
        0,
    )  # a sum in each sigmoid, and one of the cell
    slopes = rax.trace(rax.value_and_grad(loss(cell)), *given)
    forward, backward = bodies(compared(slopes, flat, 512))
    assert counted(forward, "matmul") == 2
    assert counted(backward, "concat") == 0


@pytest.mark.parametrize(("rows", "products"), [(1, 2), (3, 2 * GATES)])
def test_of_rows_it_is_done_if_there_is_one_whose_parts_are_contiguous(rows: int, products: int) -> None:
    given = arguments("float32", (rows, 5), (5,))
    flat = flatten(given)[0]
    (body,) = bodies(compared(rax.trace(loss(cell_of_rows), *given), flat))
    assert counted(body, "matmul") == products
    compared(rax.trace(rax.value_and_grad(loss(cell_of_rows)), *given), flat, 512)


@pytest.mark.parametrize(
    ("state", "rounds", "products"),
    # few rounds; many columns; more bytes than the rounds read; fewer
    [((5,), 7, 8), ((10, 700), 20, 8), ((70,), 20, 8), ((70,), 300, 2)],
)
def test_what_would_not_pay_or_hold_much_more_stays(state: tuple[int, ...], rounds: int, products: int) -> None:
    given = arguments("float32", state, (state[0], *[1] * (len(state) - 1)), rounds)
    (body,) = bodies(reassociate(optimise(rax.trace(loss(cell), *given))))
    assert counted(body, "matmul") == products


def test_matrices_of_sizes_that_are_not_known_stay_but_not_rounds() -> None:
    def both(left: Any, right: Any, h: Any, xs: Any) -> Any:
        return rax.scan(lambda h, x: ((left @ h) * (right @ h) + x, h), h, xs)[1]

    for time, size, products in (("time", "n", 2), (20, "n", 2), (20, 4, 1), ("time", 4, 1)):
        matrix = rax.spec((size, size))
        graph = rax.trace(both, matrix, matrix, rax.spec((size,)), rax.spec((time, size)))
        (body,) = bodies(reassociate(optimise(graph)))
        assert counted(body, "matmul") == products


@pytest.mark.parametrize(
    ("dtype", "changes", "returned", "products"),
    [("float32", False, 0, 1), ("float32", True, 0, 2), ("float32", False, 2, 2), ("int32", False, 0, 2)],
)
def test_what_changes_or_is_returned_and_integers_stay(dtype: str, changes: bool, returned: int, products: int) -> None:
    def both(left: Any, right: Any, xs: Any) -> Any:
        def turn(carry: Any, x: Any) -> Any:
            right, h = carry
            both = [left @ h, right @ h]
            return (right + right if changes else right, both[0] * both[1] + x), both[:returned]

        return rax.scan(turn, (right, xs[0]), xs)

    matrix = np.arange(9).reshape(3, 3).astype(dtype)
    graph = rax.trace(both, matrix, matrix + matrix.dtype.type(1), np.ones((16, 3), dtype))
    (body,) = bodies(reassociate(optimise(graph)))
    assert counted(body, "matmul") == products


def random_loop(seed: int) -> tuple[rax.Graph, list[Array]]:
    """A loop with products by matrices of all widths, some read twice, and elementwise steps at random."""
    rng = np.random.default_rng(seed)
    size, columns = int(rng.integers(0, 4)), int(rng.integers(0, 3))
    widths = [int(width) for width in rng.integers(0, 4, size=int(rng.integers(2, 5)))]
    dtype = str(rng.choice(["float32", "float64", "complex64", "float16"]))
    of_rows = bool(rng.integers(2)) and columns == 1
    rest = (columns,) if columns else ()
    steps = rng.integers(0, 7, size=4)

    def some(*shape: int) -> Array:
        return rng.standard_normal(shape).astype(dtype)

    matrices = [some(size, width) if of_rows else some(width, size) for width in widths]
    others = [some(width, *[1] * len(rest)) for width in widths]
    xs = some(16, *((1, size) if of_rows else (size, *rest)))

    def run(matrices: Any, others: Any, xs: Any) -> Any:
        def turn(h: Any, x: Any) -> Any:
            parts = [(h @ w).T if of_rows else w @ h for w in matrices]
            again = [(x @ w).T if of_rows else w @ x for w in matrices]
            kept = parts[0]
            for step in steps:
                match step:
                    case 0:
                        parts = [part + other for part, other in zip(parts, others, strict=True)]
                    case 1:
                        parts = [other * part for part, other in zip(parts, again, strict=True)]
                    case 2:
                        parts = [part * part for part in parts]
                    case 3:
                        parts = [rnp.tanh(part) for part in parts]
                    case 4:
                        parts = [part * 0.5 for part in parts]
                    case 5:
                        parts = [parts[0] + parts[0], *parts[1:]]
                    case _:
                        parts = [other - part for part, other in zip(parts, others, strict=True)]
            total = sum((rnp.sum(part) for part in parts), rnp.sum(kept))
            return rnp.tanh(total + h), (total, [rnp.tanh(part) for part in parts])

        return rax.scan(turn, xs[0], xs)

    return rax.trace(run, matrices, others, xs), [*matrices, *others, xs]


@pytest.mark.parametrize("seed", range(24))
def test_a_loop_at_random_gives_the_same(seed: int) -> None:
    graph, given = random_loop(seed)
    with np.errstate(all="ignore"):
        found = compared(graph, given, 1024)
        for old, new in zip(evaluate_graph(graph, given), rax.compile(found).run(given), strict=True):
            assert_close(np.asarray(new), old, 1024 * EPS[str(old.dtype)], str(old.dtype))


def test_an_error_in_a_joined_step_names_the_line_that_was_written() -> None:
    given = arguments("float32", (5,), (5,))
    (body,) = bodies(reassociate(optimise(rax.trace(loss(cell), *given))))
    for node in body.nodes:
        if node.op.name in ("matmul", "tanh"):
            assert "test_products.py" in str(body.origins[node])
