"""The namespace is the array API standard's: its names, and its signatures.

What NumPy takes by position may be given so; the standard asks for such arguments by name only.
Where values would fix a shape, a ``size`` may be given too; and ``where`` says itself what it lacks.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.ir.types import DTYPES, DType
from tests.numpy.agree import check_signature, same

# The standard, version 2025.12; annotations left out.
STANDARD = """
arange(start, /, stop=None, step=1, *, dtype=None, device=None)
asarray(obj, /, *, dtype=None, device=None, copy=None)
empty(shape, *, dtype=None, device=None)
empty_like(x, /, *, dtype=None, device=None)
eye(n_rows, n_cols=None, /, *, k=0, dtype=None, device=None)
from_dlpack(x, /, *, device=None, copy=None)
full(shape, fill_value, *, dtype=None, device=None)
full_like(x, /, fill_value, *, dtype=None, device=None)
linspace(start, stop, /, num, *, dtype=None, device=None, endpoint=True)
meshgrid(*arrays, indexing='xy')
ones(shape, *, dtype=None, device=None)
ones_like(x, /, *, dtype=None, device=None)
tril(x, /, *, k=0)
triu(x, /, *, k=0)
zeros(shape, *, dtype=None, device=None)
zeros_like(x, /, *, dtype=None, device=None)
astype(x, dtype, /, *, copy=True, device=None)
can_cast(from_, to, /)
finfo(type, /)
iinfo(type, /)
isdtype(dtype, kind)
result_type(*arrays_and_dtypes)
clip(x, /, min=None, max=None)
take(x, indices, /, *, axis=None)
take_along_axis(x, indices, /, *, axis=-1)
matmul(x1, x2, /)
matrix_transpose(x, /)
tensordot(x1, x2, /, *, axes=2)
vecdot(x1, x2, /, *, axis=-1)
broadcast_arrays(*arrays)
broadcast_shapes(*shapes)
broadcast_to(x, /, shape)
concat(arrays, /, *, axis=0)
expand_dims(x, /, axis)
flip(x, /, *, axis=None)
moveaxis(x, source, destination, /)
permute_dims(x, /, axes)
repeat(x, repeats, /, *, axis=None)
reshape(x, /, shape, *, copy=None)
roll(x, /, shift, *, axis=None)
squeeze(x, /, axis)
stack(arrays, /, *, axis=0)
tile(x, repetitions, /)
unstack(x, /, *, axis=0)
argmax(x, /, *, axis=None, keepdims=False)
argmin(x, /, *, axis=None, keepdims=False)
count_nonzero(x, /, *, axis=None, keepdims=False)
nonzero(x, /, *, size=None, fill_value=None)
searchsorted(x1, x2, /, *, side='left', sorter=None)
where(condition, x1=None, x2=None, /)
isin(x1, x2, /, *, invert=False)
unique_all(x, /, *, size=None, fill_value=None)
unique_counts(x, /, *, size=None, fill_value=None)
unique_inverse(x, /, *, size=None, fill_value=None)
unique_values(x, /, *, size=None, fill_value=None)
argsort(x, /, *, axis=-1, descending=False, stable=True)
sort(x, /, *, axis=-1, descending=False, stable=True)
cumulative_prod(x, /, *, axis=None, dtype=None, include_initial=False)
cumulative_sum(x, /, *, axis=None, dtype=None, include_initial=False)
max(x, /, *, axis=None, keepdims=False)
mean(x, /, *, axis=None, keepdims=False)
min(x, /, *, axis=None, keepdims=False)
prod(x, /, *, axis=None, dtype=None, keepdims=False)
std(x, /, *, axis=None, correction=0.0, keepdims=False)
sum(x, /, *, axis=None, dtype=None, keepdims=False)
var(x, /, *, axis=None, correction=0.0, keepdims=False)
all(x, /, *, axis=None, keepdims=False)
any(x, /, *, axis=None, keepdims=False)
diff(x, /, *, axis=-1, n=1, prepend=None, append=None)
__array_namespace_info__()
""".strip().splitlines()
FFT = """
fft.fft(x, /, *, n=None, axis=-1, norm='backward')
fft.ifft(x, /, *, n=None, axis=-1, norm='backward')
fft.fftn(x, /, *, s=None, axes=None, norm='backward')
fft.ifftn(x, /, *, s=None, axes=None, norm='backward')
fft.rfft(x, /, *, n=None, axis=-1, norm='backward')
fft.irfft(x, /, *, n=None, axis=-1, norm='backward')
fft.rfftn(x, /, *, s=None, axes=None, norm='backward')
fft.irfftn(x, /, *, s=None, axes=None, norm='backward')
fft.hfft(x, /, *, n=None, axis=-1, norm='backward')
fft.ihfft(x, /, *, n=None, axis=-1, norm='backward')
fft.fftfreq(n, /, *, d=1.0, dtype=None, device=None)
fft.rfftfreq(n, /, *, d=1.0, dtype=None, device=None)
fft.fftshift(x, /, *, axes=None)
fft.ifftshift(x, /, *, axes=None)
""".strip().splitlines()
UNARY = [
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "bitwise_invert", "ceil", "conj", "cos", "cosh",
    "exp", "expm1", "floor", "imag", "isfinite", "isinf", "isnan", "log", "log1p", "log2", "log10", "logical_not",
    "negative", "positive", "real", "reciprocal", "round", "sign", "signbit", "sin", "sinh", "square", "sqrt",
    "tan", "tanh", "trunc",
]  # fmt: skip
BINARY = [
    "add", "atan2", "bitwise_and", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
    "copysign", "divide", "equal", "floor_divide", "greater", "greater_equal", "hypot", "less", "less_equal",
    "logaddexp", "logical_and", "logical_or", "logical_xor", "maximum", "minimum", "multiply", "nextafter",
    "not_equal", "pow", "remainder", "subtract",
]  # fmt: skip
CONSTANTS = ["e", "inf", "nan", "newaxis", "pi"]
EXTENSIONS = {"fft"}
X = np.arange(12.0).reshape(3, 4)
BEYOND_NUMPY = {
    "bfloat16", "float8_e4m3fn", "float8_e5m2", "segment_max", "segment_min", "segment_prod", "segment_sum", "top_k",
}  # fmt: skip


@pytest.mark.parametrize(
    "line", [*STANDARD, *FFT, *[f"{name}(x, /)" for name in UNARY], *[f"{name}(x1, x2, /)" for name in BINARY]]
)
def test_signatures_are_the_standards(line: str) -> None:
    name = line.partition("(")[0]
    check_signature(name, operator.attrgetter(name)(rnp), line)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        *[(name, (X, 0)) for name in (
            "sum", "prod", "max", "min", "mean", "std", "var", "all", "any", "argmax", "argmin", "count_nonzero",
            "sort", "argsort", "flip", "tril", "triu", "fft.fftshift", "fft.ifftshift",
        )],
        *[(name, (X, 1, 0)) for name in ("roll", "repeat")],
        *[(name, ([X, X], 1)) for name in ("concat", "stack")],
        *[(f"fft.{name}", (X, 4, 0, "ortho")) for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")],
        *[(f"fft.{name}n", (X, (2, 4), (0, 1), "ortho")) for name in ("fft", "ifft", "rfft", "irfft")],
        *[(f"fft.{name}", (8, 0.5)) for name in ("fftfreq", "rfftfreq")],
        *[(name, ((2, 3), "float64")) for name in ("zeros", "ones")],
        *[(name, (X, "float64")) for name in ("zeros_like", "ones_like", "asarray")],
        ("full", ((2,), 3, "float64")), ("full_like", (X, 3, "float64")), ("arange", (1, 7, 2, "float64")),
        ("eye", (2, 3, 1)), ("take", (X, np.array([2, 0]), 1)), ("tensordot", (X, X.T, 1)),
        ("take_along_axis", (X, np.array([[1, 0, 1, 2]]), 0)),
        ("searchsorted", (np.arange(3.0), np.arange(3.0), "right")),
        ("linalg.qr", (X, "complete")), ("linalg.svd", (X, False)),
    ],
)  # fmt: skip
def test_what_numpy_takes_by_position_may_be_given_so(name: str, arguments: tuple[Any, ...]) -> None:
    same(operator.attrgetter(name)(rnp)(*arguments), operator.attrgetter(name)(np)(*arguments), exact_dtype=False)


def test_the_names_are_the_standards_numpys_and_few_more() -> None:
    standard = {line.partition("(")[0] for line in STANDARD} | {*UNARY, *BINARY, *CONSTANTS, "__array_api_version__"}
    names = set(rnp.__all__)
    assert len(names) == len(rnp.__all__)
    assert names >= standard | set(DTYPES) | EXTENSIONS
    assert names - standard - set(dir(np)) == BEYOND_NUMPY
    assert rnp.__array_api_version__ == "2025.12"


def test_dtypes_are_there_by_name() -> None:
    for name, dtype in DTYPES.items():
        assert getattr(rnp, name) is dtype


def test_the_namespace_describes_itself() -> None:
    info = rnp.__array_namespace_info__()
    assert info.capabilities() == {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}
    assert info.devices() == (info.default_device(),) == ("cpu",)
    assert info.default_dtypes() == {
        "real floating": rnp.float32,
        "complex floating": rnp.complex64,
        "integral": rnp.int64,
        "indexing": rnp.int64,
    }
    assert set(info.dtypes(kind=("bool", "real floating"))) == {"bool", "float32", "float64"}
    assert len(info.dtypes()) == 13
    assert all(isinstance(dtype, DType) for dtype in info.dtypes(device="cpu").values())


def test_what_needs_values_is_no_capability_of_a_trace() -> None:
    """Libraries ask, and choose ``where`` instead of a mask as an index."""
    told: list[dict[str, Any]] = []

    def f(x: Any) -> Any:
        told.append(x.__array_namespace__().__array_namespace_info__().capabilities())
        return x

    rax.trace(f, rax.spec(3))
    assert told == [{"boolean indexing": False, "data-dependent shapes": False, "max dimensions": 64}]
    assert rnp.__array_namespace_info__().capabilities()["boolean indexing"] is True
