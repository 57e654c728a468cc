"""Functions of SciPy and scikit-learn that use ``linalg``: rotations, principal components, linear models."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import RigidTransform, Rotation
from sklearn import config_context
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

import rax.numpy as rnp
from rax.ops.arrays import Array
from tests.consumers.consumer import Consumer, check, check_gradients, normal, positive, trace, use

CLASSES = np.arange(12) % 3
SIDES = np.arange(12) % 2


@pytest.fixture(autouse=True)
def dispatch() -> Iterator[None]:
    """scikit-learn asks each array for its namespace."""
    with config_context(array_api_dispatch=True, assume_finite=True):
        yield


def turned(angles: Any) -> Any:
    return Rotation.from_euler("xyz", angles)


def aligned(a: Any, b: Any) -> Any:
    return Rotation.align_vectors(a, b)[0]


FUNCTIONS = [
    use("Rotation.from_euler", lambda a: turned(a).as_quat(), normal(2, 3)),
    use("Rotation.from_matrix", lambda a: Rotation.from_matrix(turned(a).as_matrix()).as_rotvec(), normal(2, 3)),
    use("Rotation.from_mrp", lambda m: Rotation.from_mrp(m).as_matrix(), normal(2, 3) / 10),
    use("Rotation.__mul__", lambda a, b: (turned(a) * turned(b)).as_quat(), normal(2, 3), normal(2, 3, seed=1)),
    use("Rotation.mean", lambda a: turned(a).mean().as_matrix(), normal(3, 3)),
    use("Rotation.align_vectors", lambda a, b: aligned(a, b).as_matrix(), normal(5, 3), positive(5, 3)),
    use(
        "RigidTransform.apply",
        lambda shift, a, points: RigidTransform.from_components(shift, turned(a)).apply(points),
        normal(3), normal(3, seed=1), normal(4, 3),
    ),
    use("PCA", lambda x: PCA(2, svd_solver="full").fit_transform(x), normal(6, 3)),
]  # fmt: skip


@pytest.mark.parametrize("case", FUNCTIONS)
def test_traced_as_written(case: Consumer) -> None:
    check(case)


FITTED: dict[str, tuple[Any, Array | None]] = {
    "PCA.transform": (PCA(2, svd_solver="full", whiten=True), None),
    "PCA.score_samples": (PCA(2, svd_solver="covariance_eigh"), None),
    "Ridge.predict": (Ridge(solver="svd"), normal(12)),
    "RidgeClassifier.decision_function": (RidgeClassifier(solver="svd"), SIDES),
    "LinearDiscriminantAnalysis.predict_proba": (LinearDiscriminantAnalysis(), CLASSES),
    "Pipeline.predict": (make_pipeline(StandardScaler(), PolynomialFeatures(2), Ridge(solver="svd")), normal(12)),
}


@pytest.mark.parametrize("name", FITTED)
def test_a_model_is_fitted_with_known_values_and_its_prediction_traced(name: str) -> None:
    estimator, target = FITTED[name]
    data, method = normal(12, 3), name.partition(".")[2]
    arguments = [data] if target is None else [data, target]
    due = getattr(copy.deepcopy(estimator).fit(*arguments), method)
    model = getattr(copy.deepcopy(estimator).fit(*map(rnp.asarray, arguments)), method)
    new = normal(5, 3, seed=1)
    np.testing.assert_allclose(np.asarray(trace(model, [new])(new)), due(new), rtol=1e-9, atol=1e-10)
    check_gradients(model, due, [new])
