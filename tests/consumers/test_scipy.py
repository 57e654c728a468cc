"""SciPy's functions, traced as SciPy wrote them.

``SCIPY_ARRAY_API=1`` (``tests/conftest.py``) makes SciPy ask each array for its namespace. ``README.md`` lists the
functions that cannot be traced, and why.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import constants, fft, integrate, linalg, optimize, signal, special, stats
from scipy.cluster import vq
from scipy.spatial.transform import RigidTransform, Rotation

import rax
from tests.consumers.consumer import Consumer, check, normal, positive, same, trace, use

X = positive(6, 3)
Y = positive(6, 3, seed=1)
ROWS = ("n", 3)


def squared(x: Any) -> Any:
    return x * x


STATISTICS = [
    use("gmean", lambda x, w: stats.gmean(x, axis=0, weights=w), X, Y),
    use("variation", lambda x: stats.variation(x, axis=0, ddof=1), X),
    use("moment", lambda x: stats.moment(x, 3, axis=0), X),
    use("skew", lambda x: stats.skew(x, axis=0, bias=False), X),
    use("kurtosis", lambda x: stats.kurtosis(x, axis=0, bias=False), X),
    use("sem", lambda x: stats.sem(x, axis=0), X),
    use("gstd", lambda x: stats.gstd(x, axis=0), X),
    use("zscore", lambda x: stats.zscore(x, axis=0), X),
    use("gzscore", lambda x: stats.gzscore(x, axis=0), X),
    use("zmap", lambda x, y: stats.zmap(x, y, axis=0), X, Y),
    use("tmean", lambda x: stats.tmean(x, (0.3, 0.8), axis=0), X),
    use("tvar", lambda x: stats.tvar(x, axis=0), X),
    use("tstd", lambda x: stats.tstd(x, axis=0), X),
    use("tsem", lambda x: stats.tsem(x, axis=0), X),
    use("tmax", lambda x: stats.tmax(x, axis=0), X),
    use("kstat", lambda x: stats.kstat(x, 4, axis=0), X),
    use("kstatvar", lambda x: stats.kstatvar(x, 2, axis=0), X),
    use("circmean", lambda x: stats.circmean(x, axis=0), X),
    use("circvar", lambda x: stats.circvar(x, axis=0), X),
    use("circstd", lambda x: stats.circstd(x, axis=0), X),
    use("differential_entropy", lambda x: stats.differential_entropy(x, axis=0), X),
    use("entropy", lambda p, q: stats.entropy(p, q, axis=0), X, Y),
    use("directional_stats", lambda x: stats.directional_stats(x).mean_direction, normal(5, 3), symbolic=[ROWS]),
    use("describe", lambda x: list(stats.describe(x, axis=0))[2:], X),
    use("trim_mean", lambda x: stats.trim_mean(x, 0.2, axis=0), X),
    use("lmoment", lambda x: stats.lmoment(x, 3, axis=0), X),
    use("boxcox_llf", lambda x: stats.boxcox_llf(0.7, x, axis=0), X),
]

SPECIAL = [
    use("logsumexp", lambda x, b: special.logsumexp(x, axis=-1, b=b), normal(4, 5), positive(4, 5)),
    use("softmax", lambda x: special.softmax(x, axis=-1), normal(4, 5), symbolic=[("n", "m")]),
    use("log_softmax", lambda x: special.log_softmax(x, axis=-1), normal(4, 5), symbolic=[("n", "m")]),
    use("xlogy", special.xlogy, X, Y, symbolic=[ROWS, ROWS]),
    use("rel_entr", special.rel_entr, X, Y, symbolic=[ROWS, ROWS]),
]

# SciPy finds these as ``x.__array_namespace__().special``.
NATIVE = [
    use("erf", special.erf, normal(4), symbolic=[("n",)]),
    use("erfinv", special.erfinv, X),
    use("ndtri", special.ndtri, X),
    use("log_ndtr", special.log_ndtr, normal(4), symbolic=[("n",)]),
    use("expit", special.expit, normal(4), symbolic=[("n",)]),
    use("logit", special.logit, X, symbolic=[ROWS]),
    use("entr", special.entr, X, symbolic=[ROWS]),
    use("kl_div", special.kl_div, X, Y),
    use("xlog1py", special.xlog1py, X, Y, symbolic=[ROWS, ROWS]),
    use("gammaln", special.gammaln, X, symbolic=[ROWS]),
    use("digamma", special.digamma, X),
    use("betaln", special.betaln, X, Y, symbolic=[ROWS, ROWS]),
    use("gammainc", special.gammainc, X, Y),
    use("betainc", special.betainc, positive(4), positive(4, seed=1), positive(4, seed=2)),
    use("i0e", special.i0e, normal(4)),
]

TESTS = [
    use("ttest_1samp", lambda x: list(stats.ttest_1samp(x, 0.3)), X),
    use("ttest_ind", lambda x, y: list(stats.ttest_ind(x, y, equal_var=False)), X, positive(5, 3)),
    use("ttest_rel", lambda x, y: list(stats.ttest_rel(x, y)), X, Y),
    use("pearsonr", lambda x, y: list(stats.pearsonr(x, y, axis=0)), X, Y),
    use("skewtest", lambda x: list(stats.skewtest(x)), positive(12, 2)),
    use("kurtosistest", lambda x: list(stats.kurtosistest(x)), positive(24, 2)),
    use("normaltest", lambda x: list(stats.normaltest(x)), positive(24, 2)),
    use("jarque_bera", lambda x: list(stats.jarque_bera(x, axis=0)), X),
    use("chisquare", lambda x: list(stats.chisquare(x)), X),
    use("power_divergence", lambda x: list(stats.power_divergence(x, lambda_="cressie-read")), X),
    use("bartlett", lambda x, y: list(stats.bartlett(x, y)), X, Y),
    use("combine_pvalues", lambda x: list(stats.combine_pvalues(x, axis=0)), X),
    use("alexandergovern", lambda x, y: stats.alexandergovern(x, y).pvalue, normal(6), positive(7)),
]

INTEGRALS = [
    use("trapezoid", lambda y, x: integrate.trapezoid(y, x, axis=-1), normal(4, 7), np.cumsum(positive(7))),
    use("cumulative_trapezoid", lambda y: integrate.cumulative_trapezoid(y, axis=-1), X, symbolic=[ROWS]),
    use("cumulative_simpson", lambda y, dx: integrate.cumulative_simpson(y, dx=dx, axis=0), X, np.array(0.5)),
    use("romb", lambda y: integrate.romb(y, axis=-1), normal(4, 9), symbolic=[("n", 9)]),
]

TURNS = [
    use("Rotation.apply", lambda q, v: Rotation.from_quat(q).apply(v), normal(4), normal(5, 3)),
    use("Rotation.as_matrix", lambda v: Rotation.from_rotvec(v).as_matrix(), normal(2, 3), symbolic=[ROWS]),
    use("Rotation.as_rotvec", lambda q: Rotation.from_quat(q).as_rotvec(), normal(2, 4)),
    use("Rotation.as_euler", lambda q: Rotation.from_quat(q).as_euler("xyz"), normal(2, 4)),
    use("Rotation.as_mrp", lambda q: Rotation.from_quat(q).as_mrp(), normal(2, 4)),
    use("Rotation.inv", lambda q: Rotation.from_quat(q).inv().as_matrix(), normal(2, 4)),
    use("Rotation.magnitude", lambda q: Rotation.from_quat(q).magnitude(), normal(2, 4)),
    use("Rotation.__pow__", lambda q: (Rotation.from_quat(q) ** 0.5).as_quat(), normal(2, 4)),
    use("RigidTransform", lambda c: RigidTransform.from_exp_coords(c).as_matrix(), normal(2, 6)),
]

SIGNALS = [
    use("hilbert", signal.hilbert, normal(3, 8), symbolic=[("n", 8)]),
    use("hilbert2", signal.hilbert2, normal(4, 6)),
    use("envelope", lambda x: signal.envelope(x, (0, 3)), normal(3, 8), symbolic=[("n", 8)]),
    use("fftconvolve", lambda x, y: signal.fftconvolve(x, y, mode="same"), normal(6, 5), normal(3, 2)),
    use("freqs", lambda b, a, w: signal.freqs(b, a, worN=w)[1], normal(3), positive(3), positive(5)),
    use("freqz", lambda b, a: signal.freqz(b, a, worN=5)[1], normal(3), positive(3)),
    use("freqz_zpk", lambda z, p: signal.freqz_zpk(z, p, 1.0, worN=5)[1], normal(3), positive(2)),
    use("resample", lambda x: signal.resample(x, 12), normal(8)),
    use("lp2lp_zpk", lambda z, p: list(signal.lp2lp_zpk(z, p, 1.0, 2.0)[:2]), normal(2), normal(3)),
    use("bilinear_zpk", lambda z, p: list(signal.bilinear_zpk(z, p, 1.0, 2.0)), normal(2), normal(3)),
    use("gauss_spline", lambda x: signal.gauss_spline(x, 3), normal(5), symbolic=[("n",)]),
    use("fft", fft.fft, normal(3, 6), symbolic=[("n", 6)]),
    use("irfftn", lambda x: fft.irfftn(squared(fft.rfftn(x))), normal(3, 6)),
    use("hfft", fft.hfft, normal(3, 5), symbolic=[("n", 5)]),
]

OTHERS = [
    use("whiten", vq.whiten, X),
    use("block_diag", linalg.block_diag, normal(2, 2), normal(1, 3)),
    use("fiedler", linalg.fiedler, normal(4)),
    use("convert_temperature", lambda x: constants.convert_temperature(x, "C", "F"), normal(4), symbolic=[("n",)]),
    use("rosen", optimize.rosen, normal(5), symbolic=[("n",)]),
    use("rosen_hess_prod", optimize.rosen_hess_prod, normal(5), normal(5, seed=1), symbolic=[("n",), ("n",)]),
]


@pytest.mark.parametrize("case", [*STATISTICS, *SPECIAL, *NATIVE, *TESTS, *INTEGRALS, *TURNS, *SIGNALS, *OTHERS])
def test_traced_as_written(case: Consumer) -> None:
    check(case)


def test_derivatives_are_those_that_scipy_wrote_by_hand() -> None:
    x = normal(5)
    same(trace(rax.grad(optimize.rosen), [x])(x), optimize.rosen_der(x))
    same(trace(rax.hessian(optimize.rosen), [x])(x), optimize.rosen_hess(x))


def test_what_counts_elements_takes_a_batch_of_any_size_by_vmap() -> None:
    """Most of scipy.stats computes with the number of elements; under vmap that is the number of one row."""
    graph = rax.trace(rax.vmap(stats.zscore), rax.spec(("batch", 5), "float64"))
    for rows in (4, 1):
        x = normal(rows, 5)
        same(graph(x), stats.zscore(x, axis=-1))


LOADED = """
import sys
import numpy as np
import rax
result = rax.load(sys.argv[1])["main"](np.load(sys.argv[2]))
np.save(sys.argv[3], np.asarray(result))
print("scipy" in sys.modules)
"""


def test_a_file_needs_no_scipy(tmp_path: Path) -> None:
    x = normal(4, 8)

    def smoothness(signals: Any) -> Any:
        return stats.skew(signal.envelope(signals, (0, 3))[0], axis=-1)

    rax.save(trace(smoothness, [x]), tmp_path / "program.msgpack")
    np.save(tmp_path / "x.npy", x)
    names = [str(tmp_path / name) for name in ("program.msgpack", "x.npy", "result.npy")]
    done = subprocess.run([sys.executable, "-c", LOADED, *names], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")
    same(np.load(tmp_path / "result.npy"), smoothness(x))
