"""Every distribution against SciPy's: Kolmogorov and Smirnov's test, chi-square, tails, derivatives, keys and shapes.

Keys are fixed, so each test passes always or never; a p-value above 1e-4 was asked for before any was seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

import rax
import rax.numpy as rnp
from rax import random
from rax.frontend.promotion import TensorLike

LEAST = 1e-4
COUNT = 20_000
KEY = random.key(7)

Draw = Callable[..., rax.Tensor]
CONTINUOUS: list[tuple[str, Draw, tuple[float, ...], Any]] = [
    ("normal", random.normal, (), stats.norm),
    ("laplace", random.laplace, (), stats.laplace),
    ("logistic", random.logistic, (), stats.logistic),
    ("cauchy", random.cauchy, (), stats.cauchy),
    ("maxwell", random.maxwell, (), stats.maxwell),
    ("gumbel", random.gumbel, (), stats.gumbel_r),
    ("truncated_normal", random.truncated_normal, (-1.0, 2.0), stats.truncnorm(-1, 2)),
    ("truncated_normal", random.truncated_normal, (-math.inf, -3.0), stats.truncnorm(-math.inf, -3)),
    ("truncated_normal", random.truncated_normal, (6.0, 7.0), stats.truncnorm(6, 7)),
    ("pareto", random.pareto, (3.0,), stats.pareto(3)),
    ("weibull_min", random.weibull_min, (2.0, 1.5), stats.weibull_min(1.5, scale=2)),
    ("rayleigh", random.rayleigh, (2.0,), stats.rayleigh(scale=2)),
    ("gamma", random.gamma, (0.1,), stats.gamma(0.1)),
    ("gamma", random.gamma, (0.7,), stats.gamma(0.7)),
    ("gamma", random.gamma, (1.0,), stats.gamma(1)),
    ("gamma", random.gamma, (5.5,), stats.gamma(5.5)),
    ("gamma", random.gamma, (1000.0,), stats.gamma(1000)),
    ("loggamma", random.loggamma, (0.01,), stats.loggamma(0.01)),
    ("loggamma", random.loggamma, (3.0,), stats.loggamma(3)),
    ("beta", random.beta, (0.5, 0.5), stats.beta(0.5, 0.5)),
    ("beta", random.beta, (2.0, 30.0), stats.beta(2, 30)),
    ("chisquare", random.chisquare, (3.0,), stats.chi2(3)),
    ("t", random.t, (2.5,), stats.t(2.5)),
    ("t", random.t, (30.0,), stats.t(30)),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("draw", "args", "law"), [c[1:] for c in CONTINUOUS], ids=[f"{c[0]}{c[2]}" for c in CONTINUOUS]
)
def test_continuous_draws_follow_their_law(draw: Draw, args: tuple[float, ...], law: Any, dtype: str) -> None:
    sample = draw(KEY, *args, (COUNT,), dtype).numpy()
    assert sample.dtype == dtype
    assert stats.kstest(sample.astype(np.float64), law.cdf).pvalue > LEAST


DISCRETE: list[tuple[str, Draw, tuple[float, ...], Any]] = [
    ("geometric", random.geometric, (0.3,), stats.geom(0.3)),
    ("geometric", random.geometric, (0.001,), stats.geom(0.001)),
    ("poisson", random.poisson, (0.2,), stats.poisson(0.2)),
    ("poisson", random.poisson, (4.0,), stats.poisson(4)),
    ("poisson", random.poisson, (9.99,), stats.poisson(9.99)),
    ("poisson", random.poisson, (10.0,), stats.poisson(10)),
    ("poisson", random.poisson, (35.5,), stats.poisson(35.5)),
    ("poisson", random.poisson, (1e5,), stats.poisson(1e5)),
    ("binomial", random.binomial, (10, 0.3), stats.binom(10, 0.3)),
    ("binomial", random.binomial, (10, 0.9), stats.binom(10, 0.9)),
    ("binomial", random.binomial, (100, 0.4), stats.binom(100, 0.4)),
    ("binomial", random.binomial, (1000, 0.95), stats.binom(1000, 0.95)),
    ("binomial", random.binomial, (100_000, 0.5), stats.binom(100_000, 0.5)),
]


@pytest.mark.parametrize(("draw", "args", "law"), [c[1:] for c in DISCRETE], ids=[f"{c[0]}{c[2]}" for c in DISCRETE])
def test_counts_follow_their_law(draw: Draw, args: tuple[float, ...], law: Any) -> None:
    """Chi-square over some forty ranges of about as much probability each, at least 8 draws due in every one."""
    sample = draw(KEY, *args, (COUNT,)).numpy()
    assert sample.dtype == np.int64
    edges = np.unique(law.ppf(np.linspace(0, 1, 41)[1:-1]))
    shares = np.diff(np.concatenate([[0], law.cdf(edges), [1]]))
    counts = np.bincount(np.searchsorted(edges, sample), minlength=shares.size)
    merged = shares * COUNT >= 8
    counts, shares = [np.append(x[merged], x[~merged].sum()) for x in (counts, shares)]
    if shares[-1] * COUNT < 8:
        assert counts[-1] <= 30
        counts, shares = counts[:-1], shares[:-1]
    assert stats.chisquare(counts, shares / shares.sum() * counts.sum()).pvalue > LEAST


def test_the_tails_of_the_normal_are_met_as_often_as_they_should() -> None:
    sample = random.normal(KEY, (2_000_000,)).numpy().astype(np.float64)
    for bound in (3.0, 4.0, 4.75):
        due = sample.size * special.ndtr(-bound)
        for side in (sample, -sample):
            assert abs(np.sum(side > bound) - due) < 4.5 * math.sqrt(due)
    assert np.unique(sample).size > 1_900_000  # a coarse word would repeat itself


def test_moments() -> None:
    """The mean and variance of large draws, within five standard errors."""
    for draw, args, law in [
        (c[1], c[2], c[3]) for c in (*CONTINUOUS, *DISCRETE) if c[0] not in {"cauchy", "t", "pareto"}
    ]:
        sample = draw(random.fold_in(KEY, 1), *args, (COUNT,)).numpy().astype(np.float64)
        mean, variance, _, excess = [float(x) for x in law.stats(moments="mvsk")]
        assert abs(sample.mean() - mean) < 5 * math.sqrt(variance / COUNT)
        assert abs(sample.var() - variance) < 5 * variance * math.sqrt((max(excess, 0) + 2) / COUNT) * 1.5


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types_are_drawn(dtype: str) -> None:
    draws: list[tuple[Draw, tuple[float, ...]]] = [
        (random.gamma, (2.0,)),
        (random.laplace, ()),
        (random.truncated_normal, (-1.0, 1.0)),
    ]
    for draw, args in draws:
        sample = draw(KEY, *args, (4000,), dtype).numpy()
        assert sample.dtype == dtype
        wide = draw(KEY, *args, (4000,), "float32").numpy()
        np.testing.assert_allclose(sample.astype(np.float64), wide, rtol=2**-7, atol=1e-6)


def test_multivariate_normal_vectors_have_their_mean_and_covariance() -> None:
    mean, cov = np.array([1.0, -2.0, 0.5]), np.array([[2.0, 0.6, 0.0], [0.6, 1.0, -0.3], [0.0, -0.3, 0.5]])
    sample = random.multivariate_normal(KEY, mean, cov, (COUNT,)).numpy()
    assert (sample.shape, sample.dtype) == ((COUNT, 3), np.float64)
    # Whitened by the inverse factor, which the draw has not seen, the vectors are standard normal.
    white = (sample - mean) @ np.linalg.inv(np.linalg.cholesky(cov)).T
    assert min(stats.kstest(white[:, axis], stats.norm.cdf).pvalue for axis in range(3)) > LEAST
    assert np.abs(np.cov(sample.T) - cov).max() < 6 * 2 / math.sqrt(COUNT)
    distances = np.einsum("ni,ij,nj->n", sample - mean, np.linalg.inv(cov), sample - mean)
    assert stats.kstest(distances, stats.chi2(3).cdf).pvalue > LEAST


def test_multivariate_normal_draws_move_with_mean_and_covariance() -> None:
    mean, cov = np.array([1.0, -2.0]), np.array([[2.0, 0.6], [0.6, 1.0]])

    def total(mean: TensorLike, cov: TensorLike) -> rax.Tensor:
        return rnp.sum(random.multivariate_normal(KEY, mean, cov, (5,)) ** 2)

    def slope(change: Callable[[float], tuple[Any, Any]]) -> float:
        return (float(total(*change(1e-6))) - float(total(*change(-1e-6)))) / 2e-6

    by_mean, by_cov = rax.grad(total, argnums=(0, 1))(mean, cov)
    for row in np.eye(2):
        assert slope(lambda step, row=row: (mean + step * row, cov)) == pytest.approx(by_mean @ row, rel=1e-6)
    for turn in (np.diag([1.0, 0.0]), np.diag([0.0, 1.0]), np.array([[0.0, 1.0], [1.0, 0.0]])):
        assert slope(lambda step, turn=turn: (mean, cov + step * turn)) == pytest.approx(
            np.sum(by_cov * turn), rel=1e-6
        )


def test_multivariate_normal_draws_are_batched() -> None:
    means, covs = np.arange(6.0).reshape(3, 2), np.stack([np.eye(2) * scale for scale in (1.0, 4.0, 9.0)])
    together = random.multivariate_normal(KEY, means, covs).numpy()
    standard = random.normal(KEY, (3, 2), "float64").numpy()
    np.testing.assert_allclose(together, means + standard * np.array([[1.0], [2.0], [3.0]]), rtol=1e-12)
    assert random.multivariate_normal(KEY, np.zeros(2), covs, (4, 3)).shape == (4, 3, 2)
    assert random.multivariate_normal(KEY, np.zeros(0), np.zeros((0, 0)), (4,)).shape == (4, 0)


def test_dirichlet_vectors_sum_to_1_and_have_beta_marginals() -> None:
    alpha = np.array([0.2, 1.0, 3.0])
    sample = random.dirichlet(KEY, alpha, (COUNT,)).numpy()
    assert sample.shape == (COUNT, 3)
    np.testing.assert_allclose(sample.sum(-1), 1, rtol=1e-12)
    for index, a in enumerate(alpha):
        assert stats.kstest(sample[:, index], stats.beta(a, alpha.sum() - a).cdf).pvalue > LEAST
    tiny = random.dirichlet(KEY, np.full(4, 1e-5), (100,)).numpy()
    assert np.all(np.isfinite(tiny))


def test_rademacher_signs_are_even() -> None:
    sample = random.rademacher(KEY, (COUNT,), "int8").numpy()
    assert sample.dtype == np.int8
    assert set(sample.tolist()) == {-1, 1}
    assert abs(sample.astype(int).sum()) < 5 * math.sqrt(COUNT)


def test_choice_follows_its_probabilities() -> None:
    p = np.array([0.1, 0.0, 0.6, 0.3])
    sample = random.choice(KEY, 4, (COUNT,), p=p).numpy()
    counts = np.bincount(sample, minlength=4)
    assert counts[1] == 0
    assert stats.chisquare(counts[p > 0], COUNT * p[p > 0]).pvalue > LEAST
    even = np.bincount(random.choice(KEY, 4, (COUNT,)).numpy(), minlength=4)
    assert stats.chisquare(even).pvalue > LEAST


def test_choice_without_replacement_takes_each_once() -> None:
    keys = random.split(KEY, 6000)
    pairs = rax.vmap(lambda key: random.choice(key, 3, (2,), replace=False))(keys).numpy()
    assert np.all(pairs[:, 0] != pairs[:, 1])
    _, counts = np.unique(pairs, axis=0, return_counts=True)
    assert stats.chisquare(counts).pvalue > LEAST
    p = np.array([0.5, 0.3, 0.2, 0.0])
    pairs = rax.vmap(lambda key: random.choice(key, 4, (2,), replace=False, p=p))(keys).numpy()
    due = {(i, j): p[i] * p[j] / (1 - p[i]) for i in range(3) for j in range(3) if i != j}
    found = [int(np.sum(np.all(pairs == pair, axis=1))) for pair in due]
    assert sum(found) == len(pairs)
    assert stats.chisquare(found, 6000 * np.array(list(due.values()))).pvalue > LEAST


def test_choice_of_slices_of_a_tensor() -> None:
    table = np.arange(12).reshape(3, 4)
    chosen = random.choice(KEY, table, (2, 5), axis=1).numpy()
    assert chosen.shape == (3, 2, 5)
    assert np.array_equal(chosen[1], chosen[0] + 4)
    words = random.choice(KEY, np.array([10, 20, 30]), (3,), replace=False)
    assert sorted(words.tolist()) == [10, 20, 30]


def test_choice_without_replacement_from_a_symbolic_number() -> None:
    graph = rax.trace(lambda x: random.choice(KEY, x, (2, 2), replace=False), rax.spec(("n",)))
    for size in (4, 7):
        table = np.arange(size, dtype=np.float32)
        assert np.array_equal(graph(table), random.choice(KEY, table, (2, 2), replace=False).numpy())
    with pytest.raises(rax.ExecutionError, match="the slice 0:4 leaves the axis of size 3"):
        graph(np.zeros(3, np.float32))


def test_parameters_broadcast_and_are_each_followed() -> None:
    rates = np.array([0.5, 5.0, 50.0, 500.0])
    means = random.poisson(KEY, rates, (COUNT, 4)).numpy().mean(0)
    assert np.all(np.abs(means - rates) < 5 * np.sqrt(rates / COUNT))
    shapes = np.array([[0.1], [1.0], [10.0]])
    means = random.gamma(KEY, shapes, (3, COUNT)).numpy().mean(1)
    assert np.all(np.abs(means - shapes[:, 0]) < 5 * np.sqrt(shapes[:, 0] / COUNT))
    assert random.beta(KEY, rnp.ones((3, 1)), rnp.ones(4)).shape == (3, 4)
    assert random.binomial(KEY, np.array([3, 1000]), np.array([[0.5], [0.1]])).shape == (2, 2)


def test_ends_of_parameters() -> None:
    assert random.poisson(KEY, np.array([0.0, -1.0, math.nan, math.inf])).tolist() == [0, -1, -1, -1]
    assert random.binomial(KEY, np.array([5, 5, 0, 5, -1]), np.array([0.0, 1.0, 0.5, 1.5, 0.5])).tolist() == [
        0,
        5,
        0,
        -1,
        -1,
    ]
    assert random.geometric(KEY, 1.0, (3,)).tolist() == [1, 1, 1]
    drawn = random.gamma(KEY, np.array([0.0, -1.0, math.nan])).numpy()
    assert drawn[0] == 0
    assert np.all(np.isnan(drawn[1:]))
    assert random.truncated_normal(KEY, 1.0, 1.0, (3,)).tolist() == [1, 1, 1]


@pytest.mark.parametrize("a", [0.05, 0.6, 2.0, 40.0])
def test_the_gamma_draw_moves_with_its_shape_at_a_fixed_share(a: float) -> None:
    draws = random.gamma(KEY, np.full(20, a)).numpy()
    share = special.gammainc(a, draws)
    inside = (share > 1e-3) & (share < 1 - 1e-3)
    step = 1e-5 * a
    ahead, behind = special.gammaincinv(a + step, share), special.gammaincinv(a - step, share)
    value, slope = rax.jvp(lambda a: random.gamma(KEY, a), (np.full(20, a),), (np.ones(20),))
    np.testing.assert_allclose(np.asarray(value), draws)
    np.testing.assert_allclose(np.asarray(slope)[inside], ((ahead - behind) / (2 * step))[inside], rtol=1e-5)
    back = rax.grad(lambda a: rnp.sum(random.gamma(KEY, a)))(np.full(20, a))
    np.testing.assert_allclose(back, slope, rtol=1e-12)


def test_second_derivative_of_the_gamma_draw() -> None:
    a = 2.0
    draw = float(random.gamma(KEY, np.float64(a)))
    share, step = special.gammainc(a, draw), 1e-3
    quantiles = [special.gammaincinv(a + s * step, share) for s in (-1, 0, 1)]
    second = rax.grad(rax.grad(lambda a: random.gamma(KEY, a)))(np.float64(a))
    np.testing.assert_allclose(second, (quantiles[0] - 2 * quantiles[1] + quantiles[2]) / step**2, rtol=1e-4)


def test_gradients_estimate_those_of_expectations() -> None:
    """The mean of draws is a known function of the parameters; so is the mean of their derivatives."""
    slope = rax.grad(lambda a: rnp.mean(random.gamma(KEY, a, (COUNT,)) ** 2))(np.float64(0.5))
    np.testing.assert_allclose(slope, 2 * 0.5 + 1, rtol=0.08)
    alpha = np.array([0.5, 1.0, 2.5])
    slopes = np.asarray(rax.grad(lambda a: rnp.mean(random.dirichlet(KEY, a, (COUNT,))[:, 0]))(alpha))
    total = alpha.sum()
    np.testing.assert_allclose(slopes, [1 / total - 0.5 / total**2, -0.5 / total**2, -0.5 / total**2], atol=5e-3)
    by_bounds = rax.grad(lambda low, high: rnp.mean(random.truncated_normal(KEY, low, high, (COUNT,))), argnums=(0, 1))(
        np.float64(-0.5), np.float64(2.0)
    )
    step = 1e-5
    due = [
        (stats.truncnorm(-0.5 + step, 2).mean() - stats.truncnorm(-0.5 - step, 2).mean()) / (2 * step),
        (stats.truncnorm(-0.5, 2 + step).mean() - stats.truncnorm(-0.5, 2 - step).mean()) / (2 * step),
    ]
    np.testing.assert_allclose(by_bounds, due, atol=1e-2)


DRAWS: list[Draw] = [
    lambda key, size: random.normal(key, size),
    lambda key, size: random.gamma(key, 0.5, size),
    lambda key, size: random.poisson(key, 3.0, size),
    lambda key, size: random.poisson(key, 30.0, size),
    lambda key, size: random.binomial(key, 50, 0.4, size),
    lambda key, size: random.truncated_normal(key, 0.0, 1.0, size),
]


@pytest.mark.parametrize("draw", DRAWS)
def test_vmap_over_keys_draws_what_each_key_would(draw: Draw) -> None:
    keys = random.split(KEY, 3)
    due = np.stack([draw(key, (4,)).numpy() for key in keys])
    assert np.array_equal(rax.vmap(lambda key: draw(key, (4,)))(keys).numpy(), due)
    assert draw(keys, (4,)).shape == (3, 4)


@pytest.mark.parametrize("draw", DRAWS)
def test_a_loaded_file_draws_the_same_for_symbolic_shapes(draw: Draw, tmp_path: Path) -> None:
    graph = rax.trace(lambda key, x: draw(key, x.shape), rax.spec((2,), "uint32"), rax.spec(("n",)))
    rax.save(rax.Program(draw=graph), tmp_path / "draw.msgpack")
    loaded = rax.load(tmp_path / "draw.msgpack")["draw"]
    for count in (0, 5):
        x = np.zeros(count, "float32")
        found = loaded(KEY.numpy(), x)
        assert np.array_equal(found, draw(KEY, (count,)).numpy())
        backend = rax.compile(graph, backend="reference")(KEY.numpy(), x)
        assert np.array_equal(backend, found)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: random.gamma(KEY, rnp.ones(3), (2,)), r"gamma: the parameters do not broadcast from \[3\] to \[2\]"),
        (lambda: random.gamma(KEY, 1.0, (2,), "int32"), "gamma makes floating numbers, not int32"),
        (lambda: random.poisson(KEY, 1.0, (2,), "bool"), "poisson makes real numbers, not bool"),
        (lambda: random.dirichlet(KEY, 1.0), "dirichlet: alpha has no axis"),
        (
            lambda: random.multivariate_normal(KEY, rnp.ones(3), rnp.eye(2)),
            r"multivariate_normal: mean \[3\] and cov \[2, 2\] do not fit",
        ),
        (
            lambda: random.multivariate_normal(KEY, rnp.ones((4, 2)), rnp.eye(2), (3,)),
            r"multivariate_normal: the parameters do not broadcast from \[4\] to \[3\]",
        ),
        (lambda: random.choice(KEY, 3, (4,), replace=False), "choice: 4 of 3 cannot be chosen without replacement"),
        (lambda: random.choice(KEY, 3, p=rnp.ones(2)), r"choice: p has the shape \[2\], not \[3\]"),
        (lambda: random.choice(KEY, rnp.asarray(1.0)), r"choice needs an axis; float32\[\] has none"),
    ],
)
def test_bad_arguments_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(rax.RaxError, match=message):
        call()
