"""Convolutions of every shape, layout and cut equal the reference, and take the memory planned."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax import nn
from rax.ir.graph import Graph
from rax.ir.node import new_input
from rax.ir.types import TensorType, as_dtype
from rax.ops.arrays import Array
from rax.ops.window import Conv
from rax.runtime import patches, shifts
from rax.runtime.backends.numpy import convolution
from rax.runtime.backends.numpy.table import find_kernel
from rax.runtime.executable import compile
from tests.ops.laws import assert_close


def random(*shape: int) -> Array:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


CONVOLUTIONS: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((9, 4, 16, 15), (6, 4, 3, 3), {"padding": ((1, 1), (2, 0))}),
    ((9, 4, 16, 15), (6, 2, 3, 2), {"groups": 2, "strides": (2, 1)}),
    ((5, 4, 12, 12), (4, 1, 3, 3), {"groups": 4, "kernel_dilation": (2, 1)}),
    ((9, 4, 16, 15), (6, 4, 1, 1), {}),
    ((9, 4, 16, 15), (6, 4, 1, 1), {"strides": (3, 2), "padding": ((-1, 1), (0, -2))}),
    ((9, 4, 5, 5), (6, 4, 4, 4), {"input_dilation": (1, 2)}),
    ((3, 2, 40), (5, 2, 7), {}),
    ((9, 4, 16, 15), (6, 4, 14, 13), {}),
    ((9, 6, 9, 8), (5, 6, 4, 5), {"padding": ((2, 1), (0, 1)), "strides": (3, 2), "kernel_dilation": (2, 1)}),
    ((4, 3, 30), (5, 3, 25), {"input_dilation": (2,), "padding": ((-3, 2),)}),
    ((4, 3, 6, 7), (5, 3, 3, 3), {"input_dilation": (2, 3), "padding": ((2, 1), (1, 2))}),
    ((4, 4, 6, 7), (6, 2, 1, 2), {"input_dilation": (3, 2), "padding": ((0, 2), (-1, 1)), "groups": 2}),
    ((2, 40, 9, 10), (50, 40, 3, 3), {"padding": ((1, 1), (1, 1))}),
    ((3, 6, 9, 8), (4, 3, 7, 7), {"groups": 2}),
    ((7, 5, 3, 3), (40, 5, 3, 3), {}),
    ((2, 3, 5, 6, 7), (4, 3, 3, 3, 3), {"padding": ((1, 1), (1, 1), (1, 1))}),
    ((3, 3, 8, 2), (4, 3, 3, 5), {"padding": ((1, 1), (1, 3))}),
    ((5, 3), (4, 3), {}),
    ((3, 12, 19, 10), (3, 12, 3, 3), {"padding": ((1, 1), (2, 0))}),
    ((3, 12, 19, 10), (2, 12, 5, 2), {"padding": ((3, -1), (-1, 2)), "kernel_dilation": (1, 2)}),
    ((2, 8, 40), (2, 8, 7), {"padding": ((9, 0),)}),
    ((2, 8, 7, 6, 5), (1, 8, 2, 1, 3), {"padding": ((1, 0), (0, 1), (1, 1))}),
    ((3, 12, 9, 8), (3, 12, 4, 4), {"padding": ((2, 1), (2, 2)), "input_dilation": (2, 2)}),
    ((9, 4, 16, 15), (2, 4, 14, 13), {"padding": ((1, 1), (0, 2)), "strides": (1, 2)}),
    ((2, 16, 9, 8), (6, 16, 12, 12), {"padding": ((3, 3), (4, 4))}),
    ((3, 4, 9, 8), (4, 1, 3, 3), {"groups": 4, "padding": ((1, 1), (1, 1))}),
    ((2, 300, 5, 4), (20, 300, 3, 3), {"padding": ((1, 1), (1, 1))}),
]


@pytest.mark.parametrize("block", [1, 1 << 12, 1 << 19])
@pytest.mark.parametrize("dtype", ["float32", "int64", "complex64"])
@pytest.mark.parametrize(("image", "kernel", "attributes"), CONVOLUTIONS)
def test_convolutions_cut_into_blocks_equal_the_reference(
    image: tuple[int, ...],
    kernel: tuple[int, ...],
    attributes: dict[str, Any],
    dtype: str,
    block: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patches, "_BLOCK_BYTES", block)
    monkeypatch.setattr(patches, "_SUM_BYTES", block)
    monkeypatch.setattr(patches, "_WORTH_SHARING", block)
    monkeypatch.setattr(shifts, "_BLOCK_BYTES", block)
    monkeypatch.setattr(shifts, "_WORTH_SHARING", block)
    monkeypatch.setattr(convolution, "SMALL", 100 * block)
    ones = (1,) * (len(image) - 2)
    no_padding = ((0, 0),) * len(ones)
    plain: dict[str, Any] = {
        "strides": ones, "padding": no_padding, "input_dilation": ones, "kernel_dilation": ones,
    }  # fmt: skip
    op = Conv(**{**plain, **attributes})
    x, weights = ((10 * random(*shape)).astype(dtype) for shape in (image, kernel))
    types = tuple(TensorType(as_dtype(dtype), shape) for shape in (image, kernel))
    compute = find_kernel(op, types)
    due = op.reference(x, weights)
    assert_close(compute(x, weights), due, 1e-5, repr(op))
    target = np.full_like(due, 7)
    assert compute(turned(x), turned(weights), out=target) is target
    assert_close(target, due, 1e-5, repr(op))
    for batch in (0, 1):
        inputs = [
            new_input(name, type.with_shape((batch, *image[1:]) if name == "x" else kernel))
            for name, type in zip("xw", types, strict=True)
        ]
        (found,) = compile(Graph(inputs, [op(*inputs)])).run([x[:batch], weights])
        assert_close(found, op.reference(x[:batch], weights), 1e-5, repr(op))


def turned(array: Array) -> Array:
    """The same elements, read-only, with the first two axes in the other order of memory and the last one backwards."""
    other = array.swapaxes(0, 1)[..., ::-1].copy()[..., ::-1].swapaxes(0, 1)
    other.flags.writeable = False
    return other


@pytest.mark.parametrize("batch", [1, 40])
@pytest.mark.parametrize(
    ("shape", "kernel", "attributes"),
    [
        ((64, 33, 32), (32, 64, 3, 3), {"padding": "same"}),
        ((64, 33, 32), (32, 64, 3, 3), {"stride": 2}),
        ((16, 64, 64), (16, 1, 3, 3), {"groups": 16}),
        ((64, 40, 40), (64, 64, 1, 1), {}),
        ((512, 14, 14), (64, 512, 3, 3), {}),
        ((128, 9, 9), (256, 128, 3, 3), {}),
        ((64, 33, 32), (3, 64, 3, 3), {"padding": "same"}),
        ((3, 65, 65), (64, 3, 7, 7), {"stride": 2, "padding": 3}),
    ],
)
def test_a_convolution_and_its_derivatives_take_the_memory_planned(
    shape: tuple[int, ...], kernel: tuple[int, ...], attributes: dict[str, Any], batch: int
) -> None:
    x, weights = random(batch, *shape), random(*kernel)

    def loss(x: rax.Tensor, weights: rax.Tensor) -> rax.Tensor:
        return rnp.sum(nn.conv(x, weights, **attributes) ** 2)

    exe = compile(rax.trace(rax.value_and_grad(loss, (0, 1)), x, weights))
    planned = exe.plan.peak_bytes
    tracemalloc.start()
    exe(x, weights)
    measured = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Beside the code that the first call makes. A thread that comes late leaves its scratch memory unused.
    assert 0.5 * planned < measured < planned + 500_000


@pytest.mark.parametrize("number", [np.nan, np.inf])
@pytest.mark.parametrize("place", [(0, 0, 0, 0), (1, 7, 5, 3), (0, 3, 2, 5)])
@pytest.mark.parametrize(("size", "window", "dilation"), [(6, 3, 1), (6, 2, 2), (1, 2, 3)])
def test_what_is_not_finite_shows_in_a_derivative_by_a_kernel_where_it_does_by_definition(
    number: float, place: tuple[int, ...], size: int, window: int, dilation: int
) -> None:
    image, kernel = random(2, 8, 6, size), random(2, 8, window, window)
    given = random(2, 2, 6, size)
    image[place[0], place[1], place[2], place[3] % size] = number

    def loss(kernel: Any, image: Any, given: Any) -> Any:
        return rnp.sum(nn.conv(image, kernel, padding="same", dilation=dilation) * given)

    for arrays in ((kernel, image, given), (kernel, random(2, 8, 6, size), np.where(given > 1, number, given))):
        graph = rax.trace(rax.grad(loss), *arrays)
        due = compile(graph, "reference")(*arrays)
        assert_close(compile(graph)(*arrays), due, 1e-4, "kernel")
