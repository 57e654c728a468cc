"""Special values, as the array API standard (2025.12) gives them, and derivatives at corners."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import special

from rax.autodiff.jvp import jvp_graph
from rax.autodiff.transforms import TRANSFORMS
from rax.ir.graph import Graph
from rax.ir.node import new_input
from rax.ir.op import REGISTRY
from rax.ir.types import TensorType, as_dtype
from rax.ops.activations import Gelu
from rax.ops.arrays import numpy_dtype
from rax.runtime.executable import compile
from rax.runtime.reference import evaluate_graph
from tests.ops import laws

# One line a case: operation, operands, result. Where NumPy differs, the standard holds.
REAL = """
floor_divide inf 2 inf
floor_divide -inf 2 -inf
floor_divide inf -2 -inf
floor_divide inf inf nan
floor_divide 1 -inf -0
floor_divide -1 inf -0
floor_divide -1 -inf 0
floor_divide -0 2 -0
floor_divide 3 0 inf
floor_divide -3 0 -inf
floor_divide 0 0 nan
floor_divide -3 2 -2
remainder 1 -inf -inf
remainder -1 inf inf
remainder 1 inf 1
remainder inf 2 nan
remainder 3 0 nan
remainder -0 2 0
remainder 0 -2 -0
remainder -3 2 1
remainder 3 -2 -1
pow -inf 0.5 inf
pow -0 0.5 0
pow nan 0 1
pow 1 nan 1
pow -1 inf 1
pow -2 0.5 nan
pow 0 -1 inf
pow -0 -1 -inf
pow -inf 3 -inf
maximum nan 1 nan
maximum 1 nan nan
minimum nan 1 nan
minimum 1 nan nan
hypot inf nan inf
hypot nan -inf inf
logaddexp -inf -inf -inf
logaddexp inf -inf inf
atan2 0 -0 3.141592653589793
atan2 -0 -0 -3.141592653589793
atan2 inf inf 0.7853981633974483
copysign nan -0 nan
copysign 2 -0 -2
nextafter 0 -0 -0
sign -0 0
sign nan nan
round 0.5 0
round 1.5 2
round -0.5 -0
floor -0 -0
ceil -0.5 -0
trunc -0.5 -0
sqrt -0 -0
sqrt -1 nan
log 0 -inf
log -1 nan
log1p -1 -inf
exp -inf 0
expm1 -0 -0
acosh 0.5 nan
atanh 1 inf
abs -0 0
relu nan nan
relu -inf 0
sigmoid -inf 0
sigmoid inf 1
erf inf 1
erf -0 -0
softplus -inf 0
softplus inf inf
"""


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_special_values_are_those_of_the_standard(dtype: str) -> None:
    kind = numpy_dtype(as_dtype(dtype))
    wrong: list[str] = []
    for line in REAL.strip().splitlines():
        name, *numbers = line.split()
        *operands, due = [np.array(float(number)).astype(kind) for number in numbers]
        with np.errstate(all="ignore"):
            result = np.asarray(REGISTRY[name]().reference(*operands))
        nans = np.isnan(due) and np.isnan(result)
        if not nans and result.tobytes() != due.tobytes():
            wrong.append(f"{line}, not {result}")
    assert wrong == []


@pytest.mark.parametrize(
    ("name", "operand", "due"),
    [
        ("expm1", complex(np.inf, 0), complex(np.inf, 0)),
        ("expm1", complex(-np.inf, np.inf), complex(-1, 0)),
        ("expm1", complex(np.nan, 0), complex(np.nan, 0)),
        ("sqrt", complex(-4, -0.0), complex(0, -2)),
        ("log", complex(-1, -0.0), complex(0, -np.pi)),
        ("sign", complex(3, 4), complex(0.6, 0.8)),
        ("sign", 0j, 0j),
        ("abs", complex(np.nan, -np.inf), np.inf),
        ("round", complex(0.5, 1.5), complex(0, 2)),
    ],
)
def test_special_values_of_complex_numbers(name: str, operand: complex, due: complex) -> None:
    with np.errstate(all="ignore"):
        result = REGISTRY[name]().reference(np.array(operand))
    np.testing.assert_allclose(result, due, rtol=1e-15)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize(
    ("name", "operand", "due"),
    [
        ("expm1", (-0.0, 0.0), (0.0, 0.0)),
        ("expm1", (-0.0, -0.0), (0.0, -0.0)),
        ("tanh", (INF, 2.0), (1.0, 0.0)),
        ("tanh", (INF, -2.0), (1.0, -0.0)),
        ("tanh", (-INF, 5.0), (-1.0, 0.0)),
        ("tanh", (-0.0, 0.0), (-0.0, 0.0)),
        ("tanh", (NAN, 0.0), (NAN, 0.0)),
        ("tan", (2.0, INF), (0.0, 1.0)),
        ("tan", (-2.0, -INF), (-0.0, -1.0)),
        ("cosh", (0.0, 0.0), (1.0, 0.0)),
        ("sinh", (NAN, 0.0), (NAN, 0.0)),
        ("exp", (-INF, INF), (0.0, 0.0)),
        ("sqrt", (-0.0, 0.0), (0.0, 0.0)),
        ("sqrt", (NAN, INF), (INF, INF)),
        ("acos", (0.0, NAN), (np.pi / 2, NAN)),
        ("atanh", (INF, -INF), (0.0, -np.pi / 2)),
        ("log", (-0.0, -0.0), (-INF, -np.pi)),
        ("sign", (-0.0, -0.0), (0.0, 0.0)),
    ],
)
def test_complex_special_values_keep_the_signs_of_zeros(
    name: str, operand: tuple[float, float], due: tuple[float, float], dtype: str
) -> None:
    x, wanted = np.zeros(2, dtype), np.zeros(2, dtype)
    x[:], wanted[:] = complex(*operand), complex(*due)
    with np.errstate(all="ignore"):
        reference = REGISTRY[name]().reference(x)
    value = new_input("x", TensorType(as_dtype(dtype), (2,)))
    (compiled,) = compile(Graph([value], [REGISTRY[name]()(value)])).run([x])
    for result in (reference, compiled):
        for part, truth in ((np.real(result), np.real(wanted)), (np.imag(result), np.imag(wanted))):
            np.testing.assert_allclose(part, truth, rtol=1e-6)
            assert np.all(np.isnan(truth) | (np.signbit(part) == np.signbit(truth)))


# Operation, operands, tangents, tangent of the result.
CORNERS = [
    ("maximum", (2, 2), (1, 0), 0.5),
    ("maximum", (2, 2), (0, 1), 0.5),
    ("minimum", (2, 2), (1, 1), 1),
    ("abs", (0,), (1,), 0),
    ("relu", (0,), (1,), 0),
    ("sign", (0,), (1,), 0),
    ("sqrt", (0,), (1,), np.inf),
    ("hypot", (0, 0), (1, 1), 0),
    ("copysign", (0, -1), (1, 1), 0),
    ("pow", (0, 2), (1, 0), 0),
    ("pow", (0, 1), (1, 0), 1),
    ("pow", (0, 0), (1, 1), 0),
    ("pow", (0, 3), (1, 1), 0),
    ("pow", (np.inf, 0), (1, 0), 0),
    ("pow", (-2, 3), (1, 0), 12),
    ("logaddexp", (np.inf, 0), (1, 0), 1),
    ("logaddexp", (np.inf, 0), (0, 1), 0),
    ("logaddexp", (-np.inf, -np.inf), (1, 0), 0.5),
    ("logaddexp", (np.inf, np.inf), (0, 1), 0.5),
    ("sigmoid", (np.inf,), (1,), 0),
    ("softplus", (-np.inf,), (1,), 0),
    ("tanh", (np.inf,), (1,), 0),
    ("clip", (5, 0, 5), (1, 0, 0), 0.5),
]


@pytest.mark.parametrize(("name", "operands", "tangents", "due"), CORNERS)
def test_derivatives_at_corners(
    name: str, operands: tuple[float, ...], tangents: tuple[float, ...], due: float
) -> None:
    type = TensorType(as_dtype("float64"), ())
    inputs = [new_input("x", type) for _ in operands]
    active = tuple(tangent != 0 for tangent in tangents)
    derivative, (some,) = jvp_graph(TRANSFORMS, Graph(inputs, [REGISTRY[name]()(*inputs)]), active)
    numbers = [np.array(number, np.float64) for number in (*operands, *filter(None, tangents))]
    result = evaluate_graph(derivative, numbers)
    assert (result[1] if some else 0.0) == due


def test_reverse_second_derivatives_of_powers_at_0_are_finite() -> None:
    type = TensorType(as_dtype("float64"), ())
    x, y = new_input("x", type), new_input("y", type)
    graph = Graph([x, y], [REGISTRY["pow"]()(x, y)])
    back, _ = laws.cotangent_graph(graph)
    twice, _ = laws.cotangent_graph(back)
    one = np.array(1.0)
    for exponent, due in ((0.0, 0.0), (1.0, 0.0), (2.0, 2.0), (3.0, 0.0)):
        results = evaluate_graph(twice, [np.array(0.0), np.array(exponent), one, one, np.array(0.0)])
        assert results[0] == due, exponent
        assert np.all(np.isfinite(results))


def test_the_branch_not_taken_stays_out_of_the_forward_derivative() -> None:
    type = TensorType(as_dtype("float64"), ())
    x = new_input("x", type)
    where, greater, log = (REGISTRY[name]() for name in ("where", "greater", "log"))
    graph = Graph([x], [where(greater(x, x), log(x), x)])
    derivative, _ = laws.tangent_graph(graph)
    assert evaluate_graph(derivative, [np.array(0.0), np.array(1.0)])[1] == 1


def test_an_integer_to_a_negative_power_fails_when_evaluated() -> None:
    type = TensorType(as_dtype("int32"), ())
    x = new_input("x", type)
    graph = Graph([x], [REGISTRY["pow"]()(x, x)])
    with pytest.raises(Exception, match="pow failed: Integers to negative integer powers are not allowed"):
        evaluate_graph(graph, [np.array(-1, np.int32)])


@pytest.mark.parametrize(
    ("name", "truth"),
    [
        ("erf", special.erf),
        ("sigmoid", special.expit),
        ("softplus", lambda x: np.logaddexp(x, 0)),
        ("silu", lambda x: x * special.expit(x)),
    ],
)
def test_smooth_functions_are_exact_over_their_range(name: str, truth: Callable[[np.ndarray], np.ndarray]) -> None:
    x = np.linspace(-80, 80, 4001).astype(np.float32)
    with np.errstate(all="ignore"):
        result = REGISTRY[name]().reference(x)
    np.testing.assert_allclose(result, truth(x.astype(np.float64)), rtol=4e-7, atol=1e-38)


def test_gelu_weighs_by_the_normal_distribution() -> None:
    x = np.linspace(-6, 6, 1001)
    exact, approximate = (Gelu(choice).reference(x) for choice in (False, True))
    np.testing.assert_allclose(exact, x * special.ndtr(x), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(approximate, exact, atol=5e-4)
