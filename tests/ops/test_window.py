"""Convolutions and windows against loops over their definitions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from rax.autodiff.batch import batch_graph
from rax.autodiff.transforms import TRANSFORMS
from rax.ir.dims import dim
from rax.ir.graph import Graph
from rax.ir.node import Value, new_input
from rax.ir.types import tensor_type
from rax.ops.arrays import Array
from rax.ops.reduction import Max
from rax.ops.window import Conv, FoldWindows, SlidingWindows
from rax.runtime.reference import evaluate_graph
from tests.ops import laws
from tests.ops.symbolic import apply, check_symbolic


def conv_by_loop(x: Array, kernel: Array, conv: Conv) -> Array:
    """Element by element, from the definition: position ``p * stride + k * dilation - low``."""
    out = conv.infer(tensor_type(x.shape, x.dtype), tensor_type(kernel.shape, x.dtype))[0].shape
    result = np.zeros(out, x.dtype)
    outs, ins = kernel.shape[0] // conv.groups, kernel.shape[1]
    for n, o, *place in np.ndindex(*out):
        for i, *tap in np.ndindex(ins, *kernel.shape[2:]):
            spots = [
                p * s + t * d - low
                for p, s, t, d, (low, _) in zip(
                    place, conv.strides, tap, conv.kernel_dilation, conv.padding, strict=True
                )
            ]
            steps = [divmod(spot, spacing) for spot, spacing in zip(spots, conv.input_dilation, strict=True)]
            if all(rest == 0 and 0 <= at < size for (at, rest), size in zip(steps, x.shape[2:], strict=True)):
                channel = (o // outs) * ins + i
                result[(n, o, *place)] += x[(n, channel, *[at for at, _ in steps])] * kernel[(o, i, *tap)]
    return result


def variety() -> Iterator[Conv]:
    """Attributes of convolutions over one axis, most in some combination."""
    pads = ((0, 0), (2, 1), (-1, 2), (1, -2), (-1, -1))
    for stride, pad, spread, dilation, groups in itertools.product((1, 2, 3), pads, (1, 2), (1, 2), (1, 2)):
        if (stride + len(pads) * spread + dilation + groups + pad[0]) % 2 == 0:
            yield Conv((stride,), (pad,), (spread,), (dilation,), groups)


@pytest.mark.parametrize("conv", list(variety()), ids=str)
def test_conv_and_its_transposes_over_one_axis(conv: Conv) -> None:
    rng = np.random.default_rng(10)
    x, kernel = rng.normal(size=(2, 4, 7)), rng.normal(size=(6, 4 // conv.groups, 3))
    np.testing.assert_allclose(conv.reference(x, kernel), conv_by_loop(x, kernel, conv), atol=1e-12)
    inputs = [new_input(name, tensor_type(a.shape, "float64")) for name, a in (("x", x), ("kernel", kernel))]
    graph = Graph(inputs, (conv(*inputs),))
    laws.check_vjp(graph, [x, kernel], 1)
    for batched in laws.patterns(2):
        laws.check_batching(graph, [[x, kernel], [x + 1, kernel * 2]], batched, 1)


CONVS = [
    ((1, 2, 5, 4), (3, 2, 2, 3), Conv((2, 1), ((1, 0), (-1, 2)), (1, 2), (2, 1))),
    ((2, 4, 4, 4), (4, 2, 3, 1), Conv((1, 2), ((0, 1), (0, 0)), (1, 1), (1, 2), 2)),
    ((1, 2, 3, 4, 3), (2, 1, 2, 2, 2), Conv((1, 2, 1), ((0, 1), (1, 1), (0, 0)), (1, 1, 2), (1, 2, 1), 2)),
    ((2, 3), (4, 3), Conv((), (), (), ())),
]


@pytest.mark.parametrize(("shape", "kernel_shape", "conv"), CONVS)
def test_conv_over_other_numbers_of_axes(shape: tuple[int, ...], kernel_shape: tuple[int, ...], conv: Conv) -> None:
    rng = np.random.default_rng(11)
    x, kernel = rng.normal(size=shape), rng.normal(size=kernel_shape)
    np.testing.assert_allclose(conv.reference(x, kernel), conv_by_loop(x, kernel, conv), atol=1e-12)
    inputs = [new_input(name, tensor_type(a.shape, "float64")) for name, a in (("x", x), ("kernel", kernel))]
    laws.check_vjp(Graph(inputs, (conv(*inputs),)), [x, kernel], 1)


PLAIN = Conv((1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1))
STRIDED = Conv((2, 3), ((1, 1), (-1, 2)), (1, 2), (2, 1))


@pytest.mark.parametrize("conv", [PLAIN, STRIDED], ids=["plain", "strided"])
def test_conv_takes_named_dims(conv: Conv) -> None:
    x, kernel = tensor_type(("n", 2, "h", "h + 2"), "float64"), tensor_type((3, 2, 3, 2), "float64")
    check_symbolic(conv, x, kernel, sizes=({"n": 2, "h": 5}, {"n": 0, "h": 4}, {"n": 1, "h": 3}))


def test_conv_takes_sizes_that_might_be_negative() -> None:
    x, kernel = tensor_type((1, 2, "n - 2"), "float64"), tensor_type(("o", 2, "k"), "float64")
    conv = Conv((2,), ((1, 0),), (1,), (2,))
    check_symbolic(conv, x, kernel, sizes=({"n": 9, "o": 2, "k": 3}, {"n": 8, "o": 1, "k": 2}))


def test_conv_takes_named_channels_and_groups() -> None:
    x, kernel = tensor_type((2, "2*g", 4), "float64"), tensor_type(("3*g", 2, 2), "float64")
    groups = dim("g")

    def build(a: Value, b: Value) -> Value:
        known = b.shape[0] // 3 if isinstance(b.shape[0], int) else groups
        return Conv((1,), ((0, 0),), (1,), (1,), known)(a, b)

    check_symbolic(build, x, kernel, sizes=({"g": 2}, {"g": 1}, {"g": 0}))


def test_a_batch_of_kernels_may_be_empty() -> None:
    inputs = [new_input("x", tensor_type((2, 4, 5))), new_input("kernel", tensor_type((6, 2, 3)))]
    graph = Graph(inputs, (Conv((1,), ((0, 0),), (1,), (1,), 2)(*inputs),))
    batched, _ = batch_graph(TRANSFORMS, graph, dim("b"), (True, True))
    operands = [np.ones((0, 2, 4, 5), np.float32), np.ones((0, 6, 2, 3), np.float32)]
    assert evaluate_graph(batched, operands)[0].shape == (0, 2, 6, 3)


def windows_by_loop(x: Array, op: SlidingWindows) -> Array:
    out = op.infer(tensor_type(x.shape, x.dtype))[0].shape
    count = len(op.window)
    lead = x.ndim - count
    result = np.zeros(out, x.dtype)
    for place in np.ndindex(*out):
        at, tap = place[lead : lead + count], place[lead + count :]
        spot = [p * s + t * d for p, s, t, d in zip(at, op.strides, tap, op.dilation, strict=True)]
        result[place] = x[(*place[:lead], *spot)]
    return result


WINDOWS = [
    ((7,), SlidingWindows((3,), (2,), (1,))),
    ((2, 8), SlidingWindows((2,), (3,), (3,))),
    ((2, 5, 6), SlidingWindows((2, 3), (1, 2), (2, 1))),
]


@pytest.mark.parametrize(("shape", "op"), WINDOWS)
def test_windows_equal_a_loop(shape: tuple[int, ...], op: SlidingWindows) -> None:
    x = np.random.default_rng(12).normal(size=shape)
    np.testing.assert_array_equal(op.reference(x), windows_by_loop(x, op))


@pytest.mark.parametrize(("shape", "op"), WINDOWS)
def test_folding_adds_every_element_to_where_it_came_from(shape: tuple[int, ...], op: SlidingWindows) -> None:
    x = np.random.default_rng(13).normal(size=shape)
    windows = op.reference(np.arange(x.size).reshape(shape))
    numbers = np.random.default_rng(14).normal(size=windows.shape)
    expected = np.zeros(x.size)
    np.add.at(expected, windows.reshape(-1), numbers.reshape(-1))
    fold = FoldWindows(shape[len(shape) - len(op.window) :], op.strides, op.dilation)
    np.testing.assert_allclose(fold.reference(numbers).reshape(-1), expected, atol=1e-12)


def test_the_maximum_over_windows_is_max_pooling() -> None:
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    pool = SlidingWindows((2, 2), (2, 2), (1, 1))
    assert apply(lambda a: Max((4, 5))(pool(a)), x).tolist() == [[[[5, 7], [13, 15]]]]


def test_windows_take_named_dims() -> None:
    op = SlidingWindows((2, 3), (2, 1), (1, 2))
    sizes = ({"n": 2, "h": 6}, {"n": 0, "h": 5}, {"n": 1, "h": 4})
    check_symbolic(op, tensor_type(("n", "h", "h + 1"), "float64"), sizes=sizes)
