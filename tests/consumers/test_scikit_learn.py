"""scikit-learn's functions, traced as they were written; and models fitted first, whose predictions are traced.

Whether all elements are finite cannot be asked of a tensor without value, so scikit-learn is told to assume it, by the
setting it has for that. ``README.md`` lists what cannot be traced, and why.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn import config_context, metrics
from sklearn.externals import array_api_extra as xpx
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import pairwise
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    StandardScaler,
    normalize,
)
from sklearn.utils import extmath

import rax
import rax.numpy as rnp
from tests.consumers.consumer import Consumer, check, check_gradients, normal, positive, same, trace, use

X = positive(6, 3)
Y = positive(4, 3, seed=1)
ROWS = ("n", 3)
CLASSES = np.arange(12) % 3


@pytest.fixture(autouse=True)
def dispatch() -> Iterator[None]:
    """scikit-learn asks each array for its namespace."""
    with config_context(array_api_dispatch=True, assume_finite=True):
        yield


FUNCTIONS = [
    use("linear_kernel", pairwise.linear_kernel, X, Y),
    use("polynomial_kernel", lambda x, y: pairwise.polynomial_kernel(x, y, degree=3), X, Y),
    use("sigmoid_kernel", pairwise.sigmoid_kernel, X, Y),
    use("rbf_kernel", lambda x, y: pairwise.rbf_kernel(x, y, gamma=0.7), X, Y),
    use("laplacian_kernel", pairwise.laplacian_kernel, X, Y),
    use("cosine_similarity", pairwise.cosine_similarity, X, Y),
    use("cosine_distances", pairwise.cosine_distances, X, Y),
    use("euclidean_distances", pairwise.euclidean_distances, X, Y),
    use("manhattan_distances", pairwise.manhattan_distances, X, Y),
    use("paired_euclidean_distances", pairwise.paired_euclidean_distances, X, X[::-1]),
    use("paired_cosine_distances", pairwise.paired_cosine_distances, X, X[::-1]),
    use("paired_manhattan_distances", pairwise.paired_manhattan_distances, X, X[::-1]),
    use("mean_squared_error", lambda a, b: metrics.mean_squared_error(a, b, multioutput="raw_values"), X, X[::-1]),
    use("mean_absolute_error", lambda a, b: metrics.mean_absolute_error(a, b, multioutput="raw_values"), X, X[::-1]),
    use("normalize", normalize, X),
    use("normalize by l1", lambda x: normalize(x, norm="l1"), X),
    use("PolynomialFeatures", lambda x: PolynomialFeatures(3).fit_transform(x), X),
    use("GaussianNB", lambda x: GaussianNB().fit(x, CLASSES).predict_proba(x), normal(12, 2)),
    use("row_norms", extmath.row_norms, X, symbolic=[ROWS]),
    use("softmax", extmath.softmax, X, symbolic=[ROWS]),
    use("cov", xpx.cov, X),
    use("kron", xpx.kron, normal(2, 2), normal(3, 2)),
    use("sinc", xpx.sinc, X, symbolic=[ROWS]),
    use("pad", lambda x: xpx.pad(x, ((1, 2), (0, 1)), constant_values=3.0), X),
    use("create_diagonal", xpx.create_diagonal, normal(4)),
    use("at", lambda x: xpx.at(x)[1:3].multiply(2.0), X, symbolic=[ROWS]),
    use("apply_where", lambda x: xpx.apply_where(x > 0.5, x, rooted, squared), X, symbolic=[ROWS]),
]


def rooted(x: Any) -> Any:
    return x**0.5


def squared(x: Any) -> Any:
    return x * x


@pytest.mark.parametrize("case", FUNCTIONS)
def test_traced_as_written(case: Consumer) -> None:
    check(case)


FITTED: dict[str, Any] = {
    "StandardScaler.transform": StandardScaler(),
    "StandardScaler.inverse_transform": StandardScaler(),
    "MinMaxScaler.transform": MinMaxScaler(clip=True),
    "MaxAbsScaler.transform": MaxAbsScaler(),
    "GaussianNB.predict_proba": GaussianNB(),
    "LogisticRegression.predict_proba": LogisticRegression(),
    "LogisticRegression.decision_function": LogisticRegression(),
    "Pipeline.transform": make_pipeline(MinMaxScaler(), PolynomialFeatures(2), Normalizer()),
}


@pytest.mark.parametrize("name", FITTED)
def test_a_model_is_fitted_with_known_values_and_its_prediction_traced(name: str) -> None:
    method = name.partition(".")[2]
    data = normal(12, 3)
    due = getattr(copy.deepcopy(FITTED[name]).fit(data, CLASSES), method)
    model = getattr(copy.deepcopy(FITTED[name]).fit(rnp.asarray(data), rnp.asarray(CLASSES)), method)
    new = normal(5, 3)
    same(trace(model, [new])(new), due(new))
    check_gradients(model, due, [new])


def test_kernel_of_a_batch_of_any_size_by_vmap() -> None:
    """scikit-learn asks for the length of what it is given; under vmap that is one set of points."""
    graph = rax.trace(rax.vmap(pairwise.rbf_kernel), rax.spec(("batch", 4, 2), "float64"))
    for sets in (3, 1):
        x = normal(sets, 4, 2)
        same(graph(x), np.stack([pairwise.rbf_kernel(points) for points in x]))
