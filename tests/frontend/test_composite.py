"""``rax.composite``: one operation under its own name, everywhere, that means what its body computes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax import nn
from rax.ir.graph import Graph
from rax.ir.node import new_input
from rax.ir.op import REGISTRY, Op
from rax.ir.text.graph_parser import parse_graph
from rax.ir.text.graph_printer import print_graph
from rax.ops.composites import UserComposite
from rax.passes.optimise import optimise
from rax.runtime.backends.numpy import NumpyBackend, table
from rax.runtime.planning import make_plan
from tests.ops import laws

F64 = "float64"
RNG = np.random.default_rng(2)
X = RNG.normal(size=(3,))


@rax.composite("acme.swish")
def swish(x: Any, *, beta: Any = 1.0) -> Any:
    return x * nn.sigmoid(beta * x)


@rax.composite("acme.cell")
def cell(params: Any, h: Any, *inputs: Any, axes: Any = (0,), label: str = "plain") -> Any:
    """Several arguments, nests on both sides, another composite and control flow inside."""
    del label

    def step(h: Any, x: Any) -> tuple[Any, Any]:
        h = rnp.tanh(params["w"] * h + x)
        return h, swish(h, beta=2.0)

    last, ys = rax.scan(step, h, rnp.stack(inputs))
    positive = rax.cond(rnp.sum(last) > 0, lambda: last, lambda: last**2)
    return {"last": positive, "rest": (ys, rnp.sum(ys, axis=axes))}


def plain_swish(x: Any, beta: float) -> Any:
    return x / (1 + np.exp(-beta * x))


def names(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes if isinstance(node.op, Op)]


def use(x: Any) -> Any:
    out = cell({"w": x * 0.5}, x, x, rnp.cos(x), label="used")
    return rnp.sum(out["last"]) + rnp.sum(out["rest"][0] * out["rest"][1])


def unfolded(x: Any) -> Any:
    """The same in plain functions."""
    h, ys = x, []
    for one in (x, rnp.cos(x)):
        h = rnp.tanh(x * 0.5 * h + one)
        ys.append(h * nn.sigmoid(2.0 * h))
    stacked = rnp.stack(ys)
    last = rnp.where(rnp.sum(h) > 0, h, h**2)
    return rnp.sum(last) + rnp.sum(stacked * rnp.sum(stacked, axis=0))


def test_it_is_one_node_with_its_attributes_and_means_its_body() -> None:
    graph = rax.trace(lambda x: swish(x, beta=2) + swish(x), rax.spec(("n",), F64))
    assert names(graph) == ["acme.swish", "acme.swish", "add"]
    assert [node.op.attributes()["beta"] for node in graph.nodes[1:3] if isinstance(node.op, Op)] == [2, 1.0]
    np.testing.assert_allclose(graph(X), plain_swish(X, 2) + plain_swish(X, 1))
    np.testing.assert_allclose(np.asarray(swish(X, beta=np.float64(3))), plain_swish(X, 3))
    assert float(swish(0.5)) == pytest.approx(plain_swish(0.5, 1))
    assert (swish.__name__, cell.__doc__) == (
        "swish",
        "Several arguments, nests on both sides, another composite and control flow inside.",
    )
    again = rax.trace(lambda x: swish(x, beta=2) + swish(x), rax.spec(("n",), F64))
    assert again == graph
    assert rax.trace(lambda x: swish(x, beta=3) + swish(x), rax.spec(("n",), F64)) != graph


def test_every_derivative_and_batch_is_that_of_the_body() -> None:
    graph = rax.trace(use, rax.spec((3,), F64))
    assert "acme.cell" in names(graph)
    for function in (use, graph):
        np.testing.assert_allclose(rax.jit(function)(X) if function is use else graph(X), rax.jit(unfolded)(X))
        np.testing.assert_allclose(rax.grad(function)(X), rax.grad(unfolded)(X))
        np.testing.assert_allclose(rax.jacfwd(function)(X), rax.jacfwd(unfolded)(X))
        np.testing.assert_allclose(rax.hessian(function)(X), rax.hessian(unfolded)(X), atol=1e-12)
        np.testing.assert_allclose(rax.jacrev(rax.grad(function))(X), rax.hessian(unfolded)(X), atol=1e-12)
    rows = RNG.normal(size=(4, 3))
    np.testing.assert_allclose(rax.vmap(use)(rows), [rax.jit(unfolded)(row) for row in rows])
    np.testing.assert_allclose(rax.vmap(rax.grad(use))(rows), [rax.grad(unfolded)(row) for row in rows])


def test_the_laws_hold() -> None:
    graph = rax.trace(lambda w, h, x: cell({"w": w}, h, x, x)["rest"], *[rax.spec((2,), F64)] * 3)
    arrays = [RNG.normal(size=2) for _ in range(3)]
    laws.check_jvp(graph, arrays, 1)
    laws.check_vjp(graph, arrays, 1)
    laws.check_backend(graph, arrays, 1)
    rows = [[RNG.normal(size=2) for _ in range(3)] for _ in range(3)]
    for batched in laws.patterns(3):
        laws.check_batching(graph, rows, batched, 1)
    twice, _ = laws.cotangent_graph(graph)
    laws.check_vjp(twice, [*arrays, *[laws.random_like(t, 9) for t in twice.in_types[3:]]], 1)


def test_text_gives_it_back_and_drawings_show_it(tmp_path: Path) -> None:
    graph = rax.trace(use, rax.spec((3,), F64))
    text = print_graph(graph)
    assert 'label="used"' in text
    again = parse_graph(text)
    assert again == graph
    assert print_graph(again) == text
    graph.draw(str(tmp_path / "use.dot"))
    drawn = (tmp_path / "use.dot").read_text()
    assert "<b>acme.cell</b>" in drawn
    assert "label=&quot;used&quot;" in drawn
    node = next(data for _, data in graph.to_networkx().nodes(data=True) if data["op"] == "acme.cell")
    assert {"axes": (0,), "label": "used"}.items() <= node["attributes"].items()


ELSEWHERE = """
import sys
import numpy as np
import rax
program = rax.load("use.msgpack")
graph = program["main"]
shown = [node.op.name for node in graph.nodes]
assert "acme.cell" in shown, shown
x = np.load("x.npy")
results = [graph(x), rax.grad(graph)(x), rax.hessian(graph)(x), rax.vmap(graph)(np.stack([x, -x]))]
np.savez("results.npz", *results)
rax.save(program, "again.msgpack")
assert "tests" not in sys.modules
"""


def test_a_file_brings_it_to_a_process_that_lacks_the_code(tmp_path: Path) -> None:
    rax.save(rax.trace(use, rax.spec((3,), F64)), tmp_path / "use.msgpack")
    np.save(tmp_path / "x.npy", X)
    root = str(Path(rax.__file__).parents[1])
    command = [sys.executable, "-c", ELSEWHERE]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": root}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "again.msgpack").read_bytes() == (tmp_path / "use.msgpack").read_bytes()
    found = np.load(tmp_path / "results.npz")
    due = [
        rax.jit(unfolded)(X), rax.grad(unfolded)(X), rax.hessian(unfolded)(X),
        [rax.jit(unfolded)(each) for each in (X, -X)],
    ]  # fmt: skip
    for name, want in zip(found.files, due, strict=True):
        np.testing.assert_allclose(found[name], want, atol=1e-12)


def test_a_backend_may_take_it_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = rax.trace(lambda x: swish(x, beta=2.0), rax.spec(("n",), F64))
    backend = NumpyBackend()
    assert [step.op.name for step in make_plan(graph, backend.takes).steps] == ["multiply", "sigmoid", "multiply"]
    met: list[Any] = []

    def factory(op: UserComposite, types: Any) -> Any:
        met.append((op.options, types))
        return lambda x: plain_swish(x, op.options["beta"]) + 100

    monkeypatch.setitem(table.KERNELS, "acme.swish", factory)
    plan = make_plan(graph, backend.takes)
    assert [step.op.name for step in plan.steps] == ["acme.swish"]
    np.testing.assert_allclose(backend.build(plan.plan_for(n=3))([X])[0], plain_swish(X, 2) + 100)
    assert met == [({"beta": 2.0}, (rax.spec((3,), F64),))]


def test_its_body_is_optimised_and_never_registered() -> None:
    @rax.composite("acme.undone")
    def undone(x: Any) -> Any:
        return rnp.negative(rnp.negative(x)) + (rnp.asarray(1.0) + 2.0)

    graph = rax.trace(undone, rax.spec((3,)))
    (node,) = optimise(graph).nodes[1:]
    assert isinstance(node.op, UserComposite)
    assert [each.op.name for each in node.op.graph.nodes] == ["input", "constant", "add"]
    assert not [name for name in REGISTRY if "." in name]


def test_symbolic_sizes_constants_and_arguments_by_name() -> None:
    table = np.arange(3.0)

    @rax.composite("acme.shifted")
    def shifted(x: Any, by: Any = None, /, scale: Any = None, **options: Any) -> Any:
        assert by is None
        return rnp.sum(x * scale + table[options["place"]]) + x.shape[0]

    graph = rax.trace(lambda x, s: shifted(x, scale=s, place=2), rax.spec(("n",), F64), rax.spec((), F64))
    for size in (0, 4):
        np.testing.assert_allclose(graph(np.ones(size), np.array(3.0)), size * (3 + 2) + size)


def outside() -> Any:
    return rax.trace(lambda y: rax.composite("acme.leak")(lambda x: x + y)(y * 2), rax.spec((), F64))


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: rax.composite("swish"), rax.RaxError, "'swish' cannot name a composite"),
        (lambda: rax.composite("acme. swish"), rax.RaxError, "use words with dots between, such as 'acme.swish'"),
        (
            lambda: rax.composite("a.b")(lambda x, *, body: x),
            rax.RaxError, "a.b: an attribute cannot be called 'body', which its body is",
        ),
        (lambda: swish(X, beta=X), rax.RaxError, "acme.swish: the attribute 'beta' cannot be array("),
        (lambda: swish(X, 2.0), TypeError, "acme.swish: too many positional arguments; by name it takes beta"),  # pyright: ignore[reportCallIssue]  # the type checker refuses it too
        (lambda: swish("a"), rax.TypeInferenceError, "acme.swish: x holds a str, which is no array"),
        (
            lambda: cell({"w": 1.0}, X, X),
            rax.TypeInferenceError, "params.w is the number 1.0, of no dtype, beside arrays that have one",
        ),
        (outside, rax.UnboundInputError, "the result depends on the input 'y': float64[], which is no argument"),
    ],
)  # fmt: skip
def test_what_it_may_not_be(build: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        build()
    assert message in str(caught.value)


def test_whatever_a_file_calls_it_has_a_text() -> None:
    x = new_input("x", rax.spec((2,)))
    body = Graph((x,), (x,), origins={})
    y = new_input("y", rax.spec((2,)))
    op = UserComposite(
        "a.b c\n", {"an option": 1, "": (True, None, 0.5, "two words"), "dim": rax.spec("n").shape[0]}, body
    )
    graph = Graph((y,), op.results(y))
    assert parse_graph(print_graph(graph)) == graph
    with pytest.raises(rax.TypeInferenceError, match="'plain' cannot name an operation of your own"):
        UserComposite("plain", {}, body)


def test_a_text_with_an_unknown_name_and_no_body_is_refused() -> None:
    with pytest.raises(rax.ParseError, match=r"there is no operation 'acme\.lost'"):
        parse_graph("graph (x: float32[]) -> (y: float32[]) { %0 = acme.lost(x) : float32[] return %0 }")
