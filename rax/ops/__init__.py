"""What each operation means: one class an operation, one file a family.

A class here is the only place that knows an operation's type rule, NumPy reference,
derivative and batching. Nothing here evaluates a graph, reads a file or is fast. Importing
this package tells ``rax.ir.op.REGISTRY`` which module has which operation; a module is imported
when one of its operations is asked for, so that a process pays for those that its graphs use.
"""

from collections.abc import Mapping

from rax.ir.op import REGISTRY, Op

_OPERATIONS = {
    "activations": "gelu relu silu softplus",
    "arithmetic": "abs cbrt clip copysign floor_divide maximum minimum pow remainder sign sqrt square",
    "attention": "dot_product_attention",
    "broadcasting": "broadcast_to sum",
    "calls": "checkpoint custom_jvp custom_vjp",
    "comparison": "equal greater greater_equal isfinite isinf isnan less less_equal not_equal signbit",
    "complex_parts": "complex conj imag real",
    "contraction": "matmul widening_matmul",
    "control": "cond while_loop",
    "creation": "dim_size iota",
    "cumulative": "cumulative_prod cumulative_sum linear_recurrence",
    "decompositions": "cholesky lu qr",
    "determinants": "adjugate det slogdet",
    "elementwise": "add divide multiply negative subtract xdivy",
    "fft": "fft irfft rfft",
    "indexing": "gather scatter",
    "logical": (
        "bitwise_and bitwise_invert bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor logical_and "
        "logical_not logical_or logical_xor"
    ),
    "matrix_functions": "expm expm_frechet pinv",
    "normalization": "layer_norm log_softmax softmax",
    "random_bits": "random_bits threefry2x32",
    "reduction": "all any argmax argmin logsumexp max mean min prod var",
    "rounding": "ceil floor nextafter round trunc",
    "scan": "scan",
    "selection": "cast stop_gradient where",
    "shape": "concat flip pad permute_dims reshape slice",
    "solvers": "solve triangular_solve",
    "sorting": "argsort searchsorted sort",
    "special.bessel": "i0 i0e i1 i1e",
    "special.error_functions": "erf erfc erfcx erfinv log_ndtr ndtr ndtri",
    "special.gamma_functions": "betaln digamma gamma gammaln polygamma zeta",
    "special.incomplete_beta": "betainc betainc_derivative",
    "special.incomplete_gamma": "gammainc gammainc_derivative gammaincc loggamma_slope loggamma_transport",
    "spectral": "eig eigh eigvals eigvalsh svd svdvals",
    "transcendental": "exp expm1 log log10 log1p log2 logaddexp sigmoid",
    "trigonometric": "acos acosh asin asinh atan atan2 atanh cos cosh hypot sin sinh tan tanh",
    "window": "conv fold_windows sliding_windows",
}
"""The names of the operations, by the module below this package; a test holds them to the classes."""

REGISTRY.provide({name: f"{__name__}.{module}" for module, names in _OPERATIONS.items() for name in names.split()})


def registry() -> Mapping[str, type[Op]]:
    """Every operation by name: rax's own, and those that users have declared since."""
    return REGISTRY
