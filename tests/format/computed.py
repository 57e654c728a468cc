"""Small programs for what operations compute: the good vectors of operations, control flow and derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import rax
import rax.numpy as rnp
from rax.ir.program import Example, Program
from rax.ops.arrays import Array, literal
from tests.format.constructs import Construct, array, numbers, one, same, traced
from tests.golden.make import program

spec = rax.spec
DTYPES = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64")
FUNCTIONS = (
    "exp", "expm1", "log1p", "sin", "cos", "tan", "tanh", "sinh", "cosh", "atan", "asinh", "sqrt", "cbrt", "log",
    "log2", "log10", "acosh", "asin", "acos", "atanh", "erf",
)  # fmt: skip


def entries(functions: Mapping[str, Callable[..., Any]], *arrays: Array) -> Program:
    """An entry for each function, over the same arrays."""
    made: dict[str, tuple[Any, Mapping[str, Array]]] = {}
    for name, function in functions.items():
        graph = traced(function, *[spec(array.shape, array.dtype.name) for array in arrays])
        made[name] = (graph, dict(zip(graph.input_names, arrays, strict=True)))
    return program(made)


def arithmetic(dtype: str) -> Program:
    """Sums, products, extremes and quotients of a dtype; whole numbers wrap around."""
    x, y = np.arange(12).astype(dtype).reshape(3, 4), np.array([1, 2, 3, 4]).astype(dtype)
    if not dtype.startswith("u"):
        x = x - np.array(5, dtype)
    if not dtype.startswith("float"):
        x[0, 0] = np.iinfo(dtype).max
    functions: dict[str, Callable[..., Any]] = {
        "add": lambda x, y: x + y, "subtract": lambda x, y: x - y, "multiply": lambda x, y: x * y,
        "maximum": rnp.maximum, "minimum": rnp.minimum, "floor_divide": lambda x, y: x // y,
        "remainder": lambda x, y: x % y, "negative": lambda x, y: -x, "square": lambda x, y: x * x,
    }  # fmt: skip
    return entries(functions, x, y)


def division() -> Program:
    """Quotients of whole numbers and remainders of floats, of all signs."""

    def both(x: Any, y: Any) -> Any:
        return x // y, x % y

    x, y = np.array([7, -7, 7, -7, 0, -1]), np.array([2, 2, -2, -2, 5, 3])
    return program({
        dtype: (traced(both, spec((6,), dtype), spec((6,), dtype)), {"x": x.astype(dtype), "y": y.astype(dtype)})
        for dtype in ("int32", "int64", "float32", "float64")
    })  # fmt: skip


def special_values() -> Program:
    """What arithmetic makes of zeros of both signs, infinities and NaN."""
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.5, -2.5], "float32")
    functions: dict[str, Callable[..., Any]] = {
        "add": lambda x: x + x[::-1], "multiply": lambda x: x * x[::-1], "divide": lambda x: 1.0 / x,
        "maximum": lambda x: rnp.maximum(x, x[::-1]), "equal": lambda x: x == x[::-1], "less": lambda x: x < x[::-1],
        "isnan": rnp.isnan, "isfinite": rnp.isfinite, "isinf": rnp.isinf, "sign": rnp.sign, "signbit": rnp.signbit,
        "abs": abs, "floor": rnp.floor, "ceil": rnp.ceil, "trunc": rnp.trunc, "round": rnp.round,
    }  # fmt: skip
    return entries(functions, x)


def rounding() -> Program:
    """Halves, which go to the even neighbour, and numbers beside them."""
    x = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4999998], "float32")
    return entries({"floor": rnp.floor, "ceil": rnp.ceil, "trunc": rnp.trunc, "round": rnp.round}, x)


def comparison() -> Program:
    """Comparisons, and the logic of what they give."""
    x, y = numbers(6), numbers(6)[::-1].copy()
    functions: dict[str, Callable[..., Any]] = {
        "equal": lambda x, y: x == y, "not_equal": lambda x, y: x != y, "less": lambda x, y: x < y,
        "less_equal": lambda x, y: x <= y, "greater": lambda x, y: x > y, "greater_equal": lambda x, y: x >= y,
        "logical_and": lambda x, y: rnp.logical_and(x > 0, y > 0),
        "logical_or": lambda x, y: rnp.logical_or(x > 0, y > 0),
        "logical_xor": lambda x, y: rnp.logical_xor(x > 0, y > 0),
        "logical_not": lambda x, y: rnp.logical_not(x > y),
        "where": lambda x, y: rnp.where(x > y, x, y), "clip": lambda x, y: rnp.clip(x, -1, 2),
    }  # fmt: skip
    return entries(functions, x, y)


def bits() -> Program:
    """Operations on the bits of whole numbers."""
    x, y = np.array([0b1100, -1, 127, -128], "int8"), np.array([0b1010, 3, 1, 7], "int8")
    functions: dict[str, Callable[..., Any]] = {
        "and": lambda x, y: x & y, "or": lambda x, y: x | y, "xor": lambda x, y: x ^ y, "invert": lambda x, y: ~x,
        "left": lambda x, y: x << y, "right": lambda x, y: x >> y,
    }  # fmt: skip
    return entries(functions, x, y)


def broadcasting() -> Program:
    """Operands of other shapes, with axes of size 1, absent and symbolic."""

    def sums(a: Any, b: Any, c: Any, d: Any) -> Any:
        return a + b, a + c, b + d, (a + b) * c

    arrays = {"a": numbers(3, 1), "b": numbers(4), "c": numbers(2, 1, 1), "d": numbers(1)}
    return one(sums, arrays, spec(("n", 1)), spec("m"), spec((2, 1, 1)), spec(1))


def reduction(dtype: str) -> Program:
    """Sums, products, extremes and means over some axes, all and none."""
    x = numbers(2, 3, 4, dtype=dtype)
    functions: dict[str, Callable[..., Any]] = {
        "sum_last": lambda x: rnp.sum(x, axis=-1), "sum_two": lambda x: rnp.sum(x, axis=(0, 2)), "sum_all": rnp.sum,
        "max": lambda x: rnp.max(x, axis=1), "min": lambda x: rnp.min(x, axis=(0, 1)),
        "prod": lambda x: rnp.prod(x, axis=0), "argmax": lambda x: rnp.argmax(x, axis=1),
        "argmin": lambda x: rnp.argmin(x, axis=2),
    }  # fmt: skip
    if dtype.startswith("float"):
        functions |= {"mean": lambda x: rnp.mean(x, axis=2), "var": lambda x: rnp.var(x, axis=2)}
    return entries(functions, x)


def truth() -> Program:
    """Whether any, and whether all."""
    x = numbers(2, 3) > 0
    return entries({"any": lambda x: rnp.any(x, axis=1), "all": lambda x: rnp.all(x, axis=0), "all_of": rnp.all}, x)


def empty_reduction() -> Program:
    """What sums and products of no elements are."""
    x = np.zeros((2, 0), "float32")
    functions: dict[str, Callable[..., Any]] = {
        "sum": lambda x: rnp.sum(x, axis=1), "prod": lambda x: rnp.prod(x, axis=1), "max": lambda x: rnp.max(x, axis=0),
        "any": lambda x: rnp.any(x > 0, axis=1), "all": lambda x: rnp.all(x > 0, axis=1),
        "matmul": lambda x: x @ rnp.zeros((0, 3)),
    }  # fmt: skip
    return entries(functions, x)


def matmul(dtype: str) -> Program:
    """Products of vectors, matrices and stacks of matrices, which broadcast."""
    shapes = {
        "dot": ((3,), (3,)), "row": ((3,), (3, 2)), "column": ((2, 3), (3,)), "matrices": ((2, 3), (3, 4)),
        "stacks": ((2, 1, 2, 3), (4, 3, 2)), "stack_and_vector": ((2, 2, 3), (3,)),
    }  # fmt: skip
    made: dict[str, tuple[Any, Mapping[str, Array]]] = {}
    for name, (left, right) in shapes.items():
        graph = traced(rnp.matmul, spec(left, dtype), spec(right, dtype))
        arrays = (numbers(*left, dtype=dtype), numbers(*right, dtype=dtype))
        made[name] = (graph, dict(zip(graph.input_names, arrays, strict=True)))
    return program(made)


def shapes() -> Program:
    """Operations that move elements and compute nothing."""
    x = numbers(2, 3, 4, dtype="int32")
    functions: dict[str, Callable[..., Any]] = {
        "reshape": lambda x: rnp.reshape(x, (4, 6)), "permute_dims": lambda x: rnp.permute_dims(x, (2, 0, 1)),
        "broadcast_to": lambda x: rnp.broadcast_to(x[:, :, :1], (5, 2, 3, 4)),
        "flip": lambda x: rnp.flip(x, axis=(0, 2)),
        "concat": lambda x: rnp.concat([x, x[:, :1], x], axis=1), "slice": lambda x: x[:, 1:, ::2],
        "slice_back": lambda x: x[:, ::-1, 3:0:-2], "pad": lambda x: rnp.pad(x, ((1, 0), (0, 2), (1, 1))),
        "sort": lambda x: rnp.sort(x, axis=1), "cumulative_sum": lambda x: rnp.cumulative_sum(x, axis=2),
        "take": lambda x: rnp.take(x, np.array([2, 0]), axis=1),
    }  # fmt: skip
    return entries(functions, x)


def symbolic_shapes() -> Program:
    """Shapes that are known when the entry runs."""

    def moved(x: Any, y: Any) -> Any:
        n, m = x.shape
        return (
            rnp.reshape(x, (n * m,)), rnp.concat([x, y], axis=0), rnp.broadcast_to(rnp.sum(y, axis=0), (n + 1, m)),
            rnp.sum(x, axis=0),
            x @ x.T, rnp.mean(x), x[: n // 2], rnp.arange(n * m + 1),
        )  # fmt: skip

    return one(moved, {"x": numbers(4, 3), "y": numbers(2, 3)}, spec(("n", "m")), spec(("k", "m")))


def casts() -> Program:
    """From floats and whole numbers to every dtype."""
    names = ("bool", *DTYPES, "float16", "bfloat16", "complex64")
    graph = {f"to_{name}": lambda x, name=name: rnp.astype(x, name) for name in names}
    return entries(graph, np.array([0.0, 1.0, 2.75, 100.5], "float32"))


def casts_of_integers() -> Program:
    """Whole numbers that do not fit wrap around."""
    names = ("bool", *DTYPES)
    graph = {f"to_{name}": lambda x, name=name: rnp.astype(x, name) for name in names}
    return entries(graph, np.array([0, -1, 300, 2**40 + 3], "int64"))


def functions() -> Program:
    """Functions of one operand, in single and double precision, with outputs from Python's ``math``."""
    graphs: dict[str, Any] = {}
    examples: dict[str, Example] = {}
    for name in FUNCTIONS:
        function = getattr(rax.special if name == "erf" else rnp, name)
        for dtype in ("float32", "float64"):
            entry = f"{name}_{dtype}"
            graphs[entry] = traced(lambda x, function=function: function(x), spec((3,), dtype))
            points = [1.0, 1.25, 2.5] if name == "acosh" else [0.25, 0.5, 0.75]
            due = [getattr(math, name)(point) for point in points]
            outputs = {graphs[entry].output_names[0]: literal(np.array(due, dtype))}
            examples[entry] = Example({"x": literal(np.array(points, dtype))}, outputs)
    return Program(graphs, examples=examples)


def step(total: Any, x: Any) -> Any:
    """A round of a loop: the sum so far, and its product with the new element."""
    return total + x, total * x


def cond(x: Any, index: Any) -> Any:
    """A choice by a bool, and one of three by a number."""
    chosen = rax.cond(rnp.sum(x) > 0, lambda x: x * 2, lambda x: x - 1, x)
    return chosen, rax.switch(index, [lambda x: x, lambda x: x + x, lambda x: x * x], x)


def nested(x: Any, n: Any) -> Any:
    """A choice in a loop in a loop."""

    def round(state: Any) -> Any:
        count, y = state
        y, _ = rax.scan(lambda y, each: (rax.cond(y > 0, lambda a, b: a - b, lambda a, b: a + b, y, each), None), y, x)
        return count + 1, y

    return rax.while_loop(lambda state: state[0] < n, round, (rnp.asarray(0, dtype="int32"), rnp.asarray(1.0)))


def own_rules() -> Program:
    """Derivatives of the user's own, and a graph that is computed again."""
    cube = rax.custom_jvp(lambda x: x * x * x)
    cube.defjvp(
        lambda primals, tangents: (primals[0] * primals[0] * primals[0], 3.0 * primals[0] * primals[0] * tangents[0])
    )
    clipped = rax.custom_vjp(lambda x: x * 2)
    clipped.defvjp(lambda x: (x * 2, x), lambda x, ct: (rnp.clip(ct, -1, 1) + 0 * x,))
    functions: dict[str, Callable[..., Any]] = {
        "custom_jvp": cube, "custom_vjp": clipped, "checkpoint": rax.checkpoint(lambda x: x * x + x),
        "custom_jvp_slope": rax.grad(lambda x: rnp.sum(cube(x))),
        "custom_vjp_slope": rax.grad(lambda x: rnp.sum(3 * clipped(x))),
        "checkpoint_slope": rax.grad(lambda x: rnp.sum(rax.checkpoint(lambda x: x * x + x)(x))),
    }  # fmt: skip
    return entries(functions, numbers(3))


def loss(params: Any, x: Any, y: Any) -> Any:
    """The sum of squares of what a line misses."""
    return rnp.sum((x @ params["w"] + params["b"] - y) ** 2)


def derivatives() -> Program:
    """A loss, its gradient, its Hessian by the inputs, and a step of training with parameters as defaults."""
    params = {"w": spec((3,)), "b": spec(())}
    x, y = spec(("n", 3)), spec("n")

    def train_step(params: Any, x: Any, y: Any) -> Any:
        value, slope = rax.value_and_grad(loss)(params, x, y)
        return {"params": {name: params[name] - 0.125 * slope[name] for name in params}, "loss": value}

    arrays = {"x": numbers(4, 3), "y": numbers(4)}
    graphs = {
        "loss": traced(loss, params, x, y), "gradient": traced(rax.grad(loss), params, x, y),
        "train_step": traced(train_step, params, x, y),
    }  # fmt: skip
    made: dict[str, tuple[Any, Mapping[str, Array]]] = {name: (graph, arrays) for name, graph in graphs.items()}
    curved = traced(rax.hessian(lambda x, params, y: loss(params, x, y)), spec((2, 3)), params, spec((2,)))
    made["curvature"] = (curved, {"x": numbers(2, 3), "y": numbers(2)})
    values = {"params.w": literal(numbers(3)), "params.b": literal(array("float32", 2))}
    return program(made, defaults=values, main="train_step")


def composites(x: Any) -> Any:
    """Operations of the user's own, one in another."""

    @rax.composite("acme.squared")
    def squared(x: Any, *, times: int) -> Any:
        for _ in range(times):
            x = x * x
        return x

    @rax.composite("acme.sum.of_squares")
    def total(x: Any, y: Any) -> Any:
        return rnp.sum(squared(x, times=1) + squared(y, times=2)), x - y

    return total(x, 2 * x)


COMPUTED: dict[str, Construct] = {
    **{f"arithmetic-{dtype}": (f"sums, products, extremes, quotients of {dtype}", lambda dtype=dtype: arithmetic(dtype))
       for dtype in DTYPES},
    "arithmetic-division": ("quotients rounded down, and remainders, of all signs", division),
    "arithmetic-special-values": ("zeros of both signs, infinities and NaN", special_values),
    "arithmetic-rounding": ("halves, which go to the even neighbour", rounding),
    "arithmetic-broadcasting": ("operands of other shapes", broadcasting),
    "comparison": ("comparisons, logic and choices", comparison),
    "bits": ("operations on bits", bits),
    **{f"reduction-{dtype}": (f"sums, products and extremes over axes of {dtype}", lambda dtype=dtype: reduction(dtype))
       for dtype in ("int32", "int64", "float32", "float64")},
    "reduction-bool": ("any and all", truth),
    "reduction-empty": ("sums and products of no elements", empty_reduction),
    **{f"matmul-{dtype}": (f"products of vectors, matrices and stacks of {dtype}", lambda dtype=dtype: matmul(dtype))
       for dtype in ("int32", "int64", "float32", "float64")},
    "shapes": ("operations that move elements", shapes),
    "shapes-symbolic": ("shapes known when the entry runs", symbolic_shapes),
    "casts": ("from floats to other dtypes", casts),
    "casts-of-integers": ("from whole numbers to other dtypes, which wrap around", casts_of_integers),
    "functions": ("functions of one operand", functions),
    "control-cond": ("choices", lambda: same(cond, numbers(3), array("int32", 2))),
    "control-scan": ("a loop over the rows of arrays, and one backwards", lambda: same(
        lambda x: (rax.scan(step, rnp.zeros(()), x), rax.scan(step, rnp.zeros(()), x, reverse=True)), numbers(5))),
    "control-while": ("a loop until a condition fails", lambda: same(
        lambda x: rax.while_loop(lambda x: rnp.max(x) > 1, lambda x: x / 2, x), array("float32", [1, 2, 64]))),
    "control-nested": ("a choice in a loop in a loop", lambda: same(nested, numbers(4), array("int32", 3))),
    "own-operations": ("operations of somebody's own, one in another's body", lambda: same(composites, numbers(3))),
    "own-derivatives": ("derivatives of somebody's own, and a graph computed again", own_rules),
    "batched": ("a function of a row, over all rows", lambda: same(
        lambda x: rax.vmap(lambda row: rnp.sum(row * row) - row)(x), numbers(2, 3))),
    "derivatives": ("a loss, its gradient and second derivative, a training step over defaults", derivatives),
}  # fmt: skip
