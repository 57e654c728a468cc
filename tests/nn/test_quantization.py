"""Quantising against ONNX's published examples and NumPy written plainly, and a model in int8."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from sklearn.datasets import load_digits

import rax
import rax.numpy as rnp
from rax import nn
from rax.ops.arrays import Array
from rax.ops.contraction import WideningMatMul
from rax.runtime.entry import Entry

RNG = np.random.default_rng(0)
IMAGE = np.array(
    [[[-162, 10], [-100, 232], [-20, -50]], [[-76, 0], [0, 252], [32, -44]], [[245, -485], [-960, -270], [-375, -470]]],
    np.float32,
)[None]  # fmt: skip


def floats(*numbers: float) -> Array:
    return np.array(numbers, np.float32)


@pytest.mark.parametrize(
    ("x", "zero_point", "dtype", "due"),
    [
        ([0, 2, 3, 1000, -254, -1000], 128, "uint8", [128, 129, 130, 255, 1, 0]),
        ([0, 1, 2, 100000, 200], None, "float8_e4m3fn", [0, 0.5, 1, 448, 96]),
        ([0, 1, 2, 100000, 200], None, "float8_e5m2", [0, 0.5, 1, 49152, 96]),
        (
            [0, -514, 3, -3, 2.9, -2.9, 3.1, -3.1, 65022, -66046, 65023, -66047, 65024, -66048, 70000, -70000],
            256,
            "int16",
            [256, -1, 258, 254, 257, 255, 258, 254, 32767, -32767, 32767, -32768, 32767, -32768, 32767, -32768],
        ),
    ],
)
def test_onnx_examples_of_quantizelinear(x: list[float], zero_point: int | None, dtype: str, due: list[float]) -> None:
    found = nn.quantize(floats(*x), 2.0, zero_point, dtype)
    assert found.dtype is getattr(rnp, dtype)
    assert found.tolist() == due


def test_onnx_examples_along_an_axis() -> None:
    scale, zero_point = floats(2, 4, 5), np.array([84, 24, 196], np.uint8)
    found = nn.quantize(IMAGE, scale, zero_point, axis=1)
    wide = (1, 3, 1, 1)
    np.testing.assert_array_equal(found, (IMAGE / scale.reshape(wide) + zero_point.reshape(wide)).astype(np.uint8))
    np.testing.assert_array_equal(nn.dequantize(found, scale, zero_point, axis=1).numpy()[0, 2, 1], [-960, -270])
    x = np.array([0, 3, 128, 255], np.uint8)
    assert nn.dequantize(x, 2.0, np.uint8(128)).tolist() == [-256, -250, 0, 254]


def test_onnx_examples_of_dynamicquantizelinear() -> None:
    for x, scale, zero_point, due in (
        ([0, 2, -3, -2.5, 1.34, 0.5], 0.0196078438, 153, [153, 255, 0, 26, 221, 179]),
        ([-1, -2.1, -1.3, -2.5, -3.34, -4], 0.0156862754, 255, [191, 121, 172, 96, 42, 0]),
    ):
        value = rnp.asarray(floats(*x))
        found = nn.quantization_parameters(rnp.min(value), rnp.max(value), "uint8", symmetric=False)
        assert found[0].item() == pytest.approx(scale, rel=1e-7)
        assert found[1] is not None
        assert found[1].item() == zero_point
        assert nn.quantize(value, *found).tolist() == due


def test_onnx_example_of_matmulinteger() -> None:
    x = np.array([[11, 7, 3], [10, 6, 2], [9, 5, 1], [8, 4, 0]], np.uint8)
    y = np.array([[1, 4], [2, 5], [3, 6]], np.uint8)
    found = nn.matmul_integer(x, y, np.uint8(12), np.uint8(0))
    assert found.dtype is rnp.int32
    assert found.tolist() == [[-38, -83], [-44, -98], [-50, -113], [-56, -128]]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16"])
def test_quantising_is_numpys(dtype: str) -> None:
    info = np.iinfo(dtype)
    x = np.concatenate([RNG.normal(size=50) * 1e3, np.arange(-20, 20) / 4, [np.inf, -np.inf, 0, -0.0]]).astype(
        "float32"
    )
    zero_point = int(info.max) // 3
    due = np.clip(np.round(x / np.float32(0.5)) + zero_point, info.min, info.max).astype(dtype)
    found = rax.jit(lambda x: nn.quantize(x, 0.5, zero_point, dtype))(x)
    assert found.dtype == due.dtype
    np.testing.assert_array_equal(found, due)
    back = nn.dequantize(due, np.float16(0.5), np.array(zero_point, dtype))
    np.testing.assert_array_equal(back, ((due.astype("float32") - zero_point) * np.float32(0.5)).astype("float16"))


def test_blocks_have_scales_of_their_own() -> None:
    x = RNG.normal(size=(2, 6)).astype(np.float32)
    scale = np.array([[1, 2, 3], [4, 5, 6]], np.float32) / 100
    wide = np.repeat(scale, 2, 1)
    found = nn.quantize(x, scale, axis=1)
    np.testing.assert_array_equal(found, np.clip(np.round(x / wide), -128, 127).astype(np.int8))
    np.testing.assert_array_equal(nn.dequantize(found, scale, axis=1), found.numpy().astype(np.float32) * wide)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "float8_e4m3fn", "float8_e5m2"])
@pytest.mark.parametrize("symmetric", [True, False])
def test_parameters_fill_the_dtype(dtype: str, symmetric: bool) -> None:
    if "float8" in dtype and not symmetric:
        with pytest.raises(rax.TypeInferenceError, match=f"{dtype} is symmetric"):
            nn.quantization_parameters(0.0, 1.0, dtype, symmetric=False)
        return
    low, high = floats(-3, 0.5, 0, -2), floats(1, 4, 0, -1)
    scale, zero_point = nn.quantization_parameters(low, high, dtype, symmetric=symmetric)
    ends = np.stack([low, high, np.zeros(4, np.float32)])
    kept = nn.quantize(ends, scale, zero_point, dtype, axis=1)
    back = nn.dequantize(kept, scale, zero_point, axis=1).numpy()
    np.testing.assert_array_equal(back[2], 0)
    step = np.abs(ends) * 2.0**-3 + scale.numpy() if "float8" in dtype else scale.numpy()
    assert (np.abs(back - ends) <= step).all()
    info: Any = rnp.finfo(dtype) if "float8" in dtype else np.iinfo(dtype)
    reached = np.abs(kept.numpy().astype(np.float64))
    assert np.isin([info.min, info.max, -info.max], [*reached.ravel(), *-reached.ravel()]).any()
    assert scale.numpy()[2] == 1
    assert (zero_point is None) == ("float8" in dtype)


def test_what_does_not_fit_is_refused() -> None:
    x = rnp.ones((2, 4))
    cases: list[tuple[Callable[[], object], str]] = [
        (
            lambda: nn.quantize(x, 1.0, dtype="int32"),
            "numbers are not quantised to int32\n  fix: use one of int8, uint8",
        ),
        (lambda: nn.quantize(x, 1.0, 1, "float8_e5m2"), "float8_e5m2 has no zero point\n  fix: leave it out"),
        (lambda: nn.quantize(x, 1.0, np.uint8(1), "int8"), "the zero point of int8 is of that dtype too, not uint8"),
        (lambda: nn.quantize(x, rnp.ones(4)), "a scale of shape [4] needs an axis to go along\n  fix: give axis=…"),
        (lambda: nn.quantize(x, rnp.ones(3), axis=1), "a scale of shape [3] does not fit axis 1 of [2, 4]"),
        (lambda: nn.quantize(x, rnp.ones((2, 3)), axis=1), "a scale of shape [2, 3] does not fit axis 1 of [2, 4]"),
        (lambda: nn.widening_matmul(x, x), "widening_matmul is not defined on float32"),
        (
            lambda: nn.widening_matmul(rnp.ones(2, dtype="int8"), rnp.arange(2)),
            "widening_matmul is not defined on int64",
        ),
        (
            lambda: nn.quantized_dense(x, rnp.ones((4, 1), dtype="int8"), 1.0, x_zero_point=3),
            "x_zero_point goes with an x_scale",
        ),
    ]
    for wrong, message in cases:
        with pytest.raises(rax.TypeInferenceError) as caught:
            wrong()
        assert str(caught.value).startswith(message)


def test_fake_quantising_is_quantising_and_back_with_straight_through_derivatives() -> None:
    x = floats(-100, -1.3, -0.25, 0, 0.26, 0.75, 1.1, 200)
    scale, zero_point = np.float32(0.5), np.int8(7)
    for dtype, offset in (("int8", zero_point), ("float8_e4m3fn", None)):
        found = nn.fake_quantize(x, scale, offset, dtype)
        kept = nn.quantize(x, scale, offset, dtype)
        np.testing.assert_array_equal(found, nn.dequantize(kept, scale, offset))
    total = lambda x, scale: rnp.sum(nn.fake_quantize(x, scale, zero_point))  # noqa: E731
    inside = (x / scale >= -135) & (x / scale <= 120)
    np.testing.assert_array_equal(rax.grad(total)(x, scale), inside)
    # Esser et al. (2020), equation 3.
    due = np.where(inside, np.round(x / scale) - x / scale, np.where(x < 0, -135, 120)).sum()
    np.testing.assert_allclose(rax.grad(total, argnums=1)(x, scale), due, rtol=1e-6)
    tangent = rax.jvp(lambda x: nn.fake_quantize(x, scale, zero_point), (x,), (np.ones_like(x),))[1]
    np.testing.assert_array_equal(tangent, inside)
    assert rax.grad(lambda x: rnp.sum(nn.fake_quantize(x, 0.5) ** 2))(rnp.asarray([0.3])).tolist() == [1.0]
    wide = nn.fake_quantize(x.astype(ml_dtypes.bfloat16), scale)
    assert wide.dtype is rnp.bfloat16


@pytest.mark.parametrize("count", [0, 1, 200, 600, 1100, 2500])
@pytest.mark.parametrize(
    ("first", "second"), [("int8", "int8"), ("uint8", "int8"), ("uint8", "uint8"), ("int16", "uint16")]
)
def test_integer_products_are_exact(count: int, first: str, second: str) -> None:
    low, high = np.iinfo(first), np.iinfo(second)
    x = RNG.integers(low.min, low.max, (3, count), dtype=first, endpoint=True)
    y = RNG.integers(high.min, high.max, (count, 2), dtype=second, endpoint=True)
    x[0], y[:, 0] = low.min or low.max, high.min or high.max  # the largest sums there can be
    due = x.astype(np.int64) @ y.astype(np.int64)
    np.testing.assert_array_equal(rax.jit(nn.widening_matmul)(x, y), due.astype(np.int32))
    wide = rax.jit(lambda x, y: nn.widening_matmul(x, y, preferred_element_type="int64"))(x, y)
    np.testing.assert_array_equal(wide, due)


def test_zero_points_come_in_by_sums() -> None:
    x = RNG.integers(0, 256, (2, 3, 5), dtype=np.uint8)
    y = RNG.integers(-128, 128, (5, 4), dtype=np.int8)
    rows, columns = np.array([3, 250, 128], np.uint8), np.array([-128, 127, 5, 0], np.int8)
    due = (x.astype(np.int32) - rows[:, None].astype(np.int32)) @ (y.astype(np.int32) - columns)
    found = rax.jit(nn.matmul_integer)(x, y, rows, columns)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, due)
    graph = rax.trace(nn.matmul_integer, rax.spec((2, "n"), "uint8"), rax.spec(("n", 4), "int8"), rax.spec((), "uint8"),
                      rax.spec((4,), "int8"))  # fmt: skip
    due = (x[0, :2].astype(np.int32) - 3) @ (y.astype(np.int32) - columns)
    np.testing.assert_array_equal(rax.compile(graph)(x[0, :2], y, np.uint8(3), columns), due)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_narrow_floats_are_added_up_in_float32(dtype: str) -> None:
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    x, y = (RNG.normal(size=shape).astype(kind) for shape in ((3, 70), (70, 2)))
    found = rax.jit(nn.widening_matmul)(x, y)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, x.astype(np.float64) @ y.astype(np.float64), rtol=1e-5, atol=1e-5)
    assert nn.widening_matmul(x[0], y[:, 0]).shape == ()
    with pytest.raises(rax.TypeInferenceError, match=r"adds up .* in a wider dtype of their kind, not in int32"):
        nn.widening_matmul(x, y, preferred_element_type="int32")


def test_a_widening_product_differentiates_and_batches_as_its_body() -> None:
    x, y = (RNG.normal(size=shape).astype("float16") for shape in ((3, 4), (4, 2)))

    def loss(product: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        return lambda x, y: rnp.sum(product(x, y) ** 2)

    plain = loss(lambda x, y: rnp.astype(x, "float32") @ rnp.astype(y, "float32"))
    for position in (0, 1):
        found = rax.grad(loss(nn.widening_matmul), argnums=position)(x, y)
        assert found.dtype == np.float16
        np.testing.assert_array_equal(found, rax.grad(plain, argnums=position)(x, y))
    graph = rax.trace(
        rax.vmap(nn.widening_matmul, in_axes=(0, None)), rax.spec(("n", 3, 4), "int8"), rax.spec((4, 2), "int8")
    )
    assert [node.op for node in graph.nodes if node.op.name.endswith("matmul")] == [WideningMatMul(rnp.int32)]


def test_a_dense_layer_in_int8() -> None:
    x = RNG.normal(size=(2, 3, 32)).astype(np.float32)
    w, bias = RNG.normal(size=(32, 5)).astype(np.float32), RNG.normal(size=5).astype(np.float32)
    due = x @ w + bias
    scale, _ = nn.quantization_parameters(w.min(0), w.max(0))
    weight = nn.quantize(w, scale, axis=1)
    x_scale, x_zero_point = nn.quantization_parameters(x.min(), x.max(), "uint8", symmetric=False)
    for found in (
        nn.quantized_dense(x, weight, scale, bias),
        nn.quantized_dense(x, weight, scale, bias, x_scale=x_scale, x_zero_point=x_zero_point),
    ):
        # Half a step for each factor of each of 32 terms, at random signs.
        assert np.abs(found.numpy() - due).max() < 0.25
    plain = np.round(x / np.abs(x).max(-1, keepdims=True) * 127) @ weight.numpy().astype(np.float32)
    plain = plain * (np.abs(x).max(-1, keepdims=True) / 127) * scale.numpy()
    np.testing.assert_allclose(nn.quantized_dense(x, weight, scale), plain, rtol=1e-4, atol=1e-4)
    half = nn.quantized_dense(x.astype(ml_dtypes.bfloat16), weight, scale, bias)
    assert half.dtype is rnp.bfloat16


def features(images: Array, w: Array, b: Array) -> Array:
    return np.maximum(images @ w + b, 0)


def test_digits_in_int8_lose_less_than_a_point(tmp_path: Path) -> None:
    """Random features and a least-squares readout: a network of two layers, trained in one solve."""
    digits: Any = load_digits()
    rng = np.random.default_rng(0)
    images, labels = (digits.data / 16).astype(np.float32), digits.target
    train, test = slice(0, 1200), slice(1200, None)
    w1 = (rng.normal(size=(64, 256)) / 4).astype(np.float32)
    b1 = (rng.normal(size=256) / 3).astype(np.float32)
    hidden = features(images[train], w1, b1)
    gram = hidden.T @ hidden + 3 * np.eye(256)
    w2 = np.linalg.solve(gram, hidden.T @ (np.eye(10)[labels[train]] - 0.1)).astype(np.float32)
    exact = (features(images, w1, b1) @ w2).argmax(1)
    scales = [np.abs(w).max(0) / np.float32(127) for w in (w1, w2)]
    params = {
        "w1": nn.quantize(w1, scales[0], axis=1),
        "s1": scales[0],
        "b1": b1,
        "w2": nn.quantize(w2, scales[1], axis=1),
        "s2": scales[1],
    }
    x_scale, x_zero = nn.quantization_parameters(0.0, 1.0, "uint8", symmetric=False)
    most = float(hidden.max())

    def predict(params: dict[str, rax.Tensor], images: rax.Tensor) -> rax.Tensor:
        layer = nn.quantized_dense(
            images, params["w1"], params["s1"], params["b1"], x_scale=x_scale, x_zero_point=x_zero
        )
        h_scale, h_zero = nn.quantization_parameters(0.0, most, "uint8", symmetric=False)
        scores = nn.quantized_dense(nn.relu(layer), params["w2"], params["s2"], x_scale=h_scale, x_zero_point=h_zero)
        return rnp.argmax(scores, axis=-1)

    specs = {name: rax.spec(np.shape(value), value.dtype) for name, value in params.items()}
    graph = rax.trace(predict, specs, rax.spec(("n", 64)))
    assert [n.op.name for n in graph.nodes if "matmul" in n.op.name] == ["widening_matmul"] * 2
    rax.save(rax.Program({"main": graph}, defaults={"params": params}), tmp_path / "int8")
    assert (tmp_path / "int8").stat().st_size < 0.45 * sum(4 * w.size for w in (w1, w2))
    (found,) = Entry(rax.load(tmp_path / "int8")).run({"images": images}).values()
    accuracy = [(guess == labels)[test].mean() for guess in (exact, found)]
    assert accuracy[0] > 0.93
    assert abs(accuracy[0] - accuracy[1]) < 0.01
    assert (exact == found).mean() > 0.98
