"""Makes the golden files of the present format version: ``python -m tests.golden.make FOLDER``.

It is run once for a version, when that is released; its files are never edited afterwards. An entry's
example holds inputs and the outputs due, so that a later reader proves that it reads the same
program, not only that it reads.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import rax
import rax.numpy as rnp
from rax.cli import ops
from rax.format.files import load
from rax.format.saving import save
from rax.ir.graph import Graph
from rax.ir.node import Literal, Value, constant, new_input
from rax.ir.program import Example, Program
from rax.ir.types import DTYPES, TensorType, float32
from rax.ops.arrays import Array, literal, numpy_dtype
from rax.ops.elementwise import multiply
from rax.ops.families import Composite
from rax.runtime.reference import evaluate_graph
from tests.ops import laws


def example(graph: Graph, arrays: Mapping[str, Array], defaults: Mapping[str, Literal] | None = None) -> Example:
    """Inputs for a graph, and what the reference makes of them."""
    known = {name: each.array for name, each in (defaults or {}).items()} | dict(arrays)
    outputs = evaluate_graph(graph, [known[name] for name in graph.input_names])
    named = zip(graph.output_names, outputs, strict=True)
    return Example({name: literal(array) for name, array in arrays.items()}, {n: literal(a) for n, a in named})


def program(entries: Mapping[str, tuple[Graph, Mapping[str, Array]]], **options: Any) -> Program:
    """A program in which each entry has an example."""
    graphs = {name: graph for name, (graph, _) in entries.items()}
    defaults: Mapping[str, Literal] = options.get("defaults", {})
    examples = {
        name: example(graph, arrays, {key: defaults[key] for key in defaults if key in graph.input_names})
        for name, (graph, arrays) in entries.items()
    }
    return Program(graphs, examples=examples, **options)


def normal(*shape: int) -> Array:
    """Numbers of a normal distribution, the same for the same shape."""
    return np.random.default_rng(shape).normal(size=shape).astype("float32")


@dataclass
class Layer:
    """The parameters of one layer."""

    weight: Any
    bias: Any


def model(params: Any, x: Any) -> Any:
    """Two layers."""
    first, (second,) = params["first"], params["rest"]
    with rax.scope("hidden"):
        hidden = rnp.tanh(x @ first.weight + first.bias)
    with rax.scope("output"):
        return hidden @ second.weight + second.bias


def loss(params: Any, x: Any, y: Any) -> Any:
    """The mean square error."""
    return rnp.mean((model(params, x) - y) ** 2)


def train_step(params: Any, x: Any, y: Any) -> Any:
    """One step of gradient descent; the parameters are state."""
    value, grads = rax.value_and_grad(loss)(params, x, y)
    first, (second,) = params["first"], params["rest"]
    d_first, (d_second,) = grads["first"], grads["rest"]

    def moved(layer: Layer, slope: Layer) -> Layer:
        return Layer(layer.weight - 0.1 * slope.weight, layer.bias - 0.1 * slope.bias)

    return {"params": {"first": moved(first, d_first), "rest": (moved(second, d_second),)}, "loss": value}


def training() -> Program:
    """Forward, gradient, second derivative and a training step over shared parameters and any batch."""
    spec = rax.spec
    specs = {"first": Layer(spec((5, 20)), spec((20,))), "rest": (Layer(spec((20, 3)), spec((3,))),)}
    x, y = spec(("batch", 5)), spec(("batch", 3))
    step = rax.trace(train_step, specs, x, y)
    sizes = dict(zip(step.input_names, step.in_types, strict=True))
    defaults = {
        name: literal(0.3 * normal(*[int(size) for size in type.shape]))
        for name, type in sizes.items() if name.startswith("params")
    }  # fmt: skip
    arrays = {"x": normal(7, 5), "y": normal(7, 3)}

    def curved(params: Any, x: Any, y: Any) -> Any:
        return rax.hessian(lambda x: loss(params, x, y))(x)

    curvature = rax.trace(curved, specs, spec((2, 5)), spec((2, 3)))
    return program(
        {
            "predict": (rax.trace(model, specs, x), {"x": arrays["x"]}),
            "loss": (rax.trace(loss, specs, x, y), arrays),
            "gradient": (rax.trace(rax.grad(loss), specs, x, y), arrays),
            "curvature": (curvature, {name: array[:2] for name, array in arrays.items()}),
            "train_step": (step, arrays),
        },
        defaults=defaults,
        main="predict",
    )


def control_flow() -> Program:
    """Choices and loops, and their derivatives."""

    def recurrent(start: Any, xs: Any) -> Any:
        def cell(carry: Any, x: Any) -> Any:
            after = rnp.tanh(0.5 * carry + x)
            return after, after * x

        last, outputs = rax.scan(cell, start, xs)
        return rnp.sum(last) + rnp.sum(outputs)

    def chosen(x: Any) -> Any:
        return rax.cond(rnp.sum(x) > 0, rnp.sin, lambda x: x * x, x)

    def halved(x: Any) -> Any:
        return rax.while_loop(lambda x: rnp.max(x) > 0.1, lambda x: x / 2, x)

    def power(x: Any) -> Any:
        return rax.fori_loop(0, 4, lambda _, y: y * x, x)

    vector, xs = rax.spec((3,)), rax.spec(("n", 3))
    loop = {"start": normal(3), "xs": normal(6, 3)}
    x = {"x": np.abs(normal(3))}
    slope = rax.grad(lambda x: rnp.sum(rax.checkpoint(chosen)(x)))
    return program(
        {
            "recurrent": (rax.trace(recurrent, vector, xs), loop),
            "recurrent_gradient": (rax.trace(rax.grad(recurrent, (0, 1)), vector, xs), loop),
            "chosen": (rax.trace(chosen, vector), x),
            "chosen_gradient": (rax.trace(slope, vector), {"x": -x["x"]}),
            "halved": (rax.trace(halved, vector), x),
            "power_second_derivative": (rax.trace(rax.hessian(lambda x: rnp.sum(power(x))), vector), x),
        }
    )


def dtypes() -> Program:
    """Every dtype: as input, as constant inside the header, as one in a segment."""
    rng = np.random.default_rng(20250101)
    entries: dict[str, tuple[Graph, Mapping[str, Array]]] = {}
    for name, dtype in DTYPES.items():
        count = 2 if dtype.kind == "bool" else 256
        raw = rng.integers(0, count, (100, dtype.itemsize), dtype=np.uint8)
        array = raw.view(numpy_dtype(dtype))[:, 0]
        if dtype.is_inexact:
            with np.errstate(invalid="ignore"):  # ml_dtypes warns of signalling NaNs
                array = np.where(np.isfinite(array), array, np.ones_like(array))
        x = new_input("x", TensorType(dtype, (3,)))
        constants = [constant(literal(array)), constant(literal(array[:3])), constant(literal(array[:0]))]
        entries[name] = (Graph([x], [x, *constants], origins={}), {"x": array[:3].copy()})
    return program(entries)


def run_on(case: laws.Case, graph: Graph) -> tuple[Graph, Mapping[str, Array]]:
    """A graph and its inputs: those of a case, then random ones."""
    arrays = case.arrays()
    arrays += [laws.random_like(type, seed) for seed, type in enumerate(graph.in_types[len(arrays) :])]
    return graph, dict(zip(graph.input_names, arrays, strict=True))


def operations() -> Program:
    """An entry for each sample of each operation, so for each attribute that matters, in one dtype."""
    cases = {(case.cls.name, case.index): case for case in reversed(laws.cases())}
    return program({f"{name}-{index}": run_on(case, case.graph()) for (name, index), case in cases.items()})


def operations_by_dtype() -> Program:
    """An entry for each operation in each dtype: its first sample."""
    cases = {(case.cls.name, case.dtype.name): case for case in laws.cases() if case.index == 0}
    return program({f"{name}-{dtype}": run_on(case, case.graph()) for (name, dtype), case in cases.items()})


def derivatives() -> Program:
    """An entry for the reverse derivative of each operation that has one."""
    cases = {case.cls.name: case for case in reversed(laws.cases(["float32"])) if not case.cls.nondiff}
    reversible = {name: case for name, case in cases.items() if not case.cls.forward_only}
    return program({name: run_on(case, laws.cotangent_graph(case.graph())[0]) for name, case in reversible.items()})


def weights_elsewhere() -> Program:
    """The training program with other weights in its last layer: the first ones lie in its file, the last beside it."""
    trained = training()
    moved = {name: literal(each.array + 1) if "rest" in name else each for name, each in trained.defaults.items()}
    loss_graph = trained["loss"]
    return program({"loss": (loss_graph, {"x": normal(7, 5), "y": normal(7, 3)})}, defaults=moved)


@dataclass(frozen=True, eq=False, repr=False)
class Cube(Composite):
    """An operation of a user's own, unknown to those who load the file."""

    name = "golden.cube"
    since = 0

    def expand(self, *operands: Value) -> Value:
        (x,) = operands
        return multiply(multiply(x, x), x)

    def reference(self, *arrays: Array) -> Array:
        return arrays[0] ** 3


def own_operation() -> Program:
    """A file that brings the meaning of an operation along."""
    x = new_input("größe", TensorType(float32, (3,)))
    return program({"würfel": (Graph([x], [Cube()(x)], origins={}), {"größe": normal(3)})})


FILES: dict[str, Callable[[], Program]] = {
    "training": training,
    "control_flow": control_flow,
    "dtypes": dtypes,
    "operations": operations,
    "operations_by_dtype": operations_by_dtype,
    "derivatives": derivatives,
    "own_operation": own_operation,
    "weights_elsewhere": weights_elsewhere,
}
MOST_TEXT_BYTES = 1 << 14
"""Files up to this size stand there as text too."""
EXTERNAL = {"weights_elsewhere": ("training.msgpack", "weights.safetensors")}


def main(folder: Path) -> None:
    """Write every file that is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = folder / "ops.json"
    if not listed.exists():
        listed.write_text("\n".join(ops.listed()) + "\n", encoding="utf-8")
    for name, build in FILES.items():
        path = folder / f"{name}.msgpack"
        made = build()
        if not path.exists():
            save(made, path, external=EXTERNAL.get(name, ()))
        if not path.with_suffix(".txt").exists() and path.stat().st_size < MOST_TEXT_BYTES:
            path.with_suffix(".txt").write_text(f"{load(path)}\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
