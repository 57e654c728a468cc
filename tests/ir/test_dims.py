"""Symbolic sizes: every law against plain integers, one canonical form, bounds that are sound."""

from __future__ import annotations

import copy
import operator
import pickle
import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rax.ir import dims
from rax.ir.dims import Size, dim, evaluate, substitute
from rax.ir.errors import ParseError, ShapeError

NAMES = ("batch", "m", "n", "k")
Operation = Callable[[Size, Size], Size]
OPERATIONS: dict[str, tuple[Operation, Callable[[int, int], int]]] = {
    "+": (lambda a, b: a + b, operator.add),
    "-": (lambda a, b: a - b, operator.sub),
    "*": (lambda a, b: a * b, operator.mul),
    "//": (dims.floor_divide, operator.floordiv),
    "min": (dims.minimum, lambda *numbers: min(numbers)),
    "max": (dims.maximum, lambda *numbers: max(numbers)),
}

leaves = st.one_of(st.integers(-6, 6), st.sampled_from(NAMES).map(dims.variable))


def combined(*kinds: str) -> st.SearchStrategy[Size]:
    def build(kind: str, left: Size, right: Size) -> Size:
        assume(kind != "//" or right != 0)
        return OPERATIONS[kind][0](left, right)

    return st.recursive(leaves, lambda below: st.builds(build, st.sampled_from(kinds), below, below), max_leaves=7)


sizes = combined(*OPERATIONS)
polynomials = combined("+", "-", "*")
values = st.fixed_dictionaries({name: st.integers(0, 9) for name in NAMES})


def number(size: Size, env: dict[str, int]) -> int:
    """The value of a size; assumes that it has one, which a division by zero denies."""
    try:
        return evaluate(size, env)
    except ShapeError:
        assume(False)
        raise


@pytest.mark.parametrize("kind", sorted(OPERATIONS))
@given(left=sizes, right=sizes, env=values)
def test_an_operation_on_sizes_is_that_operation_on_their_numbers(
    kind: str, left: Size, right: Size, env: dict[str, int]
) -> None:
    symbolic, plain = OPERATIONS[kind]
    a, b = number(left, env), number(right, env)
    assume(kind != "//" or (b != 0 and right != 0))
    assert number(symbolic(left, right), env) == plain(a, b)


@given(left=sizes, right=sizes, env=values)
def test_the_remainder_is_pythons(left: Size, right: Size, env: dict[str, int]) -> None:
    a, b = number(left, env), number(right, env)
    assume(b != 0)
    assert number(left % right, env) == a % b


@given(size=sizes)
def test_printing_then_reading_gives_the_same_object(size: Size) -> None:
    assert dim(str(size)) == size
    assert hash(dim(str(size))) == hash(size)


@given(a=sizes, b=sizes, c=sizes)
def test_polynomials_that_are_equal_are_equal_objects(a: Size, b: Size, c: Size) -> None:
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a * b == b * a
    assert a * (b + c) == a * b + a * c
    assert a - a == 0
    assert dims.minimum(a, b) == dims.minimum(b, a)
    assert dims.maximum(a, b) == dims.maximum(b, a)


@given(a=sizes, b=sizes)
def test_a_product_divides_exactly(a: Size, b: Size) -> None:
    assume(b != 0)
    assert (a * b) // b == a


@given(size=polynomials, first=st.integers(1, 5), second=st.integers(1, 5))
def test_floors_of_floors_join(size: Size, first: int, second: int) -> None:
    assert (size // first) // second == size // (first * second)
    assert size // -first == -size // first


@given(size=sizes, env=values)
def test_bounds_are_sound(size: Size, env: dict[str, int]) -> None:
    low, high = dims.lower_bound(size), dims.upper_bound(size)
    value = number(size, env)
    assert low is None or low <= value
    assert high is None or value <= high


@given(a=sizes, b=sizes, env=values)
def test_comparisons_that_answer_are_right(a: Size, b: Size, env: dict[str, int]) -> None:
    x, y = number(a, env), number(b, env)
    for compare in (operator.ge, operator.gt, operator.le, operator.lt):
        try:
            answer = compare(a, b)
        except ShapeError:
            continue
        assert answer == compare(x, y)


@given(size=sizes, inner=sizes, env=values)
def test_substituting_then_evaluating_is_evaluating_with_the_substitute(
    size: Size, inner: Size, env: dict[str, int]
) -> None:
    value = number(inner, env)
    assume(value >= 0)
    try:
        replaced = substitute(size, {"n": inner})
    except ShapeError:  # a divisor became the number 0
        assume(False)
        raise
    assert number(replaced, env) == number(size, {**env, "n": value})


@given(size=sizes, env=values)
def test_substituting_numbers_for_all_names_gives_the_number(size: Size, env: dict[str, int]) -> None:
    value = number(size, env)
    assert substitute(size, env) == value
    assert type(substitute(size, env)) is int


@given(size=sizes)
def test_substituting_nothing_changes_nothing(size: Size) -> None:
    assert substitute(size, {}) == size
    assert substitute(size, {name: dims.variable(name) for name in NAMES}) == size


@given(size=sizes)
def test_copies_and_pickles_are_equal(size: Size) -> None:
    assert pickle.loads(pickle.dumps(size)) == size
    assert copy.deepcopy(size) == size


@given(size=sizes, env=values)
def test_variables_are_what_the_value_needs(size: Size, env: dict[str, int]) -> None:
    value = number(size, env)
    assert evaluate(size, {name: env[name] for name in dims.variables(size)}) == value


@given(scale=st.integers(-3, 3), offset=st.integers(-5, 5), value=st.integers(0, 20), other=st.integers(0, 20))
def test_solve_finds_the_dim(scale: int, offset: int, value: int, other: int) -> None:
    size = dims.variable("n") * scale + offset + dims.variable("m")
    found = {"m": other}
    assert dims.solve(size, scale * value + offset + other, found) is True
    assert found == ({"m": other, "n": value} if scale else {"m": other})


@pytest.mark.parametrize(
    ("text", "actual", "known"),
    [("2*n", 7, {}), ("n + 1", 0, {}), ("n*m", 6, {}), ("n*n", 9, {}), ("n//2", 3, {}), ("n + m", 3, {})],
)
def test_solve_says_when_it_cannot(text: str, actual: int, known: dict[str, int]) -> None:
    assert dims.solve(dim(text), actual, known) is False
    assert known == {}


def test_solve_uses_the_names_it_knows() -> None:
    known = {"n": 3}
    assert dims.solve(dim("n*m + n"), 15, known)
    assert known == {"n": 3, "m": 4}


def test_a_pickle_is_equal_in_a_process_with_other_string_hashes() -> None:
    size = dim("max(n - 3, 0)*m")
    code = (
        "import pickle, sys; from rax.ir.dims import dim; size = pickle.load(sys.stdin.buffer); "
        "assert size == dim('max(n - 3, 0)*m') and hash(size) == hash(dim('max(n - 3, 0)*m'))"
    )
    subprocess.run([sys.executable, "-c", code], input=pickle.dumps(size), check=True)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("n", "n"),
        ("n + n", "2*n"),
        ("n - n", "0"),
        ("2*3 + 1", "7"),
        ("-n + 3", "-n + 3"),
        ("3 - n", "-n + 3"),
        ("n*m*n", "m*n*n"),
        ("m - n//2", "m - n//2"),
        ("(n - 3)//2 + 1", "(n + 1)//2 - 1"),
        ("-(n//2)", "-(n//2)"),
        ("3*(n//2)", "3*(n//2)"),
        ("m*(n//2)", "m*(n//2)"),
        ("(m//n)//k", "(m//n)//k"),
        ("m//(n//2)", "m//(n//2)"),
        ("m//(n*2)", "m//(2*n)"),
        ("n//2//2", "n//4"),
        ("(2*n + 1)//4", "n//2"),
        ("(4*n + 6)//4", "n + 1"),
        ("(n*m + n)//(m + 1)", "n"),
        ("(n*n - 1)//(n + 1)", "n - 1"),
        ("((n - 3)//2 - 2)//2 + 1", "(n + 1)//4 - 1"),
        ("max(0, n)", "n"),
        ("min(n, n + 1)", "n"),
        ("min(3, n)", "min(n, 3)"),
        ("max(max(k, n), max(n, m))", "max(max(k, m), n)"),
        ("max(n - 1, 0)", "max(n - 1, 0)"),
        ("max(n//2, n)", "n"),
        ("min(n, max(n - 3, 0))", "max(n - 3, 0)"),
    ],
)
def test_canonical_forms(text: str, canonical: str) -> None:
    assert str(dim(text)) == canonical


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("7", 7, 7),
        ("n", 0, None),
        ("-n", None, 0),
        ("n - 3", -3, None),
        ("n*m + 2", 2, None),
        ("min(n, 4)", 0, 4),
        ("max(n - 3, 2)", 2, None),
        ("n - min(n, m)", 0, None),
        ("max(n - 3, 0) - n", -3, 0),
        ("n - 2*(n//2)", 0, 1),
        ("(n + 1)//2 - n//2", 0, 1),
        ("m//n", 0, None),
        ("min(n - m, 5)", None, 5),
    ],
)
def test_bounds(text: str, low: int | None, high: int | None) -> None:
    assert (dims.lower_bound(dim(text)), dims.upper_bound(dim(text))) == (low, high)


def test_a_size_is_an_int_wherever_it_is_constant() -> None:
    n = dims.variable("n")
    for size in (n - n, n * 0, (n + 1) - n, n // n, dims.minimum(n, 0)):
        assert type(size) is int


def test_equal_sizes_hash_alike_and_ints_differ_from_dims() -> None:
    assert len({dim("n + m"), dim("m + n"), dim("2*m - m + n")}) == 1
    assert dim("n") != 3
    assert dim("n") != "n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it ends too early"),
        ("n +", "it ends too early"),
        ("n m", "unexpected 'm'"),
        ("n % 2", "unexpected '%'"),
        ("(n", "expected ')'"),
        ("min(n)", "expected ','"),
        ("n ** 2", "unexpected '*'"),
        ("n / 2", "unexpected '/'"),
        ("2n", "unexpected 'n'"),
        ("n + ٣", "unexpected '٣'"),
        ("größe", "unexpected 'ö'"),
        ("n" + " - (n" * 100 + ")" * 100, "nested too deeply"),
    ],
)
def test_bad_texts_say_why(text: str, why: str) -> None:
    with pytest.raises(ParseError) as caught:
        dim(text)
    shown = text if len(text) <= 100 else text[:100] + "…"
    assert caught.value.what == f"{shown!r} is not a size: {why}"
    assert caught.value.fix == 'write e.g. "batch" or "2*n + 1"'


def test_long_texts_are_refused() -> None:
    with pytest.raises(ParseError, match="at most 8192 numbers, names and signs"):
        dim("n+" * 8000 + "n")
    with pytest.raises(ParseError, match="a number has at most 100 digits"):
        dim("9" * 5000)


def divided(times: int) -> Size:
    """A size that nests divisions."""
    size: Size = dims.variable("n")
    for level in range(times):
        size = dims.floor_divide(size * dims.variable("m") + 1, dims.variable(f"k{level}")) * 2 + dims.variable("m")
    return size


def test_hostile_expressions_are_refused_quickly() -> None:
    wide = "(" + "+".join("abcdefghij") + ")"
    with pytest.raises(ShapeError, match="a size has at most 128 terms"):
        dim("*".join([wide] * 100))
    with pytest.raises(ShapeError, match="nests // more than 32 deep"):
        divided(100)
    chain = dim("+".join(f"min(a{i}, b{i})" for i in range(60)))
    assert dims.lower_bound(chain - dims.variable("z")) is None


@pytest.mark.parametrize("depth", [1, 8, 32])
def test_what_can_be_built_can_be_read(depth: int) -> None:
    assert dim(str(divided(depth))) == divided(depth)


@pytest.mark.parametrize("name", ["min", "max", "a b", "1a", ""])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(ParseError, match="is not a dim name"):
        dims.variable(name)


def test_messages() -> None:
    n = dim("n")
    with pytest.raises(ShapeError, match="the symbolic size n has no truth value"):
        bool(n)
    with pytest.raises(ShapeError, match="the symbolic size n is not a number yet"):
        range(n)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ShapeError, match="the size n is divided by zero"):
        dims.floor_divide(n, 0)
    for compute, what in (
        (lambda: n / 2, "divided with /"),  # pyright: ignore[reportOperatorIssue]
        (lambda: 1.0 / n, "as a divisor with /"),  # pyright: ignore[reportOperatorIssue]
        (lambda: n * 0.5, "times a float"),  # pyright: ignore[reportOperatorIssue]
        (lambda: 0.5 * n, "times a float"),  # pyright: ignore[reportOperatorIssue]
    ):
        with pytest.raises(ShapeError, match=f"the symbolic size n {what} is no size\n  fix: use // for a size"):
            compute()
    with pytest.raises(ShapeError, match="the dim 'n' has no value"):
        evaluate(n, {})
    with pytest.raises(ShapeError, match=r"the size m//n is divided by zero for {'m': 1, 'n': 0}"):
        evaluate(dim("m//n"), {"m": 1, "n": 0})
    with pytest.raises(ParseError, match=r"a size is an int or a dim expression, not 2\.5"):
        dim(2.5)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ParseError, match="not None\n  fix: for a size that is not fixed give a name, such as 'batch'"):
        dim(None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ShapeError) as caught:
        assert n > 3
    assert str(caught.value) == (
        "whether n > 3 depends on the value of n\n"
        "  fix: trace with a fixed size, or use rax.ir.dims.minimum and maximum"
    )


class Index:
    def __index__(self) -> int:
        return 5


def test_shapes_read_anything_that_is_a_size() -> None:
    n = dim("n")
    assert dims.as_shape(3) == (3,)
    assert dims.as_shape(n) == (n,)
    assert dims.as_shape("n + 1") == (n + 1,)
    assert dims.as_shape(["n", 4, n]) == (n, 4, n)
    assert dims.as_shape((Index(),)) == (5,)  # pyright: ignore[reportArgumentType]
    assert dims.as_shape(Index()) == (5,)  # pyright: ignore[reportArgumentType]
    assert dims.as_shape(()) == ()
    with pytest.raises(ShapeError, match=r"the shape \[2, -1\] has a negative size"):
        dims.as_shape((2, -1))


def test_sums_and_products_of_shapes() -> None:
    assert dims.product(()) == 1
    assert dims.product((dim("n"), 2, dim("n"))) == dim("2*n*n")
    assert dims.shape_text((dim("n"), 2)) == "[n, 2]"


def test_powers() -> None:
    n = dim("n")
    assert n**0 == 1
    assert n**3 == n * n * n
    assert (n + 1) ** 2 == n * n + 2 * n + 1
    for power in (-1, 0.5, n):
        with pytest.raises(ShapeError, match=f"the symbolic size n to the power {power} is no size"):
            _ = n**power
    with pytest.raises(ShapeError, match="the symbolic size n as a power is no size"):
        _ = 2**n
