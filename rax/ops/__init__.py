"""What each operation means: one class an operation, one file a family.

A class here is the only place that knows an operation's type rule, NumPy reference,
derivative and batching. Nothing here evaluates a graph, reads a file or is fast. Importing
this package tells ``rax.ir.op.REGISTRY`` which module has which operation; a module is imported
when one of its operations is asked for, so that a process pays for those that its graphs use.
"""

from collections.abc import Mapping

from rax.ir.op import REGISTRY, Op

_OPERATIONS = {
    "activations": "softplus silu gelu",
    "arithmetic": "square sqrt cbrt abs sign copysign pow floor_divide remainder maximum minimum clip",
    "attention": "dot_product_attention",
    "broadcasting": "broadcast_to sum",
    "calls": "checkpoint custom_jvp custom_vjp",
    "comparison": "equal not_equal less less_equal greater greater_equal isnan isinf isfinite signbit",
    "complex_parts": "real imag conj complex",
    "contraction": "matmul widening_matmul",
    "control": "cond while_loop",
    "creation": "iota dim_size",
    "cumulative": "cumulative_sum linear_recurrence cumulative_prod",
    "decompositions": "cholesky lu qr",
    "determinants": "det adjugate slogdet",
    "elementwise": "add subtract multiply divide xdivy negative",
    "fft": "fft rfft irfft",
    "indexing": "gather scatter",
    "logical": (
        "logical_and logical_or logical_xor logical_not bitwise_and bitwise_or bitwise_xor bitwise_invert "
        "bitwise_left_shift bitwise_right_shift"
    ),
    "matrix_functions": "pinv expm expm_frechet",
    "normalization": "softmax log_softmax layer_norm",
    "random_bits": "random_bits threefry2x32",
    "reduction": "prod max min all any argmax argmin mean var logsumexp",
    "relu": "relu",
    "rounding": "floor ceil trunc round nextafter",
    "scan": "scan",
    "selection": "where cast stop_gradient",
    "shape": "reshape permute_dims concat slice pad flip",
    "solvers": "solve triangular_solve",
    "sorting": "sort argsort searchsorted",
    "special.bessel": "i0 i0e i1 i1e",
    "special.error_functions": "erf erfc erfcx erfinv ndtr ndtri log_ndtr",
    "special.gamma_functions": "gammaln gamma digamma polygamma zeta betaln",
    "special.incomplete_beta": "betainc betainc_derivative",
    "special.incomplete_gamma": "gammainc gammaincc gammainc_derivative loggamma_slope loggamma_transport",
    "spectral": "svd svdvals eigh eigvalsh eig eigvals",
    "transcendental": "exp expm1 log log1p log2 log10 sigmoid logaddexp",
    "trigonometric": "sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh hypot atan2",
    "window": "conv sliding_windows fold_windows",
}
"""The names of the operations, in their order in each module below this package; a test holds them to the classes."""

REGISTRY.provide({name: f"{__name__}.{module}" for module, names in _OPERATIONS.items() for name in names.split()})


def registry() -> Mapping[str, type[Op]]:
    """Every operation by name: rax's own, and those that users have declared since."""
    return REGISTRY
