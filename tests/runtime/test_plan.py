"""Plans: order, views, lives and bytes of buffers, the peak as a number and as an expression."""

from __future__ import annotations

import pytest

from rax.ir import dims
from rax.ir.errors import ShapeError
from rax.ir.graph import Graph
from rax.ir.node import new_input
from rax.ir.types import float32, int32, tensor_type
from rax.ops.algebra import add, broadcast_to
from rax.ops.arrays import scalar
from rax.ops.broadcasting import Sum
from rax.ops.calls import Checkpoint
from rax.ops.contraction import matmul
from rax.ops.control import Cond
from rax.ops.elementwise import multiply
from rax.ops.normalization import LayerNorm, Softmax
from rax.ops.reduction import LogSumExp
from rax.ops.relu import relu
from rax.ops.scan import Scan
from rax.ops.shape import permute_dims, reshape
from rax.ops.trigonometric import tanh
from rax.runtime.arena import ALIGNMENT, aligned
from rax.runtime.executable import compile
from rax.runtime.planning import make_plan

PRINTED = """\
5 steps with batch = 2, peak 192 bytes, of which 64 bytes are an arena
step  operation              result         buffer         life   held
0     %2 = matmul(%0, %1)    float32[2, 4]  32 bytes at 0  0-2    128 bytes
1     %3 = permute_dims(%2)  float32[4, 2]  in %2          1-2    128 bytes
2     %4 = reshape(%3)       float32[8]     32 bytes       2-end  160 bytes
3     %5 = tanh(%4)          float32[8]     32 bytes       3-end  192 bytes
4     %6 = multiply(%5, %4)  float32[8]     in %5          4-end  192 bytes"""


def test_a_plan_prints_its_schedule_and_the_lives_of_buffers() -> None:
    x, w = new_input("x", tensor_type(("batch", 3))), new_input("w", tensor_type((3, 4)))
    flat = reshape(permute_dims(matmul(x, w), (1, 0)), (x.shape[0] * 4,))
    plan = compile(Graph([x, w], [multiply(tanh(flat), flat), flat])).plan
    assert str(plan.plan_for(batch=2)) == PRINTED
    assert plan.peak == dims.dim("32*batch")
    assert str(plan).startswith("5 steps, peak 32*batch bytes\n")


def test_the_peak_of_symbolic_sizes_needs_their_values() -> None:
    x = new_input("x", tensor_type(("batch", "length")))
    plan = compile(Graph([x], [tanh(x)])).plan
    assert plan.dim_names == ("batch", "length")
    with pytest.raises(ShapeError) as error:
        _ = plan.peak_bytes
    assert error.value.what == "the peak depends on batch, length"
    assert error.value.fix == "give the sizes: plan.plan_for(batch=32, length=32)"
    assert plan.plan_for(batch=2).dim_names == ("length",)
    assert plan.plan_for(batch=2).plan_for(length=3).peak_bytes == 24
    assert plan.plan_for(batch=2, length=3).dim_values == {"batch": 2, "length": 3}


def test_a_peak_that_depends_on_the_sizes_is_a_maximum() -> None:
    x, y = new_input("x", tensor_type(("n",))), new_input("y", tensor_type((10,)))
    one = Sum((0,))(tanh(tanh(x)))
    plan = compile(Graph([x, y], [one, Sum((0,))(tanh(tanh(y)))])).plan
    for size in (0, 5, 10, 11, 100):
        assert dims.evaluate(plan.peak, {"n": size}) == max(4 * size + 4, 48)
        # Both tanh's in one place of the arena, which is aligned; the results beside it.
        assert plan.plan_for(n=size).peak_bytes == max(aligned(4 * size), 64) + ALIGNMENT + 8


def test_views_take_no_memory_and_keep_their_buffer_alive() -> None:
    x = new_input("x", tensor_type((4, 5)))
    made = tanh(x)
    view = permute_dims(made, (1, 0))
    plan = make_plan(Graph([x], [Sum((0,))(view), broadcast_to(scalar(1, float32), (1,))]))
    steps = {step.op.name: step for step in plan.steps}
    assert [steps[name].view for name in ("tanh", "permute_dims", "sum", "broadcast_to")] == [False, True, False, True]
    (value,) = steps["permute_dims"].results
    assert plan.buffers[value] == steps["tanh"].results[0]
    # tanh's 80 bytes and the sum's 16; the output of a constant is a copy of 4 bytes at the end.
    assert plan.peak_bytes == 96
    assert plan.arena is None  # not without a backend that writes where it is told
    assert plan.output_copies == [False, True]


def test_inputs_and_constants_do_not_count() -> None:
    x = new_input("x", tensor_type((100,)))
    assert compile(Graph([x], [Sum((0,))(x)])).plan.peak_bytes == 4
    assert compile(Graph([x], [x])).plan.peak_bytes == 400
    assert compile(Graph([x], [])).plan.peak_bytes == 0


def test_bodies_stand_in_place_of_operations_the_backend_does_not_take() -> None:
    x, scale, bias = (new_input(name, tensor_type(shape)) for name, shape in (("x", (2, 8)), ("s", 8), ("b", 8)))
    inner = new_input("inner", tensor_type((2, 8)))
    body = Graph([inner], [relu(tanh(inner))])
    graph = Graph([x, scale, bias], [LogSumExp((1,))(Softmax(1)(LayerNorm()(Checkpoint(body)(x), scale, bias)))])
    names = [step.op.name for step in compile(graph).plan.steps]
    assert names[:4] == ["tanh", "relu", "layer_norm", "softmax"]
    assert "logsumexp" not in names
    assert [step.op.name for step in compile(graph, "reference").plan.steps] == [
        "checkpoint", "layer_norm", "softmax", "logsumexp",
    ]  # fmt: skip
    assert {"exp", "tanh", "sum"} <= {step.op.name for step in make_plan(graph).steps}


def test_graphs_an_operation_runs_count_while_it_runs() -> None:
    x, pick = new_input("x", tensor_type((10,))), new_input("pick", tensor_type((), int32))
    inner = [new_input("inner", tensor_type((10,))) for _ in range(2)]
    both = add(tanh(inner[1]), multiply(inner[1], inner[1]))
    small, large = Graph(inner[:1], [tanh(inner[0])]), Graph(inner[1:], [both])
    plan = compile(Graph([pick, x], [Cond((small, large))(pick, x)])).plan
    # What a branch returns is written where it is due; of the large one the tanh lies in the arena.
    assert [nested.peak_bytes for nested in plan.steps[0].nested] == [0, 64]
    assert plan.peak_bytes == 40 + 64 + ALIGNMENT
    carry, row = new_input("carry", tensor_type("n")), new_input("row", tensor_type("n"))
    start, rows = new_input("start", tensor_type("n")), new_input("rows", tensor_type((3, "n")))
    total = add(carry, tanh(row))
    scan = Scan(Graph([carry, row], [total, tanh(total)]), 0, 1, 3)
    results = scan.results(start, rows)
    # The carry before the step, 3 rows of results, and in the body: total, written over a tanh, and its own tanh.
    assert compile(Graph([start, rows], results)).plan.peak == dims.dim("24*n")
