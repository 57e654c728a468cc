"""Functions that SciPy and scikit-learn write against the array API are traced, run and differentiated.

They find ``rax.numpy`` by ``x.__array_namespace__()``; tests/conftest.py switches them to the array API.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
import sklearn
from sklearn import preprocessing
from sklearn.metrics import pairwise

import rax
import rax.numpy as rnp
from rax.ops.arrays import Array

# Imported so that a type checker does not infer what SciPy's code returns: it takes long, and is wrong for tensors.
integrate, signal, special, stats, vq = (
    cast("Any", importlib.import_module(f"scipy.{name}"))
    for name in ("integrate", "signal", "special", "stats", "cluster.vq")
)


def imaginary(x: Any) -> Any:
    return x.imag if isinstance(x, np.ndarray) else rnp.imag(x)


SCIPY: dict[str, Callable[[Any], Any]] = {
    "logsumexp": lambda x: special.logsumexp(x, axis=0),
    "softmax": lambda x: special.softmax(x, axis=-1),
    "log_softmax": lambda x: special.log_softmax(x, axis=-1),
    "moment": lambda x: stats.moment(x, 3, axis=0),
    "skew": lambda x: stats.skew(x, axis=0),
    "kurtosis": lambda x: stats.kurtosis(x, axis=0),
    "variation": lambda x: stats.variation(x, axis=0),
    "sem": lambda x: stats.sem(x, axis=0),
    "zscore": lambda x: stats.zscore(x, axis=0),
    "gmean": lambda x: stats.gmean(x**2, axis=0),
    "circmean": lambda x: stats.circmean(x, axis=0),
    "boxcox_llf": lambda x: stats.boxcox_llf(0.5, x[:, 0] ** 2),
    "trapezoid": lambda x: integrate.trapezoid(x, axis=0),
    "whiten": lambda x: vq.whiten(x),
    "hilbert": lambda x: imaginary(signal.hilbert(x, axis=0)),
}
SKLEARN: dict[str, Callable[[Any], Any]] = {
    "euclidean_distances": lambda x: pairwise.euclidean_distances(x, 2 * x[:2]),
    "rbf_kernel": lambda x: pairwise.rbf_kernel(x, x[:2]),
    "cosine_similarity": lambda x: pairwise.cosine_similarity(x, x[:2]),
    "polynomial_kernel": lambda x: pairwise.polynomial_kernel(x, x[:2]),
    "sigmoid_kernel": lambda x: pairwise.sigmoid_kernel(x, x[:2]),
    "normalize": lambda x: preprocessing.normalize(x),
}


def data() -> Array:
    return np.random.default_rng(0).normal(size=(5, 3))


def check(function: Callable[[Any], Any]) -> None:
    x = data()
    due = function(x)
    graph = rax.trace(function, rax.spec(x.shape, "float64"))
    for result in (function(rnp.asarray(x)), graph(x)):
        np.testing.assert_allclose(np.asarray(result), due, rtol=1e-9, atol=1e-12)

    weights = np.arange(due.size, dtype=float).reshape(due.shape) + 1
    gradient = rax.grad(lambda x: rnp.sum(weights * function(x)))(x)
    dx = np.random.default_rng(1).normal(size=x.shape)
    step = 1e-6
    slope = np.sum(weights * (function(x + step * dx) - function(x - step * dx))) / (2 * step)
    np.testing.assert_allclose(np.sum(np.asarray(gradient) * dx), slope, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", SCIPY)
def test_scipy(name: str) -> None:
    check(SCIPY[name])


@pytest.mark.parametrize("name", SKLEARN)
def test_scikit_learn(name: str) -> None:
    # Whether all elements are finite cannot be asked of a graph.
    with sklearn.config_context(array_api_dispatch=True, assume_finite=True):
        check(SKLEARN[name])
