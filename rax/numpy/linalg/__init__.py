"""The array API standard's ``linalg`` extension, version 2025.12, and what NumPy and SciPy users expect beside it.

Matrices are the last two axes; the axes before them are a batch. Factorisations work on float32,
float64 and the complex dtypes: bools and integers become float32, and half-precision floats are to
be cast. What NumPy refuses when it computes (a singular system, a Cholesky factor of a matrix that
is not positive definite) is a :class:`rax.ExecutionError` when the graph runs.

Every function has derivatives of any order, in both modes. Eigenvectors, singular vectors and the
like are unique only up to signs or phases, and where values coincide up to rotations: take
derivatives of what does not depend on that choice. Values have finite derivatives always.

Beyond the standard: ``cond``, ``expm``, ``lstsq``, ``lu``, ``multi_dot``, ``norm`` and ``solve_triangular``.
"""

from typing import TYPE_CHECKING

from rax.frontend.names import missing
from rax.numpy.linalg.decompositions import (
    EigenResult,
    LuResult,
    QrResult,
    SvdResult,
    cholesky,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    lu,
    qr,
    svd,
    svdvals,
)
from rax.numpy.linalg.norms import cond, matrix_norm, norm, vector_norm
from rax.numpy.linalg.products import cross, diagonal, expm, matrix_power, multi_dot, outer, trace
from rax.numpy.linalg.solving import (
    LstsqResult,
    SlogdetResult,
    det,
    inv,
    lstsq,
    matrix_rank,
    pinv,
    slogdet,
    solve,
    solve_triangular,
)
from rax.numpy.linear_algebra import matmul, matrix_transpose, tensordot, vecdot

__all__ = [
    "EigenResult", "LstsqResult", "LuResult", "QrResult", "SlogdetResult", "SvdResult", "cholesky", "cond", "cross",
    "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "expm", "inv", "lstsq", "lu", "matmul", "matrix_norm",
    "matrix_power", "matrix_rank", "matrix_transpose", "multi_dot", "norm", "outer", "pinv", "qr", "slogdet",
    "solve", "solve_triangular", "svd", "svdvals", "tensordot", "trace", "vecdot", "vector_norm",
]  # fmt: skip


if not TYPE_CHECKING:  # a type checker would take every name for one of the module's

    def __getattr__(name: str) -> object:
        raise missing(__name__, name)
