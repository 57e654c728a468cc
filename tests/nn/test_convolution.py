"""Convolution and its transpose beside loops in NumPy, in one, two and three axes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax import nn

RNG = np.random.default_rng(3)
Pairs = list[tuple[int, int]]

CONVS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any], Pairs]] = {
    "one axis": ((2, 3, 8), (4, 3, 3), {}, [(0, 0)]),
    "same": ((2, 1, 5, 6), (2, 1, 3, 2), {"padding": "same"}, [(1, 1), (0, 1)]),
    "same, strided": ((1, 1, 7, 8), (1, 1, 3, 3), {"padding": "same", "stride": 2}, [(1, 1), (0, 1)]),
    "one number": ((1, 2, 4, 4), (2, 2, 3, 3), {"padding": 1, "stride": (1, 2)}, [(1, 1), (1, 1)]),
    "pairs": ((1, 2, 4, 4), (2, 2, 2, 2), {"padding": [(1, 0), 2]}, [(1, 0), (2, 2)]),
    "dilated": ((1, 1, 9, 9), (1, 1, 2, 3), {"dilation": (3, 2), "padding": "same"}, [(1, 2), (2, 2)]),
    "groups": ((2, 4, 5), (6, 2, 2), {"groups": 2}, [(0, 0)]),
    "depthwise": ((1, 3, 4, 4), (3, 1, 2, 2), {"groups": 3}, [(0, 0), (0, 0)]),
    "three axes": ((1, 2, 3, 4, 3), (2, 2, 2, 2, 1), {"stride": (1, 2, 1)}, [(0, 0)] * 3),
    "no axes": ((3, 4), (5, 4), {}, []),
}


def each(number: Any, count: int) -> list[int]:
    return [number] * count if isinstance(number, int) else list(number)


def convolved(x: np.ndarray, kernel: np.ndarray, options: dict[str, Any], pairs: Pairs) -> np.ndarray:
    """The definition, one element at a time."""
    count = x.ndim - 2
    strides, spacing = each(options.get("stride", 1), count), each(options.get("dilation", 1), count)
    groups = options.get("groups", 1)
    padded = np.pad(x, [(0, 0), (0, 0), *pairs])
    window = kernel.shape[2:]
    out = [
        (n - (w - 1) * d - 1) // s + 1 for n, w, d, s in zip(padded.shape[2:], window, spacing, strides, strict=True)
    ]
    result = np.zeros((len(x), len(kernel), *out))
    ins, outs = kernel.shape[1], len(kernel) // groups
    for image, channel in np.ndindex(len(x), len(kernel)):
        first = channel // outs * ins
        for place in itertools.product(*map(range, out)):
            for tap in itertools.product(*map(range, window)):
                at = [p * s + t * d for p, s, t, d in zip(place, strides, tap, spacing, strict=True)]
                values = padded[(image, slice(first, first + ins), *at)]
                result[(image, channel, *place)] += values @ kernel[(channel, slice(None), *tap)]
    return result


@pytest.mark.parametrize("name", CONVS)
def test_conv(name: str) -> None:
    shape, window, options, pairs = CONVS[name]
    x, kernel, bias = RNG.normal(size=shape), RNG.normal(size=window), RNG.normal(size=window[0])
    due = convolved(x, kernel, options, pairs)
    np.testing.assert_allclose(nn.conv(x, kernel, **options), due, atol=1e-12)
    lined = bias.reshape(-1, *[1] * (len(shape) - 2))
    np.testing.assert_allclose(nn.conv(x, kernel, bias, **options), due + lined, atol=1e-12)


@pytest.mark.parametrize("name", CONVS)
def test_the_gradient_of_conv_is_that_of_its_sum(name: str) -> None:
    """Conv is linear in the input and in the kernel, so differences are exact."""
    shape, window, options, pairs = CONVS[name]
    x, kernel, dx, dk = (RNG.normal(size=size) for size in (shape, window, shape, window))
    weights = RNG.normal(size=convolved(x, kernel, options, pairs).shape)
    slopes = rax.grad(lambda x, k: rnp.sum(nn.conv(x, k, **options) * weights), (0, 1))(x, kernel)
    for slope, moved in zip(slopes, ((dx, kernel), (x, dk)), strict=True):
        direction = dx if moved[0] is dx else dk
        assert np.sum(slope * direction) == pytest.approx(np.sum(convolved(*moved, options, pairs) * weights))


TRANSPOSES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "one axis": ((2, 3, 4), (3, 2, 3), {}),
    "strided": ((1, 2, 3, 4), (2, 1, 3, 2), {"stride": (2, 3)}),
    "padded": ((1, 1, 4, 4), (1, 2, 3, 3), {"stride": 2, "padding": [(1, 0), 2]}),
    "more behind": ((1, 1, 4), (1, 1, 3), {"stride": 3, "padding": 1, "output_padding": 2}),
    "dilated": ((1, 2, 5), (2, 3, 2), {"dilation": 3, "output_padding": 1}),
    "groups": ((2, 4, 3), (4, 3, 2), {"groups": 2, "stride": 2}),
    "depthwise": ((1, 3, 2, 2), (3, 1, 2, 2), {"groups": 3}),
    "three axes": ((1, 2, 2, 3, 2), (2, 1, 2, 1, 2), {"stride": (1, 2, 1)}),
}


def spread_out(x: np.ndarray, kernel: np.ndarray, options: dict[str, Any]) -> np.ndarray:
    """PyTorch's definition: each element adds its multiple of the kernel where it stands; then the edges are cut."""
    count = x.ndim - 2
    strides, spacing = each(options.get("stride", 1), count), each(options.get("dilation", 1), count)
    more, groups = each(options.get("output_padding", 0), count), options.get("groups", 1)
    given: list[Any] = each(options.get("padding", 0), count)
    cuts = [(cut, cut) if isinstance(cut, int) else cut for cut in given]
    outs, ins = kernel.shape[1], len(kernel) // groups
    full = [
        (n - 1) * s + (w - 1) * d + 1 + extra
        for n, s, w, d, extra in zip(x.shape[2:], strides, kernel.shape[2:], spacing, more, strict=True)
    ]
    result = np.zeros((len(x), outs * groups, *full))
    for image, channel, *place in np.ndindex(*x.shape):
        first = channel // ins * outs
        for tap in np.ndindex(*kernel.shape[2:]):
            at = [p * s + t * d for p, s, t, d in zip(place, strides, tap, spacing, strict=True)]
            element = x[(image, channel, *place)]
            result[(image, slice(first, first + outs), *at)] += element * kernel[(channel, slice(None), *tap)]
    inside = [slice(low, size - high) for size, (low, high) in zip(full, cuts, strict=True)]
    return result[(slice(None), slice(None), *inside)]


@pytest.mark.parametrize("name", TRANSPOSES)
def test_conv_transpose(name: str) -> None:
    shape, window, options = TRANSPOSES[name]
    x, kernel = RNG.normal(size=shape), RNG.normal(size=window)
    due = spread_out(x, kernel, options)
    np.testing.assert_allclose(nn.conv_transpose(x, kernel, **options), due, atol=1e-12)
    bias = RNG.normal(size=due.shape[1])
    lined = bias.reshape(-1, *[1] * (len(shape) - 2))
    np.testing.assert_allclose(nn.conv_transpose(x, kernel, bias, **options), due + lined, atol=1e-12)
    weights = RNG.normal(size=due.shape)
    slopes = rax.grad(lambda x, k: rnp.sum(nn.conv_transpose(x, k, **options) * weights), (0, 1))(x, kernel)
    moved = RNG.normal(size=shape), RNG.normal(size=window)
    assert np.sum(slopes[0] * moved[0]) == pytest.approx(np.sum(spread_out(moved[0], kernel, options) * weights))
    assert np.sum(slopes[1] * moved[1]) == pytest.approx(np.sum(spread_out(x, moved[1], options) * weights))


@pytest.mark.parametrize(("stride", "window"), [(1, 3), (2, 3), (2, 4), (3, 2), (3, 5)])
def test_conv_transpose_is_the_transpose_of_conv(stride: int, window: int) -> None:
    """``<conv(x), y> = <x, conv_transpose(y)>``, with padding "same" too."""
    x, kernel = RNG.normal(size=(2, 3, 6)), RNG.normal(size=(4, 3, window))
    for padding in ("same", 1):
        forth: Any = nn.conv(x, kernel, stride=stride, padding=padding)
        y = RNG.normal(size=forth.shape)
        extra = 0 if padding == "same" else 6 - ((forth.shape[2] - 1) * stride + window - 2)
        back = nn.conv_transpose(y, kernel, stride=stride, padding=padding, output_padding=extra)
        assert back.shape == x.shape
        assert float(rnp.sum(forth * y)) == pytest.approx(float(rnp.sum(back * x)))


def test_conv_transpose_of_symbolic_sizes() -> None:
    x, kernel = RNG.normal(size=(2, 1, 3, 4)), RNG.normal(size=(1, 2, 3, 3))
    for padding in ("same", "valid", 1):

        def up(x: rax.Tensor, padding: Any = padding) -> rax.Tensor:
            return nn.conv_transpose(x, kernel, stride=2, padding=padding)

        graph = rax.trace(up, rax.spec(("batch", 1, "height", "width"), "float64"))
        np.testing.assert_allclose(graph(x), up(rnp.asarray(x)))


@pytest.mark.parametrize("name", ["groups", "padded"])
def test_vmap_of_conv_transpose_is_a_loop(name: str) -> None:
    shape, window, options = TRANSPOSES[name]
    x, kernel = RNG.normal(size=(3, *shape)), RNG.normal(size=(3, *window))
    both = rax.vmap(lambda x, k: nn.conv_transpose(x, k, **options))(x, kernel)
    loop = [spread_out(*pair, options) for pair in zip(x, kernel, strict=True)]
    np.testing.assert_allclose(both, loop, atol=1e-12)


def test_sizes_may_be_numpys_integers() -> None:
    two: Any = np.int64(2)
    x = rnp.ones((1, 1, 6))
    given = nn.conv(x, rnp.ones((1, 1, 2)), stride=two, padding=two, dilation=[two])
    assert np.array_equal(given, nn.conv(x, rnp.ones((1, 1, 2)), stride=2, padding=2, dilation=[2]))


@pytest.mark.parametrize("batch", [0, 1, 7])
@pytest.mark.parametrize("side", [4, 7])
def test_batch_and_image_may_be_symbolic(batch: int, side: int) -> None:
    def model(kernel: rax.Tensor, x: rax.Tensor) -> rax.Tensor:
        hidden = nn.conv(x, kernel, padding="same", stride=2)
        pooled = nn.max_pool(hidden, 3, stride=1, padding="same")
        return rnp.sum(nn.global_avg_pool(pooled))

    graph = rax.trace(
        rax.value_and_grad(model),
        rax.spec((2, 1, 3, 3), "float64"),
        rax.spec(("batch", 1, "height", 6), "float64"),
    )
    kernel, x = RNG.normal(size=(2, 1, 3, 3)), RNG.normal(size=(batch, 1, side, 6))
    value, slope = graph(kernel, x)
    known = rax.value_and_grad(model)(kernel, x)
    np.testing.assert_allclose(value, known[0])
    np.testing.assert_allclose(slope, known[1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: nn.conv(x, np.zeros((1, 3))), r"conv needs x \(N, C, \*spatial\) and a kernel .* float64\[1, 3\]"),
        (lambda x: nn.conv(x, np.zeros((1, 1, 3, 3)), stride=(1, 1, 1)), "stride has 3 numbers, and there are 2"),
        (lambda x: nn.conv(x, np.zeros((1, 1, 3, 3)), padding=(1,)), "padding is given for 1 axes, and there are 2"),
        (lambda x: nn.conv(x, np.zeros((1, 1, 3, 3)), padding="full"), "'same', 'valid' or numbers, not 'full'"),  # pyright: ignore[reportArgumentType]  # the type checker refuses it too
        (lambda x: nn.conv(x, np.zeros((1, 2, 3, 3))), "1 input channels are not 1 groups of 2"),
        (lambda x: nn.conv_transpose(x, np.zeros((2, 1, 3, 3))), r"kernel \(C, O/groups, \*window\), not float64"),
        (lambda x: nn.conv_transpose(x, np.zeros((1, 1, 3, 3)), groups=2), "1 channels do not fall into 2 equal"),
        (lambda x: nn.conv_transpose(x, np.zeros((1, 1, 3, 3)), output_padding=1), r"output_padding \(1, 1\) is not"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(call: Callable[[np.ndarray], object], message: str) -> None:
    with pytest.raises(rax.RaxError, match=message):
        call(np.zeros((1, 1, 4, 4)))
