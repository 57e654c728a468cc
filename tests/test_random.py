"""Keyed random numbers: JAX's own values, distributions by statistics, keys and shapes.

The values of ``JAX`` were printed by JAX 0.10.2 with ``jax_enable_x64`` and its default,
partitionable Threefry: ``jax.random.split(jax.random.PRNGKey(0), 3)`` and so on.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

import rax
import rax.numpy as rnp
from rax import random

KEYS = {0: [0, 0], 1: [0, 1], 42: [0, 42], 2**40 + 5: [256, 5], -1: [2**32 - 1, 2**32 - 1]}
SPLIT_3 = [[1797259609, 2579123966], [928981903, 3453687069], [4146024105, 2718843009]]
SPLIT_2_2_OF_42 = [
    [[1832780943, 270669613], [64467757, 2916123636]],
    [[2465931498, 255383827], [3134548294, 894150801]],
]
FOLDED = {
    0: [1797259609, 2579123966],
    1: [928981903, 3453687069],
    7: [2716826189, 292468403],
    2**32 - 1: [743310391, 3789761811],
}
BITS = {
    "uint8": [[167, 146, 40], [53, 183, 67]],
    "uint16": [[20391, 13970, 3624], [43061, 15287, 26947]],
    "uint32": [[4070199207, 4202968722, 1427181096], [2012915765, 2447653815, 710830403]],
    "uint64": [
        [7719171245655871230, 3989946895414531357, 17807037942121513089],
        [10597664315880824766, 9817845818006947190, 6546845030869727645],
    ],
}
UNIFORM = {
    "float16": ["0x1.3e0p-2", "0x1.b40p-3", "0x1.c00p-5", "0x1.500p-1", "0x1.dc0p-3"],
    "bfloat16": ["0x1.4c0p-1", "0x1.240p-1", "0x1.400p-3", "0x1.a00p-3", "0x1.6c0p-1"],
    "float32": ["0x1.e5349cp-1", "0x1.f5086cp-1", "0x1.544438p-2", "0x1.dfeaa0p-2", "0x1.23c874p-1"],
    "float64": [
        "0x1.ac80056666e90p-2",
        "0x1.baf91c7e6ed88p-3",
        "0x1.ee3e9d53441c8p-1",
        "0x1.2624ef17c9d1ap-1",
        "0x1.107ffd8233b78p-1",
    ],
}
UNIFORM_FROM_MINUS_1_TO_3 = ["0x1.e8e09p-1", "0x1.b81ccp+0", "0x1.770fep+0", "0x1.3e7bp+0"]
EXPONENTIAL = {
    "float32": [2.9501280784606934, 3.8434245586395264, 0.4039035439491272, 0.6323691010475159],
    "float64": [0.5420705551711603, 0.24372318502372997, 3.3616342594163338, 0.8544915853232073],
}

COUNT = 20_000
KEY = random.key(2024)


@pytest.mark.parametrize("seed", KEYS)
def test_keys_are_those_of_jax(seed: int) -> None:
    assert random.key(seed).tolist() == KEYS[seed]
    assert random.key(np.int64(seed)).tolist() == KEYS[seed]


def test_a_seed_may_be_a_tensor_of_the_graph() -> None:
    graph = rax.trace(random.key, rax.spec((), "int64"))
    assert graph(np.int64(2**40 + 5)).tolist() == KEYS[2**40 + 5]


def test_a_seed_has_64_bits() -> None:
    assert random.key(2**64 - 1).tolist() == KEYS[-1]
    with pytest.raises(rax.RaxError, match="a seed has 64 bits; 18446744073709551616 has more"):
        random.key(2**64)


def test_a_seed_is_an_integer_scalar() -> None:
    with pytest.raises(rax.RaxError, match=r"a seed is an integer scalar, not float32\[\]"):
        random.key(1.5)
    with pytest.raises(rax.RaxError, match=r"the data of fold_in is an integer scalar, not int64\[2\]"):
        random.fold_in(KEY, np.arange(2))


def test_splits_are_those_of_jax() -> None:
    assert random.split(random.key(0), 3).tolist() == SPLIT_3
    assert random.split(random.key(42), (2, 2)).tolist() == SPLIT_2_2_OF_42
    first, second = random.split(random.key(0))
    assert [first.tolist(), second.tolist()] == SPLIT_3[:2]


@pytest.mark.parametrize("data", FOLDED)
def test_fold_in_is_that_of_jax(data: int) -> None:
    assert random.fold_in(random.key(0), data).tolist() == FOLDED[data]
    folded = rax.trace(random.fold_in, rax.spec((2,), "uint32"), rax.spec((), "int64"))
    assert folded(np.zeros(2, "uint32"), np.int64(data)).tolist() == FOLDED[data]


@pytest.mark.parametrize("dtype", BITS)
def test_bits_are_those_of_jax(dtype: str) -> None:
    assert random.bits(random.key(0), (2, 3), dtype).tolist() == BITS[dtype]


@pytest.mark.parametrize("dtype", UNIFORM)
def test_uniform_is_that_of_jax(dtype: str) -> None:
    drawn = random.uniform(random.key(0), (5,), dtype).numpy().astype(np.float64)
    assert drawn.tolist() == [float.fromhex(number) for number in UNIFORM[dtype]]


def test_uniform_between_bounds_is_that_of_jax() -> None:
    drawn = random.uniform(random.key(42), (4,), "float32", -1.0, 3.0).numpy().astype(np.float64)
    assert drawn.tolist() == [float.fromhex(number) for number in UNIFORM_FROM_MINUS_1_TO_3]


def test_other_draws_are_those_of_jax() -> None:
    zero = random.key(0)
    assert random.randint(zero, (8,), 0, 10).tolist() == [5, 1, 5, 7, 3, 5, 4, 8]
    assert random.randint(zero, (8,), -5, 100, "int32").tolist() == [59, 25, 57, 53, 36, 7, 52, 93]
    assert random.randint(zero, (8,), 0, 7, "uint8").tolist() == [1, 2, 6, 2, 6, 5, 1, 0]
    far = [679464037011877, 242604969382158, 727848943775791, 106550057600319]
    assert random.randint(random.key(42), (4,), -1000, 10**15).tolist() == far
    heads = [0, 1, 0, 0, 0, 0, 0, 0, 1, 1]
    assert random.bernoulli(random.key(42), np.float64(0.3), (10,)).numpy().astype(int).tolist() == heads
    for dtype, due in EXPONENTIAL.items():
        np.testing.assert_allclose(
            random.exponential(zero, (4,), dtype), due, rtol=1e-6 if dtype == "float32" else 1e-14
        )


DISTRIBUTIONS: dict[str, tuple[Callable[..., rax.Tensor], Callable[[np.ndarray], np.ndarray]]] = {
    "uniform": (random.uniform, stats.uniform.cdf),
    "normal": (random.normal, stats.norm.cdf),
    "exponential": (random.exponential, stats.expon.cdf),
    "gumbel": (random.gumbel, stats.gumbel_r.cdf),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_draws_follow_their_distribution(name: str, dtype: str) -> None:
    """Kolmogorov and Smirnov's test; the key is fixed, so this passes always or never."""
    draw, cdf = DISTRIBUTIONS[name]
    sample = draw(KEY, (COUNT,), dtype).numpy()
    assert sample.dtype == dtype
    assert stats.kstest(sample.astype(np.float64), cdf).pvalue > 0.01


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types_have_the_moments_of_the_normal(dtype: str) -> None:
    sample = random.normal(KEY, (COUNT,), dtype).numpy()
    assert sample.dtype == dtype
    wide = sample.astype(np.float64)
    assert abs(wide.mean()) < 5 / math.sqrt(COUNT)
    assert abs(wide.std() - 1) < 5 / math.sqrt(2 * COUNT)


def test_normal_moments_and_independence() -> None:
    sample = random.normal(KEY, (2, COUNT), "float64").numpy()
    assert abs(stats.skew(sample[0])) < 5 * math.sqrt(6 / COUNT)
    assert abs(stats.kurtosis(sample[0])) < 5 * math.sqrt(24 / COUNT)
    assert abs(np.corrcoef(sample)[0, 1]) < 5 / math.sqrt(COUNT)


def test_draws_from_split_keys_are_independent() -> None:
    rows = random.uniform(random.split(KEY, 3), (COUNT,), "float64").numpy()
    between = np.corrcoef(rows)[np.triu_indices(3, 1)]
    assert np.all(np.abs(between) < 5 / math.sqrt(COUNT))


def test_bernoulli_is_true_as_often_as_it_should() -> None:
    share = random.bernoulli(KEY, 0.3, (COUNT,)).numpy().mean()
    assert abs(share - 0.3) < 5 * math.sqrt(0.21 / COUNT)
    assert random.bernoulli(KEY, rnp.asarray([0.0, 1.0])).tolist() == [False, True]


def test_randint_is_even_over_its_range() -> None:
    sample = random.randint(KEY, (COUNT,), -3, 4, "int8").numpy()
    values, counts = np.unique(sample, return_counts=True)
    assert values.tolist() == [-3, -2, -1, 0, 1, 2, 3]
    assert stats.chisquare(counts).pvalue > 0.01
    assert random.randint(KEY, (3,), 7, 7).tolist() == [7, 7, 7]


def test_randint_reaches_both_ends_of_its_dtype() -> None:
    sample = random.randint(KEY, (COUNT,), 0, 256, "uint8").numpy()
    assert (sample.min(), sample.max()) == (0, 255)


def test_categorical_follows_the_softmax() -> None:
    logits = np.log([0.2, 0.5, 0.3]).astype("float32")
    counts = np.bincount(random.categorical(KEY, logits, shape=(COUNT,)).numpy())
    assert stats.chisquare(counts, COUNT * np.array([0.2, 0.5, 0.3])).pvalue > 0.01


def test_categorical_along_any_axis() -> None:
    logits = np.full((3, 4), -100.0, "float32")
    logits[[2, 0, 1, 1], range(4)] = 100.0
    assert random.categorical(KEY, logits, axis=0).tolist() == [2, 0, 1, 1]
    assert random.categorical(KEY, logits.T, shape=(5, 4)).tolist() == [[2, 0, 1, 1]] * 5


def test_permutation_of_a_size_and_of_a_tensor() -> None:
    order = random.permutation(KEY, 1000).numpy()
    assert sorted(order.tolist()) == list(range(1000))
    assert abs(np.corrcoef(order, np.arange(1000))[0, 1]) < 5 / math.sqrt(1000)
    table = np.arange(12).reshape(3, 4)
    shuffled = random.permutation(KEY, table, axis=1).numpy()
    assert sorted(shuffled[0].tolist()) == [0, 1, 2, 3]
    assert np.all(shuffled == table[:, shuffled[0]])


def test_permutations_are_all_as_likely() -> None:
    keys = random.split(KEY, 6000)
    orders = rax.vmap(lambda key: random.permutation(key, 3))(keys).numpy()
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 0.01


def test_vmap_over_keys_draws_what_each_key_would() -> None:
    keys = random.split(KEY, 4)
    together = rax.vmap(lambda key: random.normal(key, (3,)))(keys).numpy()
    assert np.array_equal(together, np.stack([random.normal(key, (3,)).numpy() for key in keys]))


@pytest.mark.parametrize("batch", [0, 1, 7])
def test_shapes_may_be_symbolic(batch: int) -> None:
    graph = rax.trace(
        lambda key, x: (random.normal(key, x.shape), random.permutation(key, x.shape[0])),
        rax.spec((2,), "uint32"),
        rax.spec(("batch", 2)),
    )
    noise, order = graph(np.array([0, 3], "uint32"), np.zeros((batch, 2), "float32"))
    assert np.array_equal(noise, random.normal(random.key(3), (batch, 2)).numpy())
    assert sorted(order.tolist()) == list(range(batch))


def test_the_same_key_gives_the_same_numbers() -> None:
    assert np.array_equal(random.normal(KEY, (8,)).numpy(), random.normal(KEY, (8,)).numpy())
    other = random.normal(random.fold_in(KEY, 1), (8,)).numpy()
    assert not np.array_equal(random.normal(KEY, (8,)).numpy(), other)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: random.uniform(KEY, (2,), "int32"), "uniform makes floating numbers, not int32"),
        (lambda: random.normal(KEY, (2,), "bool"), "normal makes floating numbers, not bool"),
        (lambda: random.bits(KEY, (2,), "int32"), "bits are of an unsigned dtype, not int32"),
        (lambda: random.randint(KEY, (2,), 0, 3, "float32"), "randint works on integers, not float32"),
        (lambda: random.randint(KEY, (2,), 0.5, 3), "randint works on integers, not float32"),
        (lambda: random.permutation(KEY, rnp.asarray(3.0)), r"permutation needs an axis; float32\[\] has none"),
        (lambda: random.uniform(rnp.zeros((3,)), (2,)), r"a key is a tensor uint32\[2\], not float32\[3\]"),
        (lambda: random.normal(0, (2,)), r"a key is a tensor uint32\[2\], not int64\[\]"),
        (lambda: random.fold_in(0, 1), r"a key is a tensor uint32\[2\], not int64\[\]"),
    ],
)
def test_bad_arguments_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(rax.RaxError, match=message):
        call()
